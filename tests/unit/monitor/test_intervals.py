"""Intervals: published values, scipy, and what they cover."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, studentized_range, t

from fairlead.monitor import intervals
from fairlead.verdict.means import Sample
from fairlead.verdict.proportion import Interval

Z = intervals.z_of(0.05)
shares = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def close(found: Interval, low: float, high: float, off: float = 5e-5) -> bool:
    return abs(found.low - low) < off and abs(found.high - high) < off


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_as_newcombe_has_it(k, n, low, high):
    """Newcombe 1998, Statistics in Medicine 17: 857, table I, method 3."""
    assert close(intervals.wilson(k, n, Z), low, high)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926), ((0, 10), (0, 20), -0.1611, 0.2775), ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)  # fmt: skip
def test_a_difference_as_newcombe_has_it(a, b, low, high):
    """Newcombe 1998, Statistics in Medicine 17: 873, table II, method 10."""
    of = [intervals.wilson(k, n, Z) for k, n in (a, b)]
    assert close(intervals.difference(a[0] / a[1], b[0] / b[1], *of), low, high)


@given(shares, shares)
def test_limits_hold_what_was_seen(a, b):
    (k, n), (j, m) = a, b
    of_a, of_b = intervals.wilson(k, n, Z), intervals.wilson(j, m, Z)
    assert 0 <= of_a.low <= k / n <= of_a.high <= 1
    d = intervals.difference(k / n, j / m, of_a, of_b)
    assert -1 <= d.low <= k / n - j / m + 1e-12
    assert k / n - j / m - 1e-12 <= d.high <= 1
    turned = intervals.difference(j / m, k / n, of_b, of_a)
    assert (turned.low, turned.high) == pytest.approx((-d.high, -d.low))
    r = intervals.ratio(k / n, j / m, of_a, of_b)
    assert 0 <= r.low <= r.high
    if j:
        assert r.low * (1 - 1e-9) <= (k / n) / (j / m) <= r.high * (1 + 1e-9)
        # a ratio of at least 1 isn't refused where a difference of at least 0 isn't: one method, one answer
        assert (r.low > 1 + 1e-6) <= (d.low > 0)


@pytest.mark.parametrize(("p", "q"), [(0.1, 0.2), (0.5, 0.5), (0.02, 0.05)])
def test_a_difference_and_a_ratio_cover_as_promised(p, q):
    """Exactly, over all outcomes of 60 and 90 trials."""
    n, m = 60, 90
    covered = {"difference": 0.0, "ratio": 0.0}
    first = [(k, binom.pmf(k, n, p), intervals.wilson(k, n, Z)) for k in range(n + 1)]
    second = [(j, binom.pmf(j, m, q), intervals.wilson(j, m, Z)) for j in range(m + 1)]
    for k, likely, of_k in first:
        for j, other, of_j in second:
            chance, of = likely * other, (of_k, of_j)
            d, r = intervals.difference(k / n, j / m, *of), intervals.ratio(k / n, j / m, *of)
            covered["difference"] += chance * (d.low <= p - q <= d.high)
            covered["ratio"] += chance * (r.low <= p / q <= r.high)
    assert all(0.935 < one < 0.995 for one in covered.values()), covered


@pytest.mark.parametrize("groups", [2, 3, 8, 20])
def test_all_pairs_at_once(groups):
    expected = studentized_range.ppf(0.95, groups, inf) / 2**0.5
    assert intervals.range_z(0.05, groups) == pytest.approx(expected, rel=1e-6)
    assert intervals.range_z(0.05, groups) <= intervals.z_of(0.05 / (groups * (groups - 1) / 2)) + 1e-9
    assert intervals.sidak_z(0.05, groups) <= intervals.z_of(0.05 / groups)


@pytest.mark.parametrize("alpha", [0.5, 0.05, 1e-4])
@pytest.mark.parametrize("df", [1, 2, 7, 100, 9_999, 20_000])
def test_student(alpha, df):
    assert intervals.student_t(alpha, df) == pytest.approx(t.ppf(1 - alpha / 2, df), rel=1e-3)


def test_a_mean():
    found = intervals.mean(Sample(10, 5.0, 4.0), 0.05)
    assert (found.low, found.high) == pytest.approx((5 - 2.262157 * 0.4**0.5, 5 + 2.262157 * 0.4**0.5), rel=1e-6)
    assert intervals.mean(Sample(1, 5.0, 0.0), 0.05) == Interval(-inf, inf)


def test_what_can_not_be_is_refused():
    for k, n in ((2, 1), (-1, 1), (nan, 1), (0, nan), (0, inf)):
        with pytest.raises(ValueError, match=r"impossible|finite"):
            intervals.wilson(k, n, Z)
    for alpha in (0, 1, nan, -1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            intervals.z_of(alpha)
    with pytest.raises(ValueError, match="degree of freedom"):
        intervals.student_t(0.05, 0)
    assert intervals.wilson(0, 0, Z) == Interval(0, 1)
