"""Estimated harm holds the versions that were made before it, and no others; a candidate's own harm takes it back."""

from __future__ import annotations

import pytest
from tests.unit.plan.monitor_world import Counting, watched


def harmed(react: str = "Hold", *, on_its_way: bool = False) -> Counting:
    """m-1 is live and estimated to be worse than it was; m-2 was made before that."""
    sim = watched({"without": ["drift"], "react": {"estimatedHarm": react}})
    sim.passes()
    sim.spec["paused"] = not on_its_way
    sim.generation += 1
    sim.version("m-2")
    sim.learns("m-2")
    sim.look()
    if on_its_way:
        sim.ready("m-2")
        sim.look()
    sim.unsure = 0.7
    for _ in range(6):
        sim.passes()
    assert sim.line("quality")["state"] == "Harmed"
    sim.spec["paused"] = False
    sim.generation += 1
    sim.look()
    return sim


def rolled_out(sim: Counting, name: str) -> bool:
    """Whether a version goes live while both answer well."""
    sim.ready(name)
    sim.look()
    for _ in range(60):
        sim.tick(100)
        if sim.status["live"]["version"] == name:
            return True
    return False


def test_an_older_version_does_not_begin() -> None:
    sim = harmed()
    assert not rolled_out(sim, "m-2")
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == sim.condition("Ready")["reason"] == "QualityInDoubt"
    assert sim.status["phase"] == "Holding"
    assert "estimatedHarm to Alert" in sim.status["message"]


def test_a_candidate_on_its_way_stays_where_it_is_and_its_time_stands_still() -> None:
    sim = harmed(on_its_way=True)
    assert not rolled_out(sim, "m-2")
    assert sim.candidate["step"] == 0
    assert sim.condition("Progressing")["reason"] == sim.condition("Ready")["reason"] == "QualityInDoubt"
    assert sim.status["phase"] == "Holding"
    assert sim.candidate["keptSince"]
    sim.now += 3 * 86400
    sim.look()
    assert sim.candidate["version"] == "m-2"


def test_a_candidate_that_is_held_is_still_taken_back_for_harm() -> None:
    sim = harmed(on_its_way=True)
    sim.errors = {"m-2": 0.9}
    assert not rolled_out(sim, "m-2")
    assert "candidate" not in sim.status
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_version_that_was_made_since_may_be_the_remedy_and_goes_on() -> None:
    sim = harmed()
    sim.now += 60
    sim.version("m-3")
    sim.learns("m-3")
    sim.look()
    assert rolled_out(sim, "m-3")
    assert sim.monitored["version"] == "m-3"
    assert sim.condition("Harmed")["status"] == "Unknown"


def test_a_version_that_was_live_here_may_come_back() -> None:
    sim = watched({"without": ["drift"]}, rollout={"afterPromotion": {"for": "0s"}})
    sim.passes()
    sim.version("m-2")
    sim.learns("m-2")
    sim.look()
    assert rolled_out(sim, "m-2")
    sim.unsure = 0.7
    for _ in range(8):
        sim.passes()
    assert sim.line("quality")["state"] == "Harmed"
    sim.spec["model"] = {"version": "m-1"}
    sim.generation += 1
    sim.look()
    assert rolled_out(sim, "m-1")


def test_who_only_wants_to_be_told_is_not_held() -> None:
    assert rolled_out(harmed("Alert"), "m-2")


@pytest.mark.parametrize("well", [True, False])
def test_the_hold_ends_with_the_harm_or_the_monitor(well: bool) -> None:
    sim = harmed()
    if well:
        sim.unsure = 0.0
        for _ in range(30):
            sim.passes()
        assert sim.line("quality")["state"] == "Ok"
    else:
        sim.spec["monitors"] = {"without": ["quality"]}
        sim.generation += 1
        sim.look()
        sim.look()
    assert rolled_out(sim, "m-2")


def test_a_remedy_on_its_way_goes_on_though_the_harm_comes_and_goes() -> None:
    sim = harmed()
    sim.now += 60
    sim.version("m-3")
    sim.learns("m-3")
    sim.look()
    sim.ready("m-3")
    sim.look()
    assert sim.candidate["version"] == "m-3"
    first = sim.line("quality")["since"]
    for unsure, state in ((0.0, "Ok"), (0.7, "Harmed")):
        sim.unsure = unsure
        for _ in range(30):
            sim.passes()
            if sim.line("quality")["state"] == state:
                break
    assert sim.line("quality")["since"] > first
    assert sim.candidate["version"] == "m-3"
    assert rolled_out(sim, "m-3")
    assert sim.monitored.get("doubtedAt") is None


@pytest.mark.parametrize(
    ("version", "phase", "reason"), [("m-2", "Starting", "QualityInDoubt"), ("m-3", "Running", "Running")]
)
def test_an_experiment_waits_for_older_versions_alone(version: str, phase: str, reason: str) -> None:
    sim = harmed()
    sim.now += 60
    sim.version("m-3")
    sim.learns("m-3")
    sim.spec["model"] = {"version": "m-1"}
    sim.spec["experiment"] = {
        "versions": [version], "reward": {"total": "total:{{version}}", "successes": "successes:{{version}}"},
        "sticky": {"for": "0s"}, "for": "10s", "requests": 50,
    }  # fmt: skip
    sim.generation += 1
    sim.look()
    sim.ready(version)
    for _ in range(10):
        sim.tick(50)
    assert sim.status["experiment"]["phase"] == phase
    assert sim.condition("Experiment")["reason"] == reason


@pytest.mark.parametrize(("action", "version"), [("Promote", "m-2"), ("Rollback", "m-1")])
def test_a_person_is_not_held(action: str, version: str) -> None:
    sim = harmed(on_its_way=True)
    sim.spec["override"] = {"action": action, "version": version, "reason": "known", "at": "2027-01-15T12:00:00Z"}
    sim.generation += 1
    sim.look()
    sim.tick(100)
    assert sim.status["live"]["version"] == version
    assert "candidate" not in sim.status
