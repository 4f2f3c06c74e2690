"""From counters to counts: what was added since the last look, each unit once.

A counter only rises, unless its process began anew, and then it begins at zero. How far a source was read is its
cursor; the cursor and the evidence it gave are kept together, so a unit is counted once whatever happens in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite


@dataclass(frozen=True)
class Advance:
    """What a source's counters added. `deltas` and `cursor` are parallel to the values that were read."""

    deltas: tuple[int, ...]
    cursor: tuple[float, ...]
    reset: bool = False
    """The counters went back: the process began anew, and what it has counted since then was taken."""


def advance(previous: float | None, current: float, *, from_zero: bool = False) -> int:
    """Whole units that a counter added since `previous`.

    previous: the value read before; None at the first sight of the source, which is then only the baseline, unless
    `from_zero` says that all of it happened since counting began. Raises ValueError for a value no counter can have.
    """
    if not isfinite(current) or current < 0:
        raise ValueError(f"not a counter's value: {current}")
    if previous is None:
        return floor(current) if from_zero else 0
    return floor(current) - floor(previous) if current >= previous else floor(current)


def advance_all(
    previous: Sequence[float] | None, current: Sequence[float], *, from_zero: bool = False, parts: bool = True
) -> Advance:
    """What the counters of one source added, read together.

    current: the first value is a total; with `parts`, the others count parts of it (failures among requests). If one
    value went back, all began anew. A part may run ahead of its total, since a page is not read atomically: the
    excess stays unread and is counted in a later window. A change in the number of values is a new baseline.
    """
    values = tuple(float(value) for value in current)
    if previous is not None and len(previous) != len(values):
        previous, from_zero = None, False
    reset = previous is not None and any(now < before for before, now in zip(previous, values, strict=True))
    if previous is None:
        start: tuple[float, ...] = (0.0,) * len(values) if from_zero else values
    else:
        start = (0.0,) * len(values) if reset else tuple(previous)
    deltas = [advance(before, now) for before, now in zip(start, values, strict=True)]
    if not parts:
        return Advance(tuple(deltas), values, reset)
    taken = [deltas[0], *(min(part, deltas[0]) for part in deltas[1:])]
    cursor = tuple(
        now if took == delta else floor(before) + took
        for now, before, took, delta in zip(values, start, taken, deltas, strict=True)
    )
    return Advance(tuple(taken), cursor, reset)
