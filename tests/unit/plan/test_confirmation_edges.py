"""A question after a promotion at odd moments: nothing spins, nothing answers that must not, nobody goes to and fro."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Json, Sim
from tests.unit.plan.test_confirmation import alarmed, asking, question, seconds, until_asked
from tests.unit.plan.test_deployment_watch import live, promoted, settle, versions, watch, windows

from fairlead.plan.core import MODEL_VERSION, epoch, rfc3339


def waited(sim: Sim) -> float:
    """Seconds that the operator waits until it looks again, when everything is settled."""
    found = sim.look().requeue_after
    assert found is not None
    return found


def waiting(**rollout: Any) -> Sim:
    """m-3 has traffic while an alarm wants to ask about m-2."""
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.tick(100, seconds=20)
    sim.spec["rollout"].update({"steps": [{"weight": 10, "for": "3h"}], **rollout})
    sim.now += 1
    sim.begin("m-3")
    sim.errors = {"m-1": 0.01, "m-2": 0.4, "m-3": 0.4}
    until_asked(sim)
    assert question(sim)["phase"] == "Waiting"
    return sim


# --- nothing spins -------------------------------------------------------------------------------------------------


def test_b01_a_candidate_that_may_be_the_remedy_is_waited_for_without_looking_all_the_time() -> None:
    sim = waiting()
    sim.errors["m-3"] = 0.0
    for _ in range(150):
        sim.tick(60, seconds=10)
    assert question(sim)["phase"] == "Waiting"
    assert waited(sim) > 0.05


def test_b01_a_question_that_outlasts_the_watch_is_not_looked_at_all_the_time() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01}, **{"for": "20m"})
    sim.now = epoch(watch(sim)["until"]) - 70
    sim.errors["m-2"] = 0.5
    until_asked(sim)
    sim.errors["m-1"] = 0.5
    settle(sim)
    seconds(sim, 200)
    assert sim.now > epoch(watch(sim)["until"])
    assert question(sim)["phase"] == "Asking"
    assert waited(sim) > 0.05


def test_b01_a_candidate_that_is_held_by_a_question_past_its_patience_is_not_looked_at_all_the_time() -> None:
    sim = waiting(patience="15m")
    while question(sim)["phase"] == "Waiting":
        sim.tick(60, seconds=10)
    assert sim.candidate["step"] == -1
    since = epoch(sim.candidate["since"])
    settle(sim)
    sim.errors["m-1"] = 0.4
    seconds(sim, 400)
    assert question(sim)["phase"] == "Asking"
    assert sim.now > since + 900
    assert waited(sim) > 0.05
