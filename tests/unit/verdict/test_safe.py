"""The safe test against its published vector, an independent library, and its guarantee."""

from __future__ import annotations

import random
from math import comb, exp, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nchypergeom_fisher

from fairlead.verdict.failures import log_bound, log_mean
from fairlead.verdict.proportion import upper_bound
from fairlead.verdict.safe import GRID, grid_below, log_lr_safe


def test_published_vector():
    values = log_lr_safe(5, 500, 4500, 50, 2.0)
    assert [round(value, 4) for value in values] == [0.3867, 1.1770, 1.2816, 1.1640]
    assert round(exp(log_mean(values)), 4) == 2.8804


def test_the_harm_vector_with_a_margin_is_its_mirror_image():
    """The published vector for psi0 = 1.25, with the arms exchanged and the odds turned over."""
    mirrored = [-1 / odds for odds in (1.5, 2, 3, 5, 10)]
    values = log_lr_safe(6, 900, 100, 10, 1 / 1.25, [-odds for odds in mirrored])
    assert [round(value, 4) for value in values] == [0.4890, 1.1769, 1.9365, 2.4600, 2.2366]
    assert round(exp(log_mean(values)), 4) == 6.5753


@pytest.mark.parametrize("window", [(4, 100, 900, 10, 1.3), (0, 10, 90, 3, 2), (40, 300, 100, 60, 4)])
def test_agrees_with_scipy(window):
    x, n_c, n_s, k, psi1 = window

    def logpmf(psi):
        return nchypergeom_fisher(n_c + n_s, n_c, k, psi).logpmf(x)

    expected = [logpmf(psi) - logpmf(psi1) for psi in grid_below(psi1)]
    assert log_lr_safe(x, n_c, n_s, k, psi1) == pytest.approx(expected, abs=1e-8)


@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 40), st.floats(0.3, 5), st.floats(1, 4))
@settings(max_examples=30, deadline=None)
def test_expected_ratio_is_at_most_one_for_every_harmful_odds_ratio(n_c, n_s, k, psi1, above):
    k = min(k, n_c + n_s)
    support = range(max(0, k - n_s), min(k, n_c) + 1)
    truth = psi1 * above
    weights = [comb(n_c, x) * comb(n_s, k - x) * truth ** (x - support[0]) for x in support]
    for i in range(len(grid_below(psi1))):
        mean = sum(w * exp(log_lr_safe(x, n_c, n_s, k, psi1)[i]) for w, x in zip(weights, support, strict=True))
        assert mean / sum(weights) <= 1 + 1e-9


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), st.data())
@settings(max_examples=40, deadline=None)
def test_more_failures_of_the_candidate_never_raise_the_evidence(n_c, n_s, k, data):
    k = min(k, n_c + n_s)
    low, high = max(0, k - n_s), min(k, n_c)
    x = data.draw(st.integers(low, high))
    if x < high:
        more, less = log_lr_safe(x + 1, n_c, n_s, k, 1.5), log_lr_safe(x, n_c, n_s, k, 1.5)
        assert all(a <= b + 1e-12 for a, b in zip(more, less, strict=True))


def test_a_harmful_candidate_is_hardly_ever_called_safe():
    rng, alpha, rollouts = random.Random(7), 0.1, 150
    called = sum(_ever_safe(rng, 0.1, 0.18, 1.9, log_bound(alpha)) for _ in range(rollouts))
    assert upper_bound(called, rollouts, 0.05) <= alpha


def test_an_equal_candidate_is_called_safe_in_the_end():
    rng = random.Random(8)
    assert all(_ever_safe(rng, 0.1, 0.1, 3.0, log_bound(0.05), windows=120) for _ in range(10))


def _ever_safe(rng, live, candidate, psi1, bound, windows=40):
    """Shares that change, an empty window in between, a base rate that swings."""
    sums = (0.0,) * len(grid_below(psi1))
    for t in range(windows):
        n_c, n_s = (0, 30) if t % 7 == 3 else (15, 30 - t % 3 * 10)
        factor = 1 + 0.5 * (t % 10 < 5)
        odds = candidate / (1 - candidate) * factor, live / (1 - live) * factor
        x, y = (sum(rng.random() < o / (1 + o) for _ in range(n)) for o, n in zip(odds, (n_c, n_s), strict=True))
        gained = log_lr_safe(x, n_c, n_s, x + y, psi1)
        sums = tuple(a + b for a, b in zip(sums, gained, strict=True))
        if log_mean(sums) >= bound:
            return True
    return False


def test_grid_stays_below_the_margin():
    assert grid_below(2.0) == GRID
    assert grid_below(1.25) == (0.5, 0.8, 1.0)
    assert max(grid_below(0.4)) < 0.4
    assert log_lr_safe(0, 10, 90, 0, 1.25) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("psi1", [0.0, -1.0, inf, nan])
def test_impossible_margins_are_refused(psi1):
    with pytest.raises(ValueError, match="odds ratio"):
        log_lr_safe(1, 10, 10, 2, psi1)


def test_impossible_grids_and_counts_are_refused():
    for grid in ((), (2.0,), (0.0,), (nan,)):
        with pytest.raises(ValueError, match="odds ratios"):
            log_lr_safe(1, 10, 10, 2, 1.5, grid)
    for window in ((-1, 10, 10, 2), (3, 10, 10, 2), (nan, 10, 10, 2), (1, nan, 10, 2)):
        with pytest.raises(ValueError, match="impossible counts"):
            log_lr_safe(*window, 1.5)
