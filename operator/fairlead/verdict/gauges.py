"""Is a value that goes up and down worse? Pairs of both versions' values at the same moment, one after the other.

What both versions suffer at a moment cancels in the difference. Differences that follow each other are alike, though,
and evidence from them grows too fast if each counts for itself. So they are put together into batches of equal length,
and the length is doubled until the means of the batches next to each other are no longer alike (lag-one correlation at
most `ALIKE`), and whenever there are `MOST` of them. Fewer than `FEWEST` batches say nothing.

The means are judged by the scale mixture of the t-test that may be looked at after each of them (Lindon, Ham, Tingley
and Bojinov, arXiv 2210.08589, with one mean): with t the t-statistic of n means, and r = 1 / (1 + n),

    ln E = 1/2 ln r + n/2 (ln(1 + t^2/(n - 1)) - ln(1 + r t^2/(n - 1))),

for the mean difference beyond the tolerance in the direction that is worse; in the other one it is 0. The variance is
taken (1 + c) / (1 - c) times as large, c the correlation that is left and 1.5 standard errors of it.

The bound is exact for one length of the batches and independent normal means. Otherwise it is a limit: for values whose
likeness dies out within a batch, and whose means are not too skewed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum, log, log1p, sqrt
from typing import Literal

from fairlead.verdict import checks

FEWEST, MOST = 24, 48
"""Batches."""
ALIKE = 0.15
LARGEST = 1e100
"""Of a value: beyond, sums of squares overflow."""
_CAUTION = 1.5
_CORRELATION = 0.95

Better = Literal["Lower", "Higher"]


@dataclass(frozen=True)
class Gauge:
    """What is compared."""

    better: Better = "Lower"
    tolerance: float = 0.0
    """How much worse is tolerable, at least 0, in the value's unit."""


@dataclass(frozen=True)
class GaugeState:
    """All that is known of a value."""

    gauge: Gauge = Gauge()
    design_effect: float = 1.0
    """At least 1: how many pairs stand for one independent one, besides what is found out here."""
    windows: int = 0
    """Pairs."""
    sums: tuple[float, float] = (0.0, 0.0)
    """Of the values of live version and candidate."""
    length: int = 1
    """Pairs of a batch."""
    means: tuple[float, ...] = ()
    """Of the complete batches: by how much the candidate was worse than tolerated."""
    rest: tuple[int, float] = (0, 0.0)
    """Pairs of the batch that is not complete, and the sum of their differences."""

    @property
    def averages(self) -> tuple[float, float]:
        """Of the live version's values and of the candidate's; 0 where there are none."""
        stable, candidate = self.sums
        return stable / max(1, self.windows), candidate / max(1, self.windows)

    @property
    def log_evidence(self) -> float:
        """Log of the evidence that the candidate's value is worse by more than is tolerated."""
        return _log_evidence(self.means, self.design_effect)


def step(state: GaugeState, stable: float, candidate: float) -> GaugeState:
    """The state after one more pair of values. Raises ValueError for values that are not finite, or too large."""
    checks.finite(stable=stable, candidate=candidate)
    if max(abs(stable), abs(candidate)) > LARGEST:
        raise ValueError(f"a value lies between -{LARGEST:g} and {LARGEST:g}")
    worse = candidate - stable if state.gauge.better == "Lower" else stable - candidate
    count, total = state.rest[0] + 1, state.rest[1] + (worse - state.gauge.tolerance)
    more = replace(
        state, windows=state.windows + 1, sums=(state.sums[0] + stable, state.sums[1] + candidate), rest=(count, total)
    )
    if count < state.length:
        return more
    return _complete(replace(more, means=(*state.means, total / count), rest=(0, 0.0)))


def _complete(state: GaugeState) -> GaugeState:
    """Longer batches, where these are too many or too alike."""
    count = len(state.means)
    if count < FEWEST or count % 2 or (count < MOST and correlation(state.means) <= ALIKE):
        return state
    pairs = zip(state.means[::2], state.means[1::2], strict=True)
    return replace(state, length=2 * state.length, means=tuple((a + b) / 2 for a, b in pairs))


def correlation(values: tuple[float, ...]) -> float:
    """Of each value with the next, about their mean; 0 where they are all the same."""
    mean = fsum(values) / len(values)
    off = [value - mean for value in values]
    spread = fsum(value * value for value in off)
    return fsum(a * b for a, b in pairwise(off)) / spread if spread > 0 else 0.0


def _log_evidence(means: tuple[float, ...], design_effect: float) -> float:
    n = len(means)
    if n < FEWEST:
        return 0.0
    mean = fsum(means) / n
    if mean <= 0:
        return 0.0
    left = min(max(correlation(means) + 1 / n + _CAUTION / sqrt(n), 0.0), _CORRELATION)
    variance = fsum((value - mean) ** 2 for value in means) / (n - 1) * (1 + left) / (1 - left) * design_effect
    r = 1.0 / (1.0 + n)
    if variance <= mean * mean * 1e-300:
        return 0.5 * (n - 1) * -log(r)  # the limit
    ratio = n * mean * mean / variance / (n - 1)
    return 0.5 * log(r) + 0.5 * n * (log1p(ratio) - log1p(r * ratio))
