"""Who makes the same just now: one does, the others wait and take what it leaves.

A step says that it asks (`Asks`, with the time) before it begins, so that of several the first is known. Whoever has
begun goes before whoever has not. Nobody waits for one that has not begun for longer than PATIENCE: something keeps it
from being looked at. At worst two make the same, and the first to end leaves its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


def waits(view: View, status: StepStatus) -> StepCache | None:
    """The record of a step that waits for another one that makes the same; None: it may begin."""
    ahead, cache = _ahead(view, status), status.cache
    if ahead is None or cache is None:
        return None
    who, begun = ahead
    since = cache.since if who == cache.waits and cache.since else view.stamp
    left = PATIENCE - (view.now - epoch(since))
    if not begun and left <= 0:
        return None
    if not begun:
        view.look_again.append(left)
    return cache.model_copy(update={"waits": who, "since": since})


def _ahead(view: View, status: StepStatus) -> tuple[str, bool] | None:
    """The step that goes before (`run/step`), and whether it has begun: one that has, else the next before this one."""
    mine = _turn(view.uid, status.cache.asked if status.cache else None, status.name)
    before: list[tuple[tuple[str, str, str], str]] = []
    for run in view.world.indexed(PIPELINE_RUN, status.key):
        for step in _making(run, view, status):
            who = f"{run['metadata']['name']}/{step['name']}"
            if step.get("attempt"):
                return who, True
            turn = _turn(run["metadata"]["uid"], (step.get("cache") or {}).get("asked"), step["name"])
            if turn < mine and not _held(run):
                before.append((turn, who))
    return (max(before)[1], False) if before else None


def _turn(uid: str, asked: str | None, step: str) -> tuple[str, str, str]:
    return asked or "", uid, step


def _making(run: Json, view: View, status: StepStatus) -> Iterator[Json]:
    """Its steps with the same key, without the one that asks. Of another pipeline they leave theirs elsewhere."""
    if run["spec"].get("pipeline") == view.subject.body.spec.pipeline:
        for step in run["status"].get("steps") or ():
            itself = run["metadata"]["uid"] == view.uid and step["name"] == status.name
            if step.get("key") == status.key and _counts(step) and not itself:
                yield step


def _held(run: Json) -> bool:
    """Whether it begins nothing at the moment."""
    return bool(run["spec"].get("cancel") or run["spec"].get("suspend"))
