"""The model's quality: real where labels have come, and without them as the calibration of its scores says; and whether
it is worse than it was.

A changed world is not seen by the estimate, for then a score does not mean any more what it meant (`monitor.estimate`).
"""

from __future__ import annotations

from dataclasses import replace

from fairlead.api.monitors import LabelsJoined, Monitored
from fairlead.monitor.estimate import Estimate, Figure
from fairlead.monitor.report import Report, ShareReport
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import saying
from fairlead.plan.deployment.monitors.base import Monitor, Said
from fairlead.plan.deployment.serving.pods import Problem

SHOWN = ("accuracy", "auc", "f1", "mae", "rmse", "mape")
"""Metrics that a message names."""


_SILENT = ("NoLabels", "LabelsStale")
"""What labels that have come say no more: whether the harm that they may have shown is over, no estimate knows."""


class Quality(Monitor):
    """By the real loss of rows with labels, and by the expected loss of the window's rows."""

    name = "quality"
    condition = "Harmed"
    bad = "Harmed"

    def says(self, look: Look, kept: Monitored, report: Report | None) -> Said | None:
        """What is real, what is estimated, and how both losses stand; harm that is real comes first."""
        if report is None:
            return None
        guess, spec = _estimated(report), look.spec.monitors
        if spec is None or spec.labels is None or kept.labels is None:
            return guess
        real = _real(look, kept.labels)
        silent = Problem(real.reason, real.message) if real.reason in _SILENT and kept.labels.labelled else None
        return _both(guess, real, saying.trouble(kept.labels) or silent)


def _both(guess: Said | None, real: Said, trouble: Problem | None) -> Said:
    """Labels that were asked for and say nothing make what is well Unknown."""
    if guess is None or real.state == "Harmed":
        return replace(real, message=_joined(real, guess))
    if guess.state == "Harmed":
        return replace(guess, message=_joined(guess, real))
    if trouble is not None:
        return Said("Unknown", trouble.reason, _joined(real, guess))
    order = ("Watch", "Ok", "Unknown")
    first = min((real, guess), key=lambda one: order.index(one.state))
    return replace(first, message=_joined(real, guess))


def _joined(first: Said, second: Said | None) -> str:
    return f"{first.message}; {second.message}" if second is not None else first.message


def _real(look: Look, joined: LabelsJoined) -> Said:
    """By the labels that came last."""
    last, trouble = joined.real, saying.trouble(joined)
    if last is None:
        since = "since the tests began anew" if joined.labelled else "yet"
        none = Problem("NoLabels", f"no label of its answers has come {since}")
        return Said("Unknown", (trouble or none).reason, (trouble or none).message)
    told = f"real until {last.at[:19]}Z, {last.message}"
    if trouble is not None:
        told = f"{told}; {trouble.message}"
    if not saying.fresh(look, last):
        return Said("Unknown", "LabelsStale", f"{told}: no label has come since; label some of its answers")
    if last.state == "Harmed":
        return Said("Harmed", "RealHarm", told)
    if last.state == "Unknown":
        return Said("Unknown", "NotCompared", told)
    return Said(last.state, "Differing" if last.state == "Watch" else "Fine", told)


def _estimated(report: Report) -> Said | None:
    """Without labels."""
    if report.unknown is not None or "estimated" not in report.losses:
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
