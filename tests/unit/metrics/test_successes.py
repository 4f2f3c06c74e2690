"""Business events by version, as good ones among all: in a rollout and after the promotion."""

from __future__ import annotations

from typing import Any

from tests.unit.plan.rollout_world import Sim, spec

Json = dict[str, Any]
ORDERS: Json = {
    "metric": "outcomes", "promql": {"total": "total:{{version}}", "successes": "successes:{{version}}"},
}  # fmt: skip


def rollout(**wrong: float) -> Sim:
    sim = Sim(spec({"metric": "errors"}, ORDERS), wrong={"m-1": 0.9, "m-2": wrong["candidate"]})
    sim.go_live()
    sim.traffic(500)
    sim.begin()
    return sim


def test_a_version_that_sells_less_is_taken_back() -> None:
    sim = rollout(candidate=0.99)
    sim.run(200, 100)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "OutcomesWorse")
    guard = record["guards"][1]
    assert guard["candidate"]["failures"] / guard["candidate"]["requests"] > 0.95


def test_a_version_that_sells_as_much_goes_live_and_stays_watched() -> None:
    sim = rollout(candidate=0.9)
    sim.run(40, 100)
    assert sim.status["live"]["version"] == "m-2"
    assert [guard["guard"] for guard in sim.status["watch"]["guards"]] == ["0/errors", "1/outcomes"]
    sim.wrong["m-2"] = 1.0
    for _ in range(40):
        sim.tick(200, 20.0)
        sim.ready("m-1")
    assert sim.status["history"][0]["reason"] == "OutcomesWorseAfterPromotion"


def test_what_is_asked_is_named_when_it_can_not_be_had() -> None:
    sim = rollout(candidate=0.9)
    sim.prometheus_down = True
    sim.run(10, 100)
    assert "spec.rollout.guard[1].promql.total" in sim.condition("EvidenceAvailable")["message"]
    assert sim.candidate["weight"] == 10
