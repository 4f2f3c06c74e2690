"""Whose turn it is, of a Pipeline's runs that may not run beside each other (`concurrency: Queue`, `Replace`).

One object decides: the Pipeline gives the turn to a run, in its status. That is written against the version which was
planned on, so it is given once, however many operators there are, and whatever is killed. It stays that run's until it
has ended. A run starts only when it has its turn; so it does not matter how old its view of the others is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from fairlead.api.pipeline import PipelineStatus, Turn
from fairlead.plan.core import JOB, LABEL_PREFIX, PIPELINE_RUN, POD, Json, Peers, World, epoch, rfc3339
from fairlead.plan.gauges import ENDED
from fairlead.plan.pipeline import runs

ORDERED = ("Queue", "Replace")
PLACES = 5
"""So many of those that wait are named, and told their place: each run that ends moves them all."""
_LAG = 30.0
"""Seconds after which a run that has the turn and can't be seen is taken for gone: news of it may be late."""
_AGAIN = 5.0


class Given(NamedTuple):
    """Whose turn it is now."""

    turn: Turn | None
    waiting: list[Json]
    """Those that wait for it, in order."""
    again: float | None = None
    """Seconds after which to look again, if no event says so."""

    @property
    def changes(self) -> dict[str, Any]:
        """Of the Pipeline's status."""
        names = [run["metadata"]["name"] for run in self.waiting]
        return {"turn": self.turn, "queue": names[:PLACES], "queued": len(names)}


NONE = Given(None, [])
"""Where runs don't wait for each other."""


def keys(run: Json) -> Iterator[str]:
    """By which a run is found that has not ended."""
    pipeline = (run.get("spec") or {}).get("pipeline")
    if pipeline and not _over(run):
        yield key(pipeline)


def key(pipeline: str) -> str:
    """Of the runs of a Pipeline that have not ended, whoever has made them."""
    return f"live/{pipeline}"


def _over(run: Json) -> bool:
    return (run.get("status") or {}).get("phase") in ENDED


def waits(run: Json) -> bool:
    """Whether a run has not started. One that is suspended lets others pass."""
    return not _over(run) and not (run.get("status") or {}).get("template")


def _queues(run: Json) -> bool:
    return waits(run) and not run["spec"].get("suspend") and not run["spec"].get("cancel")


def live(world: World, pipeline: str) -> list[Json]:
    """The runs of a Pipeline that have not ended, the oldest first."""
    return sorted(world.indexed(PIPELINE_RUN, key(pipeline)), key=runs.made)


# --- the Pipeline gives it -----------------------------------------------------------------------------------------


def given(world: World, pipeline: str, concurrency: str, status: PipelineStatus, now: float) -> Given:
    """Whose turn it is."""
    if concurrency not in ORDERED:
        return NONE
    found = live(world, pipeline)
    waiting = [run for run in found if _queues(run)]
    if status.turn is not None and _holds(world, status.turn, now):
        holder = status.turn.uid
        seen = world.get(PIPELINE_RUN, status.turn.run) is not None
        return Given(
            status.turn, [run for run in waiting if run["metadata"]["uid"] != holder], None if seen else _AGAIN
        )
    # one that started when others might run beside it has its turn first
    started = [run for run in found if not waits(run)]
    oldest_first = waiting if concurrency == "Queue" else waiting[::-1]
    chosen = next(iter(started or oldest_first), None)
    if chosen is None:
        return NONE
    meta = chosen["metadata"]
    turn = Turn(run=meta["name"], uid=meta["uid"], at=rfc3339(now))
    return Given(turn, _others(waiting, turn))


def _others(waiting: list[Json], turn: Turn) -> list[Json]:
    return [run for run in waiting if run["metadata"]["uid"] != turn.uid]


def _holds(world: World, turn: Turn, now: float) -> bool:
    """Whether the turn is still a run's: one that was deleted has it until its pods are gone."""
    run = world.get(PIPELINE_RUN, turn.run)
    if run is not None and run["metadata"]["uid"] == turn.uid:
        return not _over(run)
    mine = {LABEL_PREFIX + "run": turn.run}
    left = [obj for kind in (JOB, POD) for obj in world.select(kind, mine) if not _ended(obj)]
    return run is None and (bool(left) or now - epoch(turn.at) < _LAG)


def _ended(obj: Json) -> bool:
    status = obj.get("status") or {}
    ended = any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in status.get("conditions") or ())
    return ended or status.get("phase") in ("Succeeded", "Failed")


# --- a run takes it ------------------------------------------------------------------------------------------------


def concurrency(pipeline: Json | None) -> str:
    """A Pipeline's, as it is now."""
    return str(((pipeline or {}).get("spec") or {}).get("concurrency", ""))


def has_turn(pipeline: Json, uid: str) -> bool:
    """Whether a run may start, as far as others are concerned."""
    if concurrency(pipeline) not in ORDERED:
        return True
    return bool(((pipeline.get("status") or {}).get("turn") or {}).get("uid") == uid)


def place(pipeline: Json, name: str) -> str:
    """What a run is told that waits."""
    status = pipeline.get("status") or {}
    queue, holder = status.get("queue") or [], (status.get("turn") or {}).get("run", "")
    behind = f", behind run {holder}" if holder else ""
    if name in queue:
        return f"waits its turn: number {queue.index(name) + 1} in the queue{behind}"
    return (
        f"waits its turn: more than {PLACES} runs are before it{behind}" if len(queue) >= PLACES else "waits its turn"
    )


def newer(world: World, pipeline: str, run: Json) -> str:
    """The newest run that waits to take a run's place; empty: there is none."""
    found = [one for one in live(world, pipeline) if _queues(one) and runs.made(one) > runs.made(run)]
    return str(found[-1]["metadata"]["name"]) if found else ""


# --- what wakes runs -----------------------------------------------------------------------------------------------


def by_pipeline(pipeline: Json, peers: Peers) -> Iterable[str]:
    """Those whose turn it is, or who are told their place; all that wait, where none has to."""
    status = pipeline.get("status") or {}
    if concurrency(pipeline) in ORDERED:
        return [name for name in ((status.get("turn") or {}).get("run"), *(status.get("queue") or ())) if name]
    return [run["metadata"]["name"] for run in peers.indexed(key(pipeline["metadata"]["name"])) if waits(run)]


def heeded(pipeline: Json) -> Any:
    """What of a Pipeline wakes its runs."""
    status = pipeline.get("status") or {}
    return concurrency(pipeline), status.get("turn"), status.get("queue")
