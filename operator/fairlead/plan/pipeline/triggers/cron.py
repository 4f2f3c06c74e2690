"""Schedules: cron expressions in a time zone, as Debian's cron understands them around clock changes.

A time that the clock skips is due when the clock has moved on; a time that it shows twice is due once, the first time.
Expressions whose minute or hour begins with `*` follow elapsed time instead, so they run in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from fairlead.api.pipeline import ScheduleTrigger
from fairlead.plan.core import Invalid

_PROBE = datetime(2024, 1, 1)
# Going backwards, a time that the clock shows twice is ambiguous: look back past any clock change, then go forward.
_LOOK_BACK = timedelta(hours=3)


def check(schedule: ScheduleTrigger, field_path: str) -> None:
    """Raises Invalid for an expression or a time zone that makes no sense."""
    try:
        zone = ZoneInfo(schedule.time_zone)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            f"{field_path}.timeZone", f"{schedule.time_zone!r} is no time zone; write for example Europe/Berlin"
        ) from None
    if len(schedule.cron.split()) != 5:
        raise Invalid(f"{field_path}.cron", "five fields are needed: minute, hour, day of month, month, day of week")
    try:
        next(CronSim(schedule.cron, _PROBE.replace(tzinfo=zone)))
    except CronSimError as error:
        raise Invalid(f"{field_path}.cron", f"{schedule.cron!r} is not a cron expression: {error}") from error
    except StopIteration:
        raise Invalid(f"{field_path}.cron", f"{schedule.cron!r} is never due; correct day and month") from None


def next_due(schedule: ScheduleTrigger, after: float) -> float:
    """The first time later than `after` (epoch seconds)."""
    return next(_forward(schedule, after))


def latest_due(schedule: ScheduleTrigger, after: float, until: float) -> float | None:
    """The last time in (after, until], or None. Costs the same however long ago `after` is."""
    zone = ZoneInfo(schedule.time_zone)
    recent = datetime.fromtimestamp(until, zone).replace(microsecond=0) - _LOOK_BACK
    try:
        before = next(CronSim(schedule.cron, recent, reverse=True)).timestamp()
    except StopIteration:
        before = after
    found = None
    start = max(after, before - 1)
    for due in _forward(schedule, start):
        if due > until:
            break
        found = due
    return found


def _forward(schedule: ScheduleTrigger, after: float) -> Iterator[float]:
    zone = ZoneInfo(schedule.time_zone)
    start = datetime.fromtimestamp(after, UTC).astimezone(zone)
    for moment in CronSim(schedule.cron, start):
        due = moment.timestamp()
        if due > after:
            yield due
