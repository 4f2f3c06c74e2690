"""How long ago the live version was made. Needs no counts."""

from __future__ import annotations

from fairlead.api.monitors import Monitored, Monitors
from fairlead.api.units import human, seconds
from fairlead.monitor.report import Report
from fairlead.plan.core import epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said


class Stale(Monitor):
    """A version is as old as its ModelVersion: a run makes that when it has trained."""

    name = "stale"
    condition = "Stale"
    bad = "Stale"
    counted = False

    def wanted(self, spec: Monitors) -> bool:
        """By its length."""
        return spec.stale is not None

    def says(self, look: Look, kept: Monitored, _report: Report | None) -> Said | None:
        """Its age against the longest that is wanted."""
        version = kept.version
        limit, made = self._limit(look), versions.age(look, version)
        if limit is None:
            return None
        if made is None or not made[0]:
            return Said("Unknown", "AgeUnknown", f"nobody knows when {version} was made: its ModelVersion is gone")
        told = f"{version} was made at {made[0]}"  # not how long ago: that would be another status at each look
        if look.now - epoch(made[0]) <= limit:
            return Said("Ok", "Fresh", told)
        return Said("Stale", "TooOld", f"{told}, and is stale after {human(limit)} (spec.monitors.stale): train anew")

    def due(self, look: Look, version: str) -> float | None:
        """Seconds until it becomes stale; None: nothing is to be waited for."""
        limit, made = self._limit(look), versions.age(look, version)
        if limit is None or made is None or not made[0]:
            return None
        left = epoch(made[0]) + limit - look.now
        return left if left >= 0 else None

    def _limit(self, look: Look) -> float | None:
        spec = look.spec.monitors
        return seconds(spec.stale) if spec and spec.stale else None


MONITOR = Stale()
