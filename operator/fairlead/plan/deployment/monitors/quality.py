"""The model's quality without labels, as the calibration of its scores says; and whether it is worse than it was.

A changed world is not seen by it, for then a score does not mean any more what it meant (`monitor.estimate`).
"""

from __future__ import annotations

from fairlead.monitor.estimate import Estimate, Figure
from fairlead.monitor.report import Report, ShareReport
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said

SHOWN = ("accuracy", "auc", "f1", "mae", "rmse", "mape")
"""Metrics that a message names."""


class Quality(Monitor):
    """By the expected loss of the window's rows."""

    name = "quality"
    condition = "Harmed"
    bad = "Harmed"

    def says(self, _look: Look, _version: str, report: Report | None) -> Said | None:
        """What is estimated, and how the expected loss stands."""
        if report is None or report.unknown is not None or "estimated" not in report.losses:
            return None
        loss = report.losses["estimated"]
        if loss.state == "Unknown":
            return Said("Unknown", "NotEstimated", f"{loss.reason}; {loss.remedy}")
        told = _told(report.estimated if isinstance(report.estimated, Estimate) else None, loss)
        if loss.state == "Drifting":
            return Said("Harmed", "EstimatedHarm", f"{told}: label some of these requests to know, or train anew")
        watch = loss.state == "Watch"
        return Said("Watch", "Differing", f"{told}: no alarm yet") if watch else Said("Ok", "Fine", told)


def _told(found: Estimate | None, loss: ShareReport) -> str:
    figures = found.figures if found else {}
    named = [
        f"{name} {one.value:.3f} ± {one.error:.3f}" for name in SHOWN
        if isinstance(one := figures.get(name), Figure)
    ]  # fmt: skip
    expected = "" if loss.share is None else f"expected loss {loss.share:.3f}"
    tolerated = "" if loss.tolerated is None else f", {loss.tolerated:.3f} is tolerated"
    return f"estimated without labels: {', '.join([*named, expected])}{tolerated}"


MONITOR = Quality()
