"""Gaps between groups of requests: how often each gets the positive answer. Needs no labels."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.api.monitors import Monitors
from fairlead.monitor.fairness import Gap
from fairlead.monitor.report import FairnessReport, Report
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said


class Fairness(Monitor):
    """By the columns that are named."""

    name = "fairness"
    condition = "Unfair"
    bad = "Unfair"

    def wanted(self, spec: Monitors) -> bool:
        """By its rules."""
        return bool(spec.fairness)

    def says(self, _look: Look, _version: str, report: Report | None) -> Said | None:
        """The worst of all rules; all must be known for `Ok`."""
        if report is None or report.unknown is not None:
            return None
        rules = report.fairness
        unfair = {name: one for name, one in rules.items() if one.state == "Drifting"}
        if unfair:
            return Said("Unfair", "Unfair", _all(unfair))
        unknown = {name: one for name, one in rules.items() if one.state == "Unknown"}
        if unknown or not rules:
            words = [f"{quoted(name, 80)}: {one.reason}; {one.remedy}" for name, one in unknown.items()]
            return Said("Unknown", "NotCompared", " · ".join(words) or "nothing was compared")
        watched = {name: one for name, one in rules.items() if one.state == "Watch"}
        if watched:
            return Said("Watch", "Differing", f"{_all(watched)}: no alarm yet")
        return Said("Ok", "Fair", _all(rules))


def _all(rules: Mapping[str, FairnessReport]) -> str:
    return " · ".join(_one(name, one) for name, one in rules.items())


def _one(name: str, one: FairnessReport) -> str:
    if not isinstance(one.gap, Gap):
        return quoted(name, 80)
    widest, interval = one.gap.widest, one.gap.interval
    return (
        f"{quoted(name, 80)}: {quoted(widest.high, 60)} has {one.gap.value:.1%} more than {quoted(widest.low, 60)} "
        f"(between {interval.low:.1%} and {interval.high:.1%}), {one.most:.1%} are tolerated"
    )


MONITOR = Fairness()
