"""Where the live version fails and the candidate answers, the candidate goes on; and people are told what they say."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_deployment_ledger import saved
from tests.unit.plan.test_deployment_shadow import DIFFER, SHADOW, begun, shadowed
from tests.unit.plan.test_deployment_watch import promoted

from fairlead.cli.replay import replay
from fairlead.plan.core import MODEL_VERSION
from fairlead.plan.deployment.metrics.latency import answered
from fairlead.plan.requests import Vector

Json = dict[str, Any]
ERRORS: Json = {"metric": "errors"}
SCORES: Json = {"metric": "scores"}
REVIEW: Json = {"metric": "review", "minEvents": 30}
COLUMNS = {"error": "expected 3 features, got 4"}
SAYS = 'm-1 answers 500: {"error": "expected 3 features, got 4"}'


def changed(sim: Sim, share: float = 1.0, status: int = 500, body: object = COLUMNS) -> None:
    """Clients begin to send a column that the live version does not understand."""
    sim.errors["m-1"] = share
    sim.refusals["m-1"] = (status, body)


def until_over(sim: Sim, windows: int = 60, requests: int = 40) -> None:
    for _ in range(windows):
        sim.tick(requests)
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            return


def lines(sim: Sim) -> list[Json]:
    return [json.loads(line) for line in saved(sim, "m-2")]


@pytest.mark.parametrize("status", [500, 400], ids=["failures", "refusals that no server counts"])
@pytest.mark.parametrize("guards", [(DIFFER,), (SCORES,), (DIFFER, SCORES, REVIEW)], ids=["differ", "scores", "all"])
def test_b11_a_candidate_that_understands_its_clients_goes_live(guards: tuple[Json, ...], status: int) -> None:
    sim = begun(shadowed(ERRORS, *guards), store=True)
    changed(sim, status=status)
    until_over(sim)
    record = sim.status["history"][0]
    assert (record["version"], record["result"]) == ("m-2", "Live")
    assert "it goes on without comparing answers" in record["message"]
    assert f'm-1 answers {status}: {{"error": "expected 3 features, got 4"}}' in record["message"]
    assert "Waived" in sim.events
    assert any("without comparing answers" in line.get("waived", "") for line in lines(sim))


def test_b11_afterwards_it_is_said_that_a_version_that_failed_all_is_no_reference() -> None:
    sim = begun(shadowed(ERRORS, DIFFER), store=True)
    changed(sim)
    until_over(sim)
    sim.tick(100, seconds=20)
    told = sim.condition("Watched")
    assert (told["status"], told["reason"]) == ("False", "TooFewSamples")
    assert "failed nearly all of them" in told["message"]


@pytest.mark.parametrize("guards", [(DIFFER,), (SCORES,), (DIFFER, SCORES)])
def test_b11_the_replay_decides_the_same(guards: tuple[Json, ...]) -> None:
    sim = begun(shadowed(ERRORS, *guards), store=True)
    sim.traffic(1000)
    changed(sim)
    until_over(sim)
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.ended
    assert found.ended.result == "Live"
    assert found.judged[-1].conclusion.verdict == "continue"
    assert found.judged[-1].state.common.worse or not found.judged[-1].state.common.tolerated


def test_b11_a_freeze_that_only_the_live_version_deserves_is_lifted() -> None:
    wanted = shadowed(ERRORS, steps=[{"weight": 20, "for": "10s", "requests": 50}])
    sim = begun(wanted, errors={"m-1": 0.01, "m-2": 0.01}, store=True)
    sim.traffic(2000)
    for _ in range(5):
        sim.tick(100)
    changed(sim, share=0.6)
    until_over(sim, requests=100)
    record = sim.status["history"][0]
    assert (record["version"], record["result"]) == ("m-2", "Live")
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.judged[-1].state.common.worse
    assert found.judged[-1].conclusion.verdict == "continue"
    told = next(line["waived"] for line in lines(sim) if "waived" in line)
    assert "at the same time: it goes on" in told


def test_b11_where_both_fail_it_is_held_and_told_what_they_say() -> None:
    sim = begun(shadowed(ERRORS, DIFFER))
    changed(sim)
    sim.errors["m-2"], sim.refusals["m-2"] = 1.0, (503, "no\nroute\x1b[31m" + "x" * 500)
    for _ in range(10):
        sim.tick(40)
    guard = sim.candidate["guards"][1]
    assert (guard["state"], guard["reason"]) == ("NoEvidence", "LiveFails")
    assert "spec.record.output" not in guard["message"]
    assert SAYS in guard["message"]
    said = guard["message"].split("m-2 answers 503: ")[1]
    assert said.startswith("no\\nroute\\x1b[31mxxx")
    assert len(said) <= 201
    assert sim.candidate["step"] == 0
    assert sim.candidate["verdict"] == "NoEvidence"


def test_b11_where_a_part_of_the_live_answers_fail_the_others_are_compared() -> None:
    sim = begun(shadowed(ERRORS, DIFFER), says={"m-2": lambda _: [2]})
    changed(sim, share=0.3)
    sim.run(20, 40)
    assert sim.status["history"][0]["reason"] == "AnswersDiffer"


def test_b11_also_where_most_fail_harm_in_the_others_is_harm() -> None:
    wanted = shadowed(ERRORS, DIFFER, steps=[{**SHADOW, "for": "60s"}])
    sim = begun(wanted, says={"m-2": lambda _: [2]})
    changed(sim, share=0.8)
    sim.run(40, 60)
    assert sim.status["history"][0]["reason"] == "AnswersDiffer"


def test_b11_each_step_shows_it_anew() -> None:
    wanted = shadowed(ERRORS, SCORES, steps=[SHADOW, {"weight": 20, "for": "20s", "requests": 50}])
    sim = begun(wanted)
    changed(sim)
    while sim.candidate["step"] == 0:
        sim.tick(40)
    assert sim.candidate["ahead"]["stable"]["requests"] == 0
    sim.errors["m-1"] = 0.0
    for _ in range(3):
        sim.tick(40)
    assert sim.candidate["waived"]["step"] == 0
    guard = sim.candidate["guards"][1]
    assert (guard["state"], guard["reason"]) == ("NoEvidence", "TooFewSamples")
    assert sim.condition("Progressing")["reason"] == "Frozen", "its answers are compared as usual"


def test_b11_a_type_that_is_wrong_is_still_called_so() -> None:
    sim = begun(shadowed(output={"type": "number"}), says={"m-1": lambda _: ["yes"], "m-2": lambda _: ["yes"]})
    for _ in range(8):
        sim.tick(20)
    guard = sim.candidate["guards"][1]
    assert guard["reason"] == "OutputUnreadable"
    assert "are not of the declared type: correct spec.record.output" in guard["message"]
    assert "fail" not in guard["message"]


def test_b11_a_candidate_that_is_taken_back_is_quoted() -> None:
    sim = begun(shadowed(ERRORS, steps=[{"weight": 20, "for": "60s", "requests": 50}]))
    sim.tick(50)
    sim.errors["m-2"], sim.refusals["m-2"] = 0.6, (500, "Traceback\n  KeyError: 'distance'")
    sim.run(20, 50)
    record = sim.status["history"][0]
    assert record["reason"] == "ErrorsWorse"
    assert "m-2 answers 500: Traceback\\n  KeyError: 'distance'" in record["message"]


def test_b11_a_status_of_the_release_before_goes_on() -> None:
    sim = begun(shadowed(ERRORS, DIFFER))
    sim.tick(40)
    for name in ("ahead", "answering", "says"):
        del sim.candidate[name]
    sim.candidate["copies"].pop("failed")
    changed(sim)
    until_over(sim)
    assert sim.status["live"]["version"] == "m-2"


LATENCY: Json = {"metric": "latency"}


def test_b11_a_version_that_refuses_at_once_is_not_a_fast_one() -> None:
    wanted = shadowed(ERRORS, LATENCY, steps=[{"weight": 20, "for": "30s", "requests": 100}])
    sim = begun(wanted, slow={"m-1": 0.04, "m-2": 0.04}, store=True)
    changed(sim)
    sim.slow["m-1"] = 0.0
    until_over(sim, requests=200)
    record = sim.status["history"][0]
    assert (record["version"], record["result"]) == ("m-2", "Live"), record["message"]
    assert replay(saved(sim, "m-2")).different == []


def test_b11_slow_failures_of_the_candidate_are_no_excuse() -> None:
    assert answered((100, 40), (100, 30)) == (70, 40)
    assert answered((100, 90), (100, 30)) == (70, 70)
    assert answered((70, 5), (100, 30)) == (70, 5), "a histogram without failures"
    assert answered((0, 0), (100, 100)) == (0, 0)
    assert answered((3, 1), (0, 0)) == (0, 0)


def test_b11_a_proof_that_needs_answers_of_the_live_version_is_not_waited_for() -> None:
    wanted = shadowed({**ERRORS, "role": "target"}, {**LATENCY, "role": "guardrail", "worseBy": "100%"})
    wanted["rollout"]["steps"] = [{"weight": 20, "for": "5s", "requests": 50}]
    sim = begun(wanted, store=True)
    changed(sim)
    until_over(sim, requests=200)
    assert sim.status["live"]["version"] == "m-2"
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.judged[-1].conclusion.verdict in ("safe", "continue")


def test_b11_a_gauge_of_a_version_that_fails_is_not_compared() -> None:
    gauge = {"metric": "gauge", "gauge": {"value": "gauge:{{version}}"}}
    sim = begun(shadowed(ERRORS, gauge, steps=[{"weight": 20, "for": "60s", "requests": 100}]))
    changed(sim)
    noise = random.Random(0)
    for _ in range(100):
        sim.gauges["m-1"] = Vector((("a", noise.gauss(0.01, 0.001)),))
        sim.gauges["m-2"] = Vector((("a", noise.gauss(0.2, 0.01)),))
        sim.tick(40)
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"


def test_b11_the_way_back_says_that_it_does_not_know_a_feature_that_came() -> None:
    sim = promoted()
    evaluation = {"target": "y", "metrics": ["mae"], "data": {"dataset": {"name": "d"}}}
    sim.of(MODEL_VERSION)["m-1"]["spec"]["evaluation"] = evaluation | {"features": ["a"]}
    sim.of(MODEL_VERSION)["m-2"]["spec"]["evaluation"] = evaluation | {"features": ["a", "wind"]}
    sim.status["versions"] = []  # chosen as they are now
    sim.look()
    told = sim.condition("RollbackReady")
    assert told["status"] == "True", (
        "a version that fails may still go back: many servers pass over what they don't know"
    )
    assert "does not know inputs that m-2 asks for (wind)" in told["message"]
