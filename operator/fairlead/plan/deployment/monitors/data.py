"""Whether values are there, of their type, in their range, of known categories; and whether requests come at all."""

from __future__ import annotations

from fairlead.api.monitors import Monitored
from fairlead.monitor.report import Report, ShareReport
from fairlead.plan.conditions import quoted
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Monitor, Said

NAMED = 5
"""Checks that a message names."""
REASONS = {
    "missing": "ValuesMissing", "wrong": "WrongType", "range": "OutOfRange", "unseen": "CategoriesUnseen",
    "unread": "RequestsUnread",
}  # fmt: skip
"""By what is checked, as the report names it."""
WORDS = {
    "missing": "missing", "wrong": "of another type", "range": "out of range", "unseen": "of categories never seen",
    "unread": "requests that could not be read",
}  # fmt: skip


class Data(Monitor):
    """Column by column."""

    name = "data"

    def says(self, _look: Look, _kept: Monitored, report: Report | None) -> Said | None:
        """The worst of all checks."""
        if report is None:
            return None
        if report.traffic is not None and report.traffic.state == "Watch":
            return Said("Watch", "NoTraffic", f"{report.traffic.reason}; {report.traffic.remedy}")
        if report.unknown is not None:
            return None
        bad = {what: one for what, one in report.data.items() if one.state == "Drifting"}
        if bad:
            return Said("Bad", _reason(bad), _told(bad))
        unknown = [one for one in report.data.values() if one.state == "Unknown"]
        if len(unknown) == len(report.data):
            why = f"{unknown[0].reason}; {unknown[0].remedy}" if unknown else "the profile has no features"
            return Said("Unknown", "NothingCompared", why)
        rest = f"; nothing is known of {len(unknown)} checks: {unknown[0].reason}" if unknown else ""
        watched = {what: one for what, one in report.data.items() if one.state == "Watch"}
        if watched:
            return Said("Watch", _reason(watched), f"{_told(watched)}: no alarm yet{rest}")
        return Said("Ok", "AsLearnt", f"values are there, and what they should be{rest}")


def _worst(found: dict[str, ShareReport]) -> list[str]:
    return sorted(found, key=lambda what: (-found[what].log_evidence, what))


def _reason(found: dict[str, ShareReport]) -> str:
    return REASONS[_worst(found)[0].partition("/")[0]]


def _told(found: dict[str, ShareReport]) -> str:
    worst = _worst(found)
    named = [_one(what, found[what]) for what in worst[:NAMED]]
    return ", ".join(named) + (f" and {len(worst) - NAMED} more" if len(worst) > NAMED else "")


def _one(what: str, one: ShareReport) -> str:
    kind, _, name = what.partition("/")
    share = "" if one.share is None else f"{one.share:.1%} "
    of = f"{quoted(name, 60)}: " if name else ""
    return f"{of}{share}{WORDS[kind]} (in the reference {one.reference:.1%})"


MONITOR = Data()
