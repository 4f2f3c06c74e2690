"""Shadow steps: copies, pairs of answers, and what follows from them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import few
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_ledger import saved

from fairlead.api.record import Output
from fairlead.cli.replay import replay
from fairlead.manifests.meta import Json
from fairlead.plan.core import MODEL_VERSION
from fairlead.plan.deployment.evidence.likeness import agree

DIFFER: Json = {"metric": "disagreement", "worseBy": "10%"}
SHADOW: Json = {"shadow": "100%", "for": "3s", "requests": 50}


def shadowed(*guards: Json, steps: list[Json] | None = None, **record: Any) -> Json:
    found = spec(*(guards or ({"metric": "errors"}, DIFFER)), record=record)
    found["rollout"]["steps"] = steps or [SHADOW, {"weight": 20, "for": "3s", "requests": 20}]
    return found


def begun(wanted: Json, **more: Any) -> Sim:
    sim = Sim(wanted, **more)
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    return sim


def sometimes(share: float) -> Any:
    """Another answer in a share of the requests."""
    return lambda number: [2] if random.Random(number).random() < share else [1]


def test_copies_go_to_the_candidate_and_nobody_gets_its_answers() -> None:
    sim = begun(shadowed())
    assert sim.shares() == {"m-1": 100}
    assert sim.copied() == ("m-2", 1.0)
    served = sim.served.get("m-2", 0)
    sim.tick(30)
    assert sim.served.get("m-2", 0) == served
    assert sim.candidate["answered"]["requests"] == 30


def test_another_answer_with_the_same_status_codes_is_found_before_anybody_gets_it() -> None:
    sim = begun(shadowed(), says={"m-2": sometimes(0.5)})
    sim.run(20, 40)
    assert "candidate" not in sim.status
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "AnswersDiffer")
    assert "another answer than m-1" in record["message"]
    assert "m-2" not in sim.served
    assert sim.copied() is None


def test_a_version_that_answers_alike_goes_on_to_the_canary_and_live() -> None:
    sim = begun(shadowed(), says={"m-2": sometimes(0.03)})
    weights = []
    for _ in range(40):
        sim.tick(40)
        weights.append(sim.shares().get("m-2", 0))
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"
    assert weights[0] == 0
    assert 20 in weights


@pytest.mark.parametrize(("share", "end", "verdict"), [(0.5, "RolledBack", "harm"), (0.02, "Live", "continue")])
def test_what_shadow_showed_can_be_judged_once_more(share: float, end: str, verdict: str) -> None:
    sim = begun(shadowed(), says={"m-2": sometimes(share)}, store=True)
    for _ in range(60):
        sim.tick(40)
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            break
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.ended is not None
    assert found.ended.result == end
    assert found.judged[-1].conclusion.verdict == verdict


def test_promotion_straight_from_shadow() -> None:
    sim = begun(shadowed(steps=[SHADOW]))
    sim.run(20, 40)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["history"][0]["candidate"]["requests"] >= 50


def test_each_pair_counts_once_though_every_look_is_the_first_after_a_restart() -> None:
    sim = begun(shadowed(steps=[{**SHADOW, "requests": 10_000}]), says={"m-2": sometimes(0.02)})
    for _ in range(12):
        sim.tick(25)
    for _ in range(4):
        sim.tick()
    copies = sim.candidate["copies"]
    assert (copies["pairs"], copies["alone"]) == (11 * 25, 0)  # what came before the first reading does not count
    truth = sum(sometimes(0.02)(n) == [2] for n in range(sim.asked - 275 + 1, sim.asked + 1))
    assert copies["different"] == truth


def test_late_copies_are_waited_for_and_very_late_ones_are_told_of() -> None:
    sim = begun(shadowed(steps=[{**SHADOW, "requests": 10_000}]), slowness={"m-2": 1.5})
    for _ in range(6):
        sim.tick(20)
    assert sim.candidate["copies"]["pairs"] == 80
    late = begun(shadowed(), slowness={"m-2": 8.0})
    for _ in range(12):
        late.tick(20)
    guard = late.candidate["guards"][1]
    assert (guard["state"], guard["reason"]) == ("NoEvidence", "CopiesMissing")
    assert late.candidate["verdict"] == "NoEvidence"
    assert late.condition("EvidenceAvailable")["status"] == "False"


def test_unpaired_requests_of_a_partial_shadow_are_not_missed() -> None:
    sim = begun(shadowed(steps=[{**SHADOW, "shadow": "25%", "requests": 40}]))
    for _ in range(30):
        sim.tick(20)
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"


def test_a_recorder_that_begins_anew_costs_pairs_but_counts_none_twice() -> None:
    sim = begun(shadowed(steps=[{**SHADOW, "requests": 10_000}]), says={"m-2": lambda _: [2]})
    sim.spec["rollout"]["guard"][1]["worseBy"] = "99%"
    for round_ in range(10):
        sim.tick(10)
        if round_ == 4:
            sim.forget("m-1")
            sim.forget("m-2")
    for _ in range(4):
        sim.tick()
    assert 80 <= sim.candidate["copies"]["pairs"] <= 100


def test_answers_that_are_not_what_was_declared_freeze_it() -> None:
    sim = begun(shadowed(output={"type": "number"}), says={"m-1": lambda _: ["yes"], "m-2": lambda _: ["yes"]})
    for _ in range(8):
        sim.tick(20)
    guard = sim.candidate["guards"][1]
    assert (guard["state"], guard["reason"]) == ("NoEvidence", "OutputUnreadable")
    assert "spec.record.output" in guard["message"]


def test_errors_of_the_candidate_in_shadow_roll_it_back() -> None:
    sim = begun(shadowed({"metric": "errors"}), errors={"m-2": 0.3})
    sim.run(10, 50)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"
    assert "m-2" not in sim.served


def test_recorders_that_cannot_be_read_freeze_it() -> None:
    sim = begun(shadowed())
    sim.tick(20)
    for pod in [*sim.pods("m-1"), *sim.templates("m-1")]:
        pod["spec"]["initContainers"] = []
    sim.tick(20)
    assert sim.candidate["guards"][1]["reason"] == "NoRecorder"
    assert sim.candidate["verdict"] == "NoEvidence"


def test_copies_have_a_cap() -> None:
    sim = begun(shadowed(steps=[{**SHADOW, "for": "1h", "copies": 100, "requests": 60}, {"weight": 10}]))
    for _ in range(5):
        sim.tick(30)
    assert sim.candidate["step"] == 1
    assert 100 <= sim.candidate["answered"]["requests"] < 160


def test_a_preview_lasts_its_time_and_needs_no_requests() -> None:
    sim = begun(spec(steps=[(0, "5s", 100), (50, "3s", 10)]))
    assert sim.shares() == {"m-1": 100}
    sim.run(4, 30)
    assert sim.candidate["step"] == 0
    sim.run(3, 30)
    assert sim.shares() == {"m-1": 50, "m-2": 50}


def test_blue_green() -> None:
    wanted = spec(rollout={"steps": [{"weight": 0, "manual": True, "for": "2s"}], "afterPromotion": {"standby": "1h"}})
    sim = begun(wanted)
    sim.run(6, 30)
    assert "person's word" in sim.status["message"]
    sim.spec["override"] = {
        "action": "Continue", "version": "m-2", "reason": "looks good", "at": "2027-01-15T08:00:00Z",
    }  # fmt: skip
    sim.run(3, 30)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.pods("m-1")


def test_editing_a_canary_step_into_a_shadow_moves_the_candidate() -> None:
    sim = begun(spec(record={}))
    sim.spec["rollout"]["steps"] = [SHADOW]
    sim.tick(10)
    assert sim.shares() == {"m-1": 100}
    assert sim.copied() == ("m-2", 1.0)


def test_a_deleted_version_ends_the_copies() -> None:
    sim = begun(shadowed())
    del sim.of(MODEL_VERSION)["m-2"]
    sim.tick(10)
    assert sim.copied() is None


@pytest.mark.parametrize(
    ("output", "stable", "candidate", "told"),
    [
        ({}, [1], [1.0], "agree"),
        ({}, ["a", "b"], ["a", "b"], "agree"),
        ({}, ["a", "b"], ["a"], "disagree"),
        ({}, "cat", "dog", "disagree"),
        ({}, [[0.1]], [[0.1]], "incomparable"),
        ({}, [], [], "incomparable"),
        ({"type": "number", "absolute": "0.1"}, [1.0], [1.05], "agree"),
        ({"type": "number", "relative": "1%"}, 200.0, 201.9, "agree"),
        ({"type": "number"}, [1.0], [float("nan")], "disagree"),
        ({"type": "vector", "absolute": "0.1"}, [1.0, 2.0], [1.05, 2.0], "agree"),
        ({"type": "embedding", "cosine": "0.9"}, [1.0, 0.0], [0.0, 1.0], "disagree"),
        ({"type": "text"}, "a  b", "a b", "agree"),
        ({"type": "text"}, ["a b"], ["a c"], "disagree"),
    ],
)  # fmt: skip
def test_when_two_answers_are_the_same(output: Json, stable: Any, candidate: Any, told: str) -> None:
    assert agree(Output.model_validate(output), stable, candidate) == told


@settings(max_examples=few(10, 25))
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), min_size=3, max_size=12), st.integers(0, 9)
)
def test_no_pair_twice_whatever_happens(rounds: list[tuple[int, bool, bool]], seed: int) -> None:
    """Traffic, recorders that begin anew, looks that are lost: never more pairs than requests."""
    sim = begun(shadowed(DIFFER, steps=[{**SHADOW, "requests": 10_000}]), seed=seed, slowness={"m-2": 0.4})
    sim.tick()
    before = sim.asked
    for requests, forgetful, unlooked in rounds:
        sim.traffic(requests)
        if forgetful:
            sim.forget("m-2")
        sim.now += 1
        if unlooked:
            sim.plan()  # it looked, and died before it could write
        else:
            sim.look()
    copies = sim.candidate["copies"]
    assert copies.get("pairs", 0) + copies.get("alone", 0) <= sim.asked - before
