"""Where a share, a mean, a difference and a ratio of shares lie, for a number of rows that was fixed beforehand.

A share: Wilson's interval (1927), which never leaves [0, 1] and is none of width 0 at 0 of n. A difference and a ratio
of two shares: from their Wilson limits, by Newcombe's square-and-add rule (1998, method 10) and its counterpart for
ratios (MOVER-R: Donner & Zou 2012). Several at once: `range_z` for all pairs, `sidak_z` for several against one.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, inf, sqrt
from statistics import NormalDist

from fairlead.verdict import checks
from fairlead.verdict.means import Sample
from fairlead.verdict.proportion import Interval, log_incomplete_beta

_NORMAL = NormalDist()
_HALVINGS = 45
_NORMAL_FROM = 10_000
"""Degrees of freedom from which Student's distribution is taken as the normal one: its 99.9 % point is off by 1e-4."""
_STEPS = 160
_REACH = 8.0
_SMALLEST = 1e-12


def z_of(alpha: float) -> float:
    """The two-sided quantile: a normal deviate is beyond ± this with probability alpha, in (0, 1)."""
    checks.shares(alpha=alpha)
    return _NORMAL.inv_cdf(1.0 - max(alpha, _SMALLEST) / 2)


def sidak_z(alpha: float, intervals: int) -> float:
    """The same for `intervals` normal deviates at once, however they depend on one another (Šidák 1967)."""
    checks.shares(alpha=alpha)
    return z_of(1.0 - (1.0 - alpha) ** (1.0 / max(1, intervals)))


@lru_cache(maxsize=256)
def range_z(alpha: float, groups: int) -> float:
    """The z of an interval for each pair of groups such that all hold at once with probability 1 - alpha.

    The quantile of the range of `groups` normal deviates, over the root of 2 (Tukey & Kramer; that it is on the safe
    side for groups of unequal size is Hayter's theorem, 1984). For two groups it is `z_of`; it is always below
    Bonferroni's.
    """
    checks.shares(alpha=alpha)
    if groups <= 2:
        return z_of(alpha)
    low, high = 0.0, z_of(alpha / (groups * (groups - 1) / 2)) * sqrt(2)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _range_beyond(middle, groups) > alpha else (low, middle)
    return high / sqrt(2)


def _range_beyond(q: float, groups: int) -> float:
    """The chance that the range of so many normal deviates is beyond q: 1 - k ∫ φ(z) (Φ(z) - Φ(z-q))^(k-1) dz.

    By the trapezoidal rule, which for such a smooth integrand that ends at nothing is exact to all digits."""
    step = (2 * _REACH + q) / _STEPS
    points = (-_REACH + step * i for i in range(_STEPS + 1))
    total = sum(_NORMAL.pdf(z) * (_NORMAL.cdf(z) - _NORMAL.cdf(z - q)) ** (groups - 1) for z in points)
    return 1.0 - groups * step * total


def wilson(successes: float, trials: float, z: float) -> Interval:
    """Where a share lies, at a two-sided normal quantile z. All of [0, 1] without trials.

    The numbers need not be whole: trials may be an effective number. Raises ValueError for such as can't be.
    """
    checks.finite(successes=successes, trials=trials, z=z)
    if not 0 <= successes <= trials:
        raise ValueError(f"impossible counts: {successes} of {trials}")
    if not trials:
        return Interval(0.0, 1.0)
    share, z2 = successes / trials, z * z
    centre, half = share + z2 / (2 * trials), z * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    low, high = (centre - half) / (1 + z2 / trials), (centre + half) / (1 + z2 / trials)
    # at the ends it holds the share itself; rounding must not say otherwise
    return Interval(max(0.0, min(low, share)), min(1.0, max(high, share)))


def bounded(value: float, variance: float, least: float, z: float) -> Interval:
    """Where a mean of values in [0, 1] lies whose estimate has this variance: Wilson's, with value·(1-value)/variance
    trials, for a share of so many trials has this variance; with at least `least` trials, also where all values agree.

    It is as lopsided as such means are near 0 and 1, never leaves [0, 1], and is never of width 0.
    """
    trials = max(least, value * (1 - value) / variance) if variance > 0 else least
    return wilson(min(1.0, max(0.0, value)) * trials, trials, z)


def difference(a: float, b: float, of_a: Interval, of_b: Interval) -> Interval:
    """Where a share a less a share b lies, each known within its own interval at the same z (Newcombe)."""
    d = a - b
    return Interval(
        max(-1.0, d - sqrt((a - of_a.low) ** 2 + (of_b.high - b) ** 2)),
        min(1.0, d + sqrt((of_a.high - a) ** 2 + (b - of_b.low) ** 2)),
    )


def ratio(a: float, b: float, of_a: Interval, of_b: Interval) -> Interval:
    """Where a share a over a share b lies, each known within its own interval at the same z (MOVER-R)."""
    return Interval(_limit(a, b, of_a.low, of_b.high, -1), _limit(a, b, of_a.high, of_b.low, 1))


def _limit(a: float, b: float, near_a: float, near_b: float, side: int) -> float:
    under = near_b * (2 * b - near_b)
    over = near_a * (2 * a - near_a)
    root = sqrt(max(0.0, (a * b) ** 2 - over * under))
    if side > 0:
        return (a * b + root) / under if under > 0 else inf
    # as (ab - root)/under, in a form that also holds where `under` isn't above 0
    return max(0.0, over / (a * b + root)) if a * b + root > 0 else 0.0


@lru_cache(maxsize=256)
def student_t(alpha: float, df: float) -> float:
    """The two-sided quantile of Student's distribution: beyond ± this with probability alpha. df: at least 1."""
    checks.shares(alpha=alpha)
    if not df >= 1:
        raise ValueError(f"need at least one degree of freedom, not {df}")
    if df >= _NORMAL_FROM:
        return z_of(alpha)
    low, high = z_of(alpha), z_of(alpha)
    while _beyond(high, df) > alpha:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, df) > alpha else (low, middle)
    return high


def _beyond(t: float, df: float) -> float:
    return exp(log_incomplete_beta(df / 2, 0.5, df / (df + t * t)))


def mean(given: Sample, alpha: float) -> Interval:
    """Where a mean lies, by Student's distribution. Everything is possible with fewer than two values."""
    if given.n < 2:
        return Interval(-inf, inf)
    half = student_t(alpha, given.n - 1) * sqrt(given.variance / given.n)
    return Interval(given.mean - half, given.mean + half)
