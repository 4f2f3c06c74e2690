"""An alarm after a promotion asks: the version before answers at the same time, and only then something is taken back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Json, Sim
from tests.unit.plan.test_deployment_watch import live, promoted, settle, versions, watch, windows


def question(sim: Sim) -> Json:
    found: Json = watch(sim).get("confirmation", {})
    return found


def alarmed(*guards: Json, bad: float = 0.5, **after: Any) -> Sim:
    """m-2 is live and fails, and an alarm has just asked."""
    sim = promoted(*guards, errors={"m-1": 0.01, "m-2": 0.01}, **after)
    sim.tick(100, seconds=20)
    assert versions(sim) == {"m-2"}  # the old pods are gone
    sim.errors["m-2"] = bad
    until_asked(sim)
    return sim


def until_asked(sim: Sim) -> None:
    """Windows pass until an alarm asks."""
    for _ in range(40):
        windows(sim, 1)
        if question(sim):
            return
    raise AssertionError(sim.status)


def asking(*guards: Json, bad: float = 0.5, old: float = 0.01, **after: Any) -> Sim:
    """The same, and m-1 answers its share."""
    sim = alarmed(*guards, bad=bad, **after)
    sim.errors["m-1"] = old
    settle(sim)
    assert question(sim)["phase"] == "Asking"
    return sim


def seconds(sim: Sim, number: int, requests: int = 50) -> None:
    """So many seconds pass, or until the question is over."""
    for _ in range(number):
        if not question(sim):
            return
        sim.tick(requests)


def test_b01_an_alarm_takes_nothing_back_but_starts_the_version_before() -> None:
    sim = alarmed()
    assert live(sim) == "m-2"
    assert "wayBack" not in sim.status
    assert (question(sim)["phase"], question(sim)["rung"], question(sim)["question"]) == ("Starting", ["0/errors"], 1)
    assert sim.shares() == {"m-2": 100}  # nothing goes to pods that are not warm
    assert versions(sim) == {"m-1", "m-2"}
    assert sim.status["phase"] == "Progressing"
    said = sim.condition("Progressing")
    assert (said["status"], said["reason"]) == ("True", "Confirming")
    assert "more than the" in said["message"]
    settle(sim)
    assert sim.shares() == {"m-2": 80, "m-1": 20}
    assert live(sim) == "m-2"


def test_b01_shown_to_be_worse_at_the_same_time_it_goes_back_at_once() -> None:
    sim = asking()
    start = sim.now
    seconds(sim, 30)
    assert live(sim) == "m-1"
    assert sim.now - start <= 5
    assert sim.shares() == {"m-1": 100}
    record = sim.status["history"][0]
    assert (record["version"], record["result"], record["reason"]) == ("m-2", "RolledBack", "ErrorsWorseAfterPromotion")
    assert "m-2 is worse than m-1: m-2 failed" in record["message"]
    assert "at the same time" in record["message"]
    assert "tolerated" not in record["message"]
    assert record["stable"]["requests"] > 0
    assert record["weight"] == 80
    assert sim.status["refused"] == ["m-2"]
    assert sim.condition("WorldChanged") == {}


def test_b01_what_fails_at_both_is_the_world_and_nothing_is_rolled_back() -> None:
    sim = asking(old=0.5)
    seconds(sim, 700)
    assert live(sim) == "m-2"
    assert not question(sim)
    assert sim.shares() == {"m-2": 100}
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("True", "MoreErrors")
    assert "m-2 failed" in said["message"]
    assert "m-1" in said["message"]
    assert "Nothing was rolled back" in said["message"]
    assert sim.status["world"]["guard"] == "0/errors"
    assert sim.status.get("refused", []) == []
    assert "WorldChanged" in sim.events
    sim.tick(100, seconds=20)
    sim.tick(100, seconds=20)
    assert versions(sim) == {"m-2"}  # its pods are let go
    assert watch(sim)  # and the watch goes on, with what was seen as its reference
    assert 0.5 < float(watch(sim)["guards"][0]["tolerated"]) < 0.6
    windows(sim, 20)
    assert not question(sim)


def test_b01_a_further_change_asks_again_and_needs_stronger_evidence() -> None:
    sim = asking(old=0.3, bad=0.3)
    first = float(question(sim)["guards"][0]["bound"])
    seconds(sim, 700)
    assert sim.condition("WorldChanged")["status"] == "True"
    windows(sim, 5)
    assert versions(sim) == {"m-2"}
    sim.errors["m-2"] = 0.8
    until_asked(sim)
    assert question(sim)["question"] == 2
    assert float(question(sim)["guards"][0]["bound"]) == pytest.approx(first + 1.0986, abs=1e-3)
    settle(sim)
    seconds(sim, 30)
    assert live(sim) == "m-1"
    assert sim.condition("WorldChanged")["status"] == "False"


def test_b01_when_the_live_version_is_as_before_the_world_is_too() -> None:
    sim = asking(old=0.5)
    tolerated = watch(sim)["guards"][0]["tolerated"]
    seconds(sim, 700)
    sim.errors = {"m-1": 0.01, "m-2": 0.01}
    windows(sim, 30)
    assert sim.condition("WorldChanged")["status"] == "False"
    assert "world" not in sim.status
    assert watch(sim)["guards"][0]["tolerated"] == tolerated
    sim.errors["m-2"] = 0.3
    until_asked(sim)
    assert question(sim)["question"] == 2
