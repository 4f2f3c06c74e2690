"""Test C: means and ratios of anything (latency, scores, money), from counts, sums and sums of squares.

The asymptotic confidence sequence of Waudby-Smith et al. (arXiv 2103.06476, eq. 9): at all times at once, with
probability 1 - alpha, the truth lies within

    sd·sqrt(2 (n r^2 + 1)/(n r)^2 · ln(sqrt(n r^2 + 1)/alpha)),    r = sqrt((-2 ln alpha + ln(1 - 2 ln alpha))/n_best)

of the estimate, with n the units of both arms and sd the root of n times the estimate's variance. The guarantee is a
limit: it holds as the first look moves to larger n, for independent units (users, not their requests) of finite
variance and a share of the candidate that doesn't change. So there is no interval below `FEWEST` units an arm or
without any spread, and a step with another share begins anew. Counts have exact tests: A, E and `verdict.difference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, inf, log, log1p, pi, sqrt
from typing import Literal

from fairlead.verdict import checks
from fairlead.verdict.proportion import Interval

FEWEST = 100
"""Units that each arm needs before the normal limit is relied on."""

UNKNOWN = Interval(-inf, inf)

Direction = Literal["higher", "lower"]
Judgement = Literal["harm", "safe", "continue"]

_FROM_ZERO = 4.0
_ROUNDING = 1e-9
_HALVINGS = 200


@dataclass(frozen=True)
class Sample:
    """What one arm's units have in common."""

    n: int
    mean: float
    variance: float
    """Of one unit."""


def sample(n: int, total: float, squares: float) -> Sample:
    """From a count, a sum, and a sum of squares. Raises ValueError for sums that nothing can have."""
    checks.counts(n=n)
    checks.finite(total=total, squares=squares)
    spread, slack = n * squares - total**2, _ROUNDING * n * squares
    alone = n == 1 and spread > slack
    if squares < 0 or spread < -slack or alone or (n == 0 and squares > 0):
        raise ValueError(f"{n} values can't have the sum {total} and the sum of squares {squares}")
    if n < 2:
        return Sample(n, total if n else 0.0, 0.0)
    return Sample(n, total / n, max(0.0, squares - total**2 / n) / (n - 1))


def share(successes: int, n: int) -> Sample:
    """From units of which each succeeded or not."""
    checks.counts(successes=successes, n=n)
    if successes > n:
        raise ValueError(f"impossible counts: {successes} of {n}")
    mean = successes / n if n else 0.0
    return Sample(n, mean, mean * (1.0 - mean))


@dataclass(frozen=True)
class Estimate:
    """Of the difference between two arms."""

    value: float
    error: float
    """Its standard error."""
    units: int
    """Of both arms; 0 where nothing can be said."""


NOTHING = Estimate(0.0, inf, 0)


def difference(stable: Sample, candidate: Sample) -> Estimate:
    """The candidate's mean less the live version's."""
    if not _usable(stable, candidate):
        return NOTHING
    variance = candidate.variance / candidate.n + stable.variance / stable.n
    return Estimate(candidate.mean - stable.mean, sqrt(variance), stable.n + candidate.n)


def lift(stable: Sample, candidate: Sample) -> Estimate:
    """The same as a share of the live version's mean (delta method). Nothing where that mean isn't well above 0."""
    if not _usable(stable, candidate) or stable.mean <= _FROM_ZERO * sqrt(stable.variance / stable.n):
        return NOTHING
    own = candidate.variance / candidate.n / stable.mean**2
    other = stable.variance / stable.n * candidate.mean**2 / stable.mean**4
    return Estimate(candidate.mean / stable.mean - 1.0, sqrt(own + other), stable.n + candidate.n)


def interval(estimate: Estimate, alpha: float, n_best: float = 5000.0) -> Interval:
    """Where the truth lies, at all times at once. n_best: the units, of both arms, for which it is tightest."""
    checks.shares(alpha=alpha)
    checks.finite(n_best=n_best)
    if n_best <= 0:
        raise ValueError(f"n_best must be above 0, not {n_best}")
    n = estimate.units
    if not n:
        return UNKNOWN
    grown = n * (-2 * log(alpha) + log1p(-2 * log(alpha))) / n_best + 1.0
    half = estimate.error * sqrt(2 * grown / (grown - 1.0) * log(sqrt(grown) / alpha))
    return Interval(estimate.value - half, estimate.value + half)


def judge(found: Interval, worse_by: float, worse: Direction = "higher") -> Judgement:
    """`harm` when the whole interval lies beyond the margin, `safe` when it lies wholly within.

    worse_by: how much is tolerated, >= 0, in the interval's unit; worse: the direction in which the metric worsens.
    """
    if not 0 <= worse_by < inf:
        raise ValueError(f"a margin is a finite number of at least 0, not {worse_by}")
    if not found.low <= found.high:
        raise ValueError(f"not an interval: {found}")
    low, high = (found.low, found.high) if worse == "higher" else (-found.high, -found.low)
    if low > worse_by:
        return "harm"
    return "safe" if high < worse_by else "continue"


def mixture_rho(v_best: float, alpha: float) -> float:
    """The precision that makes the normal mixture tightest at a variance of `v_best` (arXiv 1810.08240)."""
    checks.shares(alpha=alpha)
    return v_best / (2 * log(1 / alpha) + log1p(2 * log(1 / alpha)))


def mixture_bound(v: float, alpha: float, rho: float) -> float:
    """Two-sided: a sum of sub-Gaussian steps with variances adding up to `v` ever leaves ± this with probability alpha.

    sqrt((v + rho) (ln((v + rho)/rho) + 2 ln(1/alpha))).
    """
    checks.shares(alpha=alpha)
    return sqrt((v + rho) * (log((v + rho) / rho) + 2 * log(1 / alpha)))


def log_mixture(s: float, v: float, rho: float) -> float:
    """Log evidence of the one-sided normal mixture that a sum `s` with variance `v` has drifted upwards.

    Its bound is tightest at v_best with `mixture_rho(v_best, 2·alpha)`.
    """
    checks.finite(s=s, v=v, rho=rho)
    if v < 0 or rho <= 0:
        raise ValueError(f"need a variance of at least 0 and a precision above 0, not {v} and {rho}")
    z = s / sqrt(v + rho)
    return 0.5 * log(4 * rho / (v + rho)) + z * z / 2 + _log_normal(z)


def mixture_bound_one_sided(v: float, alpha: float, rho: float) -> float:
    """The sum at which `log_mixture` reaches log(1/alpha)."""
    checks.shares(alpha=alpha)
    low, high = 0.0, mixture_bound(v, alpha, rho) + sqrt(v + rho)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if log_mixture(middle, v, rho) < -log(alpha) else (low, middle)
    return high


def _usable(stable: Sample, candidate: Sample) -> bool:
    return min(stable.n, candidate.n) >= FEWEST and stable.variance + candidate.variance > 0


def _log_normal(z: float) -> float:
    """Log of the standard normal distribution function; far out by its asymptotic series."""
    if z > -30:
        return log(erfc(-z / sqrt(2)) / 2)
    return -z * z / 2 - log(-z * sqrt(2 * pi)) + log1p(-1 / z**2 + 3 / z**4)
