"""Reading the units that people write: durations, percentages, numbers."""

from __future__ import annotations

import re
from functools import lru_cache

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")


LONGEST = 36_525 * 86_400.0
"""Seconds of a century: longer ones, from before the schema had a bound, would end beyond what a calendar has."""


@lru_cache(maxsize=1024)
def seconds(duration: str) -> float:
    """Seconds of a duration such as `1h30m`. Raises ValueError for anything else."""
    parts = _DURATION_PART.findall(duration)
    if not parts or "".join(n + u for n, u in parts) != duration:
        raise ValueError(f"not a duration: {duration!r}; write for example 30s, 5m, 1h30m")
    return min(sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts), LONGEST)


def share(percent: str) -> float:
    """The share in [0, ∞) that a percentage such as `0.5%` names. Raises ValueError for anything else."""
    if not percent.endswith("%"):
        raise ValueError(f"not a percentage: {percent!r}; write for example 0.5%")
    return float(percent[:-1]) / 100.0


def chance(percent: str) -> float:
    """The chance of an error that a percentage asks for: at most one half, for more makes no sense."""
    return min(share(percent), 0.5)


def many(number: int, one: str, several: str = "", *, form: str = "") -> str:
    """How many there are: `1 row`, `12 rows`. one: the noun, and perhaps its verb (`check warns`); several: the same of
    more than one, if that is not the noun with an s (`copy`: `copies`); form: of the number, such as `,`."""
    more = several or (f"{one[:-1]}ies" if one[-1] == "y" and one[-2] not in "aeiou" else f"{one}s")
    return f"{number:{form}} {one if number == 1 else more}"


def human(length: float) -> str:
    """A duration in seconds as people read it: `850ms`, `4.2s`, `3m10s`, `2h05m`, `3d4h`."""
    if length < 1:
        return f"{round(length * 1000)}ms"
    if length < 60:
        return f"{length:.1f}".rstrip("0").rstrip(".") + "s"
    total = round(length)
    if total < 3600:
        return f"{total // 60}m{total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{total // 86400}d{total % 86400 // 3600}h"
