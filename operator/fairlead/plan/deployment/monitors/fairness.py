"""Gaps between groups of requests: how often each gets the positive answer, and by labels how often that is right."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.api.monitors import LabelsJoined, Monitored, Monitors
from fairlead.monitor.fairness import Gap
from fairlead.monitor.report import FairnessReport, Report
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import saying
from fairlead.plan.deployment.monitors.base import Monitor, Said


class Fairness(Monitor):
    """By the columns that are named."""

    name = "fairness"
    condition = "Unfair"
    bad = "Unfair"

    def wanted(self, spec: Monitors) -> bool:
        """By its rules."""
        return bool(spec.fairness)

    def says(self, look: Look, kept: Monitored, report: Report | None) -> Said | None:
        """The worst of all rules; all must be known for `Ok`. Of rules by labels, what was known last still holds."""
        spec = look.spec.monitors
        if report is None or spec is None or (report.unknown is not None and spec.labels is None):
            return None
        rules = _known(look, spec, kept.labels, report)
        if report.unknown is not None and not any(one.labels for one in report.fairness.values()):
            return None
        unfair = [one.message for one in rules.values() if one.state == "Unfair"]
        if unfair:
            return Said("Unfair", "Unfair", " · ".join(unfair))
        unknown = [one for one in rules.values() if one.state == "Unknown"]
        if unknown or not rules:
            words = " · ".join(one.message for one in unknown) or "nothing was compared"
            return Said("Unknown", unknown[0].reason if unknown else "NotCompared", words)
        watched = [one.message for one in rules.values() if one.state == "Watch"]
        if watched:
            return Said("Watch", "Differing", f"{' · '.join(watched)}: no alarm yet")
        return Said("Ok", "Fair", " · ".join(one.message for one in rules.values()))


def _known(look: Look, spec: Monitors, joined: LabelsJoined | None, report: Report) -> Mapping[str, Said]:
    before = {one.rule: one for one in joined.gaps if saying.fresh(look, one)} if joined else {}
    trouble = saying.trouble(joined)
    found = dict[str, Said]()
    for name, one in report.fairness.items():
        if one.labels and spec.labels is None:
            found[name] = Said("Unknown", "NoLabels", f"{quoted(name, 80)} needs labels: set spec.monitors.labels")
        elif one.labels and trouble is not None and not isinstance(one.gap, Gap):
            found[name] = Said("Unknown", trouble.reason, f"{quoted(name, 80)}: {trouble.message}")
        elif one.labels and not isinstance(one.gap, Gap) and name in before:
            last = before[name]
            found[name] = Said(last.state, "NotCompared", f"{last.message} (labels until {last.at[:19]}Z)")
        else:
            found[name] = _said(name, one)
    return found


def _said(name: str, one: FairnessReport) -> Said:
    said = saying.gap(name, one)
    return Said(said.state, said.reason or "NotCompared", said.message)


MONITOR = Fairness()
