"""A PipelineRun: its start, its steps in order, the models it makes, its end. Once it has ended, nothing moves it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from fairlead.api.kinds import KINDS
from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import PipelineRun, StepStatus
from fairlead.plan import accounts, gauges, terse
from fairlead.plan.core import (
    COMPONENT,
    JOB,
    LOCAL_QUEUE,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    POD,
    SERVICE,
    Json,
    KindSpec,
    Plan,
    Subject,
    World,
)
from fairlead.plan.jobs import attempt, queue
from fairlead.plan.model import references
from fairlead.plan.pipeline import ending, flow, logs, measuring, pinning, runs, start, steps, turns, units
from fairlead.plan.pipeline.cache import look as cache
from fairlead.plan.pipeline.cache import others
from fairlead.plan.pipeline.components import waking as components
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.reading import Reading
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.requests import Request
from fairlead.plan.standing import has_standing


def plan(subject: Subject[PipelineRun], world: World, now: float) -> Plan:
    """What a run needs next."""
    status = subject.body.status
    if status.phase in TERMINAL:
        view = _view(subject, world, now)
        archived = status.model_copy(update={"steps": [units.archived(view, s) for s in status.steps]})
        ended = ending.ended_before(subject, archived, now)
        return Plan(ended, requeue_after=min(view.look_again, default=None))
    view = _view(subject, world, now)
    if status.template is None:
        if subject.body.spec.cancel:
            return ending.end(view, status, "Aborted", "Cancelled", "cancelled before it started")
        try:
            status = start.start(view)
        except start.Refused as refused:
            return ending.end(view, status, "Failed", refused.reason, refused.message)
        except start.Replaced as gone:
            text = f"it had not started; run {gone.by}, which is newer, takes its place"
            return ending.end(view, status, "Aborted", "Replaced", text)
        except start.Waits as waits:
            waiting = ending.state(view, status, "Pending", waits.reason, waits.message)
            return Plan(waiting, requeue_after=None if waits.told else waits.again)
    elif not status.replaced_by and status.verdict is None and (by := start.replaced(view)):
        status = status.model_copy(update={"replaced_by": by})
    if pinning.is_open(status):
        looked = pinning.look(view, status)
        if isinstance(looked, Plan):
            again = [looked.requeue_after] if looked.requeue_after is not None else []
            looked.requeue_after = min([*again, *view.look_again], default=None)
            return looked
        status = looked
    assert status.template is not None
    if view.template is None:  # what was fixed just now counts in this look already
        started = replace(subject, body=subject.body.model_copy(update={"status": status}))
        view = replace(view, subject=started, template=status.template)
    return flow.go_on(view, status, status.template)


def observe(subject: Subject[PipelineRun], world: World, now: float) -> Iterable[Request]:
    """Before it starts, whether versions are there that it names; then the answers of attempts that have ended, and
    their logs."""
    status = subject.body.status
    view = _view(subject, world, now)
    if status.template is None and status.phase in TERMINAL:
        return []
    if status.template is None:
        return list(start.questions(view))
    asked = [request for step in status.steps for request in units.requests(view, step)]
    asked += (one for step in status.steps for one in cache.requests(view, status.template, step))
    asked += accounts.requests(view.namespace, measuring.servers(status.template, status.steps))
    return [*pinning.requests(view, status), *asked]


def _view(subject: Subject[PipelineRun], world: World, now: float) -> steps.View:
    status = subject.body.status

    def spec(step: StepStatus) -> Step:
        assert status.template is not None
        return next(one for one in status.template.steps if one.name == step.name)

    def wanted(step: StepStatus) -> Json | None:
        assert status.template is not None
        return types.job(units.order(view, status, status.template, step))

    def memory(step: StepStatus) -> str:
        return types.memory(spec(step))

    def reading(step: StepStatus) -> Reading:
        return types.reading(spec(step))

    view = steps.View(subject, world, now, status.template, wanted=wanted, memory=memory, reading=reading)
    return view


# --- what wakes a run --------------------------------------------------------------------------------------------


def settled(raw: Json) -> bool:
    """A finished run is never touched again, but for logs that are still to be kept, and for that what is said of it is
    said of its spec as it is: it may be cancelled when it has long ended."""
    status = raw.get("status") or {}
    current = status.get("observedGeneration", 0) == raw["metadata"].get("generation", 0)
    return status.get("phase") in TERMINAL and current and has_standing(status) and not logs.awaited(status)


def keys(run: Json) -> Iterable[str]:
    """By which a run is found. One of another form than its definition says is found by what of it can be read: it
    counts as its Pipeline's in any case."""
    found = list[str]()
    for read in (runs.keys, turns.keys, others.keys, components.keys):
        with suppress(*references.STRANGE):
            found.extend(read(run))
    return found


def by_pod(pod: Json, _runs: Iterable[Json]) -> list[str]:
    """The run whose step a pod belongs to."""
    return attempt.wakes(pod, steps.Attempt.label)


def by_queue(found: Json, runs: Iterable[Json]) -> list[str]:
    """Runs with a step that waits in a queue, or for it to be there."""
    name = found["metadata"]["name"]
    return [run["metadata"]["name"] for run in runs if not settled(run) and name in _queues(run)]


def _queues(run: Json) -> Iterable[str]:
    listed = ((run.get("status") or {}).get("template") or {}).get("steps") or ()
    return (one.get("queue") for one in listed if one.get("queue"))


SPEC: KindSpec[PipelineRun] = KindSpec(
    kind=PIPELINE_RUN,
    info=next(info for info in KINDS if info.model is PipelineRun),
    plan=plan,
    smaller=terse.of_run,
    observe=observe,
    children=(JOB, POD, MODEL_VERSION, SERVICE),
    optional=frozenset({LOCAL_QUEUE}),
    mappers={
        POD: by_pod,
        LOCAL_QUEUE: by_queue,
        PIPELINE: turns.by_pipeline,
        PIPELINE_RUN: others.woken,
        COMPONENT: components.runs_by_component,
    },
    foreign=frozenset({LOCAL_QUEUE}),
    anywhere=frozenset({COMPONENT}),
    heeds={LOCAL_QUEUE: queue.inactive, PIPELINE: turns.heeded, COMPONENT: components.heeded},
    index=keys,
    settled=settled,
    gauges=gauges.of_run,
)
