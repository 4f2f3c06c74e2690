"""What a status keeps of an attempt at a Job, and what is written there when the attempt has failed.

An attempt is recorded (its number, the name of its Job) before its Job is made, and what became of it before anything
follows from that. Whatever is killed in between, the next look goes on from the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from fairlead.plan.core import epoch, rfc3339


class Record(Protocol):
    """An attempt, as a status has it."""

    @property
    def name(self) -> str:
        """Of its Job."""

    @property
    def uid(self) -> str:
        """Of its Job; empty until that has been seen."""

    @property
    def attempt(self) -> int:
        """Its number, from 1."""

    @property
    def not_before(self) -> str | None:
        """It has failed, and the next one waits until then."""


class Counted(Record, Protocol):
    """An attempt with what its listing, its question or its window has cost so far."""

    @property
    def unreadable(self) -> int:
        """How often its answer could not be read."""


class Recorded(NamedTuple):
    """A record, of a status that has it in fields of other names."""

    name: str
    uid: str
    attempt: int
    not_before: str | None = None


@dataclass(frozen=True)
class Budget:
    """What a failure costs."""

    pause: float = 0.0
    """Seconds until the next attempt, if there is one."""
    counter: str = ""
    """The record's field in which such failures are counted; empty: they are not."""
    count: int = 0
    """How many there are with this one."""
    most: int | None = None
    """So many are too many; None: it is tried until it succeeds."""


FINAL = Budget(count=1, most=1)
"""Trying again can't help."""


@dataclass(frozen=True)
class Settled:
    """What follows from a failure."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the record."""
    pause: float | None = None
    """Seconds until the next attempt; None: it is given up."""


def left(record: Record, now: float) -> float | None:
    """Seconds for which the next attempt still waits (0: it is due); None: an attempt is under way."""
    return None if record.not_before is None else max(0.0, epoch(record.not_before) - now)


def settled(budget: Budget, now: float, forgotten: tuple[str, ...]) -> Settled:
    """What is recorded of a failure that costs this. forgotten: fields that say which Job it was, where the next
    attempt's pause says no more."""
    counted = {budget.counter: budget.count} if budget.counter else {}
    if budget.most is not None and budget.count >= budget.most:
        return Settled(counted)
    waits = {"not_before": rfc3339(now + budget.pause), **dict.fromkeys(forgotten, "")}
    return Settled(counted | waits, budget.pause)
