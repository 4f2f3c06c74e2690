"""Was there a real loss of quality in a window? The truth by which alarms of the past are judged, in hindsight: all
labels of the window's own rows count, whenever they became known.

A loss is real if the window's mean loss less the reference's is above 0 at 99 %, one-sided: one window in a hundred is
called so by the scatter of labels alone. Of a classifier the loss is the share of wrong answers (Wilson's intervals),
of a regression the absolute error (Student's); the limit of the difference follows from both intervals by squaring and
adding (Newcombe 1998, method 10; Zou & Donner 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from fairlead.monitor import intervals
from fairlead.monitor.profile import Profile
from fairlead.monitor.realised import Errors
from fairlead.verdict import means
from fairlead.verdict.proportion import Interval
from fairlead.worker.past.truth import Counts

ALPHA = 0.02
"""Of an interval, both sides together."""
FEWEST = 30
"""Labels of a window below which nothing is said."""


@dataclass(frozen=True)
class Loss:
    """Of some rows."""

    value: float
    interval: Interval
    n: int


def reference(profile: Profile) -> Loss | None:
    """Of the profile's held-out rows; None if it doesn't say."""
    if profile.task == "regression":
        of = profile.losses
        return _mean(sum(of.counts), sum(of.absolute), sum(of.squared)) if of is not None else None
    accuracy = profile.quality.get("accuracy")
    return _share(round((1 - accuracy) * profile.held_out), profile.held_out) if accuracy is not None else None


def found(profile: Profile, counts: Counts) -> Loss | None:
    """Of a window's labelled rows; None if they are too few."""
    if counts.n < FEWEST:
        return None
    if profile.task == "regression":
        errors = counts.errors or Errors()
        return _mean(errors.n, errors.absolute, errors.squared)
    return _share(counts.wrong, counts.n)


def real(before: Loss | None, now: Loss | None) -> bool | None:
    """Whether the loss is real; None: nobody knows."""
    if before is None or now is None:
        return None
    far = hypot(now.value - now.interval.low, before.interval.high - before.value)
    return now.value - before.value > far


def _share(wrong: int, n: int) -> Loss | None:
    if not 0 <= wrong <= n or n < FEWEST:
        return None
    return Loss(wrong / n, intervals.wilson(wrong, n, intervals.z_of(ALPHA)), n)


def _mean(n: int, total: float, squares: float) -> Loss | None:
    if n < FEWEST:
        return None
    sample = means.sample(n, total, squares)
    return Loss(sample.mean, intervals.mean(sample, ALPHA), n)
