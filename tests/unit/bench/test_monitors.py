"""The bench of the monitors: its parts are there, and small simulations of harm run."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest
from hack.bench import monitors, monitors_explain, monitors_question, monitors_risk, retrained
from hack.bench.__main__ import BENCHES


def test_each_part_has_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert "monitors" in BENCHES
    assert all(callable(importlib.import_module(module).main) for module in monitors.PARTS.values())
    assert monitors.main(["nothing"]) == 2
    told = capsys.readouterr().out
    assert all(name in told for name in monitors.PARTS)


SIMULATIONS = (
    monitors_risk.delays, monitors_risk.few_labels, monitors_risk.few_labels_over_time, monitors_risk.coverage,
    monitors_risk.gaps, monitors_question.outcomes,
)  # fmt: skip


@pytest.mark.parametrize("simulate", SIMULATIONS, ids=lambda one: one.__name__)
def test_a_simulation_runs(simulate: Callable[[np.random.Generator, int], tuple[list[list[object]], bool]]) -> None:
    rows, good = simulate(np.random.default_rng(1), 3)
    assert len(rows) >= 2
    assert good in (True, False)


def test_contributions_are_near_the_exact_ones() -> None:
    rows, good = monitors_explain.errors(np.random.default_rng(1), 5)
    assert good, rows


def test_a_year_without_harm_has_no_more_alarms_than_declared() -> None:
    rows, good = monitors_risk.false_alarms(np.random.default_rng(1), 2)
    assert good, rows


@pytest.mark.parametrize(
    ("alarms", "changes", "expected"),
    [([], [10], ([], 0)), ([12], [10], ([2], 0)), ([12, 14], [10, 20], ([2], 1)), ([5, 25], [10, 20], ([5], 1))],
)
def test_alarms_are_matched_with_changes(alarms: list[int], changes: list[int], expected: tuple[list[int], int]):
    assert retrained.matched(alarms, changes, 30) == expected
