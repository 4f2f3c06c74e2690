"""An alarm after a promotion asks: the version before answers at the same time, before anything is taken back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim
from tests.unit.plan.test_deployment_watch import live, promoted, settle, versions, watch, windows

from fairlead.api.deployment import Deployment
from fairlead.cli.blocks import show
from fairlead.cli.show_deployment import blocks
from fairlead.plan.core import MODEL_VERSION, rfc3339

SOON: Json = {"for": "2m"}
"""A question that is over after two minutes, where it does not matter that it may last for ten."""


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
    sim = asking(old=0.3, bad=0.3, confirm=SOON)
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
    sim = asking(old=0.5, confirm=SOON)
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


# --- what can be in its way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spoil", "reason"), [
    (lambda sim: sim.of(MODEL_VERSION)["m-1"]["spec"].update(revoked="it is biased"), "VersionRevoked"),
    (lambda sim: sim.of(MODEL_VERSION)["m-1"]["status"].update(phase="Rejected"), "NotApproved"),
])  # fmt: skip
def test_b01_where_it_cannot_be_asked_nothing_is_rolled_back_and_a_person_is_told(spoil: Any, reason: str) -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.tick(100, seconds=20)
    kept = copy.deepcopy(sim.of(MODEL_VERSION)["m-1"])
    spoil(sim)
    sim.errors["m-2"] = 0.5
    until_asked(sim)
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("Unknown", reason)
    assert "kubectl fairlead rollback web -n team --reason WHY" in said["message"]
    assert "--to m-2" in said["message"]
    assert sim.events.count("CannotConfirm") == 1
    assert (live(sim), sim.status["phase"], sim.shares()) == ("m-2", "Holding", {"m-2": 100})
    sim.of(MODEL_VERSION)["m-1"] = kept  # it goes on by itself
    sim.look()
    settle(sim)
    seconds(sim, 30)
    assert live(sim) == "m-1"


def test_b01_pods_that_do_not_come_are_told_and_waited_for() -> None:
    sim = alarmed()
    windows(sim, 30)
    assert sim.condition("WorldChanged") == {}
    windows(sim, 40)
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("Unknown", "PodsNotReady")
    windows(sim, 3)
    assert sim.condition("WorldChanged") == said  # one that counts would be written at each look
    assert live(sim) == "m-2"
    settle(sim)
    seconds(sim, 30)
    assert live(sim) == "m-1"


def test_b01_what_could_not_be_asked_until_the_watch_ends_is_left_to_a_person() -> None:
    sim = alarmed(**{"for": "20m"})
    windows(sim, 300)
    assert not watch(sim)
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("Unknown", "CannotConfirm")
    assert live(sim) == "m-2"
    sim.tick(100, seconds=20)
    sim.tick(100, seconds=20)
    assert versions(sim) == {"m-2"}


def test_b01_pods_that_are_lost_on_the_way_take_no_requests_and_it_goes_on_with_what_is_known() -> None:
    sim = asking(old=0.5)
    seconds(sim, 20)
    before = question(sim)["guards"][0]["stable"]["requests"]
    assert before > 100
    sim.ready("m-1", False)
    sim.look()
    assert (question(sim)["phase"], sim.shares()) == ("Starting", {"m-2": 100})
    settle(sim)
    seconds(sim, 20)
    assert question(sim)["guards"][0]["stable"]["requests"] > before
    assert live(sim) == "m-2"


@pytest.mark.parametrize("which", ["m-1", "m-2"])
def test_b01_counters_that_cannot_be_read_freeze_the_question(which: str) -> None:
    sim = asking()
    sim.unreadable.add(which)
    before = question(sim)["guards"][0]["candidate"]
    seconds(sim, 60)
    assert question(sim)["guards"][0]["candidate"] == before
    assert (sim.condition("Watched")["status"], sim.condition("Watched")["reason"]) == ("False", "Unreachable")
    assert live(sim) == "m-2"
    sim.unreadable.clear()
    seconds(sim, 10)
    assert live(sim) == "m-1"


def test_b01_a_person_goes_back_at_once() -> None:
    sim = alarmed()
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "I know it", "at": rfc3339(sim.now)}
    sim.look()
    settle(sim)
    assert live(sim) == "m-1"
    assert sim.status["history"][0]["reason"] == "Forced"


@pytest.mark.parametrize("how", ["starting", "asking"])
def test_b01_a_person_keeps_the_live_version(how: str) -> None:
    sim = alarmed() if how == "starting" else asking()
    sim.spec["override"] = {"action": "Rollback", "version": "m-2", "reason": "it is the feed", "at": rfc3339(sim.now)}
    sim.look()
    assert (live(sim), sim.shares()) == ("m-2", {"m-2": 100})
    assert not watch(sim)
    assert "KeptByHand" in sim.events
    sim.tick(100, seconds=20)
    sim.tick(100, seconds=20)
    assert versions(sim) == {"m-2"}


# --- something else comes ------------------------------------------------------------------------------------------


def test_b01_no_candidate_begins_meanwhile_and_it_begins_by_itself_afterwards() -> None:
    sim = asking(old=0.5, confirm=SOON)
    sim.version("m-3")
    sim.look()
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == "Confirming"
    seconds(sim, 700)
    assert sim.candidate["version"] == "m-3"


def test_b01_a_candidate_under_traffic_is_waited_for_and_then_retreats_with_its_evidence() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.tick(100, seconds=20)
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "3h"}]
    sim.now += 1
    sim.begin("m-3")
    sim.errors = {"m-1": 0.01, "m-2": 0.4, "m-3": 0.4}
    until_asked(sim)
    asked_at = sim.now
    assert (question(sim)["phase"], sim.candidate["step"]) == ("Waiting", 0)
    assert sim.shares() == {"m-2": 90, "m-3": 10}
    assert versions(sim) == {"m-2", "m-3"}
    while question(sim)["phase"] == "Waiting":
        sim.tick(60, seconds=10)
        assert sim.now < asked_at + 700
    assert sim.now >= asked_at + 600
    answered = sim.candidate["answered"]["requests"]
    assert (sim.candidate["step"], sim.shares()) == (-1, {"m-2": 100})
    settle(sim)
    assert sim.shares() == {"m-2": 80, "m-1": 20}
    assert sim.candidate["answered"]["requests"] == answered
    seconds(sim, 30)
    assert live(sim) == "m-1"
    sim.look()
    assert (sim.candidate["version"], sim.candidate["against"]) == ("m-3", "m-1")


def test_b01_a_version_that_fails_nearly_everything_is_not_left_waiting_for_a_candidate() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "3h"}]
    sim.now += 1
    sim.begin("m-3")
    sim.errors = {"m-1": 0.01, "m-2": 1.0, "m-3": 1.0}
    start = sim.now
    for _ in range(20):
        sim.tick(100, seconds=10)
        if question(sim).get("phase", "Waiting") != "Waiting":
            break
    assert sim.now - start <= 60
    assert sim.candidate["step"] == -1
    settle(sim)
    seconds(sim, 30)
    assert live(sim) == "m-1"


def test_b01_where_both_fail_nearly_everything_that_is_said_and_nothing_flips() -> None:
    sim = asking(bad=1.0, old=1.0, confirm=SOON)
    seconds(sim, 700)
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("True", "BothFail")
    windows(sim, 60)
    assert live(sim) == "m-2"
    assert "RollingBack" not in sim.events


def test_b01_with_a_margin_it_is_soon_shown_that_it_is_not_the_version() -> None:
    sim = asking({"metric": "errors", "worseBy": "10%"}, bad=0.5, old=0.5)
    start = sim.now
    seconds(sim, 600)
    assert sim.now - start < 400
    assert "so it is not the version" in sim.condition("WorldChanged")["message"]
    assert live(sim) == "m-2"


# --- other guards --------------------------------------------------------------------------------------------------


def test_b01_a_machine_that_becomes_slow_makes_every_version_slow_and_takes_none_back() -> None:
    sim = promoted({"metric": "latency"}, confirm=SOON)
    sim.tick(100, seconds=20)
    sim.slow = {"m-1": 0.6, "m-2": 0.6}
    until_asked(sim)
    settle(sim)
    assert sim.shares() == {"m-1": 50, "m-2": 50}  # latency depends on load
    seconds(sim, 700)
    assert live(sim) == "m-2"
    assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == ("True", "Slower")
    assert "took longer than" in sim.condition("WorldChanged")["message"]


def test_b01_outcomes_of_requests_from_before_do_not_speak_against_the_live_version() -> None:
    """Outcomes come half a minute late, and a bad stretch ends as the question begins."""
    sim = promoted({"metric": "errors"}, OUTCOMES, confirm=SOON)
    sim.tick(100, seconds=20)
    sim.wrong = {"m-1": 0.0, "m-2": 0.4}
    until_asked(sim)
    settle(sim)
    for second in range(60):
        # of m-1 nothing is known for half a minute; of m-2 there still come the bad ones from before
        sim.wrong = {"m-1": 0.1, "m-2": 0.4 if second < 30 else 0.1}
        held = list(sim.outcomes["m-1"])
        sim.traffic(50)
        if second < 30:
            sim.outcomes["m-1"] = held
        sim.now += 1
        sim.look()
        assert second > 50 or question(sim)["guards"][1]["windows"] == 0
    seconds(sim, 700)
    assert live(sim) == "m-2"
    assert sim.condition("WorldChanged")["reason"] == "MoreWrong"


@pytest.mark.parametrize("left", [[{"metric": "errors"}], [OUTCOMES]], ids=["taken out", "moved"])
def test_b01_a_guard_that_is_not_there_any_more_asks_nothing(left: list[Json]) -> None:
    sim = promoted({"metric": "errors"}, OUTCOMES)
    sim.tick(100, seconds=20)
    sim.wrong = {"m-1": 0.0, "m-2": 0.4}
    until_asked(sim)
    settle(sim)
    assert question(sim)["phase"] == "Asking"
    sim.spec["rollout"]["guard"] = left
    seconds(sim, 3)
    assert question(sim) == {}
    assert live(sim) == "m-2"
    assert sim.shares() == {"m-2": 100}


# --- what is not asked ---------------------------------------------------------------------------------------------


def crash(sim: Sim, version: str) -> None:
    for _ in range(3):
        sim.restart(version)
    sim.ready(version, False)
    sim.look()


def test_b01_where_both_versions_crash_that_is_said_and_nothing_flips() -> None:
    sim = promoted()
    crash(sim, "m-2")
    settle(sim)
    assert (live(sim), sim.status["history"][0]["reason"]) == ("m-1", "CrashedAfterPromotion")
    assert sim.condition("WorldChanged") == {}
    sim.now += 30
    crash(sim, "m-1")
    said = sim.condition("WorldChanged")
    assert (said["status"], said["reason"]) == ("True", "BothFail")
    assert "m-2 was taken back because it did the same" in said["message"]
    assert "unasked" not in sim.status
    for _ in range(5):
        sim.tick(20, seconds=60)
    assert (live(sim), "wayBack" in sim.status) == ("m-1", False)


def test_b01_after_a_rollback_that_helped_nothing_is_said_and_nothing_is_looked_at_any_more() -> None:
    sim = promoted()
    crash(sim, "m-2")
    settle(sim)
    assert sim.status["unasked"]["version"] == "m-1"
    sim.tick(20, seconds=700)
    assert "unasked" not in sim.status
    sim.tick(20, seconds=20)
    assert sim.rests()
    crash(sim, "m-1")
    assert sim.condition("WorldChanged") == {}


def test_b01_a_candidate_that_answers_where_the_live_version_fails_goes_on() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "2m"}]
    sim.now += 1
    sim.begin("m-3")
    sim.errors = {"m-1": 0.01, "m-2": 1.0, "m-3": 0.0}
    until_asked(sim)
    for _ in range(900):
        if live(sim) == "m-3":
            break
        assert sim.candidate["step"] == 0
        sim.tick(60)
    assert live(sim) == "m-3"
    assert sim.status["previous"] == "m-1"  # nobody knows whether m-2 has become worse
    assert not question(sim)


def test_b01_get_shows_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    sim = asking()
    seconds(sim, 1)
    sim.errors["m-2"] = 0.01
    found = Deployment.model_validate({"spec": sim.spec, "status": sim.status})
    show(blocks("web", found, sim.now))
    told = capsys.readouterr().out
    assert "question 1: is it m-2?" in told
    assert "m-1 answers 20 % of the requests" in told


def test_b01_taking_a_candidate_back_by_hand_leaves_the_question_open() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "3h"}]
    sim.now += 1
    sim.begin("m-3")
    sim.errors = {"m-1": 0.01, "m-2": 0.4, "m-3": 0.4}
    until_asked(sim)
    assert question(sim)["phase"] == "Waiting"
    sim.spec["override"] = {"action": "Rollback", "version": "m-2", "reason": "not m-3", "at": rfc3339(sim.now)}
    sim.look()
    assert "candidate" not in sim.status
    settle(sim)
    seconds(sim, 30)
    assert live(sim) == "m-1"
