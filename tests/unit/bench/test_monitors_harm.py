"""Harm precision: what is counted, and the months of California housing, where common rules alarm always."""

from __future__ import annotations

import numpy as np
import pytest
from hack.bench import monitors_harm, published, streams
from hack.bench.monitors_harm import Said, row, runs
from hack.bench.rules import RULES


def test_precision_recall_and_delay_are_of_windows() -> None:
    assert runs({1, 2, 5, 6, 7}) == [[1, 2], [5, 6, 7]]
    assert row("one", Said([0, 6], [0, 6, 7, 8]), {1, 2, 5, 6, 7}) == [
        "one", 2, 1, "50%", 4, 2, "40%", "1 (1 of 2)",
    ]  # fmt: skip
    assert row("none", Said([], []), {1}) == ["none", 0, 0, "-", 0, 0, "0%", "-"]


@pytest.mark.parametrize("name", RULES)
def test_a_common_rule_sees_a_large_shift(name: str) -> None:
    rng = np.random.default_rng(1)
    then = {"x": rng.normal(size=2000), "g": rng.integers(0, 3, 2000).astype(float)}
    now = {"x": rng.normal(2.0, size=500), "g": np.zeros(500)}
    assert RULES[name](then, now, ["x", "g"])
    assert not RULES["any PSI > .1"](then, then, ["x", "g"])
    assert not RULES["Evidently's default"](then, then, ["x", "g"])


@pytest.mark.skipif(published.DATA is None, reason="the public data aren't there (../shared/data)")
def test_common_rules_alarm_in_each_month_of_housing_and_ours_where_there_is_harm() -> None:
    stream = streams.housing()
    found, seasonal = monitors_harm.judged(stream)
    harmed = set(found["end"]["harmed"])
    said = monitors_harm.said_by(stream, found, seasonal)
    assert len(found["windows"]) == 12
    assert 0 < len(harmed) < 12
    assert all(len(said[name].alarms) == 12 for name in RULES)
    ours = said["ours: real loss"]
    assert ours.alarms
    assert set(ours.alarms) <= harmed
