"""Real harm asks whether the version before would have lost less on the same requests; what follows, and when nothing
does."""

from __future__ import annotations

import copy
import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.plan.monitor_world import Counting, lines, watched
from tests.unit.plan.rollout_world import Json, View, dump

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.labelled import Asks
from fairlead.api.tasks import Compared
from fairlead.monitor.question import gained
from fairlead.plan.core import MODEL_VERSION, epoch, rfc3339
from fairlead.plan.deployment import gauges
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import askbook, question
from fairlead.plan.deployment.rollback import confirming

HARM = "the loss of requests with labels is 0.20, and 0.05 is tolerated"


QUICK: Json = {"afterPromotion": {"for": "0s"}, "steps": [{"weight": 50, "for": "1s", "requests": 1}]}


@cache
def _lived(names: tuple[str, ...], monitors: str, more: str) -> Counting:
    wanted: Json = {"rollout": QUICK, "record": {"inputs": True}} | json.loads(more)
    sim = watched(json.loads(monitors), **wanted)
    for name in names[1:]:
        goes_live(sim, name)
    sim.passes(500)
    return sim


def lived(*names: str, monitors: Json | None = None, **more: Any) -> Counting:
    """Each of these was live, one after the other, and the last one still is; no watch goes on."""
    return copy.deepcopy(_lived(names, json.dumps(monitors), json.dumps(more)))


def goes_live(sim: Counting, name: str, **more: Any) -> None:
    """A version is made, and rolled out."""
    sim.now += 60
    sim.version(name, **more)
    sim.learns(name)
    sim.look()
    sim.ready(name)
    sim.look()
    sim.run(30, 20)
    assert sim.status["live"]["version"] == name


def says(sim: Counting, state: str, reason: str) -> None:
    """What the monitor of quality says from now on."""
    line = sim.line("quality")
    line |= {"state": state, "reason": reason, "message": HARM, "since": line["since"]}
    if "labels" in sim.monitored:
        sim.monitored["labels"]["real"] = {"at": rfc3339(sim.now), "rows": 500, "state": state, "message": HARM}
    sim.look()


def harmed(*names: str, **more: Any) -> Counting:
    """Labels show real harm of the last one of these."""
    sim = lived(*(names or ("m-1", "m-2")), **more)
    says(sim, "Harmed", "RealHarm")
    return sim


def asked(sim: Counting) -> Json:
    found: Json = sim.monitored.get("question", {})
    return found


def comes(sim: Counting, differences: list[float], refused: int = 0, **other: Any) -> None:
    """A join has compared so many requests. other: it was made for another question."""
    status = DeploymentStatus.model_validate(sim.status)
    kept = status.monitors
    assert kept
    asks = question.asks(kept)
    assert asks
    said = gained(differences, float(asks.margin), refused)
    compared = Compared(
        n=said.n, total=said.total, refused=refused, better=list(said.better), not_better=list(said.not_better)
    )
    look = Look(sim.subject(), View(sim), sim.now)
    after = question.heard(look, kept, Asks.model_validate(asks.model_dump() | other), compared)
    sim.status = dump(status.model_copy(update={"monitors": after}))
    sim.now += 1
    sim.look()


WORSE = [1.0] * 3 + [0.0] * 7
"""Of ten requests the live version alone was wrong in three."""
ALIKE = [1.0, -1.0] + [0.0] * 98


def test_harm_asks_once_and_goes_back_when_the_version_before_is_better() -> None:
    sim = harmed()
    assert (asked(sim)["state"], asked(sim)["against"], sim.monitored["questions"]) == ("Asking", "m-1", 1)
    assert sim.events.count("Confirming") == 1
    assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == (
        "Unknown",
        "Confirming",
    )
    assert sim.status["phase"] == "Live"
    comes(sim, WORSE)
    assert asked(sim)["pairs"] == 10
    assert (
        "on 10 requests whose labels came since, the loss of m-2 is 30.0 points larger"
        in sim.condition("WorldChanged")["message"]
    )
    comes(sim, WORSE * 3)
    assert sim.status["wayBack"]["version"] == "m-1"
    assert (asked(sim)["state"], sim.status["wayBack"]["reason"]) == ("Better", "RealHarm")
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["history"][0]["result"] == "RolledBack"
    assert sim.status["history"][0]["reason"] == "RealHarm"
    assert "on 40 requests" in sim.status["history"][0]["message"]
    assert sim.status["refused"] == ["m-2"]
    assert sim.monitored["version"] == "m-1"
    assert "question" not in sim.monitored
    assert sim.condition("WorldChanged")["status"] == "False"


def test_one_that_is_not_better_is_the_world_and_nothing_goes_to_and_fro() -> None:
    sim = harmed()
    for _ in range(40):
        comes(sim, ALIKE * 3)
        if asked(sim)["state"] != "Asking":
            break
    assert asked(sim)["state"] == "NotBetter"
    assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == ("True", "RealHarm")
    assert sim.status["world"]["guard"] == "monitor/quality"
    assert "wayBack" not in sim.status
    since = sim.condition("WorldChanged")["lastTransitionTime"]
    for state, reason in (("Ok", "Fine"), ("Harmed", "RealHarm"), ("Unknown", "RecorderAway"), ("Harmed", "RealHarm")):
        says(sim, state, reason)
        sim.now += 3600
        sim.look()
        assert sim.condition("WorldChanged")["lastTransitionTime"] == since
        assert asked(sim)["state"] == "NotBetter"
    assert (sim.monitored["questions"], sim.events.count("WorldChanged")) == (1, 1)


def test_after_the_world_has_changed_the_next_version_ends_it() -> None:
    sim = harmed()
    while asked(sim)["state"] == "Asking":
        comes(sim, ALIKE * 20)
    goes_live(sim, "m-3")
    assert "world" not in sim.status
    assert sim.condition("WorldChanged")["status"] == "False"
    assert "question" not in sim.monitored


def test_without_a_version_before_the_world_has_changed_at_once() -> None:
    sim = harmed("m-1")
    assert asked(sim)["state"] == "NotBetter"
    assert (sim.condition("WorldChanged")["status"], sim.condition("WorldChanged")["reason"]) == (
        "True",
        "NothingBefore",
    )
    assert "train anew" in sim.condition("WorldChanged")["message"]


def revoked(sim: Counting) -> None:
    sim.of(MODEL_VERSION)["m-1"]["spec"]["revoked"] = "a licence"


def unapproved(sim: Counting) -> None:
    sim.of(MODEL_VERSION)["m-1"]["status"]["phase"] = "Rejected"


def unkept(sim: Counting) -> None:
    sim.spec = {**sim.spec, "record": {"inputs": False}}
    sim.generation += 1


@pytest.mark.parametrize(
    ("makes", "reason"),
    [(revoked, "VersionRevoked"), (unapproved, "NotApproved"), (unkept, "InputsNotKept")],
)
def test_what_can_not_be_asked_is_said_with_the_remedy_and_rolls_nothing_back(makes: Any, reason: str) -> None:
    sim = lived("m-1", "m-2")
    makes(sim)
    says(sim, "Harmed", "RealHarm")
    assert asked(sim)["state"] == "Blocked"
    told = sim.condition("WorldChanged")
    assert (told["status"], told["reason"]) == ("Unknown", reason)
    assert "--reason WHY" in told["message"]
    assert sim.events.count("CannotConfirm") == 1
    sim.now = epoch(asked(sim)["until"]) - 1
    sim.look()
    assert sim.events.count("CannotConfirm") == 1
    sim.now += 2
    sim.look()
    assert (asked(sim)["state"], sim.status["world"]["state"]) == ("Unknown", "Unknown")
    assert sim.condition("WorldChanged")["reason"] == reason
    assert "wayBack" not in sim.status
    assert sim.monitored["questions"] == 1


def test_people_are_alerted_when_nobody_can_find_out_not_while_it_is_asked() -> None:
    sim = harmed()
    assert (sim.condition("WorldChanged")["reason"], cannot_confirm(sim)) == ("Confirming", 0.0)
    unapproved(sim)
    sim.look()
    assert (sim.condition("WorldChanged")["reason"], cannot_confirm(sim)) == ("NotApproved", 1.0)


def cannot_confirm(sim: Counting) -> float:
    found = gauges.of({"metadata": {"name": "web", "namespace": "team"}, "status": sim.form(sim.status)})
    return next(one.value for one in found if one.name.endswith("_cannot_confirm"))


def test_a_server_that_speaks_otherwise_can_not_be_asked() -> None:
    sim = lived("m-1")
    goes_live(sim, "m-2", server={"runtime": "custom", "image": "server:2", "protocol": "http", "ready": "/ok"})
    goes_live(sim, "m-3")
    sim.passes(500)
    says(sim, "Harmed", "RealHarm")
    assert (asked(sim)["state"], sim.condition("WorldChanged")["reason"]) == ("Blocked", "OtherProtocol")


def test_a_version_that_can_be_asked_again_is_asked() -> None:
    sim = lived("m-1", "m-2")
    unapproved(sim)
    says(sim, "Harmed", "RealHarm")
    sim.of(MODEL_VERSION)["m-1"]["status"]["phase"] = "Approved"
    sim.look()
    assert asked(sim)["state"] == "Asking"
    comes(sim, WORSE * 4)
    assert sim.status["wayBack"]["version"] == "m-1"


def test_one_that_is_better_and_can_not_take_over_is_waited_for() -> None:
    sim = harmed()
    comes(sim, WORSE)
    unapproved(sim)
    sim.status["monitors"]["question"]["state"] = "Asking"
    comes(sim, WORSE * 4)
    assert "wayBack" not in sim.status
    assert asked(sim)["state"] == "Blocked"
    sim.of(MODEL_VERSION)["m-1"]["status"]["phase"] = "Approved"
    sim.look()
    assert sim.status["wayBack"]["version"] == "m-1"


def test_a_question_without_labels_ends_with_a_person() -> None:
    sim = harmed()
    assert epoch(asked(sim)["until"]) - sim.now == pytest.approx(86400, abs=2)
    comes(sim, WORSE)
    sim.now = epoch(asked(sim)["until"]) + 1
    sim.look()
    assert asked(sim)["state"] == "Unknown"
    assert sim.condition("WorldChanged")["reason"] == "TooFewLabels"
    assert "on 10 requests" in sim.condition("WorldChanged")["message"]
    assert sim.events.count("ConfirmingEnded") == 1
    says(sim, "Ok", "Fine")
    assert "question" not in sim.monitored
    assert sim.condition("WorldChanged")["status"] == "False"
    says(sim, "Harmed", "RealHarm")
    assert (asked(sim)["number"], sim.monitored["questions"]) == (2, 2)
    assert float(asked(sim)["bound"]) > 6.3  # a sixth of 1 %


def test_harm_that_is_over_asks_no_more() -> None:
    sim = harmed()
    comes(sim, WORSE)
    says(sim, "Watch", "Differing")
    assert "question" not in sim.monitored
    assert sim.condition("WorldChanged")["status"] == "False"
    assert "wayBack" not in sim.status


def test_who_only_wants_to_be_told_is_not_asked() -> None:
    sim = harmed(monitors={"react": {"harm": "Alert"}})
    assert "question" not in sim.monitored
    assert "Confirming" not in sim.events
    sim = harmed()
    sim.spec = {**sim.spec, "monitors": {"react": {"harm": "Alert"}}}
    sim.generation += 1
    sim.look()
    assert asked(sim)["state"] == "Dropped"


@pytest.mark.parametrize("other", [{"question": 2}, {"against": "m-0"}, {"margin": "0.5"}])
def test_an_answer_to_another_question_is_none(other: Json) -> None:
    sim = harmed()
    comes(sim, WORSE * 10, **other)
    assert asked(sim)["pairs"] == 0
    assert asked(sim)["state"] == "Asking"


def test_what_the_version_before_refuses_is_counted_and_said() -> None:
    sim = harmed()
    comes(sim, WORSE * 4, refused=40)
    assert asked(sim)["state"] == "Asking"
    assert "did not answer 40 more" in sim.condition("WorldChanged")["message"]


def override(sim: Counting, to: str) -> None:
    """Somebody decides: `kubectl fairlead rollback web --to …`."""
    wanted = {"action": "Rollback", "version": to, "at": "2026-01-01T00:00:00Z", "by": "ada", "reason": "I know"}
    sim.spec = {**sim.spec, "override": wanted}
    sim.generation += 1
    sim.look()


def test_a_person_keeps_the_live_version() -> None:
    sim = harmed()
    override(sim, "m-2")
    assert (asked(sim)["state"], asked(sim)["reason"]) == ("Dropped", "KeptByHand")
    assert "KeptByHand" in sim.events
    sim.now += 3600
    sim.look()
    assert sim.monitored["questions"] == 1
    assert "wayBack" not in sim.status


def test_a_person_goes_back_without_waiting() -> None:
    sim = harmed()
    override(sim, "m-1")
    assert sim.status["wayBack"]["forced"]
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert "question" not in sim.monitored


def test_a_rollback_that_a_person_cancels_is_not_begun_again() -> None:
    sim = harmed()
    comes(sim, WORSE * 5)
    assert sim.status["wayBack"]["version"] == "m-1"
    override(sim, "m-2")
    sim.now += 3600
    sim.look()
    assert "wayBack" not in sim.status
    assert sim.monitored["questions"] == 1


def test_a_newer_version_that_goes_live_ends_the_question() -> None:
    sim = harmed()
    comes(sim, WORSE)
    goes_live(sim, "m-3")
    assert "question" not in sim.monitored
    assert any(line.get("answered") == 1 and line["result"] == "Dropped" for line in lines(sim))


def test_a_candidate_on_its_way_begins_anew_against_who_is_live_again() -> None:
    sim = harmed()
    sim.now += 60
    sim.version("m-3")
    sim.learns("m-3")
    sim.look()
    sim.ready("m-3")
    sim.look()
    sim.tick()
    assert sim.candidate["step"] == 0
    comes(sim, WORSE * 5)
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    sim.run(30, 20)
    assert sim.status["live"]["version"] == "m-3"


def test_an_experiment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = harmed()
    with monkeypatch.context() as patch:
        patch.setattr(confirming, "phase", SimpleNamespace(running=lambda _: True))
        comes(sim, WORSE * 4)
        sim.now = epoch(asked(sim)["until"]) + 1
        sim.look()
        assert asked(sim)["state"] == "Asking"
        assert confirming.next_look(Look(sim.subject(), View(sim), sim.now), sim.subject().body.status) is None
        assert "m-1 shall be live again when the experiment has ended" in sim.condition("WorldChanged")["message"]
        assert "wayBack" not in sim.status
    sim.look()
    assert sim.status["wayBack"]["version"] == "m-1"


def test_monitors_that_are_removed_take_their_question_with_them() -> None:
    sim = harmed()
    sim.spec = {key: value for key, value in sim.spec.items() if key != "monitors"}
    sim.generation += 1
    sim.look()
    assert "monitors" not in sim.status
    assert sim.condition("WorldChanged")["status"] == "False"


def test_the_ledger_has_the_question_pair_by_pair() -> None:
    sim = harmed()
    comes(sim, WORSE)
    comes(sim, WORSE * 4)
    said = [line for line in lines(sim) if {"asked", "heard", "answered"} & set(line)]
    assert [next(iter({"asked", "heard", "answered"} & set(line))) for line in said] == [
        "asked",
        "heard",
        "heard",
        "answered",
    ]
    assert [line["pairs"]["n"] for line in said if "heard" in line] == [10, 40]
    assert said[-1]["result"] == "Better"
    texts = [json.dumps(line) for line in lines(sim)]
    again = list(askbook.replayed(texts))
    assert [one.same for one in again] == [True] * 3
    assert (again[-1].known.n, again[-1].result, again[-1].against) == (50, "Better", "m-1")
    changed = [text.replace(f'"total": {said[1]["pairs"]["total"]}', '"total": 2.0') for text in texts]
    assert [one.same for one in askbook.replayed(changed)] == [False, False, True]
    fewer = [text for text in texts if '"heard"' not in text]
    assert [one.same for one in askbook.replayed(fewer)] == [False]


def test_a_question_goes_on_in_a_new_ledger() -> None:
    """Other settings of the tests begin a ledger anew; what is known of the question is carried on."""
    sim = harmed()
    comes(sim, WORSE)
    sim.spec = {**sim.spec, "monitors": {"every": "20m"}}
    sim.generation += 1
    sim.silent = {one["metadata"]["uid"] for one in sim.pods("m-2")}
    sim.now += 1200
    sim.look()
    comes(sim, WORSE)
    again = list(askbook.replayed(json.dumps(line) for line in lines(sim)))
    assert [one.same for one in again] == [True, True]
    assert again[-1].known.n == asked(sim)["pairs"] == 20
