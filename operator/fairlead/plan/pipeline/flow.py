"""The course of a run that has started: which steps begin, what is not waited for any more, when it is over."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan.core import Plan
from fairlead.plan.pipeline import dag, ending, steps, units
from fairlead.plan.pipeline.cache import look as cache


def go_on(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    """One look at a run that has started."""
    before = {s.name: s for s in view.subject.body.status.steps}
    looked = [cache.after(status, spec, s, units.advance(view, s)) for s in status.steps]
    cancelled = view.subject.body.spec.cancel is not None
    if cancelled:
        looked = [units.aborted(view, old, new, units.CANCELLED) for old, new in zip(status.steps, looked, strict=True)]
    elif any(s.phase == "Failed" for s in looked):
        looked = [units.without(view, old, new) for old, new in zip(status.steps, looked, strict=True)]
    else:
        looked = _begin_ready(view, status, spec, looked)
    done = sum(s.phase == "Completed" for s in looked)
    status = status.model_copy(update={"steps": looked, "progress": f"{done}/{len(looked)}"})
    found = _next(view, status, spec, cancelled)
    told = [event for s in looked for event in units.events(before.get(s.name) or StepStatus(name=s.name), s)]
    told += [event for s in looked for event in cache.events(before.get(s.name) or StepStatus(name=s.name), s)]
    found.events = [*told, *found.events]
    found.delete += [gone for s in looked if s.reason == units.FAILED for gone in units.stopped(view, s)]
    found.delete += [gone for s in looked for gone in units.lingering(view, s)]
    return found


def _begin_ready(
    view: steps.View, status: PipelineRunStatus, spec: PipelineSpec, looked: list[StepStatus]
) -> list[StepStatus]:
    run = status.model_copy(update={"steps": looked})
    completed = {s.name for s in looked if s.phase == "Completed"}
    needs = {step.name: dag.dependencies(step) for step in spec.steps}

    def begun(s: StepStatus) -> StepStatus:
        if not (needs[s.name] <= completed and units.due(view, s)):
            return s
        s = cache.before(view, run, spec, s)
        return units.begin(view, s) if cache.begins(s) else s

    return [begun(s) for s in looked]


def _next(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec, cancelled: bool) -> Plan:
    failed = next((s for s in status.steps if s.phase == "Failed"), None)
    busy = any(units.busy(s) for s in status.steps)
    if cancelled:
        return _cancel(view, status)
    if busy or not (failed or all(s.phase == "Completed" for s in status.steps)):
        return _run_on(view, status, spec)
    if failed:
        message = f"step {failed.name}: {failed.message}"
        return ending.end(view, status, "Failed", failed.reason or "StepFailed", message)
    return ending.produce_models(view, status, spec)


def _run_on(view: steps.View, status: PipelineRunStatus, spec: PipelineSpec) -> Plan:
    making = [units.make(view, status, spec, s) for s in status.steps]
    status = status.model_copy(update={"steps": [one.status for one in making]})
    reason, message = _summary(status.steps)
    found = Plan(ending.state(view, status, "Running", reason, message))
    found.create = [job for one in making for job in one.create]
    found.delete = [gone for s in status.steps for gone in units.outdated(view, s)]
    found.requeue_after = min(view.look_again, default=None)
    return found


def _summary(looked: Iterable[StepStatus]) -> tuple[str, str]:
    """Reason and message of a run that is under way: what holds it up, else what it does."""
    looked = list(looked)
    for s in looked:
        if s.phase == "Failed":
            return "StepFailed", f"step {s.name} failed; waiting for the steps that still run"
    for s in sorted(looked, key=lambda s: s.reason == steps.STARTING):
        if s.phase == "Pending" and s.message:
            pause = f", again at {s.not_before}" if s.not_before else ""
            return s.reason, f"step {s.name}: {s.message}{pause}"
    active = [units.doing(s) for s in looked if units.busy(s)]
    return "Running", f"running {', '.join(active)}" if active else ""


def _cancel(view: steps.View, status: PipelineRunStatus) -> Plan:
    if all(units.over(s) for s in status.steps):
        return ending.end(view, status, "Aborted", "Cancelled", "cancelled; its pods are gone")
    found = Plan(ending.state(view, status, "Running", "Cancelling", "cancelled; waiting until its pods are gone"))
    found.delete += [gone for s in status.steps for gone in units.stopped(view, s)]
    return found
