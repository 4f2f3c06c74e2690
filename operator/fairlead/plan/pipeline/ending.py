"""How a run ends: the versions that it makes, and what it says of itself."""

from __future__ import annotations

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRun, PipelineRunStatus
from fairlead.plan import standing
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Event, Plan, Subject, rfc3339
from fairlead.plan.pipeline import produce, steps
from fairlead.plan.standing import Standing, Word

TERMINAL = ("Completed", "Failed", "Aborted")


def produce_models(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    status = status.model_copy(update={"models": produce.names(view, status, spec)})
    create = produce.missing(view, status, spec)
    if create:
        text = f"making {', '.join(m['metadata']['name'] for m in create)}"
        return Plan(state(view, status, "Running", "Producing", text), create=create)
    made = f"made {', '.join(status.models)}" if status.models else "all steps completed"
    return end(view, status, "Completed", "Completed", made)


def end(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> Plan:
    rest = [s if steps.over(s) else s.model_copy(update={"phase": "Aborted", "not_before": None}) for s in status.steps]
    ended = status.model_copy(update={"steps": rest, "finished_at": rfc3339(view.now)})
    text = f"{message}"[:1024]
    event = Event(f"Run{phase}", text, warning=phase == "Failed")
    return Plan(state(view, ended, phase, reason, text), events=[event])


_WORDS: dict[str, Word] = {"Completed": "Ready", "Failed": "Stalled", "Aborted": "Stalled"}


def ended_before(subject: Subject[PipelineRun], status: PipelineRunStatus, now: float) -> PipelineRunStatus:
    """The status of a run that ended before its spec was as it is, or when Fairlead did not say yet where an object
    stands."""
    conditions = Conditions(status.conditions, now, subject.meta.generation)
    ended = conditions.get("Succeeded")
    reason = ended.reason if ended else status.phase
    standing.tell(conditions, Standing(_WORDS[status.phase], reason, status.message))
    return status.model_copy(update={"observed_generation": subject.meta.generation, **conditions.said()})


def state(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> PipelineRunStatus:
    generation = view.subject.meta.generation
    conditions = Conditions(status.conditions, view.now, generation)
    conditions.set("Succeeded", {"Completed": True, "Failed": False, "Aborted": False}.get(phase), reason, message)
    standing.tell(conditions, Standing(_WORDS.get(phase, "Reconciling"), reason, message))
    return status.model_copy(
        update={
            "phase": phase, "message": message[:1024], "observed_generation": generation, **conditions.said(),
        }
    )  # fmt: skip
