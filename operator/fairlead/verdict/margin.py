"""What "no worse than by a margin" means for a test that knows odds ratios only.

The tolerated set is p_c ≤ p_s + δ, with p_s unknown and free to change. An odds ratio alone can't judge it: as p_s goes
to 0, a difference of δ is any odds ratio. So the set is divided at a rate L that is fixed beforehand:

- where p_s ≥ L, the difference is at most the odds ratio between L + δ and L: test A judges it;
- where p_s < L, the candidate's own rate is at most L + δ: the excess test below judges it.

Rollouts judge failures and outcomes by `verdict.difference` now, which needs no such division; this is for what is
shown beside it, for latency, whose margin is an odds ratio, and for the watch after a promotion.

A candidate is harmful when *both* say so: the smaller of the two e-values is an e-value for the whole set (under each
of its members it is at most one whose expectation is at most 1). L = max(δ, p_s / 2), with p_s as it was when the
rollout began: half of it leaves room for a rate that falls meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

from fairlead.verdict.failures import GRID, log_mean, odds_ratio

_ALMOST_ALL = 1.0 - 1e-9


@dataclass(frozen=True)
class Margin:
    """What is tolerated."""

    odds: float = 1.0
    """Odds ratio for test A; infinite: it judges nothing."""
    floor: float = 0.0
    """The candidate's own rate, up to which nothing is harm; 0 without a margin."""


def margin(rate: float, worse_by: float) -> Margin:
    """The margin for a live version that fails at `rate` in (0, 1), with `worse_by` (a share) tolerated on top."""
    if worse_by == 0:
        return Margin()
    anchor = min(max(worse_by, rate / 2), _ALMOST_ALL / 2)
    return Margin(odds_ratio(anchor, worse_by), min(anchor + worse_by, _ALMOST_ALL))


def alone(most: float) -> Margin:
    """For a candidate whose own rate alone is judged, whatever the live version's is. most: the tolerated rate."""
    return Margin(inf, min(most, _ALMOST_ALL))


def log_excess(failures: int, requests: int, floor: float, design_effect: float = 1.0) -> float:
    """Log evidence that a rate lies above `floor` in [0, 1), from `failures` of `requests` so far.

    The mean over the grid of Bernoulli likelihood ratios of floor·psi (as odds) against floor: each is a
    supermartingale wherever the rate is at most the floor at every moment, so it may be looked at at any time. Without
    a floor nothing needs to be shown: infinite. design_effect: requests that stand for one independent one.
    """
    if floor <= 0:
        return float("inf")
    odds = floor / (1.0 - floor)
    rates = [psi * odds / (1.0 + psi * odds) for psi in GRID]
    return log_mean([
        (failures * log(rate / floor) + (requests - failures) * log((1.0 - rate) / (1.0 - floor))) / design_effect
        for rate in rates
    ])  # fmt: skip
