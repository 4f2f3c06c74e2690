"""GPU hours of a Pipeline's runs, by day, and the month's budget of them.

A run tells what its attempts have used; here it is added up once, though runs are cleared away: how much of each run
is in the sum already is written down together with the sum. For a run that ended more than an hour ago that is known
without: all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite

from fairlead.api.pipeline import GpuUse
from fairlead.plan.core import Json, epoch, rfc3339

DAY, HOUR = 86400.0, 3600.0
MONTH_DAYS = 30
SETTLED = HOUR
"""Seconds after a run's end in which it is still looked at whether all of it is counted."""
COUNTED = 256
"""So many runs' parts of the sum are written down; of more, those that ended first are taken for counted."""


def added(before: GpuUse | None, runs: Iterable[Json], now: float) -> GpuUse | None:
    """The use of GPUs with what runs have used since. The same object, if that is nothing."""
    known = before or GpuUse()
    until = epoch(known.until) if known.until else 0.0
    told = {uid: (seconds, end) for uid, seconds, end in _used(runs) if end is None or end > until}
    new = {uid: seconds - known.counted.get(uid, 0) for uid, (seconds, _) in told.items()}
    total = sum(one for one in new.values() if one > 0)
    if not total:
        return before
    today = rfc3339(now)[:10]
    days = {day: used for day, used in known.days.items() if _counts_until(day) > now}
    days[today] = days.get(today, 0) + total
    ends = sorted(end for _, end in told.values() if end is not None)
    until = max(until, now - SETTLED, *ends[: max(0, len(told) - COUNTED)])
    counted = {uid: seconds for uid, (seconds, end) in told.items() if end is None or end > until}
    return GpuUse(days=dict(sorted(days.items())[-(MONTH_DAYS + 2) :]), counted=counted, until=rfc3339(until))


def month(use: GpuUse | None, now: float) -> int:
    """GPU seconds of attempts that have ended in the last 30 days."""
    days = use.days if use else {}
    return sum(used for day, used in days.items() if _counts_until(day) > now)


def held_now(runs: Iterable[Json], now: float) -> float:
    """GPU seconds of attempts that have not ended."""
    return sum(one for run in runs for one in _open(run, now))


def over(most: int | None, use: GpuUse | None, runs: Iterable[Json], now: float) -> tuple[str, float] | None:
    """Why the budget lets no run start, and until when (epoch seconds); None: it does. most: GPU hours in 30 days."""
    if most is None:
        return None
    days = {day: used for day, used in (use.days if use else {}).items() if _counts_until(day) > now}
    today = rfc3339(now)[:10]
    total = sum(days.values()) + held_now(runs, now)
    if total < most * HOUR:
        return None
    until, rest = _counts_until(today), total
    for day, used in sorted(days.items()):
        rest -= used
        if rest < most * HOUR:
            until = _counts_until(day)
            break
    told = f"{total / HOUR:.1f} GPU hours were used in {MONTH_DAYS} days, and limits.gpuHoursPerMonth allows {most}"
    return f"{told}; waits until {rfc3339(until)}", until


def _used(runs: Iterable[Json]) -> Iterator[tuple[str, int, float | None]]:
    """(uid, GPU seconds, when it ended) of those that have used any; what is malformed has used none."""
    for run in runs:
        status = run.get("status") or {}
        used = sum(one for step in _steps(run) if isinstance(one := step.get("gpuSeconds"), int) and one > 0)
        if used:
            ended = status.get("phase") in ("Completed", "Failed", "Aborted")
            yield str(run["metadata"]["uid"]), used, _time(status.get("finishedAt")) if ended else None


def _open(run: Json, now: float) -> Iterator[float]:
    for step in _steps(run):
        held, items = step.get("gpu"), step.get("items")
        if isinstance(held, Mapping):
            yield _until(now, held.get("since"), held.get("count"))
        live = items.get("live") if isinstance(items, Mapping) else None
        for one in live if isinstance(live, list) else ():
            if isinstance(one, Mapping):
                yield _until(now, one.get("gpuSince"), one.get("gpus"))


def _until(now: float, since: object, count: object) -> float:
    begun = _time(since)
    return max(0.0, now - begun) * _number(count) if begun is not None else 0.0


def _steps(run: Json) -> Iterator[Json]:
    found = (run.get("status") or {}).get("steps")
    return (one for one in found if isinstance(one, dict)) if isinstance(found, list) else iter(())


def _time(text: object) -> float | None:
    try:
        return epoch(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _number(text: object) -> float:
    try:
        found = float(str(text))
    except ValueError:
        return 0.0
    return min(max(found, 0.0), 1024.0) if isfinite(found) else 0.0


def _counts_until(day: str) -> float:
    """A day counts until the last moment of it is a month ago."""
    return epoch(f"{day}T00:00:00Z") + (MONTH_DAYS + 1) * DAY
