"""How a run ends: the versions that it makes, and what it says of itself."""

from __future__ import annotations

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRun, PipelineRunStatus, StepStatus
from fairlead.api.units import seconds
from fairlead.plan import standing
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Event, Plan, Subject, epoch, rfc3339
from fairlead.plan.pipeline import dag, logs, produce, steps
from fairlead.plan.standing import Standing, Word

TERMINAL = ("Completed", "Failed", "Aborted")
LAST = "FinallySucceeded"
"""Condition of runs that have steps after the verdict."""


def left(step: StepStatus) -> StepStatus:
    """A step of a run that goes on without it."""
    return step if steps.over(step) else step.model_copy(update={"phase": "Aborted", "not_before": None})


def overdue(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> bool:
    """Whether a run that has started takes longer than it may, and is not decided."""
    if spec.timeout is None or status.started_at is None or status.verdict is not None:
        return False
    left = epoch(status.started_at) + seconds(spec.timeout) - view.now
    if left > 0:
        view.look_again.append(left)
    return left <= 0


def conclude(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    """The end of a run of which all steps are over, and all versions made."""
    assert status.verdict is not None
    phase, reason, text = status.verdict.phase, status.verdict.reason, status.verdict.message
    if phase == "Completed":
        text = f"made {', '.join(status.models)}" if status.models else text
        if lacking := produce.lacking(status, spec):
            text = f"{text}; not made: {'; '.join(lacking)}"
    if failed := last_failed(status):
        text = f"{text}; step {failed.name}, which changes nothing in that, failed: {failed.reason}: {failed.message}"
    return end(view, status, phase, reason, text)


def last_failed(status: PipelineRunStatus) -> StepStatus | None:
    """The first step after the verdict that has failed."""
    names = {step.name for step in status.template.steps if dag.is_last(step)} if status.template else set()
    return next((s for s in status.steps if s.name in names and s.phase == "Failed"), None)


def end(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> Plan:
    ended = status.model_copy(
        update={"steps": [left(s) for s in status.steps], "finished_at": rfc3339(view.now)}
    )  # fmt: skip
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
    logs.tell(conditions, status.steps)
    return status.model_copy(update={"observed_generation": subject.meta.generation, **conditions.said()})


def state(view: steps.View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> PipelineRunStatus:
    generation = view.subject.meta.generation
    conditions = Conditions(status.conditions, view.now, generation)
    conditions.set("Succeeded", {"Completed": True, "Failed": False, "Aborted": False}.get(phase), reason, message)
    standing.tell(conditions, Standing(_WORDS.get(phase, "Reconciling"), reason, message))
    _tell_last(conditions, status)
    logs.tell(conditions, status.steps)
    return status.model_copy(
        update={
            "phase": phase, "message": message[:1024], "observed_generation": generation, **conditions.said(),
        }
    )  # fmt: skip


def _tell_last(conditions: Conditions, status: PipelineRunStatus) -> None:
    """How the steps went that come after the verdict."""
    names = {step.name for step in status.template.steps if dag.is_last(step)} if status.template else set()
    mine = [s for s in status.steps if s.name in names]
    failed = last_failed(status)
    if not mine:
        conditions.drop(LAST)
    elif failed:
        conditions.set(LAST, False, failed.reason or "StepFailed", f"step {failed.name}: {failed.message}")
    elif cut := next((s for s in mine if s.phase == "Aborted"), None):
        conditions.set(LAST, False, cut.reason or "Aborted", f"step {cut.name} was not run to its end")
    elif all(s.phase == "Completed" for s in mine):
        conditions.set(LAST, True, "Completed", "all steps with `when: always` or `failed` are over")
    else:
        conditions.set(LAST, None, "NotYet", f"still to end: {', '.join(s.name for s in mine if not steps.over(s))}")
