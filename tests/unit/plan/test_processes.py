"""Counters of several processes behind one port: a state of its own, and nothing is judged by what was counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import few
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.deployment import Deployment
from fairlead.plan.deployment.evidence.cursors import AHEAD, Book
from fairlead.plan.requests import Answer, PromQuery, Vector

ERRORS = {"m-1": 0.03, "m-2": 0.03}
LATENCY = {"metric": "latency", "quantile": "p95", "worseBy": "10%"}


def confused(seed: int, many: int, *, who: tuple[str, ...] = ("m-2",), life: int = 500, **more: Any) -> Sim:
    """A rollout of equal versions; of some of them each scrape is answered by any of many processes."""
    sim = Sim(spec(steps=[(50, "10m", 100)], **more), seed=seed, errors=dict(ERRORS))
    sim.go_live()
    sim.traffic(life)
    sim.begin()
    sim.processes = dict.fromkeys(who, many)
    return sim


def rolled_back(sim: Sim) -> bool:
    return any(one["result"] == "RolledBack" for one in sim.status.get("history", []))


@pytest.mark.parametrize("who", [("m-2",), ("m-1",), ("m-1", "m-2")], ids="-".join)
def test_b02_counters_of_several_processes_are_named_and_nothing_is_judged_by_them(who: tuple[str, ...]) -> None:
    for seed in range(6):
        sim = confused(seed, 2 + seed % 3 * 3, who=who, life=500 + 4000 * (seed % 2))
        for _ in range(60):
            sim.tick(60)
            assert len(sim.candidate["cursors"]) <= 8
        assert not rolled_back(sim)
        assert sim.status["live"]["version"] == "m-1"
        told = sim.condition("EvidenceAvailable")
        assert (told["status"], told["reason"]) == ("False", "SeveralProcesses"), seed
        for remedy in ("one process", "multi-process", "from: Proxy"):
            assert remedy in told["message"]
        assert ("promote web -n team --force" in told["message"]) == ("m-1 fell twice" in told["message"])


def test_b02_a_candidate_that_can_not_be_counted_gets_no_requests_for_long() -> None:
    sim = confused(1, 4)
    sim.run(100, 60)
    assert sim.candidate["weight"] == 0
    assert sim.condition("Progressing")["reason"] == "SeveralProcesses"
    sim.now += 86_400
    sim.look()
    assert sim.status["history"][0]["reason"] == "PatienceExceeded"


def test_b02_latency_too() -> None:
    for seed in range(6):
        sim = Sim(spec({"metric": "errors"}, LATENCY, steps=[(50, "10m", 100)]), seed=seed, errors=dict(ERRORS))
        sim.go_live()
        sim.tick(3000)
        sim.begin()
        sim.processes = {"m-1": 3, "m-2": 3}
        sim.run(40, 60)
        assert not rolled_back(sim)
        assert {guard["reason"] for guard in sim.candidate["guards"]} == {"SeveralProcesses"}
        assert len(sim.candidate["cursors"]) <= 16


def test_b02_a_watch_after_the_promotion_takes_nothing_back_by_them() -> None:
    for seed in range(few(2, 8)):
        sim = Sim(spec(steps=[(50, "3s", 20)]), seed=seed, errors=dict(ERRORS))
        sim.go_live()
        sim.traffic(2000)
        sim.begin()
        sim.run(60, 100)
        assert sim.status["live"]["version"] == "m-2"
        sim.processes = {"m-2": 4}
        for _ in range(40):
            sim.tick(300, seconds=10)
            assert len(sim.status["watch"]["cursors"]) <= 8
        assert sim.status["live"]["version"] == "m-2"
        told = sim.condition("Watched")
        assert (told["status"], told["reason"]) == ("False", "SeveralProcesses"), seed
        assert "one process" in told["message"]


def test_b02_one_restart_inside_the_container_goes_on_counting() -> None:
    """A supervisor that begins the server anew, of which Kubernetes never tells."""
    sim = confused(3, 1)
    sim.run(5, 60)
    sim.begin_anew("m-2")
    sim.tick(20)
    assert sim.condition("EvidenceAvailable")["reason"] == "CountersFell"
    sim.run(20, 60)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    guard = sim.candidate["guards"][0]
    assert guard["candidate"] == {"requests": sim.served["m-2"], "failures": sim.failed["m-2"]}
    sim.errors["m-2"] = 0.9
    sim.run(5, 60)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"


def test_b02_falls_that_turn_out_to_be_restarts_are_believed_again() -> None:
    sim = confused(4, 1)
    sim.run(3, 60)
    began = sim.now
    for requests in (40, 20):
        sim.begin_anew("m-2")
        sim.tick(requests)
    assert sim.condition("EvidenceAvailable")["reason"] == "SeveralProcesses"
    for _ in range(2):
        sim.tell_of_restart("m-2", began)
    sim.tick(60)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    assert sim.candidate["guards"][0]["candidate"]["requests"] == sim.served["m-2"]


def test_b02_harm_that_was_about_to_be_found_is_not_found_by_a_fall() -> None:
    """All that a process has counted in its life is no window: a fall alone takes nothing back."""
    sim = confused(5, 1, who=())
    sim.run(3, 60)
    counts = sim.counted[sim.pods("m-2")[0]["metadata"]["uid"]]
    counts.requests, counts.failures = counts.requests - 1, counts.requests - 1
    sim.tick(0)
    assert not rolled_back(sim)
    assert sim.condition("EvidenceAvailable")["reason"] == "CountersFell"


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=60), st.booleans())
@settings(max_examples=60)
def test_b02_the_list_of_cursors_is_bounded_whatever_is_read(read: list[tuple[int, int]], told: bool) -> None:
    book = Book(())
    for number, (requests, failures) in enumerate(read):
        restarts = number // 7 if told else 0
        book.read_process("candidate/u", restarts, (requests, min(requests, failures)), from_zero=False)
        book.keep(lambda source, now=restarts: int(source.split("/")[2]) >= now)
        assert len(book) <= 1 + AHEAD
        assert 0 <= book.falls("candidate/u", restarts) <= AHEAD


@given(st.integers(0, 200), st.integers(2, 9))
@settings(max_examples=10, deadline=None)
def test_b02_the_status_can_be_read_and_written_at_any_time(seed: int, many: int) -> None:
    sim = confused(seed, many, who=("m-1", "m-2"))
    for number in range(25):
        sim.tick(30)
        if number % 5 == 4:
            sim.tell_of_restart("m-2", sim.now)
        Deployment.model_validate({"spec": sim.spec, "status": sim.status})
        assert len(json.dumps(sim.status)) < 20_000


def test_b02_a_gauge_is_no_counter() -> None:
    sim = confused(6, 1)
    sim.pages["m-2"] = lambda counts: f'requests_total{{code="200"}} {counts.requests % 7}\n'
    sim.run(40, 60)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("EvidenceAvailable")["reason"] == "SeveralProcesses"
    assert "no counter" in sim.condition("EvidenceAvailable")["message"]


OUTCOMES = {
    "metric": "outcomes", "promql": {"total": "total:{{version}}", "failures": "failures:{{version}}"}, "minEvents": 5,
}  # fmt: skip


class Scraped(Sim):
    """An application of three processes that count outcomes; each scrape is answered by one of them."""

    several = True

    def traffic(self, requests: int) -> None:
        before = {version: list(counts) for version, counts in self.outcomes.items()}
        super().traffic(requests)
        self.scraped = self.random.randrange(3)
        for version, (total, wrong) in self.outcomes.items():
            old = before.get(version, [0, 0])
            parts = self.parts.setdefault(version, [[0, 0], [0, 0], [0, 0]])
            number = self.random.randrange(3)
            parts[number] = [parts[number][0] + total - old[0], parts[number][1] + wrong - old[1]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parts: dict[str, list[list[int]]] = {}
        self.scraped = 0

    def _query(self, request: PromQuery) -> Answer:
        part, _, version = request.expression.rpartition(":")
        if not self.several or version not in self.parts:
            return super()._query(request)
        total, wrong = self.parts[version][self.scraped]
        return Vector((("series", float(total if part == "total" else wrong)),))


def test_b02_outcomes_that_several_processes_count_are_not_judged() -> None:
    for seed in range(few(2, 8)):
        wanted = spec({"metric": "errors"}, OUTCOMES, steps=[(50, "10m", 100)])
        sim = Scraped(wanted, seed=seed, wrong={"m-1": 0.3, "m-2": 0.3})
        sim.go_live()
        for _ in range(10):
            sim.traffic(100)
        sim.begin()
        sim.run(60, 60)
        assert not rolled_back(sim), sim.status["history"][0]["message"]
        told = sim.condition("EvidenceAvailable")
        assert (told["status"], told["reason"]) == ("False", "SeveralProcesses")
        assert "spec.rollout.guard[1].promql" in told["message"]
        sim.several = False
        sim.run(140, 60)
        assert sim.condition("EvidenceAvailable")["status"] == "True", "it heals"


def test_b02_an_application_that_begins_anew_once_goes_on_to_be_counted() -> None:
    sim = Sim(spec({"metric": "errors"}, OUTCOMES, steps=[(50, "10m", 100)]), wrong={"m-1": 0.3, "m-2": 0.3})
    sim.go_live()
    sim.traffic(1000)
    sim.begin()
    sim.run(5, 60)
    before = sim.candidate["guards"][1]["candidate"]["requests"]
    sim.outcomes = {}
    sim.tick(40)
    assert sim.condition("EvidenceAvailable")["reason"] == "CountersFell"
    seen = sim.candidate["guards"][1]["candidate"]["requests"]
    assert seen == before + sim.outcomes["m-2"][0]
    sim.run(130, 20)
    assert sim.condition("EvidenceAvailable")["status"] == "True"
    sim.wrong["m-2"] = 0.9
    sim.run(10, 100)
    assert sim.status["history"][0]["reason"] == "OutcomesWorse"
