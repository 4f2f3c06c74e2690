"""Four eyes in an experiment: who takes part, stays in and wins has what is asked of every version."""

from __future__ import annotations

from tests.unit.experiment.test_experiment_way import begun, contender, experiment, run
from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_four_eyes import annotated, approve, decide

from fairlead.plan.requests import Failed, NamespaceSeen

BETTER = {"m-1": 0.5, "m-2": 0.5, "m-3": 0.2}


def test_four_eyes_a_version_without_them_takes_no_part() -> None:
    sim = Sim(experiment())
    sim.go_live("m-1")
    sim.floor = annotated(approvals="1")
    sim.version("m-2")
    sim.version("m-3")
    approve(sim, "m-2", "bob")
    sim.look()
    found = sim.condition("Experiment")
    assert (found["status"], found["reason"]) == ("False", "RequirementUnmet")
    assert "kubectl fairlead approve m-3 -n team" in found["message"]
    assert "take it out of spec.experiment.versions" in found["message"]
    approve(sim, "m-3", "bob")
    sim.look()
    assert sim.status["experiment"]["phase"] == "Starting"


def test_four_eyes_who_loses_them_leaves() -> None:
    sim = begun(experiment())
    approve(sim, "m-2", "bob")
    sim.floor = annotated(approvals="1")
    sim.look()
    assert (contender(sim, "m-3")["state"], contender(sim, "m-3")["reason"]) == ("Out", "RequirementUnmet")
    assert contender(sim, "m-2")["state"] == "In"
    assert "m-3" not in sim.status["refused"]


def test_four_eyes_nobody_wins_while_it_is_not_known_what_is_asked_for() -> None:
    sim = begun(experiment(then="Promote"), wrong=BETTER)
    sim.floor = Failed("Timeout", "no answer within 10 s")
    run(sim, 200, 100)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["experiment"]["phase"] == "Running"
    found = sim.condition("Experiment")
    assert found["reason"] == "RequirementUnknown"
    assert "it isn't known what Namespace team asks of versions" in found["message"]
    sim.floor = NamespaceSeen()
    run(sim, 20, 100)
    assert sim.status["live"]["version"] == "m-3"


def test_four_eyes_force_does_not_make_a_winner_of_who_lacks_them() -> None:
    sim = begun(experiment())
    sim.floor = annotated(approvals="1")
    approve(sim, "m-3", "bob")
    decide(sim, "Promote", "m-2")
    assert sim.status["live"]["version"] == "m-1"
    assert "OverrideIgnored" in sim.events
