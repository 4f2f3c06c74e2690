"""How many runs triggers may start: the cool-down, a limit against storms, and the month's budget.

What counts are the starts that are recorded in the status together with the decision itself, so a run counts once,
whatever is killed, and as long as it should, whenever it is cleared away."""

from __future__ import annotations

from typing import NamedTuple

from fairlead.api.pipeline import PipelineSpec, PipelineStatus, Starts
from fairlead.api.units import many, seconds
from fairlead.plan.core import epoch, rfc3339

DAY = 86400.0
MONTH_DAYS = 30
RECENT = 100
"""So many starts of the last day are kept: the most that `perDay` can ask for."""
STORM = 24
"""Runs a day, at most, of triggers that go by what is the case, where people have not said how many: one an hour is
more than any model can use, and less than a cluster can't bear."""


class Held(NamedTuple):
    """Why no run may start now."""

    because: str
    """A CamelCase word."""
    message: str
    until: float | None = None
    """Until when (epoch seconds); None: an event will come."""


def started(before: Starts | None, now: float) -> Starts:
    """What is kept, with a start now."""
    known, at = before or Starts(), rfc3339(now)
    recent = [at, *(one for one in known.recent if epoch(one) > now - DAY)][:RECENT]
    days = {day: count for day, count in known.days.items() if _counts_until(day) > now}
    days[at[:10]] = days.get(at[:10], 0) + 1
    newest = sorted(days)[-(MONTH_DAYS + 2) :]
    return Starts(recent=recent, days={day: days[day] for day in newest})


def counted(starts: Starts | None, now: float) -> tuple[int, int]:
    """How many there were in 24 hours (at most as many as are kept), and in 30 days."""
    known = starts or Starts()
    month = sum(count for day, count in known.days.items() if _counts_until(day) > now)
    return sum(epoch(one) > now - DAY for one in known.recent), month


def held(spec: PipelineSpec, status: PipelineStatus, now: float, standing: bool) -> Held | None:
    """Why no run may start now, or None. standing: for a trigger that goes by what is the case."""
    starts = status.starts or Starts()
    per_day = spec.limits.per_day or (STORM if standing else None)
    return (
        _cooling(spec, status, now)
        or _storm(per_day, starts, now)
        or _spent(spec.limits.per_month, starts, now)
    )  # fmt: skip


def _cooling(spec: PipelineSpec, status: PipelineStatus, now: float) -> Held | None:
    until = epoch(status.last_run.at) + seconds(spec.cooldown) if status.last_run else now
    if until <= now:
        return None
    return Held("CoolDown", f"waits until {rfc3339(until)}, because of spec.cooldown", until)


def _storm(most: int | None, starts: Starts, now: float) -> Held | None:
    times = sorted((epoch(one) for one in starts.recent), reverse=True)
    if most is None or len(times) < most or (until := times[most - 1] + DAY) <= now:
        return None
    runs = many(most, "run was", "runs were")
    told = f"{runs} started in 24 hours, and limits.perDay allows no more; waits until {rfc3339(until)}"
    return Held("StormLimit", told, until)


def _spent(most: int | None, starts: Starts, now: float) -> Held | None:
    left = [(until, count) for day, count in starts.days.items() if (until := _counts_until(day)) > now]
    total = sum(count for _, count in left)
    if most is None or total < most:
        return None
    until, rest = now, total
    for until, count in sorted(left):  # noqa: B007 - the day after which few enough are left
        rest -= count
        if rest < most:
            break
    told = f"{many(total, 'run was', 'runs were')} started in {MONTH_DAYS} days, and limits.perMonth allows {most}"
    return Held("MonthlyBudget", f"{told}; waits until {rfc3339(until)}", until)


def _counts_until(day: str) -> float:
    """A day's starts count until the last moment of it is a month ago."""
    return epoch(f"{day}T00:00:00Z") + (MONTH_DAYS + 1) * DAY
