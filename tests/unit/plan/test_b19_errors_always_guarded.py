"""Errors are guarded whatever the list of guards says, unless it switches them off by name; and that is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from tests.unit.experiment.test_experiment_way import begun as experiment_begun
from tests.unit.experiment.test_experiment_way import contender, experiment
from tests.unit.experiment.test_experiment_way import run as experiment_run
from tests.unit.plan.rollout_world import OUTCOMES, Sim, spec
from tests.unit.plan.test_deployment_ledger import saved

from fairlead.api.deployment import Rollout
from fairlead.cli.replay import replay

Json = dict[str, Any]
LATENCY: Json = {"metric": "latency", "worseBy": "50%"}
OFF: Json = {"metric": "errors", "off": True}


def guarded(*guards: Json) -> list[str]:
    return [one.metric for one in Rollout.model_validate({"guard": list(guards)}).guards]


def on_its_way(*guards: Json, **more: Any) -> Sim:
    sim = Sim(spec(*guards, steps=((20, "60s", 50),)), **more)
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    return sim


def names(sim: Sim) -> list[str]:
    return [one["guard"] for one in sim.candidate["guards"]]


def test_b19_errors_come_last_where_the_list_does_not_name_them() -> None:
    assert guarded(LATENCY) == ["latency", "errors"]
    assert guarded(LATENCY, {"metric": "errors", "worseBy": "1%"}) == ["latency", "errors"]
    assert guarded(LATENCY, OFF) == ["latency"]
    assert Rollout.model_validate({"guard": [LATENCY]}).guards[-1].worse_by == "0%"


@pytest.mark.parametrize("text", ["{metric: errors, off: true}", "{metric: errors, 'off': true}"])
def test_b19_off_is_understood_as_people_write_it_in_yaml(text: str) -> None:
    read = yaml.safe_load(text)
    assert guarded(LATENCY, read) == ["latency"]
    kept_by_the_api_server = json.loads(json.dumps(read))
    assert guarded(LATENCY, kept_by_the_api_server) == ["latency"]


def test_b19_a_candidate_that_fails_is_taken_back_though_only_latency_is_listed() -> None:
    sim = on_its_way(LATENCY, errors={"m-2": 0.5})
    assert names(sim) == ["0/latency", "1/errors"]
    sim.run(20, 100)
    assert (sim.status["history"][0]["result"], sim.status["history"][0]["reason"]) == ("RolledBack", "ErrorsWorse")


def test_b19_an_arm_that_fails_leaves_an_experiment_that_lists_outcomes_alone() -> None:
    wanted = experiment()
    wanted["rollout"]["guard"] = [OUTCOMES]
    sim = experiment_begun(wanted, wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.5}, errors={"m-2": 0.5})
    experiment_run(sim, 8, 100)
    assert (contender(sim, "m-2")["state"], contender(sim, "m-2")["reason"]) == ("Out", "ErrorsWorse")


def test_b19_the_watch_after_the_promotion_has_errors_too() -> None:
    sim = Sim(spec(LATENCY, steps=((50, "2s", 20),)))
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    sim.run(20, 100)
    assert [one["guard"] for one in sim.status["watch"]["guards"]] == ["0/latency", "1/errors"]
    sim.tick(100, seconds=20)
    assert [one["guard"] for one in sim.status["watch"]["guards"]] == ["0/latency", "1/errors"], "it stays"


def test_b19_off_is_off_and_said() -> None:
    sim = on_its_way(LATENCY, OFF, errors={"m-2": 0.5})
    sim.run(10, 100)
    assert names(sim) == ["0/latency"]
    told = sim.condition("ErrorsGuarded")
    assert (told["status"], told["reason"]) == ("False", "Off")
    assert "spec.rollout.guard says off" in told["message"]
    sim.spec["rollout"]["guard"] = [LATENCY]
    sim.run(10, 100)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"
    assert sim.condition("ErrorsGuarded") == {}


def test_b19_slow_requests_are_not_called_failed_where_errors_are_off() -> None:
    wanted = spec(LATENCY, OFF, steps=((50, "2s", 20),))
    wanted["rollout"]["afterPromotion"] = {"for": "30s"}
    sim = Sim(wanted)
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    said = list[str]()
    for _ in range(40):
        sim.traffic(100)
        sim.now += 10
        found = sim.plan()
        while sim.carry_out(found):
            said += [event.message for event in found.events if event.reason == "WatchEnded"]
            found = sim.plan()
    assert said
    assert all("failed" not in message for message in said)


def test_b19_nobody_says_when_failures_would_be_found_that_nobody_looks_for() -> None:
    for guards, known in (((LATENCY,), True), ((LATENCY, OFF), False)):
        sim = on_its_way(*guards, errors={"m-1": 0.02, "m-2": 0.02})
        for _ in range(10):
            sim.tick(100)
        assert bool(sim.candidate.get("doubling")) == known


def before_the_update(sim: Sim) -> None:
    """The status and the ledger of a rollout as the release before would have them: errors were not guarded."""
    candidate = sim.status["candidate"]
    candidate["guards"] = [one for one in candidate["guards"] if not one["guard"].endswith("/errors")]
    lines = [json.loads(line) for line in candidate["ledger"]["lines"]]
    for line in lines:
        if "rollout" in line:
            line["rollout"]["guard"] = [one for one in line["rollout"]["guard"] if one["metric"] != "errors"]
        if "margins" in line:
            line["margins"] = {name: told for name, told in line["margins"].items() if not name.endswith("/errors")}
        line.get("logEvidence", {}).pop("1/errors", None)
    candidate["ledger"] |= {"lines": [json.dumps(line) for line in lines], "rules": "0000"}


def test_b19_a_rollout_of_the_release_before_goes_on_with_all_it_has_seen() -> None:
    sim = on_its_way(LATENCY, store=True)
    for _ in range(5):
        sim.tick(100)
    before_the_update(sim)
    seen = dict(sim.candidate["guards"][0])
    sim.tick(100)
    after = sim.candidate["guards"]
    assert [one["guard"] for one in after] == ["0/latency", "1/errors"]
    assert after[0]["windows"] == seen["windows"] + 1
    assert after[0]["candidate"]["requests"] > seen["candidate"]["requests"]
    assert after[0]["beganAt"] == seen["beganAt"]
    sim.errors = {"m-2": 0.5}
    sim.run(20, 100)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"


def test_b19_a_ledger_of_the_release_before_is_judged_by_its_rules() -> None:
    sim = on_its_way(LATENCY)
    for _ in range(5):
        sim.tick(100)
    now = replay(sim.candidate["ledger"]["lines"])
    assert [one.name for one in now.judged[-1].rules.metrics] == ["latency", "errors"]
    before_the_update(sim)
    then = replay(sim.candidate["ledger"]["lines"])
    assert [one.name for one in then.judged[-1].rules.metrics] == ["latency"]
    assert then.different == []


@pytest.mark.parametrize("guards", [(LATENCY,), (LATENCY, OFF), ({"metric": "errors"}, LATENCY)])
def test_b19_what_was_guarded_can_be_judged_once_more(guards: tuple[Json, ...]) -> None:
    sim = on_its_way(*guards, errors={"m-1": 0.01, "m-2": 0.3}, slow={"m-2": 0.3}, store=True)
    for _ in range(60):
        sim.tick(40)
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            break
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.ended is not None
    assert found.ended.result == "RolledBack"
    assert found.judged[-1].conclusion.verdict == "harm"
    assert [one.metric for one in Rollout.model_validate({"guard": list(guards)}).guards] == [
        one.name for one in found.judged[-1].rules.metrics
    ]


def test_b19_a_guard_that_is_changed_where_it_stands_can_be_judged_once_more() -> None:
    sim = on_its_way(LATENCY, store=True)
    for _ in range(4):
        sim.tick(100)
    sim.spec["rollout"]["guard"] = [LATENCY | {"role": "guardrail"}]
    sim.look()  # before its margin is known
    sim.errors = {"m-2": 0.5}
    sim.run(20, 100)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"
    assert replay(saved(sim, "m-2")).different == []


@pytest.mark.parametrize("late", [0.2, 1.0])
def test_b19_a_guard_that_counts_in_the_look_in_which_it_begins_can_be_judged_once_more(late: float) -> None:
    errors, differ = {"metric": "errors"}, {"metric": "disagreement", "worseBy": "5%"}
    shadow = {"shadow": "50%", "for": "10m", "requests": 20}
    wanted = spec(errors, {"metric": "scores", "worseBy": "10%"}, steps=((20, "60s", 50),)) | {"record": {}}
    wanted["rollout"]["steps"].insert(0, shadow)
    sim = Sim(wanted, store=True)
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    for _ in range(4):
        sim.tick(100)
    sim.spec["rollout"]["guard"] = [errors, differ]
    sim.tick(100, seconds=late)
    sim.errors = {"m-2": 0.5}
    sim.run(20, 100)
    assert sim.status["history"][0]["result"] == "RolledBack"
    assert replay(saved(sim, "m-2")).different == []


def test_b19_errors_may_be_the_ninth_guard() -> None:
    sim = on_its_way(*([LATENCY] * 8))
    sim.tick(100)
    assert names(sim)[-1] == "8/errors"
