"""A run that goes on from another one: what it takes of it, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRun, PipelineRunStatus, StepCache, StepStatus
from fairlead.plan import store
from fairlead.plan.core import PIPELINE_RUN
from fairlead.plan.pipeline import dag, steps
from fairlead.plan.pipeline.cache.ask import Later
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import NOT_YET, Failed, FindOutputs, OutputsSeen


def requests(view: steps.View, spec: PipelineSpec, status: StepStatus) -> Iterator[FindOutputs]:
    """Whether the outputs are still there that a step would take."""
    old = _same(view, status)
    if old is not None:
        yield _question(view, spec, old)


def _question(view: steps.View, spec: PipelineSpec, old: StepStatus) -> FindOutputs:
    where = store.store(spec.store, view.world.config, view.namespace)
    reach, start = where.reach, f"s3://{where.bucket}/"
    found = tuple((one.uri.removeprefix(start), one.bytes) for one in old.outputs)
    return FindOutputs(view.namespace, where.bucket, found, reach.endpoint, reach.region, reach.credentials)


def taken(
    view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus
) -> tuple[StepStatus | None, str]:
    """The step, completed with the outputs of the run that this one goes on from; or None, and why. Raises Later."""
    name = view.subject.body.spec.resume_from
    step = next(one for one in spec.steps if one.name == status.name)
    if name is None or dag.is_last(step):  # what comes after a run's verdict is for this run
        return None, ""
    source = _source(view)
    if source is None:
        return None, f"run {name} is gone"
    if changed := _changed(run, spec, status):
        return None, f"step {changed} ran anew"
    old = _same(view, status)
    if old is None:
        return None, _why(source, status)
    where = store.store(spec.store, view.world.config, view.namespace)
    if any(not one.uri.startswith(f"s3://{where.bucket}/") for one in old.outputs):
        return None, f"the outputs of run {name} lie in another bucket"
    answer = view.world.answer(_question(view, spec, old))
    if isinstance(answer, Failed) and answer.reason in NOT_YET:
        raise Later
    trouble = answer.message if isinstance(answer, Failed) else ""
    trouble = answer.trouble if isinstance(answer, OutputsSeen) else trouble
    return (None, f"run {name}: {trouble}") if trouble else (_of(view, old, name), "")


def _of(view: steps.View, old: StepStatus, name: str) -> StepStatus:
    """The old step as one of this run, with who has made it."""
    was = old.cache if old.cache and old.cache.outcome in ("Hit", "Resumed") else None
    cache = StepCache(
        outcome="Resumed", message=f"the outputs of run {name}", run=was.run if was else name,
        run_uid=was.run_uid if was else _uid(view), attempt=was.attempt if was else old.attempt,
    )  # fmt: skip
    fresh: dict[str, Any] = {
        "cache": cache, "attempt": 0, "failures": 0, "disruptions": 0, "job": "", "job_uid": "", "not_before": None,
        "gpu_seconds": 0, "log": None, "reason": "", "message": "", "started_at": view.stamp, "finished_at": view.stamp,
    }  # fmt: skip
    return old.model_copy(update=fresh)


def _uid(view: steps.View) -> str:
    raw = view.world.get(PIPELINE_RUN, view.subject.body.spec.resume_from or "")
    return str(raw["metadata"]["uid"]) if raw else ""


def _source(view: steps.View) -> PipelineRun | None:
    """The run that this one goes on from, if it is there and can be read."""
    raw = view.world.get(PIPELINE_RUN, view.subject.body.spec.resume_from or "")
    try:
        return read(PipelineRun, PIPELINE_RUN, raw) if raw is not None else None
    except NotReadable:
        return None


def _same(view: steps.View, status: StepStatus) -> StepStatus | None:
    """The completed step of that run with the same key."""
    source = _source(view) if view.subject.body.spec.resume_from else None
    found = (one for one in source.status.steps if one.name == status.name) if source else iter(())
    return next((one for one in found if one.phase == "Completed" and one.key and one.key == status.key), None)


def _why(source: PipelineRun, status: StepStatus) -> str:
    old = next((one for one in source.status.steps if one.name == status.name), None)
    if old is None:
        return "it is a new step"
    return f"it has not been completed there ({old.phase})" if old.phase != "Completed" else "its key is another one"


def _changed(run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> str:
    """The first step before this one that was not taken from an earlier run; what follows it runs. Items never are."""
    step = next(one for one in spec.steps if one.name == status.name)
    before = dag.dependencies(step)
    return next((one.name for one in run.steps if one.name in before and (one.attempt or one.items is not None)), "")
