"""What features contribute to answers, and whether that is as it was. Goes by what a Job has found, not by counts."""

from __future__ import annotations

from typing import cast

from fairlead.api.explain import Explained
from fairlead.api.monitors import Monitored, Monitors
from fairlead.monitor.report import Report
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said, Standing

REASONS = {
    "Ok": "AsBefore", "Watch": "Differing", "Drifting": "ContributionsDrifting", "Unknown": "ReferenceMade",
}  # fmt: skip
EACH = 64
"""Predictions a feature and an explained row, at most (`worker/explaining/shapley.most_asked`)."""


class Explain(Monitor):
    """The drift of contributions; what they are the status has (`explained`)."""

    name = "explain"
    bad = "Drifting"
    counted = False

    def wanted(self, spec: Monitors) -> bool:
        """By its own settings."""
        return spec.explain is not None

    def says(self, look: Look, kept: Monitored, _report: Report | None) -> Said | None:
        """What was found last, or why nothing was."""
        found, spec = kept.explained, look.spec.monitors
        if found is None or spec is None or spec.explain is None:
            return None
        if found.reason:
            return Said("Unknown", found.reason, found.message)
        if found.said:
            return Said(cast(Standing, found.said), REASONS.get(found.said, found.said), found.moved)
        return Said("Unknown", "Waiting", self._cost(look, kept, found))

    def _cost(self, look: Look, kept: Monitored, found: Explained) -> str:
        """What it will cost, before it does."""
        assert look.spec.monitors
        assert look.spec.monitors.explain
        asked = look.spec.monitors.explain
        version = versions.read(look, kept.version)
        evaluation = version.spec.evaluation if version else None
        many = f"{EACH * asked.rows} predictions a feature"
        if evaluation is not None:
            many = f"{EACH * asked.rows * max(1, len(evaluation.features) - 1)} predictions"
        when = "now" if found.job else f"from {(found.next_at or look.stamp)[:19]}Z on"
        return (
            f"requests are explained {when}, each {asked.every}: a pod of {kept.version} of its own is asked for up to "
            f"{many} each time, and for five times as many the first time"
        )


MONITOR = Explain()
