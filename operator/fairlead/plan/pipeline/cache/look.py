"""What is done before a step's first attempt: its key, and whether an earlier result is taken.

First the key is recorded, and that it asks; then the store is asked; then what follows is recorded, as a hit, or as an
attempt and what it leaves for others. So each look goes on from the record, whatever was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.api.cached import Entry
from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.api.pipelinerun import PipelineRunStatus, StepCache, StepStatus
from fairlead.plan.core import Event
from fairlead.plan.pipeline import dag, steps
from fairlead.plan.pipeline.cache import ask, audit, keys, others, resume
from fairlead.plan.pipeline.cache.ask import Later
from fairlead.plan.requests import Request

SOON = 0.5
"""Seconds until the store is asked again."""
WAITS, LOOKUP = "CacheWaits", "CacheLookup"
NOT_CACHEABLE = "NotCacheable"
WORDS = 320
_NEXT = "nobody else makes the same any more; it is next"


def before(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> StepStatus:
    """A step that could begin, with its key: over, if an earlier result is taken; waiting, while that is not known; as
    it was, if it is to begin."""
    step = next(one for one in spec.steps if one.name == status.name)
    if status.attempt or status.phase != "Pending":
        return status
    if not status.key:
        status = _keyed(view, run, step, status)
    if not _asks(status):
        return status
    try:
        return _looked_up(view, run, spec, step, status)
    except Later:
        view.look_again.append(SOON)
        return _waits(status, LOOKUP, "looking for an earlier result with the same key")


def begins(status: StepStatus) -> bool:
    """Whether nothing of this keeps it, or another item of it, from beginning."""
    return not steps.over(status) and not _asks(status)


def requests(view: steps.View, spec: PipelineSpec, status: StepStatus) -> Iterator[Request]:
    """What the store is asked for a step that asks."""
    if _asks(status) and not steps.over(status):
        step = next(one for one in spec.steps if one.name == status.name)
        if step.cache:
            yield ask.question(view, spec, status)
        yield from resume.requests(view, spec, status)


def _asks(status: StepStatus) -> bool:
    return status.cache is not None and status.cache.outcome == "Asks"


def _keyed(view: steps.View, run: PipelineRunStatus, step: Step, status: StepStatus) -> StepStatus:
    """With its key, if it has one; and whether anybody is to be asked about it."""
    if status.cache is not None and status.cache.outcome == NOT_CACHEABLE:
        return status
    asks = step.cache or (view.subject.body.spec.resume_from is not None and not dag.is_last(step))
    try:
        key = keys.key(keys.parts(step, run))
    except keys.NotKeyable as why:
        cache = StepCache(outcome=NOT_CACHEABLE, message=why.message[:WORDS]) if asks else None
        return status.model_copy(update={"cache": cache})
    cache = StepCache(outcome="Asks", asked=view.stamp) if asks else None
    return status.model_copy(update={"key": key, "cache": cache})


def _looked_up(
    view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, step: Step, status: StepStatus
) -> StepStatus:
    taken, why_not = resume.taken(view, run, spec, status)
    if taken is not None:
        return taken
    if not step.cache:
        return _begins(status, StepCache(outcome="Miss", message=why_not[:WORDS]))
    found, after, why = ask.usable(view, spec, status)
    if found is not None and audit.chosen(spec.cache.audit, view.uid, status.name):
        return _begins(status, audit.begun(found, after))
    if found is not None:
        return _hit(view, status, found, after - 1)
    record, begins = others.turn(view, status)
    if not begins:
        text = f"{record.waits} makes the same just now; takes what it leaves, or makes it if that one fails"
        return _waits(status.model_copy(update={"cache": record}), WAITS, text if record.waits else _NEXT)
    said = "; ".join(one for one in (why_not, why) if one)
    return _begins(status, StepCache(outcome="Miss", message=said[:WORDS], entry=after))


def _hit(view: steps.View, status: StepStatus, found: Entry, number: int) -> StepStatus:
    text = f"the outputs of run {found.run}, attempt {found.result.attempt}"
    cache = StepCache(
        outcome="Hit", message=text, run=found.run, run_uid=found.run_uid, attempt=found.result.attempt, entry=number
    )
    began: dict[str, Any] = {"cache": cache, "image": found.image, "started_at": view.stamp}
    return steps.completed(view, status.model_copy(update=began), found.result)


def _begins(status: StepStatus, cache: StepCache) -> StepStatus:
    return status.model_copy(update={"cache": cache, "reason": "", "message": ""})


def _waits(status: StepStatus, reason: str, message: str) -> StepStatus:
    return status.model_copy(update={"reason": reason, "message": message})


def after(run: PipelineRunStatus, spec: PipelineSpec, old: StepStatus, new: StepStatus) -> StepStatus:
    """A step after a look at its attempt: one that has just been completed has a key, and is compared if it is an
    audit."""
    if new.phase != "Completed" or old.phase == "Completed":
        return new
    if not new.key:
        step = next(one for one in spec.steps if one.name == new.name)
        try:
            new = new.model_copy(update={"key": keys.key(keys.parts(step, run, new.image))})
        except keys.NotKeyable:
            return new
    return audit.compared(new)


def events(old: StepStatus | None, new: StepStatus) -> Iterator[Event]:
    """What is told of a look. old: as it was recorded before; None: not at all."""
    was, cache = old.cache.outcome if old and old.cache else "", new.cache
    if cache is None or cache.outcome == was:
        return
    if cache.outcome in ("Hit", "Resumed"):
        yield Event("CacheHit", f"step {new.name}: {cache.message}")
    elif cache.outcome == NOT_CACHEABLE:
        yield Event(NOT_CACHEABLE, f"step {new.name} runs as usual: {cache.message}")
    elif cache.outcome == "Mismatch":
        yield Event(audit.MISMATCH, f"step {new.name}: {cache.message}", warning=True)
