"""Calibration: by hand, beside scikit-learn's, and what it refuses."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from fairlead.monitor.calibration import calibrated

bins = st.lists(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=64)


@pytest.mark.parametrize(
    ("positives", "totals", "expected"),
    [
        ([], [], []),
        ([1, 3], [9, 9], [0.15, 0.35]),
        ([3, 1], [9, 9], [0.25, 0.25]),  # pooled: (.35 + .15)/2
        ([3, 1, 8], [9, 19, 9], [(0.35 * 9 + 0.075 * 19) / 28] * 2 + [0.85]),  # by weight
        ([0, 1, 0, 3], [0, 9, 0, 9], [0.15, 0.15, 0.25, 0.35]),  # empty ones by their neighbours
        ([1, 0], [9, 0], [0.15, 0.15]),
        ([0, 0], [0, 0], [0.5, 0.5]),
    ],
)
def test_by_hand(positives, totals, expected):
    assert calibrated(positives, totals) == pytest.approx(tuple(expected))


@given(bins)
def test_it_is_isotonic_regression(found):
    full = [(k, n) for k, n in found if n]
    rates = calibrated([k for k, _ in found], [n for _, n in found])
    assert all(a <= b + 1e-12 for a, b in pairwise(rates))
    assert all(0 < rate < 1 for rate in rates)
    if full:
        k, n = np.array(full, dtype=float).T
        expected = IsotonicRegression().fit_transform(np.arange(len(full)), (k + 0.5) / (n + 1), sample_weight=n)
        assert [rate for rate, (_, m) in zip(rates, found, strict=True) if m] == pytest.approx(list(expected))


@pytest.mark.parametrize(
    ("positives", "totals"),
    [([1], [1, 2]), ([2], [1]), ([-1], [1]), ([nan], [1]), ([0], [nan]), ([0], [inf]), ([0.5], [1]), ([0], [10**400])],
)
def test_what_can_not_be_is_refused(positives, totals):
    with pytest.raises(ValueError, match=r"impossible|whole number|bins|at most"):
        calibrated(positives, totals)
