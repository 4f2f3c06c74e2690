"""The share of rows unlike all that the version learnt from."""

from __future__ import annotations

from fairlead.api.monitors import Monitored
from fairlead.monitor.report import Report
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said


class Outliers(Monitor):
    """Rows with a number beyond all of the reference's, a category that it did not have, or a value of another type."""

    name = "outliers"

    def says(self, _look: Look, _kept: Monitored, report: Report | None) -> Said | None:
        """What the window shows."""
        if report is None or report.unknown is not None or report.outliers is None:
            return None
        found = report.outliers
        if found.state == "Unknown" or found.share is None:
            return Said("Unknown", "NothingCompared", f"{found.reason}; {found.remedy}")
        told = f"{found.share:.1%} of the rows are unlike all that it learnt from"
        if found.tolerated is not None:
            told += f", {found.tolerated:.1%} are tolerated"
        if found.state == "Drifting":
            return Said("Bad", "ManyOutliers", told)
        watch = found.state == "Watch"
        return Said("Watch", "Differing", f"{told}: no alarm yet") if watch else Said("Ok", "Few", told)


MONITOR = Outliers()
