"""A fault that hits both versions: nobody is taken back, nobody is promoted, and it goes on when it is over."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim, spec


def test_an_upstream_outage_freezes_the_rollout_until_it_is_over() -> None:
    body = spec()
    body["rollout"] |= {"steps": [{"weight": 20, "for": "15s", "requests": 50}], "guard": [{"metric": "errors"}]}
    sim = Sim(body, errors={"m-1": 0.01, "m-2": 0.01})
    sim.go_live()
    sim.traffic(3000)
    sim.begin()
    for _ in range(5):
        sim.tick(100)
    sim.errors = {"m-1": 0.5, "m-2": 0.5}
    for _ in range(40):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["candidate"]["verdict"] == "NoEvidence"
    told = sim.condition("EvidenceAvailable")
    assert told["reason"] == "LiveWorse"
    assert "m-1 itself fails more" in told["message"]
    sim.errors = {"m-1": 0.01, "m-2": 0.01}
    for _ in range(40):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"


def test_a_candidate_that_is_worse_in_an_outage_too_is_taken_back() -> None:
    body = spec()
    body["rollout"] |= {"steps": [{"weight": 20, "for": "60s", "requests": 50}], "guard": [{"metric": "errors"}]}
    sim = Sim(body, errors={"m-1": 0.3, "m-2": 0.9})
    sim.go_live()
    sim.begin()
    for _ in range(30):
        sim.tick(100)
    assert sim.status["history"][0]["result"] == "RolledBack"
