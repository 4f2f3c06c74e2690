"""A run at given times. Those that were missed are made up by one run, those of a suspended Pipeline are not."""

from __future__ import annotations

from fairlead.api.pipeline import Pipeline, ScheduleTrigger
from fairlead.plan.core import Context, epoch, rfc3339
from fairlead.plan.pipeline.triggers import cron
from fairlead.plan.pipeline.triggers.base import Due, Trigger


class OnSchedule(Trigger[ScheduleTrigger]):
    """The key is the time that was due; at first, the time from which on it counts."""

    field = "schedule"

    def label(self) -> str:
        """The expression; a time zone other than UTC is named."""
        return self.spec.cron if self.spec.time_zone == "Etc/UTC" else f"{self.spec.cron} {self.spec.time_zone}"

    def check(self, path: str) -> None:
        """The expression and the time zone."""
        cron.check(self.spec, path)

    def begin(self, now: float) -> str:
        """From now on."""
        return rfc3339(now)

    def resume(self, _key: str, now: float) -> str:
        """From now on."""
        return rfc3339(now)

    def due(self, handled: str | None, context: Context[Pipeline]) -> Due | None:
        """The last time that has passed since."""
        last = None if handled is None else cron.latest_due(self.spec, epoch(handled), context.now)
        if last is None:
            return None
        return Due(rfc3339(last), f"{self.spec.cron} was due at {rfc3339(last)}")

    def next_time(self, context: Context[Pipeline]) -> float:
        """Until the next time."""
        return cron.next_due(self.spec, context.now) - context.now

    def outlook(self, now: float) -> str:
        """The next time."""
        return f"it is {rfc3339(cron.next_due(self.spec, now))}"
