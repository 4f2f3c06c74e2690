"""The monitors. One more is a line here, and its name in `api.monitors`.

Their order is that in which people are told."""

from __future__ import annotations

from fairlead.api.monitors import Monitors
from fairlead.plan.deployment.monitors import data, drift, explain, fairness, outliers, quality, skew, stale
from fairlead.plan.deployment.monitors.base import Monitor

MONITORS: tuple[Monitor, ...] = (
    quality.MONITOR, fairness.MONITOR, data.MONITOR, drift.MONITOR, explain.MONITOR, outliers.MONITOR, skew.MONITOR,
    stale.MONITOR,
)  # fmt: skip


def chosen(spec: Monitors) -> list[Monitor]:
    """Those that are asked for."""
    return [one for one in MONITORS if one.wanted(spec)]


def named(name: str) -> Monitor:
    """The monitor of a name."""
    return next(one for one in MONITORS if one.name == name)
