"""Quality without labels: by hand, beside single rows, and whether its errors are as large as they are said to be."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import estimate
from fairlead.monitor.calibration import calibrated
from fairlead.monitor.estimate import Estimate, Figure, band, band_of, classification, confidence, regression
from fairlead.monitor.unknown import Unknown
from fairlead.verdict.means import Sample, sample

METRICS = ("accuracy", "precision", "recall", "f1", "auc")


def known(found: Estimate | Unknown) -> Estimate:
    assert isinstance(found, Estimate)
    return found


def figure(found: Estimate | Unknown, name: str) -> Figure:
    one = known(found).figures[name]
    assert isinstance(one, Figure)
    return one


def test_by_hand():
    """Two bins: 100 rows of chance .1, 10 of them predicted positive; 300 of chance .8, 240 predicted positive."""
    found = known(classification([100, 300], [10, 240], [0.1, 0.8], [50, 50]))
    tp, fp, fn, tn = 10 * 0.1 + 240 * 0.8, 10 * 0.9 + 240 * 0.2, 90 * 0.1 + 60 * 0.8, 90 * 0.9 + 60 * 0.2
    assert found.confusion == pytest.approx((tp, fp, fn, tn))
    assert [figure(found, name).value for name in METRICS] == pytest.approx([
        (tp + tn) / 400, tp / 250, tp / 250, 2 * tp / 500,
        (10 * 45 + 240 * (90 + 30)) / (250 * 150),
    ])  # fmt: skip
    assert (found.n, found.outside) == (400, 0)


bins = st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1), st.floats(0, 1), st.integers(1, 500)), min_size=1)


@given(bins)
def test_bounds_and_what_was_counted(given_bins):
    totals = [n for n, *_ in given_bins]
    positive = [int(n * share) for n, share, *_ in given_bins]
    found = classification(totals, positive, [rate for _, _, rate, _ in given_bins], [m for *_, m in given_bins])
    if sum(totals) < 100:
        assert isinstance(found, Unknown)
        return
    for one in known(found).figures.values():
        if isinstance(one, Figure):
            assert -1e-9 <= one.value <= 1 + 1e-9
            assert 0 <= one.error < inf
    assert known(found).confusion is not None
    assert sum(known(found).confusion or ()) == pytest.approx(sum(totals))


@given(bins)
def test_twice_the_rows_are_known_better_by_the_root_of_two(given_bins):
    totals = [n for n, *_ in given_bins]
    positive = [int(n * share) for n, share, *_ in given_bins]
    rest = [rate for _, _, rate, _ in given_bins], [m for *_, m in given_bins]
    found, double = (
        classification([k * n for n in totals], [k * n for n in positive], *rest) for k in (1, 2)
    )  # fmt: skip
    if isinstance(found, Unknown):
        return
    for name, one in found.figures.items():
        other = known(double).figures[name]
        assert isinstance(one, Unknown) == isinstance(other, Unknown)
        if isinstance(one, Figure):
            assert isinstance(other, Figure)
            assert other.value == pytest.approx(one.value, abs=1e-9)
            assert other.spread == pytest.approx(one.spread, rel=1e-6, abs=1e-9)
            assert other.calibration == pytest.approx(one.calibration, rel=1e-6, abs=1e-12)


def drawn(rng: np.random.Generator, n: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, chances of a positive, and labels. The scores are badly calibrated, and can be shifted."""
    z = rng.normal(shift, 1, n)
    chance = 1 / (1 + np.exp(-2 * z))
    return 1 / (1 + np.exp(-z)), chance, rng.random(n) < chance


EDGES = 1 / (1 + np.exp(-np.linspace(-2.2, 2.2, 31)))


def counted(scores: np.ndarray) -> list[int]:
    return [int(n) for n in np.bincount(np.searchsorted(EDGES, scores), minlength=32)]


def learnt(rng: np.random.Generator, n: int) -> tuple[tuple[float, ...], list[int]]:
    scores, _, labels = drawn(rng, n)
    totals = counted(scores)
    return calibrated(counted(scores[labels]), totals), totals


def test_it_is_right_when_the_mixture_of_rows_changes():
    """And its interval is: of windows and references that are drawn anew, as many as promised hold the truth."""
    rng, runs = np.random.default_rng(1), 150
    scores, chance, _ = drawn(rng, 2_000_000, shift=0.5)
    said = scores > 0.5
    truth = {"accuracy": np.where(said, chance, 1 - chance).mean(), "precision": chance[said].mean(),
             "recall": chance[said].sum() / chance.sum()}  # fmt: skip
    covered, off = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0.0)
    for _ in range(runs):
        rates, reference = learnt(rng, 4000)
        now, _, _ = drawn(rng, 1000, shift=0.5)
        found = classification(counted(now), counted(now[now > 0.5]), rates, reference, most_outside=1)
        for name, expected in truth.items():
            one = figure(found, name)
            covered[name] += one.interval().low <= expected <= one.interval().high
            off[name] += (one.value - expected) / runs
    assert all(0.88 * runs <= hits <= runs for hits in covered.values()), covered
    assert all(abs(mean) < 0.01 for mean in off.values()), off


def test_a_band_holds_windows_like_the_reference_and_no_others():
    rng, runs = np.random.default_rng(2), 200
    inside, shifted = dict.fromkeys(METRICS, 0), 0
    for _ in range(runs):
        scores, _, labels = drawn(rng, 1500)
        reference = counted(scores)
        rates = calibrated(counted(scores[labels]), reference)
        own = classification(reference, counted(scores[scores > 0.5]), rates, reference)
        now, _, _ = drawn(rng, 1000)
        found = classification(counted(now), counted(now[now > 0.5]), rates, reference)
        for name in METRICS:
            within = band(figure(own, name), 1000, alpha=0.05)
            inside[name] += within.low <= figure(found, name).value <= within.high
        other, _, _ = drawn(rng, 1000, shift=-1)
        found = classification(counted(other), counted(other[other > 0.5]), rates, reference)
        within = band(figure(own, "precision"), 1000)
        shifted += not within.low <= figure(found, "precision").value <= within.high
    assert all(0.91 * runs <= hits <= 0.99 * runs for hits in inside.values()), inside
    assert shifted > 0.95 * runs


def test_a_design_effect_and_windows_that_scatter_widen_the_band():
    own = Figure(0.9, 10_000, 0.09, 0.0)
    narrow, wide = band(own, 500), band(own, 500, design_effect=4)
    assert wide.high - wide.low == pytest.approx(2 * (narrow.high - narrow.low))
    rng, runs, held = np.random.default_rng(6), 400, 0
    for _ in range(runs):
        values = rng.normal(0.9, 0.03, 9)
        found = band_of([Figure(float(v), 500, 0.09, 0) for v in values[:8]], alpha=0.1)
        assert not isinstance(found, Unknown)
        held += found.low <= values[8] <= found.high
    assert held / runs == pytest.approx(0.9, abs=0.05)
    few = band_of([own] * 4)
    assert isinstance(few, Unknown)
    assert "4 windows" in few.reason


def test_of_several_classes_only_the_accuracy_is_known():
    found = known(confidence([50, 150], [0.4, 0.9], [100, 100]))
    assert figure(found, "accuracy").value == pytest.approx((50 * 0.4 + 150 * 0.9) / 200)
    assert set(found.figures) == {"accuracy"}
    assert found.confusion is None


def losses(actual: np.ndarray, predicted: np.ndarray, places: np.ndarray, size: int) -> dict[str, list[Sample]]:
    e = np.abs(predicted - actual)
    full = actual != 0
    values = {"mae": (e, np.ones_like(full)), "mse": (e**2, np.ones_like(full)),
              "mape": (np.divide(e, np.abs(actual), where=full, out=np.zeros_like(e)), full)}  # fmt: skip
    return {
        name: [
            sample(int(used[at].sum()), float(of[at & used].sum()), float((of[at & used] ** 2).sum()))
            for at in (places == k for k in range(size))
        ]
        for name, (of, used) in values.items()
    }


def test_a_regression_by_today_s_mixture_of_predictions():
    """The error grows with the prediction, and today's predictions are larger. A fifth of the actual values is 0."""
    rng, runs = np.random.default_rng(3), 80

    def rows(n: int, high: float) -> tuple[np.ndarray, np.ndarray]:
        predicted = rng.uniform(1, high, n)
        actual = predicted + rng.normal(0, 0.1 * predicted)
        return np.where(rng.random(n) < 0.2, 0.0, actual), predicted

    edges = np.linspace(1, 10, 33)[1:-1]
    actual, predicted = rows(400_000, 10.0)
    kept = (predicted > 6) | (rng.random(400_000) < 0.3)
    actual, predicted = actual[kept], predicted[kept]
    full = actual != 0
    truth = {"mae": np.abs(actual - predicted).mean(), "rmse": sqrt(((actual - predicted) ** 2).mean()),
             "mape": (np.abs(actual - predicted)[full] / actual[full]).mean()}  # fmt: skip
    covered = dict.fromkeys(truth, 0)
    for _ in range(runs):
        then, said = rows(6000, 10.0)
        places = np.searchsorted(edges, said)
        known_losses = losses(then, said, places, 32)
        now = rng.choice(predicted, 2000)
        found = regression(
            [int(n) for n in np.bincount(np.searchsorted(edges, now), minlength=32)],
            known_losses,
            [int(n) for n in np.bincount(places, minlength=32)],
        )
        for name, expected in truth.items():
            one = figure(found, name)
            covered[name] += one.interval().low <= expected <= one.interval().high
    assert all(hits >= 0.86 * runs for hits in covered.values()), covered


def test_what_is_not_known_is_no_number():
    few = classification([50], [10], [0.5], [10])
    strange = classification([100, 200], [10, 20], [0.1, 0.5], [0, 50])
    outside = classification([500], [10], [0.5], [50], outside=0.06)
    nothing = confidence([500], [0.5], [0])
    for found, word in ((few, "too few"), (strange, "33.3%"), (outside, "6.0%"), (nothing, "no reference rows")):
        assert isinstance(found, Unknown), word
        assert word in found.reason
        assert found.remedy
    assert known(classification([500], [10], [0.5], [50], outside=0.04)).outside == pytest.approx(0.04)
    one_sided = known(classification([500], [0], [0.0], [50]))
    assert {name for name, one in one_sided.figures.items() if isinstance(one, Unknown)} == set(METRICS) - {"accuracy"}
    zeros = regression([500], {"mape": [sample(0, 0, 0)]}, [50])
    assert isinstance(known(zeros).figures["mape"], Unknown)


def test_the_expected_errors_are_bounded_losses():
    found = estimate.expected_errors([100, 300], [10, 240], [0.1, 0.8])
    assert found.total == pytest.approx(10 * 0.9 + 90 * 0.1 + 240 * 0.2 + 60 * 0.8)
    assert found.n == 400
    assert found.squares <= found.total


@pytest.mark.parametrize("bad", [-1, nan, inf, 0.5, 10**400])
def test_impossible_counts_are_refused(bad):
    good = [200], [100], [0.5], [10]
    for place in (0, 1, 3):
        given_counts = [list(one) for one in good]
        given_counts[place] = [bad]
        with pytest.raises(ValueError, match=r"whole number|at most"):
            classification(*given_counts)
    with pytest.raises(ValueError, match=r"whole number|at most"):
        band(Figure(0.5, 10, 0.1, 0), bad)


def test_what_can_not_be_is_refused():
    with pytest.raises(ValueError, match="differ in number"):
        classification([1], [1, 1], [0.5], [1])
    with pytest.raises(ValueError, match="impossible"):
        classification([1], [2], [0.5], [1])
    for rate in (-0.1, 1.1, nan):
        with pytest.raises(ValueError, match="rate"):
            classification([200], [1], [rate], [1])
        with pytest.raises(ValueError, match="share"):
            classification([200], [1], [0.5], [1], outside=rate)
    with pytest.raises(ValueError, match="unknown losses"):
        regression([200], {"luck": []}, [1])
    with pytest.raises(ValueError, match="losses of"):
        regression([200], {"mae": [sample(3, 1, 1)]}, [5])
    with pytest.raises(ValueError, match="finite"):
        regression([200], {"mae": [Sample(5, nan, 1)]}, [5])
    with pytest.raises(ValueError, match="at least 0"):
        regression([200], {"mae": [Sample(5, -1, 1)]}, [5])
    with pytest.raises(ValueError, match="a row"):
        band(Figure(0.5, 10, 0.1, 0), 0)
