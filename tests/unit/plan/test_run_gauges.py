"""What Prometheus is told of a run that is under way."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.plan import gauges
from fairlead.plan.pipeline.ending import TERMINAL


def run(phase: str, *steps: str) -> dict[str, Any]:
    found = [{"name": f"s{number}", "phase": one} for number, one in enumerate(steps)]
    meta = {"name": "train-1", "namespace": "team"}
    return {"metadata": meta, "spec": {"pipeline": "train"}, "status": {"phase": phase, "steps": found}}


def test_each_step_says_where_it_stands() -> None:
    found = list(gauges.of_run(run("Running", "Completed", "Running", "Pending", "Failed", "Aborted")))
    assert [one.value for one in found] == [2, 1, 0, -1, -1]
    assert found[0].labels == {"namespace": "team", "pipeline": "train", "run": "train-1", "step": "s0"}


@pytest.mark.parametrize("phase", TERMINAL)
def test_of_runs_that_have_ended_nothing_is_told(phase: str) -> None:
    assert list(gauges.of_run(run(phase, "Completed", "Failed"))) == []
    assert gauges.ENDED == TERMINAL


def test_a_run_that_has_not_begun_has_no_steps() -> None:
    assert list(gauges.of_run({"metadata": {"name": "a"}, "spec": {"pipeline": "train"}})) == []
