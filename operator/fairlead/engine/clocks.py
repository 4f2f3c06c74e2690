"""The time that an object is looked at: never before the times that its status has.

A new leader's clock, or one that was set back, may be behind that by which a status was written. Nothing would be due
then until it has caught up: no window of a rollout would close, and nobody would know. So for that object time goes on
from what is recorded, a little slower until the clock has caught up, and people are told. From more than an hour
nothing good follows: then it waits until no more than that is left, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fairlead.plan.core import epoch

Json = dict[str, Any]

PAST = frozenset({
    "lastTransitionTime", "since", "startedAt", "finishedAt", "endedAt", "lastWindowAt", "countedAt", "countingSince",
    "stepSince", "heldSince", "keptSince", "routedAt", "openedAt", "closedAt",
})  # fmt: skip
"""Members of a status that say when Fairlead did something."""
TOLERATED = 2.0
"""Seconds by which clocks differ anyway."""
MOST = 3600.0
"""Seconds that are bridged."""
SLOWED = 0.95
"""Seconds that pass for an object in one second, until the clock has caught up. Where it was the other clock that was
wrong, that of the leader before was ahead, nobody sets this one."""


class _Last(NamedTuple):
    at: float
    """The last time that is known of an object, in epoch seconds,"""
    when: float
    """and when that was, by the event loop's clock."""


@dataclass
class Clocks:
    """clock: epoch seconds, as the machine has them; steady: seconds that never go back."""

    clock: Callable[[], float]
    steady: Callable[[], float]
    _last: dict[str, _Last] = field(default_factory=dict)
    """By uid."""

    def now(self, raw: Json) -> tuple[float, float]:
        """The time to look at an object, and by how many seconds the clock is behind it; 0.0: it is not."""
        uid, now, steady = raw["metadata"].get("uid", ""), self.clock(), self.steady()
        last = self._last.get(uid) or _written(raw, steady)
        if _on(last, steady) - now > MOST:
            last = _written(raw, steady)  # it was this clock that was ahead, for a while: only what it left counts
        bridged = _on(last, steady)
        if now >= bridged - TOLERATED:
            self._last[uid] = _Last(now, steady)
            return now, 0.0
        if bridged - now > MOST:
            self._last[uid] = last
            return now, bridged - now
        self._last[uid] = _Last(bridged, steady)
        return bridged, bridged - now

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._last.pop(uid, None)


def _written(raw: Json, steady: float) -> _Last:
    return _Last(latest(raw.get("status")), steady)


def _on(last: _Last, steady: float) -> float:
    """What time it is by the last that is known."""
    return last.at + SLOWED * (steady - last.when)


def latest(status: Any) -> float:
    """The latest time that a status says Fairlead did something at, in epoch seconds; 0.0 without one."""
    return max(_times(status), default=0.0)


def _times(part: Any) -> Iterator[float]:
    if isinstance(part, list):
        for one in part:
            yield from _times(one)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name in PAST and isinstance(value, str):
                yield _epoch(value)
            elif isinstance(value, (dict, list)):
                yield from _times(value)


def _epoch(text: str) -> float:
    try:
        return epoch(text)
    except ValueError:
        return 0.0
