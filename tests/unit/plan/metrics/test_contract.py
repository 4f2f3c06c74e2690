"""What every metric keeps: whatever becomes of that which it reads, each unit counts once, and nothing but what was
seen is held against a candidate."""

from __future__ import annotations

import copy
from math import isfinite
from typing import get_args

import pytest
from tests.unit.plan.metrics.cases import CASES, Case, Change, World, begins_anew
from tests.unit.plan.rollout_world import Json
from tests.unit.plan.test_deployment_ledger import saved

from fairlead.api.guard import Guard
from fairlead.cli.replay import replay
from fairlead.plan.deployment.metrics.registry import METRICS

EVERY = pytest.mark.parametrize("name", METRICS)
BROKEN = [pytest.param(case, broken, id=f"{name}-{i}")
          for name, case in CASES.items() for i, broken in enumerate(case.broken)]  # fmt: skip


def run(sim: World, windows: int) -> Json:
    """So many windows, or until the rollout ends; the guard as it was last seen."""
    seen = sim.state()
    for _ in range(windows):
        if "candidate" not in sim.status:
            break
        sim.close()
        seen = sim.state() if "candidate" in sim.status else sim.status["history"][0]["guards"][0]
    return seen


def counts(state: Json) -> tuple[int, ...]:
    """What is counted; it never falls."""
    arms = [state.get(arm, {}) for arm in ("stable", "candidate")]
    return (state.get("windows", 0), *(arm.get(what, 0) for arm in arms for what in ("requests", "failures")))


def grown(before: Json, after: Json) -> bool:
    return all(old <= new for old, new in zip(counts(before), counts(after), strict=True))


def test_the_list_is_the_api_s_and_each_has_its_case() -> None:
    assert set(METRICS) == set(get_args(Guard.model_fields["metric"].annotation)) == set(CASES)


@EVERY
def test_it_has_words_for_people(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.reason
    sim = CASES[name].begun()
    seen = run(sim, 3)
    assert seen["guard"] == f"0/{name}"
    subject = sim.subject()
    assert subject.body.status.candidate
    rows = metric.rows(subject.body.status.candidate, subject.body.status.candidate.guards[0])
    assert len(rows) >= 2
    if metric.is_watched(subject.body.status.candidate.guards[0], True):
        assert metric.changed


@EVERY
def test_harm_is_found_told_and_judged_alike_once_more(name: str) -> None:
    sim = CASES[name].begun()
    run(sim, 2)
    CASES[name].worse(sim)
    guard = run(sim, 150)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", METRICS[name].reason)
    assert guard["state"] == "Harm"
    for version in ("m-1", "m-2"):
        assert version in record["message"]
    found = replay(saved(sim, "m-2"))
    assert found.different == []
    assert (found.judged[-1].conclusion.verdict, found.judged[-1].conclusion.metric) == ("harm", name)
    assert guard["logEvidence"] == repr(found.judged[-1].state.guards[0].log_evidence)


@EVERY
def test_without_data_there_is_no_evidence(name: str) -> None:
    sim = CASES[name].begun()
    first = sim.state()
    for _ in range(8):
        sim.step(0)
        sim.look()
    state = sim.state()
    assert state["state"] != "Harm"
    assert counts(state)[1:] == counts(first)[1:]
    assert float(state["logEvidence"]) <= 0.0


@pytest.mark.parametrize(("case", "broken"), BROKEN)
def test_what_is_no_number_counts_as_nothing(case: Case, broken: Change) -> None:
    sim = case.begun()
    before = run(sim, 8)
    broken(sim)
    state = run(sim, 8)
    assert "candidate" in sim.status
    assert state["state"] != "Harm"
    assert grown(before, state)
    assert isfinite(float(state["logEvidence"]))


@EVERY
def test_sources_that_begin_anew_take_nothing_back(name: str) -> None:
    sim = CASES[name].begun()
    before = run(sim, 8)
    begins_anew(sim)
    for _ in range(12):
        after = run(sim, 1)
        assert grown(before, after)
        assert after["state"] != "Harm"
        before = after
    sim.now += 150.0  # what has fallen once is not believed for a while
    CASES[name].worse(sim)
    after = run(sim, 8)
    assert counts(after)[0] > counts(before)[0]


@EVERY
def test_a_source_that_was_away_goes_on_from_where_it_was(name: str) -> None:
    case = CASES[name]
    sim = case.begun()
    before = run(sim, 8)
    case.away(sim)
    away = run(sim, 6)
    assert away["state"] in ("NoEvidence", "Watching")
    assert sim.status["candidate"]["verdict"] == "NoEvidence"
    case.back(sim)
    after = run(sim, 20)
    assert after["state"] == "Watching"
    assert grown(before, away)
    assert grown(away, after)
    served = sum(sim.served.values()) + sim.asked
    assert max(counts(after)[1:]) <= served


@EVERY
def test_who_looks_again_or_after_a_restart_counts_nothing_twice(name: str) -> None:
    sim = CASES[name].begun()
    run(sim, 7)
    again = copy.deepcopy(sim)
    state = sim.state()
    sim.look()
    assert counts(sim.state()) == counts(state)
    for _ in range(7):
        sim.close()
        again.close()
        again.look()
        assert counts(sim.state()) == counts(again.state())
        assert sim.state()["logEvidence"] == again.state()["logEvidence"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.additive])
def test_long_windows_count_what_short_ones_do(name: str) -> None:
    short, long = CASES[name].begun(), CASES[name].begun()
    for sim in (short, long):  # what was kept before the first look is nobody's, and what is usual comes first
        run(sim, 8)
    for _ in range(6):
        short.close()
        short.close()
        long.step()
        long.close()
    for sim in (short, long):
        for _ in range(6):
            sim.close(0)
    assert counts(short.state())[1:] == counts(long.state())[1:]


@EVERY
def test_a_guard_that_is_edited_begins_anew(name: str) -> None:
    case = CASES[name]
    sim = case.begun()
    old = run(sim, 8)
    sim.spec["rollout"]["guard"] = [case.another]
    sim.look()
    new = sim.state()
    assert new["digest"] != old["digest"]
    assert counts(new)[0] <= 1
    case.worse(sim)
    assert run(sim, 150)["state"] == "Harm"


@EVERY
def test_what_is_not_guarded_is_not_held_against_anybody(name: str) -> None:
    case = CASES[name]
    sim = case.begun()
    run(sim, 8)
    off = [{"metric": "gauge", "gauge": {"value": "gauge:{{version}}"}}, {"metric": "errors", "off": True}]
    sim.spec["rollout"]["guard"] = off if name == "errors" else [{"metric": "errors"}]
    sim.look()
    assert name not in [one["guard"].split("/")[1] for one in sim.candidate["guards"]]
    case.worse(sim)
    run(sim, 15)
    assert "candidate" in sim.status
