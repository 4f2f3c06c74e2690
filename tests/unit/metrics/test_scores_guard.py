"""The guard on the answers themselves, in a rollout: a canary, shadow, and what can't be compared."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.cli.replay import replay
from fairlead.verdict.scores import KNOWN

Json = dict[str, Any]
Says = Callable[[int], object]
SCORES: Json = {"metric": "scores"}


def normal(mean: float = 0.0, spread: float = 1.0) -> Says:
    return lambda number: [random.Random(number).gauss(mean, spread)]


def labels(**shares: int) -> Says:
    return lambda number: [random.Random(number).choices(list(shares), list(shares.values()))[0]]


def begun(live: Says, own: Says, type_: str = "number", guard: Json = SCORES, **more: Any) -> Sim:
    body = spec(
        {"metric": "errors"}, guard, record={"output": {"type": type_}}, steps=[(20, "10s", 50), (50, "10s", 50)]
    )
    sim = Sim(body, says={"m-1": live, "m-2": own}, **more)
    sim.go_live()
    sim.begin()
    return sim


@pytest.mark.parametrize(
    ("own", "type_", "live"),
    [
        (normal(3.0), "number", normal()),  # somewhere else
        (normal(0.0, 4.0), "number", normal()),  # wider
        (lambda _: [0.1], "number", normal()),  # always the same, in the middle
        (lambda _: ["nan"], "number", normal()),  # nothing that can be read
        (labels(cat=50, dog=20, mouse=30), "class", labels(cat=50, dog=50)),  # an unknown label
        (labels(cat=100), "class", labels(cat=50, dog=50)),  # always the same label
    ],
)
def test_answers_that_are_not_usual_are_taken_back(own: Says, type_: str, live: Says) -> None:
    sim = begun(live, own, type_)
    sim.run(120, 60)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "ScoresUnusual")
    assert "answered otherwise than usual in" in record["message"]
    assert record["guards"][0]["state"] != "Harm"


@pytest.mark.parametrize(
    ("says", "type_"),
    [(normal(), "number"), (lambda _: [1.0], "number"), (labels(cat=90, dog=10), "class"),
     (lambda number: [[0.0, 0.0, 1.0][number % 3]], "number")],
)  # fmt: skip
def test_the_same_distribution_goes_live(says: Says, type_: str) -> None:
    sim = begun(says, says, type_)
    sim.run(120, 60)
    assert sim.status["live"]["version"] == "m-2"
    assert [one["guard"] for one in sim.status["watch"]["guards"]] == ["0/errors"]


def test_first_it_must_be_known_what_is_usual() -> None:
    sim = begun(normal(), normal(3.0))
    sim.run(3, 20)
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "TooFewSamples")
    assert f"of {KNOWN} answers of m-1" in told["message"]
    assert sim.candidate["guards"][1]["candidate"]["requests"] == 0
    sim.run(120, 60)
    assert sim.status["history"][0]["reason"] == "ScoresUnusual"


def test_a_live_version_whose_answers_can_not_be_read_is_said() -> None:
    sim = begun(lambda _: "a text", normal())
    sim.run(20, 60)
    told = sim.condition("EvidenceAvailable")
    assert (told["status"], told["reason"]) == ("False", "OutputUnreadable")
    assert "spec.record.output" in told["message"]


def test_a_recorder_that_can_not_be_read_freezes() -> None:
    sim = begun(normal(), normal())
    sim.run(8, 60)
    weight = sim.candidate["weight"]
    sim.unreadable.add("m-2")
    sim.run(8, 60)
    assert sim.condition("EvidenceAvailable")["status"] == "False"
    assert sim.candidate["weight"] == weight
    sim.unreadable.clear()
    sim.run(60, 60)
    assert sim.status["live"]["version"] == "m-2"


def test_worse_by_is_tolerated() -> None:
    for worse_by, result in (("0%", "RolledBack"), ("30%", "Live")):
        sim = begun(normal(), normal(1.0), guard={**SCORES, "worseBy": worse_by})
        sim.run(100, 60)
        assert sim.status["history"][0]["result"] == result


def test_in_shadow_steps_nobody_gets_such_an_answer() -> None:
    body = spec({"metric": "errors"}, SCORES, record={"output": {"type": "number"}})
    body["rollout"]["steps"] = [{"shadow": "100%", "for": "30s", "requests": 300}, {"weight": 20}]
    sim = Sim(body, says={"m-1": normal(), "m-2": normal(3.0)})
    sim.go_live()
    sim.begin()
    sim.run(60, 40)
    assert sim.status["history"][0]["reason"] == "ScoresUnusual"
    assert "m-2" not in sim.served


@pytest.mark.parametrize(("own", "end"), [(normal(2.0), "RolledBack"), (normal(), "Live")])
def test_the_ledger_gives_the_same_evidence(own: Says, end: str) -> None:
    sim = begun(normal(), own, store=True)
    sim.run(150, 60)
    assert sim.status["history"][0]["result"] == end
    for _ in range(20):
        sim.tick(10)
    mine = sorted(key for key in sim.documents if "/evidence/m-2-" in key)
    found = replay([line for key in mine for line in sim.documents[key].splitlines()])
    assert found.different == []
    assert found.judged[-1].state.guards[1].windows == sim.status["history"][0]["guards"][1]["windows"]


def test_its_status_is_small() -> None:
    sim = begun(normal(), normal())
    for _ in range(6):
        sim.tick(30)
    assert len(json.dumps(sim.candidate["guards"][1])) < 6000
    sim.run(8, 60)
    assert len(json.dumps(sim.candidate["guards"][1])) < 2000


@pytest.mark.parametrize("guard", [SCORES, {"metric": "gauge", "gauge": {"value": "gauge:{{version}}"}}])
def test_in_a_preview_nothing_is_compared_nor_missed(guard: Json) -> None:
    body = spec({"metric": "errors"}, guard, record={"output": {"type": "number"}})
    body["rollout"]["steps"] = [{"weight": 0, "for": "20s"}, {"weight": 20, "for": "10m"}]
    sim = Sim(body, says={"m-1": normal(), "m-2": normal(3.0)})
    sim.go_live()
    sim.begin()
    sim.run(10, 20)
    found = sim.candidate["guards"][1]
    assert (found["windows"], found["candidate"]["requests"]) == (0, 0)
    assert sim.candidate["weight"] == 0
    sim.run(15, 20)
    assert sim.candidate["weight"] == 20
