"""Quality with labels: beside scikit-learn and scipy, by hand, and merged."""

from __future__ import annotations

from math import inf, isfinite, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics

from fairlead.monitor import realised
from fairlead.monitor.confusion import SHARES, Confusion
from fairlead.monitor.realised import Errors, Value, errors, regression
from fairlead.monitor.unknown import Unknown

confusions = st.builds(Confusion, *(st.integers(0, 10_000),) * 4)
rows = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), max_size=40)
bins = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=20)


def labels(of: Confusion) -> tuple[list[int], list[int]]:
    return [1] * of.tp + [0] * of.fp + [1] * of.fn + [0] * of.tn, [1] * (of.tp + of.fp) + [0] * (of.fn + of.tn)


def value(found: Value | Unknown) -> float:
    assert isinstance(found, Value)
    assert found.interval.low <= found.value * (1 + 1e-12) + 1e-12
    assert found.value <= found.interval.high + 1e-9
    return found.value


def test_shares_are_those_of_scikit_learn():
    of = Confusion(31, 12, 7, 50)
    truth, said = labels(of)
    found = realised.classification(of)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert value(found[name]) == pytest.approx(getattr(metrics, f"{name}_score")(truth, said))
    assert [of.share(name) for name in ("fpr", "fnr", "selection_rate", "npv", "tnr", "base_rate")] == [
        (12, 62), (7, 38), (43, 100), (50, 57), (50, 62), (38, 100),
    ]  # fmt: skip


@given(confusions)
def test_bounds(of):
    found = realised.classification(of)
    assert all(0 <= value(one) <= 1 for one in found.values() if isinstance(one, Value))
    assert all(k <= n for k, n in (of.share(name) for name in SHARES))
    assert of.share("fnr")[0] + of.share("tpr")[0] == of.share("tpr")[1]


@given(confusions, confusions)
def test_counts_merge(a, b):
    both = a + b
    assert both.n == a.n + b.n
    assert all(
        both.share(name) == tuple(x + y for x, y in zip(a.share(name), b.share(name), strict=True)) for name in SHARES
    )


def test_without_rows_nothing_is_known():
    for found in (realised.classification(Confusion()), regression(Errors())):
        assert all(isinstance(one, Unknown) and one.reason and one.remedy for one in found.values())
    assert isinstance(realised.classification(Confusion(tn=5))["precision"], Unknown)
    assert isinstance(realised.auc([3, 1], [0, 0]), Unknown)
    assert isinstance(realised.auc([], []), Unknown)


@given(bins)
def test_auc_is_that_of_scikit_learn(counts):
    positives, negatives = [p for p, _ in counts], [n for _, n in counts]
    found = realised.auc(positives, negatives)
    if not sum(positives) or not sum(negatives):
        assert isinstance(found, Unknown)
        return
    scores = [place for place, (p, n) in enumerate(counts) for _ in range(p + n)]
    truth = [label for p, n in counts for label in [1] * p + [0] * n]
    assert value(found) == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert 0 <= found.interval.low <= found.interval.high <= 1
    assert found.interval.low < found.interval.high
    turned = realised.auc(negatives, positives)
    assert value(turned) == pytest.approx(1 - value(found))


@pytest.mark.parametrize(("gap", "n"), [(0.5, 40), (1.5, 100), (3.0, 60)])
def test_the_interval_of_an_auc_covers(gap, n):
    rng = np.random.default_rng(int(10 * gap))
    truth, covered, runs = norm.cdf(gap / sqrt(2)), 0, 200
    edges = np.linspace(-4, 4 + gap, 400)
    for _ in range(runs):
        p, q = (np.bincount(np.searchsorted(edges, rng.normal(at, 1, n)), minlength=401) for at in (gap, 0))
        found = realised.auc([int(x) for x in p], [int(x) for x in q])
        assert isinstance(found, Value)
        covered += found.interval.low <= truth <= found.interval.high
    assert covered >= 0.9 * runs


def summed(given: list[tuple[float, float]]) -> Errors:
    return sum((errors(actual, predicted) for actual, predicted in given), Errors())


def test_errors_by_hand():
    actual, predicted = np.array([1.0, 2, 0, 0, 4]), np.array([2.0, 2, 1, -2, 3])
    found = regression(summed(list(zip(actual, predicted, strict=True))))
    assert value(found["mae"]) == pytest.approx(metrics.mean_absolute_error(actual, predicted))
    assert value(found["rmse"]) == pytest.approx(sqrt(metrics.mean_squared_error(actual, predicted)))
    assert value(found["mape"]) == pytest.approx((1 + 0 + 0.25) / 3)
    assert value(found["rmse_zero"]) == pytest.approx(sqrt((1 + 4) / 2))
    assert [one.n for one in found.values() if isinstance(one, Value)] == [5, 5, 3, 2]


@given(rows, st.randoms())
def test_sums_merge_and_have_no_order(given, order):
    shuffled = list(given)
    order.shuffle(shuffled)
    half = len(given) // 2
    for other in (summed(shuffled), summed(given[:half]) + summed(given[half:])):
        for name, one in regression(other).items():
            expected = regression(summed(given))[name]
            assert isinstance(one, Unknown) == isinstance(expected, Unknown)
            if isinstance(one, Value):
                assert one.value == pytest.approx(value(expected), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e300, 1e-300])
def test_what_is_not_finite_is_counted_and_spoils_nothing(bad):
    given = [(1.0, 2.0), (2.0, 2.5), (0.0, 1.0), (0.0, 2.0)]
    found = summed([*given, (bad, 1.0), (1.0, bad)])
    assert found.n + found.unread == 6
    assert found.unread >= 1
    assert all(isfinite(value(one)) for one in regression(found).values())


def test_a_mean_error_is_covered():
    rng, covered, runs = np.random.default_rng(4), 0, 300
    for _ in range(runs):
        found = regression(summed([(1.0, 1.0 + e) for e in rng.normal(0, 1, 60)]))["mae"]
        assert isinstance(found, Value)
        covered += found.interval.low <= sqrt(2 / np.pi) <= found.interval.high
    assert covered >= 0.91 * runs


def test_what_can_not_be_is_refused():
    for bad in (-1, nan, inf, 0.5, 10**400):
        with pytest.raises(ValueError, match=r"whole number|at most"):
            Confusion(tp=bad)
        with pytest.raises(ValueError, match=r"whole number|at most"):
            realised.auc([bad], [1])
    with pytest.raises(ValueError, match="no share"):
        Confusion().share("luck")
    with pytest.raises(ValueError, match="bins"):
        realised.auc([1], [1, 2])
    with pytest.raises(ValueError, match="impossible"):
        regression(Errors(n=1, nonzero=2))
    with pytest.raises(ValueError, match="can't have"):
        regression(Errors(n=4, absolute=4.0, squared=1.0, fourth=1.0))
