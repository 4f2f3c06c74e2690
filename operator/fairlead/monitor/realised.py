"""A model's quality where the labels are known: from counts and sums that merge by addition.

Shares have Wilson's interval. F1 is 2J/(1+J) with J = TP/(TP+FP+FN), which is a share, so Wilson's limits of J give
those of F1. Means of losses have Student's interval; the RMSE is the root of such a mean. The AUC is Mann and Whitney's
statistic over score bins, a pair in one bin counting a half (the score's order within a bin is not known), with
DeLong's variance (1988), which is at most AUC·(1-AUC)/min(positives, negatives) (Van Dantzig 1951). Its interval is
Wilson's, with the number of trials that have this variance; so it never leaves [0, 1] and is none of width 0 where all
pairs are right.

Labels that come late are those of some rows: nothing here makes up for labels that come for other rows than the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import fsum, isfinite, sqrt

from fairlead.monitor import bounds, intervals
from fairlead.monitor.confusion import AMONG, SHARES, Confusion
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import checks, means
from fairlead.verdict.means import Sample
from fairlead.verdict.proportion import Interval

_MORE_LABELS = "wait for more labels, or choose longer windows"
_BINARY = ("accuracy", "precision", "recall", "fpr", "fnr", "selection_rate")


@dataclass(frozen=True)
class Value:
    """Of one metric."""

    value: float
    interval: Interval
    n: int
    """Rows that it is known from: for a share, those that it is a share of."""


Values = dict[str, Value | Unknown]
"""By metric."""


def share(confusion: Confusion, name: str, alpha: float) -> Value | Unknown:
    """One of `confusion.SHARES` with its interval of confidence 1 - alpha."""
    successes, trials = confusion.share(name)
    if not trials:
        return Unknown(f"no {AMONG[SHARES[name][1]]} have a label yet", _MORE_LABELS)
    return Value(successes / trials, intervals.wilson(successes, trials, intervals.z_of(alpha)), trials)


def classification(confusion: Confusion, alpha: float = 0.05) -> Values:
    """Accuracy, precision, recall, fpr, fnr, selection rate and F1, each with an interval of confidence 1 - alpha."""
    return {name: share(confusion, name, alpha) for name in _BINARY} | {"f1": _f1(confusion, alpha)}


def _f1(confusion: Confusion, alpha: float) -> Value | Unknown:
    trials = confusion.n - confusion.tn
    if not trials:
        return Unknown("no rows that are positive or predicted so have a label yet", _MORE_LABELS)
    among = intervals.wilson(confusion.tp, trials, intervals.z_of(alpha))
    return Value(_harmonic(confusion.tp / trials), Interval(_harmonic(among.low), _harmonic(among.high)), trials)


def _harmonic(j: float) -> float:
    return 2 * j / (1 + j)


def auc(positives: Sequence[int], negatives: Sequence[int], alpha: float = 0.05) -> Value | Unknown:
    """The chance that a positive row's score is above a negative's, from rows by score bin, lowest scores first.

    Raises ValueError for counts that can't be.
    """
    if len(positives) != len(negatives):
        raise ValueError(f"{len(positives)} bins of positives and {len(negatives)} of negatives")
    for p, n in zip(positives, negatives, strict=True):
        bounds.counts(positives=p, negatives=n)
    all_p, all_n = sum(positives), sum(negatives)
    if not all_p or not all_n:
        return Unknown(f"no {'negative' if all_p else 'positive'} rows have a label yet", _MORE_LABELS)
    below = [under / all_n for under in _midway(negatives)]
    above = [1.0 - under / all_p for under in _midway(positives)]
    found = fsum(p * won for p, won in zip(positives, below, strict=True)) / all_p
    variance = _spread(positives, below) / all_p + _spread(negatives, above) / all_n
    among = intervals.bounded(found, variance, min(all_p, all_n), intervals.z_of(alpha))
    return Value(found, among, all_p + all_n)


def _midway(counts: Sequence[int]) -> list[float]:
    """How many lie below each bin, and half of those in it."""
    under, result = 0, []
    for count in counts:
        result.append(under + count / 2)
        under += count
    return result


def _spread(counts: Sequence[int], values: Sequence[float]) -> float:
    """The sample variance of values that occur so often; 0 for one row."""
    n = sum(counts)
    middle = fsum(c * v for c, v in zip(counts, values, strict=True)) / n
    return fsum(c * (v - middle) ** 2 for c, v in zip(counts, values, strict=True)) / max(1, n - 1)


@dataclass(frozen=True)
class Errors:
    """Sums over rows of a regression with labels; e is prediction less actual."""

    n: int = 0
    absolute: float = 0.0
    """Sum of |e|,"""
    squared: float = 0.0
    """of e^2,"""
    fourth: float = 0.0
    """of e^4."""
    nonzero: int = 0
    """Rows whose actual value is not 0,"""
    relative: float = 0.0
    """the sum of |e/actual| over them,"""
    relative_squares: float = 0.0
    """and of its square."""
    zero_squared: float = 0.0
    """Sum of e^2 over rows whose actual value is 0,"""
    zero_fourth: float = 0.0
    """and of e^4."""
    unread: int = 0
    """Rows that are left out: a number that isn't finite, or too large to be squared twice."""

    def __add__(self, other: Errors) -> Errors:
        return Errors(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def errors(actual: float, predicted: float) -> Errors:
    """Of one row. What isn't finite is counted as unread, and nowhere else."""
    size, relative = abs(predicted - actual), 0.0
    if actual:
        relative = size / abs(actual)
    if not all(isfinite(one) and one < _LARGEST for one in (abs(actual), size, relative)):
        return Errors(unread=1)
    zero, square = actual == 0, size * size
    return Errors(
        1, size, square, square * square, int(not zero), relative, relative * relative,
        square if zero else 0.0, square * square if zero else 0.0,
    )  # fmt: skip


_LARGEST = 1e60
"""Of an error: its fourth power, and the sum of many of them, are still finite."""


def regression(given: Errors, alpha: float = 0.05) -> Values:
    """MAE, RMSE, MAPE, and `rmse_zero`: the RMSE of the rows whose actual value is 0, for which MAPE has no answer.

    MAPE is a share (0.1: a tenth) of the rows whose actual value is not 0. Raises ValueError for impossible sums.
    """
    bounds.counts(n=given.n, nonzero=given.nonzero, unread=given.unread)
    if given.nonzero > given.n:
        raise ValueError(f"impossible counts: {given.nonzero} of {given.n} rows are not 0")
    zeros = given.n - given.nonzero
    return {
        "mae": _mean(means.sample(given.n, given.absolute, given.squared), alpha, "rows"),
        "rmse": _root(_mean(means.sample(given.n, given.squared, given.fourth), alpha, "rows")),
        "mape": _mean(
            means.sample(given.nonzero, given.relative, given.relative_squares), alpha, "rows that are not 0"
        ),
        "rmse_zero": _root(_mean(means.sample(zeros, given.zero_squared, given.zero_fourth), alpha, "rows that are 0")),
    }


def _mean(of: Sample, alpha: float, rows: str) -> Value | Unknown:
    if of.n < 2:
        return Unknown(f"{'one of the' if of.n else 'no'} {rows} {'has' if of.n else 'have'} a label yet", _MORE_LABELS)
    checks.finite(mean=of.mean, variance=of.variance)
    found = intervals.mean(of, alpha)
    return Value(of.mean, Interval(max(0.0, found.low), found.high), of.n)


def _root(of: Value | Unknown) -> Value | Unknown:
    if isinstance(of, Unknown):
        return of
    return Value(sqrt(of.value), Interval(sqrt(of.interval.low), sqrt(of.interval.high)), of.n)
