"""What is known of one share: by a fixed number of trials, and at every moment.

`upper_bound` is Clopper and Pearson's, for a number of trials that was fixed beforehand. `confidence_sequence` holds at
all times at once: it is the set of shares that test B (`verdict.split`) doesn't refuse, with the concentration that
makes it tightest around a chosen number of trials (the beta-binomial mixture of Howard et al., arXiv 1810.08240).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, inf, lgamma, log, log1p

from fairlead.verdict import checks

_HALVINGS = 200
_TINY = 1e-300
_PRECISION = 1e-15
_TERMS = 20_000
"""Of a continued fraction: it needs about the root of the counts."""
_EXACT = 10**7
"""Trials up to which a bound is exact."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


def upper_bound(successes: int, trials: int, beta: float) -> float:
    """The share below which the truth lies with probability 1 - beta (Clopper & Pearson, one-sided). 1 without trials.

    Of more than ten million trials it is that of a tenth (a hundredth, …) of them with at least that share of
    successes: a little larger, and known in no time.

    Raises ValueError for counts that can't be, or a beta outside (0, 1).
    """
    _check(successes, trials)
    checks.shares(beta=beta)
    while trials > _EXACT:
        successes, trials = -(-successes // 10), trials // 10
    if successes >= trials:
        return 1.0

    def log_tail(share: float) -> float:
        """Log probability of at most so many successes."""
        return log_incomplete_beta(trials - successes, successes + 1, 1.0 - share)

    return _last(lambda share: log_tail(share) > log(beta), successes / trials, 1.0)


def confidence_sequence(successes: int, trials: int, alpha: float, trials_best: float = 1000.0) -> Interval:
    """Where a share lies, at all times at once, with probability 1 - alpha; so it may be looked at after every trial.

    trials_best: the number of trials around which it is tightest. Raises ValueError for counts that can't be.
    """
    _check(successes, trials)
    checks.shares(alpha=alpha)
    checks.finite(trials_best=trials_best)
    if trials_best <= 0:
        raise ValueError(f"trials_best must be above 0, not {trials_best}")
    if not trials:
        return Interval(0.0, 1.0)
    weight, bound, seen = concentration(trials_best, alpha), -log(alpha), successes / trials

    def kept(share: float) -> bool:
        return log_e(successes, trials - successes, share, weight) < bound

    low = 0.0 if not successes else 1.0 - _last(lambda other: kept(1.0 - other), 1.0 - seen, 1.0)
    high = 1.0 if successes == trials else _last(kept, seen, 1.0)
    return Interval(low, high)


def concentration(trials_best: float, alpha: float) -> float:
    """The prior's weight, in trials, that makes test B strongest around a number of trials, for a bound of 1/alpha."""
    doubled = 2.0 * log(1.0 / alpha)
    return max(trials_best / (doubled + log1p(doubled)) - 1.0, 1e-3)


def log_e(hits: float, misses: float, share: float, weight: float) -> float:
    """Test B for two outcomes: log evidence against a share in (0, 1), with a prior of `weight` trials around it."""
    a, b = weight * share, weight * (1.0 - share)
    return log_beta(a + hits, b + misses) - log_beta(a, b) - hits * log(share) - misses * log(1.0 - share)


def log_beta(a: float, b: float) -> float:
    """Log of the beta function, a and b > 0."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_incomplete_beta(a: float, b: float, x: float) -> float:
    """Log of the regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1].

    By its continued fraction, on the side where that converges quickly (DLMF 8.17.22; modified Lentz).
    """
    if x <= 0.0:
        return -inf
    if x >= 1.0:
        return 0.0
    if x > (a + 1.0) / (a + b + 2.0):
        other = log_incomplete_beta(b, a, 1.0 - x)
        return log(-expm1(other)) if other > -0.5 else log1p(-exp(other))
    return a * log(x) + b * log1p(-x) - log_beta(a, b) - log(a) + log(_fraction(a, b, x))


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d, c = 1.0 / _away(1.0 + term * d), _away(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            return value
    raise ValueError(f"the incomplete beta function did not converge for {a}, {b}, {x}; the counts are too large")


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _last(holds: Callable[[float], bool], start: float, end: float) -> float:
    """The largest value in (start, end) for which something holds that holds near `start` and not near `end`."""
    for _ in range(_HALVINGS):
        middle = (start + end) / 2
        if middle in (start, end):
            break
        start, end = (middle, end) if holds(middle) else (start, middle)
    return end


def _check(successes: int, trials: int) -> None:
    checks.counts(successes=successes, trials=trials)
    if successes > trials:
        raise ValueError(f"impossible counts: {successes} of {trials}")
