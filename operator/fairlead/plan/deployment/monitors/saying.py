"""What labels have shown, in words and figures; and what of it still holds when a window brings none."""

from __future__ import annotations

from typing import Literal

from fairlead.api.monitors import GapKnown, LabelsJoined, RealFigure, RealQuality
from fairlead.api.units import many
from fairlead.monitor import quality, question
from fairlead.monitor.fairness import Gap
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.realised import Value
from fairlead.monitor.report import FairnessReport, Report
from fairlead.monitor.risk import Powered
from fairlead.plan.conditions import quoted
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors.base import Said
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict.bounded import Sums, turned
from fairlead.verdict.failures import log_bound, log_mean
from fairlead.verdict.guards import decode, encode_all

SHOWN = ("accuracy", "auc", "f1", "mae", "rmse", "mape", "rmse_zero")
"""Metrics that are told."""
STALE = 30 * 86400.0
"""Seconds. What labels said longer ago is not known of today."""
FEW = 1000
"""Labels below which it is told what estimates add to them."""
_STATES: dict[str, Literal["Ok", "Watch", "Harmed", "Unknown"]] = {
    "Ok": "Ok", "Watch": "Watch", "Drifting": "Harmed", "Unknown": "Unknown",
}  # fmt: skip


def real(stamp: str, given: LabelledWindow, report: Report) -> RealQuality | None:
    """The real quality by the labels that a window took in; None: quality is not watched."""
    loss = report.losses.get("realised")
    if loss is None or not isinstance(report.realised, dict):
        return None
    known = {name: one for name in SHOWN if isinstance(one := report.realised.get(name), Value)}
    rows = given.errors.n if given.errors else given.losses.n
    words = [f"{name} {one.value:.3f} ({one.interval.low:.3f} to {one.interval.high:.3f})"
             for name, one in known.items()]  # fmt: skip
    if loss.share is not None and loss.tolerated is not None:
        words.append(f"loss {loss.share:.3f}, {loss.tolerated:.3f} is tolerated")
    elif loss.state == "Unknown":
        words.append(f"whether that is worse is not known: {loss.reason}; {loss.remedy}")
    if isinstance(report.powered, Powered) and report.powered.weight > 0 and rows < FEW:
        few = report.powered
        words.append(f"with the estimates of {few.rows} others, if it was by chance which ones were labelled, loss "
                     f"{few.value:.3f} ({few.interval.low:.3f} to {few.interval.high:.3f})")  # fmt: skip
    return RealQuality(
        at=stamp, rows=rows, state=_STATES[loss.state], message=f"by {many(rows, 'label')}: {', '.join(words)}"[:1024],
        figures=[RealFigure(metric=name, value=f"{one.value:.6g}") for name, one in known.items()],
    )  # fmt: skip


def gap(name: str, one: FairnessReport) -> Said:
    """How a gap stands that was looked at."""
    state: Literal["Unfair", "Watch", "Ok", "Unknown"] = (
        "Unfair" if one.state == "Drifting" else "Watch" if one.state == "Watch"
        else "Ok" if one.state == "Ok" else "Unknown"
    )  # fmt: skip
    if not isinstance(one.gap, Gap):
        return Said("Unknown", "NotCompared", f"{quoted(name, 80)}: {one.reason}; {one.remedy}")
    widest, interval = one.gap.widest, one.gap.interval
    told = (
        f"{quoted(name, 80)}: {quoted(widest.high, 60)} has {one.gap.value:.1%} more than {quoted(widest.low, 60)} "
        f"(between {interval.low:.1%} and {interval.high:.1%}), {one.most:.1%} are tolerated"
    )
    return Said(state, "", f"{told}; {one.reason}; {one.remedy}" if state == "Unknown" else told)


def trouble(joined: LabelsJoined | None) -> Problem | None:
    """Why labels say nothing at present."""
    return Problem(joined.reason, joined.message) if joined is not None and joined.reason else None


def well(joined: LabelsJoined, losses: Sums, report: Report, design_effect: float) -> list[str]:
    """The evidence that the real loss is tolerable, with a window's losses: it is bet on against the null that the loss
    is larger than that, or just as large, so it ever reaches 1/alpha with a probability of at most alpha if it is."""
    loss = report.losses.get("realised")
    if loss is None or loss.tolerated is None:
        return joined.well
    gained = quality.log_es(turned(losses), 1 - loss.tolerated, design_effect)
    if gained is None:
        return joined.well
    before = list(map(decode, joined.well)) if len(joined.well) == len(gained) else [0.0] * len(gained)
    return encode_all([have + more for have, more in zip(before, gained, strict=True)])


def is_well(joined: LabelsJoined) -> bool:
    """Whether labels have shown that the real loss is tolerable, and say so still. A few that are right show nothing:
    without an alarm it may only not be known yet."""
    if joined.real is None or joined.real.state != "Ok" or not joined.well:
        return False
    return log_mean(list(map(decode, joined.well))) >= log_bound(question.SURE)


def fresh(look: Look, one: RealQuality | GapKnown | None) -> bool:
    """Whether what labels said still holds."""
    return one is not None and look.now - epoch(one.at) <= STALE
