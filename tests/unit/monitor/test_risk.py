"""Harm with labels, all of them or few: the budget of false alarms, what is found, and how much estimates help."""

from __future__ import annotations

from itertools import product
from math import exp, inf, isfinite, nan

import numpy as np
import pytest
from hack.bench import published, retrained
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import risk
from fairlead.monitor.risk import Cell, Pairs, Powered, PoweredWatch, Watch, look, pairs, powered, powered_step
from fairlead.monitor.unknown import Unknown
from fairlead.verdict.bounded import Sums, sums
from fairlead.verdict.detector import Detector


@pytest.mark.parametrize(
    ("a_year", "windows", "parts", "expected"),
    [(1, 8766, 1, 1 / 8766), (2, 365, 4, 2 / 1460), (1, 1, 1, 0.5), (0.1, 10, 1, 0.01)],
)
def test_a_budget_is_divided(a_year, windows, parts, expected):
    assert risk.alpha(a_year, windows, parts) == pytest.approx(expected)


def ever(rng: np.random.Generator, rates: np.ndarray, most: float, alpha: float, rows: int = 50) -> Watch:
    watch = Watch()
    for wrong in rng.binomial(rows, rates):
        watch, _ = look(watch, Sums(rows, int(wrong), int(wrong)), most, alpha)
    return watch


def test_false_alarms_stay_within_the_budget():
    """At the edge of what is tolerated, with a rate that swings below it, and with losses between 0 and 1."""
    rng, windows, alpha = np.random.default_rng(1), 6000, 1 / 100
    edge = ever(rng, np.full(windows, 0.1), 0.1, alpha)
    swings = ever(rng, 0.1 - 0.05 * (np.sin(np.arange(windows) / 20) + 1), 0.1, alpha)
    assert 0 < edge.alarms <= alpha * windows
    assert swings.alarms <= edge.alarms
    watch = Watch()
    for _ in range(2000):
        watch, _ = look(watch, sums([float(x) for x in rng.beta(1, 9, 30)]), 0.1, alpha)
    assert watch.alarms <= alpha * 2000
    assert (edge.looks, edge.rows) == (windows, 50 * windows)


def test_a_window_whose_rate_depends_on_the_past_is_no_more_often_an_alarm():
    """An adversary lowers the rate while the evidence is high, and raises it to the edge while it is low."""
    rng, alpha, watch = np.random.default_rng(2), 1 / 50, Watch()
    for _ in range(4000):
        rate = 0.2 if watch.detector.log_evidence < 1 else float(rng.choice([0.2, 0.1]))
        wrong = int(rng.binomial(40, rate))
        watch, _ = look(watch, Sums(40, wrong, wrong), 0.2, alpha)
    assert watch.alarms <= alpha * 4000


def test_change_after_change_is_found():
    rng = np.random.default_rng(3)
    rates = np.concatenate([np.full(2000, 0.05), np.full(40, 0.25)] * 3)
    watch, alarms = Watch(), []
    for place, wrong in enumerate(rng.binomial(100, rates)):
        watch, alarmed = look(watch, Sums(100, int(wrong), int(wrong)), 0.08, 1 / 5000)
        if alarmed:
            assert watch.detector == Detector()
            assert watch.since == watch.looks == place + 1
            alarms.append(place % 2040)
    assert watch.alarms == len(alarms) >= 3
    assert all(2000 <= at < 2003 for at in alarms[:1])
    assert min(alarms) >= 2000


def test_a_window_without_rows_says_nothing():
    watch, alarmed = look(Watch(), Sums(), 0.1, 0.01)
    assert (watch.detector, alarmed) == (Detector(), False)


def joint(rng: np.random.Generator, n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Losses of mean .2, and their estimates: of what is known (good), of something else, or the other way round."""
    chance = rng.beta(0.2, 0.8, n)
    loss = (rng.random(n) < chance).astype(float)
    other = {"good": chance, "useless": rng.beta(0.2, 0.8, n), "turned": 1 - chance, "biased": chance / 3}
    return loss, other[kind]


def summed(loss: np.ndarray, estimate: np.ndarray) -> Pairs:
    return pairs([Cell(1, float(f), float(x)) for x, f in zip(loss, estimate, strict=True)])


@pytest.mark.parametrize("kind", ["good", "useless", "turned", "biased"])
def test_few_labels_with_many_estimates(kind):
    rng, runs, widths, alone, covered = np.random.default_rng(4), 150, [], [], 0
    for _ in range(runs):
        loss, estimate = joint(rng, 60, kind)
        _, rest = joint(rng, 3000, kind)
        found = powered(summed(loss, estimate), sums([float(x) for x in rest]))
        assert isinstance(found, Powered)
        covered += found.interval.low <= 0.2 <= found.interval.high
        widths.append(found.interval.high - found.interval.low)
        alone.append(found.labels_alone.high - found.labels_alone.low)
        assert 0 <= found.weight <= 1
    assert covered >= 0.88 * runs
    gain = float(np.mean(widths) / np.mean(alone))
    # the correlation of loss and estimate is .71; an estimate that is none costs one degree of freedom
    assert 0.65 < gain < 0.85 if kind == "good" else gain < 1.03


def test_with_many_labels_it_is_never_worse_than_labels_alone():
    rng = np.random.default_rng(5)
    for kind in ("good", "useless", "turned", "biased"):
        loss, estimate = joint(rng, 4000, kind)
        found = powered(summed(loss, estimate), sums([float(x) for x in joint(rng, 20_000, kind)[1]]))
        assert isinstance(found, Powered)
        width, alone = (one.high - one.low for one in (found.interval, found.labels_alone))
        assert width <= 1.002 * alone
        if kind == "turned":
            assert found.weight == 0


def test_too_few_labels_are_no_number():
    found = powered(Pairs(29, 3.0, 3.0, 3.0, 1.0, 1.0), Sums(100, 10.0, 5.0))
    assert isinstance(found, Unknown)
    assert "29 rows" in found.reason
    without = powered(Pairs(40, 4.0, 4.0, 4.0, 1.0, 1.0), Sums())
    assert isinstance(without, Powered)
    assert without.interval == without.labels_alone


points = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=3)


@given(points, st.floats(0.02, 0.9), st.floats(0, 1), st.floats(0, 1), st.integers(1, 3), st.integers(0, 2))
def test_the_expectation_of_the_evidence_is_at_most_one(given_points, m, c, weight, n, rest):
    """Over all outcomes of n rows with a label and some without, for any estimates and any weight."""
    chances = np.array([p for *_, p in given_points])
    chances /= chances.sum()
    mean = float(chances @ np.array([x for x, *_ in given_points]))
    outcomes = [(min(1.0, x * min(1.0, m / max(mean, 1e-12))), f) for x, f, _ in given_points]
    expected = np.zeros(len(risk.bets(m)))
    for drawn in product(range(len(outcomes)), repeat=n + rest):
        labelled = [Cell(1, outcomes[k][1], outcomes[k][0]) for k in drawn[:n]]
        others = [Cell(1, outcomes[k][1]) for k in drawn[n:]]
        found = risk._log_bets(labelled, others, m, c, weight)
        assert all(isfinite(one) for one in found)
        expected += float(np.prod(chances[list(drawn)])) * np.array([exp(one) for one in found])
    assert (expected <= 1 + 1e-9).all()


def window(rng: np.random.Generator, kind: str, harm: float, labels: int = 5, rows: int = 100) -> list[Cell]:
    """Estimates in tenths, so that rows that are alike are one cell; `harm` adds errors that no estimate sees."""
    loss, estimate = joint(rng, rows, kind)
    loss = np.maximum(loss, rng.random(rows) < harm)
    told = np.round(estimate, 1)
    return [
        *(Cell(1, float(f), float(x)) for x, f in zip(loss[:labels], told[:labels], strict=True)),
        *(Cell(int((told[labels:] == f).sum()), float(f)) for f in np.unique(told[labels:])),
    ]


@pytest.mark.parametrize("kind", ["good", "useless", "turned"])
def test_few_labels_keep_the_budget(kind):
    rng, state, alpha, windows = np.random.default_rng(6), PoweredWatch(), 1 / 50, 1500
    for _ in range(windows):
        state, _ = powered_step(state, window(rng, kind, 0.0), 0.2, 0.2, alpha)
    assert state.watch.alarms <= alpha * windows
    assert 0 <= state.weight <= 1
    assert state.labels == 5 * windows
    if kind == "turned":
        assert state.weight == 0


def delay(estimates: bool, seed: int) -> int:
    """Windows until five points of harm are found, with ten labels a window, after forty good ones."""
    rng, state = np.random.default_rng(seed), PoweredWatch()
    for number in range(-40, 300):
        cells = window(rng, "good", 0.05 * (number >= 0), labels=10, rows=200)
        state, alarmed = powered_step(state, cells if estimates else cells[:10], 0.2, 0.2, 1e-3)
        if alarmed and number >= 0:
            return number
    return 300


def test_estimates_find_harm_sooner_than_labels_alone():
    with_estimates, alone = ([delay(known, seed) for seed in range(40)] for known in (True, False))
    assert np.mean(with_estimates) < 0.8 * np.mean(alone)


def test_a_window_without_labels_says_nothing():
    state = PoweredWatch()
    assert powered_step(state, [Cell(100, 0.2)], 0.2, 0.2, 0.01) == (state, False)
    assert powered_step(state, [], 0.2, 0.2, 0.01) == (state, False)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1), st.floats(0, 1)), max_size=9), st.randoms())
def test_pairs_merge_and_have_no_order(given_cells, order):
    cells = [Cell(rows, f, x) for rows, f, x in given_cells]
    shuffled = list(cells)
    order.shuffle(shuffled)
    both = pairs(cells[:4]) + pairs(cells[4:])
    for other in (both, pairs(shuffled)):
        assert vars(other) == {name: pytest.approx(value) for name, value in vars(pairs(cells)).items()}


def test_what_can_not_be_is_refused():
    for bad in (0, -1, nan, inf):
        with pytest.raises(ValueError, match=r"need some|finite"):
            risk.alpha(bad, 100)
        with pytest.raises(ValueError, match=r"need some|finite"):
            risk.alpha(1, bad)
    for parts in (0, -1, nan, 0.5, 10**400):
        with pytest.raises(ValueError, match=r"need some|whole|at most"):
            risk.alpha(1, 100, parts)
    for bad in (Sums(1, nan, 0), Sums(-1, 0, 0), Sums(1, 2, 2)):
        with pytest.raises(ValueError, match=r"whole number|finite|can't have"):
            look(Watch(), bad, 0.1, 0.01)
    for most, alpha in ((0, 0.1), (1, 0.1), (nan, 0.1), (0.1, 0), (0.1, nan)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            look(Watch(), Sums(1, 1, 1), most, alpha)
    for bad in (Cell(-1, 0.1, 0.1), Cell(1, nan, 0.1), Cell(1, 0.1, nan), Cell(1, 1.1), Cell(1, 0.1, -0.1)):
        with pytest.raises(ValueError, match=r"whole number|lie in \[0, 1\]"):
            powered_step(PoweredWatch(), [bad], 0.2, 0.2, 0.01)
    with pytest.raises(ValueError, match="can't have"):
        powered(Pairs(40, 50.0, 50.0, 1.0, 1.0, 1.0), Sums(10, 1, 1))
    with pytest.raises(ValueError, match="finite"):
        powered(Pairs(40, nan, 5.0, 1.0, 1.0, 1.0), Sums(10, 1, 1))
    with pytest.raises(ValueError, match="mean loss"):
        powered_step(PoweredWatch(), [], 0.2, 2.0, 0.01)


def test_the_three_changes_of_sea_are_found():
    x, labels = published.sea_concepts(1)
    halves = np.array_split(x, 4)
    assert all(np.abs(one.mean(axis=0) - 5).max() < 0.15 for one in halves), "the inputs never change"
    found = retrained.frozen(x, labels, retrained.Rule(1000, 2000, 0.01, 1 / 500, window=100)).alarms
    delays, extra = retrained.matched(found, [12_500, 25_000, 37_500], len(labels))
    assert (len(delays), extra) == (3, 0)
