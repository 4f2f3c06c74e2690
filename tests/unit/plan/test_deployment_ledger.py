"""The evidence ledger: complete, in order, written once, and judged again with the same result to the last bit."""

from __future__ import annotations

import json

import pytest
from tests.unit.plan.rollout_world import OUTCOMES, Documents, Sim, spec

from fairlead.cli.replay import Chosen, choose, replay, saved_lines
from fairlead.plan.requests import Failed

GUARDS = [
    {"metric": "errors", "worseBy": "1%"}, {"metric": "latency", "quantile": "p90", "worseBy": "50%"}, OUTCOMES,
]  # fmt: skip
AWAY = Failed("Unreachable", "the store does not answer")


def guarded(guards: list = GUARDS) -> dict:
    found = spec()
    found["rollout"] |= {
        "guard": guards,
        "steps": [{"weight": 20, "for": "5s", "requests": 20}, {"weight": 50, "for": "5s"}],
    }
    return found


def begun(guards: list = GUARDS, **sim: object) -> Sim:
    """A world in which a rollout has begun."""
    found = Sim(guarded(guards), store=True, **sim)  # type: ignore[arg-type]
    found.go_live()
    found.traffic(2000)
    found.begin()
    return found


def finish(sim: Sim, ticks: int = 120, requests: int = 100) -> None:
    """Until the rollout has ended and its evidence is saved."""
    for _ in range(ticks):
        sim.tick(requests)
        if "candidate" not in sim.status and not sim.status.get("unsaved"):
            return


def saved(sim: Sim, version: str) -> list[str]:
    """All lines that the store has of a version's rollout."""
    mine = sorted(key for key in sim.documents if f"/evidence/{version}-" in key)
    return [line for key in mine for line in sim.documents[key].splitlines()]


@pytest.mark.parametrize(
    ("wrong", "errors", "end", "verdict"),
    [
        ({}, {"m-1": 0.02, "m-2": 0.02}, "Live", "continue"),
        ({}, {"m-1": 0.02, "m-2": 0.4}, "RolledBack", "harm"),
        ({"m-1": 0.1, "m-2": 0.7}, {}, "RolledBack", "harm"),
    ],
)
def test_a_rollout_can_be_judged_once_more(wrong: dict, errors: dict, end: str, verdict: str) -> None:
    sim = begun(errors=errors, wrong=wrong)
    finish(sim)
    record = sim.status["history"][0]
    assert record["result"] == end
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert found.judged[-1].conclusion.verdict == verdict
    assert found.ended
    assert (found.ended.result, found.ended.reason) == (end, record["reason"])
    for guard, state in zip(record["guards"], found.judged[-1].state.guards, strict=True):
        assert guard["logEvidence"] == repr(state.log_evidence)
        assert guard["candidate"] == {"requests": state.candidate.requests, "failures": state.candidate.failures}
        assert guard["stable"] == {"requests": state.stable.requests, "failures": state.stable.failures}
    assert record["ledger"].startswith("s3://fairlead/team/deployments/web/evidence/m-2-")


def test_a_changed_guard_begins_anew_in_the_replay_too() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    for _ in range(3):
        sim.tick(100)
    sim.spec["rollout"]["guard"][0] = {"metric": "errors", "worseBy": "3%"}
    sim.spec["rollout"]["falseAlarms"] = "2%"
    finish(sim)
    assert sim.status["history"][0]["result"] == "Live"
    assert replay(saved(sim, "m-2")).different == []


P50 = {"metric": "latency", "quantile": "p50", "worseBy": "50%"}
WORSE = OUTCOMES | {"worseBy": "5%"}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (GUARDS, [*GUARDS, P50]), (GUARDS, [*GUARDS, WORSE]), ([*GUARDS, P50], GUARDS), ([*GUARDS, WORSE], GUARDS),
        (GUARDS, [GUARDS[0], P50, GUARDS[1]]), ([GUARDS[0], P50, GUARDS[1]], GUARDS),
    ],
)  # fmt: skip
def test_a_second_guard_of_a_metric_that_comes_or_goes_leaves_the_first_as_it_was(first: list, then: list) -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02}, wrong={"m-1": 0.1, "m-2": 0.1}, guards=first)
    for _ in range(3):
        sim.tick(100)
    for guards in (then, first):
        sim.spec["rollout"]["guard"] = guards
        for _ in range(2):
            sim.tick(100)
    finish(sim)
    assert sim.status["history"][0]["result"] == "Live"
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    seen = [(state.stable.requests, state.windows) for state in found.judged[-1].state.guards]
    assert seen == [(one["stable"]["requests"], one["windows"]) for one in sim.status["history"][0]["guards"]]


def test_what_is_tolerated_may_be_told_before_the_rules() -> None:
    tolerated = {"odds": 1.3, "floor": 0.05, "rate": 0.01, "worseBy": 0.04}
    rules = {"steps": [{"weight": 10}], "guard": GUARDS[:2]}
    counts = {"requests": 90, "failures": 1, "metrics": {"1/latency": {"requests": 90, "failures": 9}}}
    window = {"t": 1.0, "weight": 10, "arms": {"stable": counts, "candidate": counts}}
    lines = [{"margins": {"1/latency": tolerated}}, {"t": 0.0, "rollout": rules}, window]
    (judged,) = replay(map(json.dumps, lines)).judged
    assert [metric.margin.odds for metric in judged.rules.metrics if metric.name == "latency"] == [1.3]


def test_a_bit_that_differs_is_found() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    finish(sim)
    lines = saved(sim, "m-2")
    at = next(i for i, line in enumerate(lines) if '"arms"' in line)
    body = json.loads(lines[at])
    body["arms"]["candidate"]["requests"] += 1
    assert replay([*lines[:at], json.dumps(body), *lines[at + 1 :]]).different


def test_a_store_that_is_away_freezes_and_nothing_is_lost() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = AWAY
    for _ in range(60):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("EvidenceSaved")["reason"] == "Unreachable"
    assert sim.status["candidate"]["verdict"] == "NoEvidence"
    sim.store_says = None
    finish(sim)
    assert sim.status["live"]["version"] == "m-2"
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    record = sim.status["history"][0]
    assert found.judged[-1].state.guards[0].candidate.requests == record["candidate"]["requests"]


def test_what_is_saved_after_the_status_was_read_is_read_once() -> None:
    sim, seen = begun(errors={"m-1": 0.02, "m-2": 0.02}), list[Chosen]()
    while len(seen) < 200 and not (seen and seen[-1].below is None):
        sim.tick(3)
        seen.append(choose(sim.subject().body, "m-2"))
    whole, folder = saved(sim, "m-2"), seen[-1].uri.removeprefix("s3://fairlead/")
    segments = [key for key in sim.documents if key.startswith(folder)]
    assert {chosen.below for chosen in seen} > {0, 1, 2}
    assert len(segments) >= max(chosen.below or 0 for chosen in seen)
    found = [[*saved_lines(Documents(sim), folder, one.below), *one.lines] for one in seen]  # type: ignore[arg-type]
    assert all(lines == whole[: len(lines)] for lines in found)
    assert [len(lines) for lines in found] == sorted(len(lines) for lines in found)
    assert found[-1] == whole


def test_harm_rolls_back_while_the_store_is_away() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = AWAY
    for _ in range(40):
        sim.tick(100)
    sim.errors["m-2"] = 0.6
    for _ in range(30):
        sim.tick(100)
    assert sim.status["history"][0]["result"] == "RolledBack"
    assert sim.status["unsaved"]
    sim.store_says = None
    finish(sim)
    assert replay(saved(sim, "m-2")).different == []


def test_status_stays_small_however_long_the_store_is_away() -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = AWAY
    for _ in range(400):
        sim.tick(5)
    assert len(sim.status["candidate"]["ledger"]["lines"]) < 130
    assert len(json.dumps(sim.status)) < 70_000


@pytest.mark.parametrize("reason", ["CredentialsForbidden", "CredentialsMissing"])
def test_where_nobody_lets_it_be_saved_the_rollout_goes_on(reason: str) -> None:
    sim = begun(errors={"m-1": 0.02, "m-2": 0.02})
    sim.store_says = Failed(reason, "allow it by: kubectl …")
    for _ in range(60):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"
    assert not saved(sim, "m-2")


def test_without_a_store_the_last_lines_stay_in_the_object() -> None:
    sim = Sim(guarded(), errors={"m-1": 0.02, "m-2": 0.02})
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    for _ in range(4):
        sim.tick(100)
    book = sim.status["candidate"]["ledger"]
    assert (book["uri"], book["dropped"]) == ("", 0)
    assert replay(book["lines"]).different == []


def test_the_longest_rules_fit_into_a_line() -> None:
    body = guarded()
    promql = {"total": "sum({{version}})" + "x" * 1000, "failures": "sum({{version}})" + "y" * 1000}
    body["rollout"]["guard"] = [{"metric": "outcomes", "promql": promql} for _ in range(8)]
    sim = Sim(body, store=True)
    sim.go_live()
    sim.begin()
    assert sim.status["candidate"]["ledger"]["lines"]
