"""A question after a promotion at odd moments: nothing spins, nothing answers that must not, nobody goes to and fro."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_confirmation import alarmed, asking, question, seconds, until_asked
from tests.unit.plan.test_deployment_watch import live, promoted, settle, versions, watch, windows

from fairlead.api.confirmation import Confirmation
from fairlead.api.watch import Watch
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
    for _ in range(80):
        sim.tick(250, seconds=5)
    assert question(sim)["phase"] == "Asking"
    assert sim.now > since + 900
    assert sim.candidate["keptSince"]  # its time stands still: the question is not its fault
    assert waited(sim) > 0.05


# --- nothing answers that must not ---------------------------------------------------------------------------------


def revoke(sim: Sim) -> None:
    sim.of(MODEL_VERSION)["m-1"]["spec"]["revoked"] = "it is biased"


def reject(sim: Sim) -> None:
    sim.of(MODEL_VERSION)["m-1"]["status"]["phase"] = "Rejected"


@pytest.mark.parametrize(("spoil", "reason"), [(revoke, "VersionRevoked"), (reject, "NotApproved")])
def test_b01_a_version_before_that_is_revoked_while_it_answers_gets_no_requests_any_more(
    spoil: Any, reason: str
) -> None:  # fmt: skip
    sim = asking(bad=0.3, old=0.3)
    seconds(sim, 10)
    spoil(sim)
    sim.look()
    assert sim.shares() == {"m-2": 100}
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("Unknown", reason)
    seconds(sim, 60)
    assert (live(sim), sim.shares()) == ("m-2", {"m-2": 100})
    assert sim.events.count("ConfirmingStopped") == 1


def test_a_version_before_that_is_revoked_while_it_has_a_holdback_gets_no_requests_any_more() -> None:
    sim = promoted(holdback="10%", errors={"m-1": 0.01, "m-2": 0.01})
    assert sim.shares() == {"m-2": 90, "m-1": 10}
    revoke(sim)
    sim.look()
    assert sim.shares() == {"m-2": 100}
    assert watch(sim)["guards"]  # it goes on against what was seen
    assert "HoldbackEnded" in sim.events


# --- nobody goes to and fro ----------------------------------------------------------------------------------------


def again_of_m_1() -> Sim:
    """m-2 is live, and somebody has the version before it rolled out once more."""
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.tick(100, seconds=20)
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "3h"}]
    sim.spec["model"] = {"version": "m-1"}
    sim.now += 1
    sim.look()
    settle(sim)
    sim.tick(50)
    assert (sim.candidate["version"], sim.candidate["step"]) == ("m-1", 0)
    return sim


def test_b01_where_the_candidate_is_the_version_before_it_goes_live_once() -> None:
    sim = again_of_m_1()
    sim.errors["m-2"] = 0.4
    sim.errors["m-1"] = 0.4
    until_asked(sim)
    while question(sim)["phase"] == "Waiting":
        sim.tick(60, seconds=10)
    settle(sim)
    sim.errors["m-1"] = 0.01
    seconds(sim, 60)
    for _ in range(60):
        sim.tick(60, seconds=10)
    assert live(sim) == "m-1"
    assert "candidate" not in sim.status
    assert sim.shares() == {"m-1": 100}
    assert [one["version"] for one in sim.status.get("retiring", [])] == []
    assert sim.events.count("RolledBack") == 1


def test_where_the_live_version_crashes_and_the_candidate_is_the_version_before_it_goes_live_once() -> None:
    sim = again_of_m_1()
    for _ in range(3):
        sim.restart("m-2")
    sim.ready("m-2", False)
    sim.look()
    for _ in range(60):
        sim.tick(60, seconds=10)
    assert live(sim) == "m-1"
    assert "candidate" not in sim.status
    assert sim.shares() == {"m-1": 100}


# --- what is said --------------------------------------------------------------------------------------------------


def test_b01_a_watch_that_is_switched_off_while_it_asks_does_not_say_that_nothing_speaks_against_the_version() -> None:
    sim = asking()
    sim.spec["rollout"]["afterPromotion"]["for"] = "0s"
    found = sim.plan()
    said = [event.message for event in found.events]
    sim.carry_out(found)
    sim.look()
    assert "watch" not in sim.status
    assert sim.shares() == {"m-2": 100}
    assert any("nobody knows whether it has become worse" in one for one in said)
    assert not any("nothing speaks against it" in one for one in said)
    for _ in range(3):
        sim.tick(60, seconds=20)
    assert versions(sim) == {"m-2"}
    assert sim.condition("WorldChanged").get("status", "False") == "False"


# --- few requests --------------------------------------------------------------------------------------------------


def test_b01_with_few_requests_a_window_stays_open_until_it_can_say_something() -> None:
    sim = asking(bad=0.3, old=0.3)
    sim.tick(0)
    served = dict(sim.served)
    for _ in range(60):
        sim.tick(2)
    found = question(sim)["guards"][0]
    assert 9 <= found["windows"] <= 13  # of ten requests each
    assert 20 <= float(question(sim)["observed"]) <= 62  # of those in which both answered
    counted = found["candidate"]["requests"] + found["stable"]["requests"]
    assert 90 <= counted <= sum(sim.served.values()) - sum(served.values())
    before = found["windows"]
    for _ in range(35):
        sim.tick(1 if question(sim) else 0, seconds=2)
    assert question(sim)["guards"][0]["windows"] - before >= 6  # ten seconds are enough for any
    before = question(sim)["guards"][0]["windows"]
    for _ in range(10):
        sim.tick(50)
    assert question(sim)["guards"][0]["windows"] - before >= 9  # and with many requests one a second


def test_b01_a_window_that_stays_open_is_looked_at_once_a_second_and_not_written() -> None:
    sim = asking(bad=0.3, old=0.3)
    for _ in range(3):
        sim.tick(50)
    before = dict(sim.status)
    sim.tick(1)
    assert sim.status == before
    assert waited(sim) >= 0.1


def test_b01_a_bad_minute_that_is_over_when_it_is_asked_is_no_change_of_the_world() -> None:
    sim = alarmed(confirm={"for": "1m"})
    sim.errors["m-2"] = 0.01
    settle(sim)
    tolerated = watch(sim)["guards"][0]["tolerated"]
    seconds(sim, 120)
    assert not question(sim)
    assert (live(sim), sim.shares()) == ("m-2", {"m-2": 100})
    assert sim.condition("WorldChanged") == {}
    assert "world" not in sim.status
    assert "ConfirmingEnded" in sim.events
    assert watch(sim)["guards"][0]["tolerated"] == tolerated
    assert watch(sim)["guards"][0]["state"] == "Watching"
    windows(sim, 5)
    assert not question(sim)
    assert versions(sim) == {"m-2"}


def test_b01_all_guards_that_are_watched_may_ask() -> None:
    """Eight written ones, and errors besides."""
    mine = [f"{index}/outcomes" for index in range(8)] + ["8/errors"]
    watched = Watch.model_validate({
        "version": "m-2", "against": "m-1", "since": rfc3339(0.0), "until": rfc3339(1.0), "length": "1h",
        "lastWindowAt": rfc3339(0.0), "guards": [{"guard": name} for name in mine],
    })  # fmt: skip
    asked = {"question": 1, "rung": mine, "reason": "OutcomesWorse", "since": rfc3339(0.0)}
    found = Confirmation.model_validate({**asked, "guards": [{"guard": one.guard} for one in watched.guards]})
    assert [one.guard for one in found.guards] == found.rung == mine
