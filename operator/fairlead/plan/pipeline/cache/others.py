"""Who makes the same just now: one does, the others wait and take what it leaves.

A step's question (`Asks`) is recorded before it begins, and so is that it stands back for another one (`waits`). It
begins only if each other one that asks stands back, and has been seen to. Of two records one was there first, and
whoever came second sees it; so of two that see each other both stand back, and then the one that has asked first steps
forward again, and looks once more. Where one operator looks after all runs, no two begin.

Nobody waits for one that has not begun for longer than PATIENCE (the next one, for twice as long …): something keeps
that run from being looked at. At worst two make the same, and the first to end leaves its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fairlead.api.pipelinerun import StepCache, StepStatus
from fairlead.plan.core import PIPELINE_RUN, Json, Peers, epoch
from fairlead.plan.pipeline.steps import View

PATIENCE = 60.0
"""Seconds."""
_OVER = ("Completed", "Failed", "Aborted")


def keys(run: Json) -> Iterator[str]:
    """Keys of what a run makes, or would begin to make, for later runs (see `KindSpec.index`)."""
    status = run.get("status") or {}
    if status.get("phase") not in _OVER:
        yield from dict.fromkeys(step["key"] for step in status.get("steps") or () if _counts(step))


def _counts(step: Json) -> bool:
    cache = step.get("cache") or {}
    left = cache.get("outcome") == "Asks" or bool(cache.get("entry"))
    return bool(step.get("key")) and left and step.get("phase") not in _OVER


def woken(run: Json, runs: Peers) -> Iterable[str]:
    """Runs that may wait for what this one makes: when a step of it is over, or the run is gone, they take what it has
    left, or make it themselves."""
    status, name = run.get("status") or {}, run["metadata"]["name"]
    made = {step["key"] for step in status.get("steps") or () if step.get("key") and step.get("cache")}
    found = (one["metadata"]["name"] for key in sorted(made) for one in runs.indexed(key))
    return dict.fromkeys(other for other in found if other != name)


class Other(NamedTuple):
    """Another step that makes, or would make, the same."""

    turn: tuple[str, str, str]
    """When it has asked, and what sets it apart from one that has asked at the same time."""
    who: str
    """`run/step`"""
    begun: bool
    back: bool
    """It stands back."""


def turn(view: View, status: StepStatus) -> tuple[StepCache, bool]:
    """What is recorded of a step that asks, and whether it begins."""
    assert status.cache is not None
    cache, every = status.cache, sorted(_others(view, status))
    mine, stands_back = _turn(view.uid, cache.asked, status.name), bool(cache.waits)
    ahead = [one for one in every if one.begun] or [one for one in every if not one.back]
    if not ahead and stands_back:
        ahead = [one for one in every if one.turn < mine]
    if ahead:
        rank = sum(one.turn < mine for one in every)
        return _behind(view, cache, ahead[0], rank)
    # stepping forward is recorded, and looked at once more: another one may have come meanwhile
    return cache.model_copy(update={"waits": "", "since": None}), not stands_back


def _behind(view: View, cache: StepCache, ahead: Other, rank: int) -> tuple[StepCache, bool]:
    since = cache.since if ahead.who == cache.waits and cache.since else view.stamp
    left = PATIENCE * max(rank, 1) - (view.now - epoch(since))
    if not ahead.begun and left <= 0:
        return cache, True
    if not ahead.begun:
        view.look_again.append(left)
    return cache.model_copy(update={"waits": ahead.who, "since": since}), False


def _others(view: View, status: StepStatus) -> Iterator[Other]:
    """Of another pipeline they leave theirs elsewhere."""
    for run in view.world.indexed(PIPELINE_RUN, status.key):
        if run["spec"].get("pipeline") != view.subject.body.spec.pipeline:
            continue
        name, uid = run["metadata"]["name"], run["metadata"]["uid"]
        for step in run["status"].get("steps") or ():
            begun, itself = bool(step.get("attempt")), uid == view.uid and step["name"] == status.name
            if step.get("key") != status.key or not _counts(step) or itself or (_held(run) and not step.get("job")):
                continue
            cache = step.get("cache") or {}
            order = _turn(uid, cache.get("asked"), step["name"])
            yield Other(order, f"{name}/{step['name']}", begun, bool(cache.get("waits")))


def _turn(uid: str, asked: str | None, step: str) -> tuple[str, str, str]:
    return asked or "", uid, step


def _held(run: Json) -> bool:
    """Whether it begins nothing at the moment, and tries nothing again."""
    return bool(run["spec"].get("cancel") or run["spec"].get("suspend") or run["status"].get("replacedBy"))
