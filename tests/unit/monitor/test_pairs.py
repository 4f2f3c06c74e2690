"""Correlations from sums: bets are fair at the edge of the tolerance, and what no values can have is refused."""

from __future__ import annotations

import random
from math import exp, inf, lgamma, log, nan

import pytest

from fairlead.monitor import pairs
from fairlead.monitor.pairs import Moments


def _signs(alike: int, n: int) -> Moments:
    """n rows with x and y of -1 or 1, each as often as the other; so many of them alike."""
    return Moments(n, 0.0, 0.0, n, n, alike - (n - alike))


def _binomial(n: int, k: int, share: float) -> float:
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(share) + (n - k) * log(1 - share))


@pytest.mark.parametrize(("r", "tolerance"), [(0.0, 0.2), (0.5, 0.15), (-0.6, 0.3)])
def test_the_mean_of_a_bet_is_at_most_one_at_the_edge_of_the_tolerance(r: float, tolerance: float) -> None:
    """Exactly, over all outcomes of 200 rows whose correlation is the largest (the smallest) that is tolerated."""
    n = 200
    for side, true in enumerate((r + tolerance, r - tolerance)):
        means = [0.0] * 6
        for alike in range(n + 1):
            gained = pairs.log_es(Moments(), _signs(alike, n), r, tolerance)
            assert gained is not None
            chance = _binomial(n, alike, (1 + true) / 2)
            means = [mean + chance * exp(one) for mean, one in zip(means, gained[side], strict=True)]
        assert all(mean <= 1 + 1e-9 for mean in means)


def test_a_correlation_far_from_the_reference_wins_on_its_side_alone() -> None:
    above, below = pairs.log_es(Moments(), _signs(950, 1_000), 0.0, 0.2) or ((), ())
    assert max(above) > 10 > 0 > max(below)
    above, below = pairs.log_es(Moments(), _signs(50, 1_000), 0.0, 0.2) or ((), ())
    assert max(below) > 10 > 0 > max(above)


def test_bets_are_fair_after_a_shift_of_both_features() -> None:
    """Normal values around 1 in both, uncorrelated: with the means of the windows before, nothing is won."""
    rng = random.Random(4)

    def window() -> Moments:
        rows = [(rng.gauss(1, 1), rng.gauss(1, 1)) for _ in range(500)]
        return Moments(
            len(rows), sum(x for x, _ in rows), sum(y for _, y in rows), sum(x * x for x, _ in rows),
            sum(y * y for _, y in rows), sum(x * y for x, y in rows),
        )  # fmt: skip

    fresh = pairs.log_es(Moments(), window(), 0.0, 0.15)
    before = Moments()
    for _ in range(10):
        before = pairs.remembered(before, window())
    later = pairs.log_es(before, window(), 0.0, 0.15)
    assert fresh is not None
    assert later is not None
    assert max(fresh[0]) > 3 > 0 > max(later[0])


def test_moments() -> None:
    known = pairs.moments((100.0, 50.0, -50.0, 125.0, 125.0, 25.0))
    assert known is not None
    assert known.centre == (0.5, -0.5)
    assert known.spread == (1.0, 1.0)
    assert known.r == pytest.approx(0.5)
    assert Moments(10, 10.0, 5.0, 10.0, 8.0, 5.0).r is None  # x is constant
    assert pairs.log_es(Moments(10, 10.0, 5.0, 10.0, 8.0, 5.0), known, 0.0, 0.1) is None
    assert pairs.log_es(Moments(), Moments(), 0.0, 0.1) is None


@pytest.mark.parametrize(
    "sums",
    [(), (1.0,) * 5, (1.0, nan, 0, 1, 1, 0), (inf,) * 6, (-1.0, 0, 0, 0, 0, 0), (1.5, 0, 0, 1, 1, 0), (1e300,) * 6,
     (10.0, 50.0, 0, 160, 10, 0), (10.0, 0, 0, 170, 10, 0), (10.0, 0, 0, 10, 10, 11), (10.0, 10, 0, 5, 10, 0)],
)  # fmt: skip
def test_sums_that_no_values_have(sums: tuple[float, ...]) -> None:
    assert pairs.moments(sums) is None


def test_the_tolerance_is_at_least_what_the_reference_may_be_off() -> None:
    assert pairs.tolerated(0.0, 103, 0.15) == pytest.approx(0.4)
    assert pairs.tolerated(0.9, 103, 0.05) == pytest.approx(4 * 0.19 / 10)
    assert pairs.tolerated(0.0, 100_000, 0.15) == 0.15
    assert pairs.tolerated(0.0, 2, 0.15) == 4.0


def test_fisher_z_of_a_change() -> None:
    assert pairs.moved(0.5, 0.5) == 0.0
    assert pairs.moved(0.99, 0.95) > pairs.moved(0.09, 0.05)
    assert pairs.moved(1.0, -1.0) < 10
