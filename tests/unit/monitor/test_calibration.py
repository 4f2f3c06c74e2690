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
        ([1, 3], [10, 10], [0.1, 0.3]),
        ([0, 10], [10, 10], [0, 1]),
        ([3, 1], [10, 10], [0.2, 0.2]),  # pooled
        ([3, 1, 8], [10, 20, 10], [4 / 30, 4 / 30, 0.8]),  # by weight
        ([0, 1, 0, 3], [0, 10, 0, 10], [0.1, 0.1, 0.2, 0.3]),  # empty ones by their neighbours
        ([1, 0], [10, 0], [0.1, 0.1]),
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
    assert all(0 <= rate <= 1 for rate in rates)
    if full:
        k, n = np.array(full, dtype=float).T
        expected = IsotonicRegression().fit_transform(np.arange(len(full)), k / n, sample_weight=n)
        assert sum(rate * n for rate, (_, n) in zip(rates, found, strict=True)) == pytest.approx(k.sum())
        assert [rate for rate, (_, m) in zip(rates, found, strict=True) if m] == pytest.approx(list(expected))


@pytest.mark.parametrize(
    ("positives", "totals"),
    [([1], [1, 2]), ([2], [1]), ([-1], [1]), ([nan], [1]), ([0], [nan]), ([0], [inf]), ([0.5], [1]), ([0], [10**400])],
)
def test_what_can_not_be_is_refused(positives, totals):
    with pytest.raises(ValueError, match=r"impossible|whole number|bins|at most"):
        calibrated(positives, totals)
