"""What the store is asked about a step's key, and what it says."""

from __future__ import annotations

from fairlead.api import units
from fairlead.api.cached import Entry
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import StepStatus
from fairlead.plan import store
from fairlead.plan.core import epoch
from fairlead.plan.pipeline.steps import View
from fairlead.plan.requests import NOT_YET, Cached, Failed, ReadCached


class Later(Exception):  # noqa: N818 - normal
    """The store has not answered yet."""


def question(view: View, pipeline: PipelineSpec, status: StepStatus) -> ReadCached:
    """What is kept under the step's key."""
    where = folder(view, pipeline, status)
    reach = where.reach
    return ReadCached(view.namespace, where.bucket, where.prefix, reach.endpoint, reach.region, reach.credentials)


def folder(view: View, pipeline: PipelineSpec, status: StepStatus) -> store.Location:
    """Where it is kept."""
    name = view.subject.body.spec.pipeline
    return store.cache_folder(pipeline.store, view.world.config, view.namespace, name, status.key)


def usable(view: View, pipeline: PipelineSpec, status: StepStatus) -> tuple[Entry | None, int, str]:
    """The earlier result that may be taken, or None; number of the document that may follow it (0: none may); why it is
    not taken. Raises Later."""
    answer = view.world.answer(question(view, pipeline, status))
    if isinstance(answer, Failed):
        if answer.reason in NOT_YET:
            raise Later
        return None, 0, f"the store can't be asked for earlier results: {answer.message}"
    assert isinstance(answer, Cached)
    after, found = answer.number + 1, answer.entry
    if found is None or answer.trouble:
        none = "no earlier run has left a result for this key"
        return None, after, answer.trouble or none
    oldest = pipeline.cache.max_age
    age = view.now - epoch(found.at)
    if oldest is not None and age > units.seconds(oldest):
        return None, after, f"the result of run {found.run} was begun at {found.at}, longer ago than maxAge {oldest}"
    return found, after, ""
