"""Counters that rise by what nobody can have answered: a state of its own, and nothing is judged by them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.plan.deployment.evidence.guards import seen
from fairlead.verdict.failures import MOST


@pytest.mark.usefixtures("own_garbage")
def test_a_counter_that_jumps_is_named_costs_nothing_and_counts_for_nothing() -> None:
    """Each such window held the event loop up: 1.3 s at 10^9, 36 s at 10^12."""
    sim = Sim(spec(steps=[(50, "10m", 100)]), seed=3)
    sim.go_live()
    sim.traffic(500)
    sim.begin()
    for _ in range(20):
        sim.tick(60)
    before = sim.candidate["guards"][0]
    for pod in [*sim.pods("m-1"), *sim.pods("m-2")]:
        counts = sim.process(pod)
        counts.requests += 10**15
        counts.failures += 10**15 // 2
    for _ in range(5):
        started = time.thread_time()
        sim.tick(60)
        assert time.thread_time() - started < 0.5
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "UnusableValue")
    assert "server.metrics.requests" in told["message"]
    after = sim.candidate["guards"][0]
    assert (after["stable"], after["candidate"], after["logLr"]) == (
        before["stable"], before["candidate"], before["logLr"]
    )  # fmt: skip
    sim.restart("m-1")
    sim.restart("m-2")
    for _ in range(5):
        sim.tick(60)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    assert sim.candidate["guards"][0]["candidate"]["requests"] > after["candidate"]["requests"]


def test_a_window_of_a_guard_s_own_counters_that_jump_is_left_out_and_named() -> None:
    """Those of Prometheus, while nobody knows how many requests there were that could have had outcomes."""
    look: Any = SimpleNamespace(stamp="2027-01-15T08:00:00.000000Z")
    state = GuardEvidence(guard="0/outcomes", state="Watching", stable=ArmCounts(requests=7, failures=1), windows=3)
    after = seen(look, state, (MOST, 5), (10**12, 10**11))
    assert (after.state, after.reason) == ("NoEvidence", "UnusableValue")
    assert "since the last look" in after.message
    assert (after.stable, after.candidate, after.log_lr, after.windows) == (
        state.stable, state.candidate, state.log_lr, state.windows
    )  # fmt: skip
