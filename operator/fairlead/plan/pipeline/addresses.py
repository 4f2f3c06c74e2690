"""The names by which pods of an attempt find each other: a headless Service for each attempt with several workers.

It is there before the Job, for as long as the attempt is, and gone before the run is over. It belongs to the run, so it
goes with that in any case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.manifests import workers
from fairlead.plan.core import SERVICE, Delete, Json
from fairlead.plan.pipeline import steps, units
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.read import NotReadable


def missing(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec) -> list[Json]:
    """Services of attempts under way that are not there."""
    return [made for status in _with_several(view, spec, run.steps) if (made := _made(view, run, spec, status))]


def _made(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> Json | None:
    if status.reason in units.ENDING or view.world.get(SERVICE, workers.service_name(status.job)) is not None:
        return None
    try:
        return workers.service(types.job(units.order(view, run, spec, status)))
    except NotReadable:  # its Job can't be made either, and that is told; or it goes on as it is
        return None


def unneeded(view: steps.View, spec: PipelineSpec, found: Iterable[StepStatus]) -> Iterator[Delete]:
    """Services of attempts that are over."""
    wanted = {workers.service_name(status.job) for status in _with_several(view, spec, found)}
    for service in view.world.owned(SERVICE):
        meta = service["metadata"]
        if meta["name"] not in wanted and "deletionTimestamp" not in meta:
            yield Delete(SERVICE, meta["name"], meta["uid"])


def left(view: steps.View) -> bool:
    """Whether one is still there."""
    return bool(view.world.owned(SERVICE))


def _with_several(view: steps.View, spec: PipelineSpec, found: Iterable[StepStatus]) -> Iterator[StepStatus]:
    """Steps with a running attempt of several pods."""
    names = {step.name for step in spec.steps if types.workers(step) > 1}
    for status in found:
        if status.name in names and steps.busy(status) and not steps.is_recall(view, status):
            yield status
