"""A thousand years are simulated by a twin in numpy: it is the product's own monitor, window by window."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hack.bench import monitors_drift
from hack.bench.monitors_drift import HOURLY, ROWS, grouped, shifted, truths

from fairlead.monitor import drift
from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.series import State, fold

COUNT, WINDOWS = 12, 40


@pytest.mark.parametrize("tolerance", [0.03, 0.05])
def test_the_twin_is_the_product(tolerance: float) -> None:
    """12 features for 40 windows: clean, then each shifted by another amount, then clean again."""
    settings = replace(HOURLY, tolerance=tolerance, off=frozenset({"data", "outliers"}))
    rng = np.random.default_rng(3)
    of = monitors_drift.profile()
    streams = monitors_drift.twins(settings, COUNT)
    clean = truths(rng, COUNT)
    moved = np.stack([shifted(clean[at : at + 1], 0.05 * at)[0] for at in range(COUNT)])
    groups, state, alarms = drift.groups(of.features[0].counts), State(), 0
    for at in range(WINDOWS):
        bins = rng.multinomial(ROWS, moved if 10 <= at < 22 else clean)
        vectors = {feature_key(f"x{which}"): (*map(int, one), 0, 0, 0, 0, 0) for which, one in enumerate(bins)}
        rest = {one.name: vectors["feature/x0"] for one in of.features[COUNT:]}
        vectors |= {feature_key(name): vector for name, vector in rest.items()}
        state, report = fold(of, settings, state, Tally(of.digest, ROWS, ROWS, ROWS, vectors=vectors))
        fired = streams.step(np.array([drift.grouped([int(x) for x in one], groups) for one in bins]))
        said = {alarm.what for alarm in report.alarms}
        assert [f"x{which}" in said for which in range(COUNT)] == list(fired)
        alarms += int(fired.sum())
        for which, mine in enumerate(state.streams[:COUNT]):
            assert mine.memory.excess == tuple(streams.excess[which])
            assert mine.standing.alarmed == streams.alarmed[which]
            known = mine.standing.log_r or (-np.inf,) * streams.log_r.shape[1]
            finite = np.maximum(known, -8.0), np.maximum(streams.log_r[which], -8.0)
            assert finite[0] == pytest.approx(finite[1], abs=0.02)
    assert alarms >= 5


def test_grouping_shares_is_grouping_counts() -> None:
    shares = truths(np.random.default_rng(1), 2)
    assert grouped(shares).sum(1) == pytest.approx([1, 1])
    assert grouped(shares).shape == (2, drift.GROUPS)


def test_a_shift_of_a_fifth_of_a_deviation_is_found_within_three_hours() -> None:
    found, early = monitors_drift.delays(np.random.default_rng(2), HOURLY, 0.2, 200)
    assert median(found) <= 3
    assert early == 0


def test_the_bench_runs_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors_drift, "YEAR", 30)
    rng = np.random.default_rng(1)
    assert monitors_drift.false_alarms(rng, HOURLY, 2, lambda shares: shares) == 0
    assert monitors_drift.whole(rng, 1) == {"drift": 0, "data": 0, "outliers": 0}
    assert monitors_drift.cost(rng, features=3, windows=3) > 0


def test_the_edge_of_the_tolerance_is_exactly_that_far() -> None:
    shares = monitors_drift.edge(truths(np.random.default_rng(1), 3), 0.03)
    reference = np.array(monitors_drift.number("x").counts) / monitors_drift.REFERENCE
    assert shares.sum(1) == pytest.approx([1, 1, 1])
    assert np.abs(shares - reference).sum(1) / 2 == pytest.approx([0.03] * 3)
