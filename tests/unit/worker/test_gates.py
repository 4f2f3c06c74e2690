"""Verdicts of gates: the interval must lie on the right side, and what can't be known closes the gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fairlead.api.modelversion import Gate, Metric
from fairlead.worker.gates import Scored, judge, words


def scored(value: float, spread: float = 0.0, metric: Metric = "mae") -> Scored:
    return Scored({metric: value}, {metric: value + spread * np.linspace(-1, 1, 1001)})


def gate(**fields: Any) -> Gate:
    return Gate.model_validate({"metric": "mae"} | fields)


THEIRS = {"champion": scored(10.0), "baseline": scored(20.0)}


@pytest.mark.parametrize(
    ("demand", "ours", "verdict", "text"),
    [
        ({"max": "10"}, scored(10.0, 3), "Passed", "mae at most 10"),
        ({"max": "10"}, scored(10.01), "Failed", "mae at most 10"),
        ({"min": "3"}, scored(3.0), "Passed", "mae at least 3"),
        ({"min": "3"}, scored(2.9), "Failed", "mae at least 3"),
        ({"against": "champion"}, scored(10.0), "Passed", "mae against champion, margin 0%"),
        ({"against": "champion"}, scored(10.0, 0.1), "Failed", "mae against champion, margin 0%"),
        ({"against": "champion", "margin": "2%"}, scored(10.0, 0.1), "Passed", "mae against champion, margin 2%"),
        ({"against": "champion", "margin": "2%"}, scored(10.15, 0.1), "Failed", "mae against champion, margin 2%"),
        ({"against": "champion", "margin": "2%"}, scored(5.0), "Passed", "mae against champion, margin 2%"),
        ({"against": "baseline", "betterBy": "20%"}, scored(15.0, 0.5), "Passed",
         "mae against baseline, better by 20%"),
        ({"against": "baseline", "betterBy": "20%"}, scored(15.8, 0.5), "Failed",
         "mae against baseline, better by 20%"),
    ],
)  # fmt: skip
def test_verdicts(demand: dict[str, str], ours: Scored, verdict: str, text: str) -> None:
    found = judge(gate(**demand), {"challenger": ours, **THEIRS})
    assert (found.verdict, found.gate) == (verdict, text)
    assert float(found.low) <= float(found.value) <= float(found.high)
    assert all(len(n) <= 32 for n in (found.value, found.low, found.high))


def test_higher_is_better_for_accuracy() -> None:
    both = {"challenger": scored(0.95, metric="accuracy"), "champion": scored(0.9, metric="accuracy")}
    assert judge(Gate(metric="accuracy", against="champion"), both).verdict == "Passed"
    assert judge(Gate(metric="accuracy", against="champion", better_by="5%"), both).verdict == "Passed"
    assert judge(Gate(metric="accuracy", against="champion", better_by="6%"), both).verdict == "Failed"
    assert judge(Gate(metric="accuracy", min="0.96"), both).verdict == "Failed"


def test_without_a_champion_skipped_without_a_metric_closed() -> None:
    alone = {"challenger": scored(1.0)}
    assert judge(gate(against="champion"), alone).verdict == "Skipped"
    assert judge(gate(against="baseline"), alone).verdict == "Failed"
    broken = Scored(problems={"mae": "3 of 9 predictions are NaN or infinite"})
    found = judge(gate(max="5"), {"challenger": broken})
    assert (found.verdict, found.value) == ("Failed", "")
    assert "the challenger has no mae: 3 of 9" in found.message
    found = judge(gate(against="champion"), {"challenger": scored(1.0), "champion": broken})
    assert found.verdict == "Failed"
    assert "the champion has no mae" in found.message


def test_a_champion_without_errors_is_only_matched_by_none() -> None:
    perfect = {"champion": scored(0.0)}
    assert judge(gate(against="champion", margin="5%"), {"challenger": scored(0.0), **perfect}).verdict == "Passed"
    found = judge(gate(against="champion", margin="5%"), {"challenger": scored(0.1), **perfect})
    assert (found.verdict, found.value) == ("Failed", "inf")


def test_what_a_person_reads() -> None:
    found = judge(gate(against="champion", margin="2%"), {"challenger": scored(10.5, 0.2), **THEIRS})
    assert found.message == "10.5 against 10: 5% worse (3.1% to 6.9%), allowed 2% worse"
    found = judge(gate(against="champion", margin="2%"), {"challenger": scored(9.0, 0.2), **THEIRS})
    assert found.message == "9 against 10: 10% better (8.1% to 11.9%), allowed 2% worse"
    assert float(found.low) < float(found.value) < 0
    assert words(gate(max="1e3")) == "mae at most 1e3"
