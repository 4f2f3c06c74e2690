"""Whether requests and answers are still distributed as what the version learnt from."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.api.monitors import Monitored
from fairlead.monitor.report import FeatureReport, PairReport, Report
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said

NAMED = 5
"""Features that a message names."""


class Drift(Monitor):
    """Feature by feature, pairs of them, the answers and the scores."""

    name = "drift"
    condition = "Drifting"
    bad = "Drifting"

    def says(self, _look: Look, _kept: Monitored, report: Report | None) -> Said | None:
        """The worst of all features."""
        if report is None or report.unknown is not None:
            return None
        every: dict[str, FeatureReport | PairReport] = {**report.drift, **report.outputs, **report.pairs}
        known = {name: one for name, one in every.items() if one.state != "Unknown"}
        unknown = [one for one in every.values() if one.state == "Unknown"]
        if not known:
            first = unknown[0] if unknown else None
            why = f"{first.reason}; {first.remedy}" if first else "the profile has no features"
            return Said("Unknown", "NothingCompared", why)
        rest = f"; nothing is known of {len(unknown)}: {unknown[0].reason}" if unknown else ""
        drifting = {name: one for name, one in known.items() if one.state == "Drifting"}
        differing = {name: one for name, one in known.items() if one.state == "Watch"}
        if drifting:
            return Said("Drifting", "Drifting", f"{_told(drifting)}{rest}")
        if differing:
            return Said("Watch", "Differing", f"{_told(differing)}: no alarm yet{rest}")
        return Said("Ok", "AsLearnt", f"features and answers are distributed as what it learnt from{rest}")


def _told(found: Mapping[str, FeatureReport | PairReport]) -> str:
    worst = sorted(found, key=lambda name: (-found[name].log_evidence, name))
    named = [f"{quoted(name, 60)} ({_size(found[name])})" for name in worst[:NAMED]]
    return ", ".join(named) + (f" and {len(worst) - NAMED} more" if len(worst) > NAMED else "")


def _size(one: FeatureReport | PairReport) -> str:
    """How large the difference is, beyond chance."""
    if isinstance(one, PairReport):
        return "no correlation" if one.r is None else f"correlation {one.r:.2f}"
    if one.tv is None or one.psi is None:
        return "too few rows lately to say how much"
    return f"{one.tv:.1%} elsewhere, PSI {one.psi:.2f}"


MONITOR = Drift()
