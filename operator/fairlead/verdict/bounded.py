"""Test E: losses in [0, 1], also few of them. Is their mean above a tolerated value, and where does it lie?

Betting (Waudby-Smith & Ramdas, arXiv 2010.09686): with m the tolerated mean and 0 <= bet < 1/m, the capital

    K = prod_i (1 + bet·(x_i - m))

never turns negative, and each factor's expectation is at most 1 as long as each loss, given the past, has a mean of at
most m; so the capital, and a mean over several bets, is a supermartingale. Nothing is assumed of the distribution, and
losses may depend on one another.

Where only sums are kept, two lower bounds of log K take its place, the larger one: what it loses is power, not
validity. Both use that the logarithm is concave or nearly so.

- The chord between x = 0 and x = 1: log(1 + bet·(x-m)) >= (1-x) log(1 - bet·m) + x log(1 + bet·(1-m)). Exact for
  losses that are 0 or 1, for which it is a Bernoulli likelihood ratio.
- Fan, Grama & Liu's (2015, eq. 4.12), with t = bet·m: t·(x-m)/m + (log(1-t) + t)·((x-m)/m)^2. Better where losses vary
  little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum, log, log1p, sqrt

from fairlead.verdict import checks
from fairlead.verdict.failures import GRID
from fairlead.verdict.proportion import Interval

_ROUNDING = 1e-9
_LARGEST_BET = 0.5


@dataclass(frozen=True)
class Sums:
    """Of losses in [0, 1]."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.n + other.n, self.total + other.total, self.squares + other.squares)


def sums(values: Sequence[float]) -> Sums:
    """Of single losses. Raises ValueError for one outside [0, 1]."""
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(f"a bounded loss lies in [0, 1], not at {value}")
    return Sums(len(values), fsum(values), fsum(value * value for value in values))


def turned(given: Sums) -> Sums:
    """Of 1 - loss. To show that a mean loss lies *below* m, bet on these against 1 - m."""
    return Sums(given.n, given.n - given.total, given.n - 2 * given.total + given.squares)


def bets(m: float) -> tuple[float, ...]:
    """Stakes per unit of loss above m, in (0, 1/m): those of a Bernoulli test of psi times m's odds, psi of `GRID`."""
    checks.shares(m=m)
    return tuple((psi - 1.0) / (1.0 - m + psi * m) for psi in GRID)


def log_bets(given: Sums, m: float) -> tuple[float, ...]:
    """Lower bound of the log capital that each of `bets(m)` has won from sums of losses. Add up over windows.

    m: the tolerated mean, in (0, 1). `failures.log_mean` of the result is the log evidence that the mean is larger.
    Raises ValueError for sums that losses in [0, 1] can't have.
    """
    _check(given)
    return tuple(max(_chord(given, m, bet), _fan(given, m, bet)) for bet in bets(m))


def log_bets_each(values: Sequence[float], m: float) -> tuple[float, ...]:
    """The log capital itself, from single losses. Raises ValueError for one outside [0, 1]."""
    sums(values)
    return tuple(fsum(log1p(bet * (value - m)) for value in values) for bet in bets(m))


def _chord(given: Sums, m: float, bet: float) -> float:
    return (given.n - given.total) * log1p(-bet * m) + given.total * log1p(bet * (1.0 - m))


def _fan(given: Sums, m: float, bet: float) -> float:
    t = bet * m
    spread = given.squares - 2 * m * given.total + given.n * m * m
    return bet * (given.total - given.n * m) + (log1p(-t) + t) * max(0.0, spread) / (m * m)


def _check(given: Sums) -> None:
    checks.counts(n=given.n)
    checks.finite(total=given.total, squares=given.squares)
    slack = _ROUNDING * (1 + given.n)
    if not -slack <= given.squares <= given.total + slack <= given.n + 2 * slack:
        raise ValueError(f"losses in [0, 1] can't have these sums: {given}")
    if given.total**2 > given.n * (given.squares + slack):
        raise ValueError(f"losses in [0, 1] can't have so small a sum of squares: {given}")


@dataclass(frozen=True)
class MeanState:
    """The predictable plug-in empirical-Bernstein confidence sequence of a mean of values in [0, 1].

    At time t the bet is min(sqrt(2 ln(2/alpha) / (s2 t ln(1+t))), 1/2) with s2 the variance estimated from the values
    before, psi(b) = -ln(1-b) - b, and the mean lies, at all times at once with probability 1 - alpha, within

        (ln(2/alpha) + sum psi(b_i)·(x_i - mean_{i-1})^2) / sum b_i     of     sum b_i x_i / sum b_i.
    """

    alpha: float
    n: int = 0
    total: float = 0.0
    deviations: float = 0.0
    """Sum of (x_i - mean_i)^2."""
    bets: float = 0.0
    weighted: float = 0.0
    """Sum of bet·x."""
    variation: float = 0.0
    """Sum of psi(bet)·(x - mean before)^2."""

    @property
    def interval(self) -> Interval:
        """Where the mean lies; all of [0, 1] at the start."""
        if not self.n:
            return Interval(0.0, 1.0)
        centre, half = self.weighted / self.bets, (log(2 / self.alpha) + self.variation) / self.bets
        return Interval(max(0.0, centre - half), min(1.0, centre + half))


def step(state: MeanState, value: float) -> MeanState:
    """The state after one more value. Raises ValueError for one outside [0, 1], or an alpha outside (0, 1)."""
    checks.shares(alpha=state.alpha)
    if not 0 <= value <= 1:
        raise ValueError(f"a bounded value lies in [0, 1], not at {value}")
    t = state.n + 1
    before, spread = (0.5 + state.total) / t, (0.25 + state.deviations) / t
    bet = min(sqrt(2 * log(2 / state.alpha) / (spread * t * log1p(t))), _LARGEST_BET)
    after = (0.5 + state.total + value) / (t + 1)
    return replace(
        state,
        n=t,
        total=state.total + value,
        deviations=state.deviations + (value - after) ** 2,
        bets=state.bets + bet,
        weighted=state.weighted + bet * value,
        variation=state.variation + (-log1p(-bet) - bet) * (value - before) ** 2,
    )
