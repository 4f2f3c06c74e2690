"""Blue-green, as docs/how-to/blue-green.md describes it: a preview, a word, one write, and a way back that is warm."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim, spec

from fairlead.plan.core import HTTP_ROUTE

AT = "2026-01-01T00:00:00Z"


def begun() -> Sim:
    body = spec()
    body["rollout"] |= {
        "steps": [{"weight": 0, "for": "10s", "manual": True}], "guard": [{"metric": "errors"}],
        "afterPromotion": {"for": "1h", "standby": "1h"},
    }  # fmt: skip
    sim = Sim(body)
    sim.go_live()
    sim.begin()
    return sim


def asked_by_header(sim: Sim) -> set[str]:
    """Versions that a header leads to."""
    rules = sim.of(HTTP_ROUTE)["web"]["spec"]["rules"]
    matches = [match for rule in rules for match in rule.get("matches", [])]
    return {h["value"] for match in matches for h in match.get("headers", []) if h["name"] == "x-fairlead-version"}


def test_a_preview_a_word_one_write_and_back_again() -> None:
    sim = begun()
    for _ in range(12):
        sim.tick(50)
    assert sim.shares() == {"m-1": 100}
    assert asked_by_header(sim) == {"m-1", "m-2"}
    assert "m-2" not in sim.served
    assert "kubectl fairlead continue web" in sim.condition("Progressing")["message"]
    sim.spec["override"] = {"action": "Continue", "version": "m-2", "reason": "looked at", "at": AT}
    sim.tick(50)
    sim.tick(50)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.shares() == {"m-2": 100}
    for _ in range(4):
        sim.tick(50)
    old = {pod["metadata"]["uid"] for pod in sim.pods("m-1")}
    assert old, "the old version's pods stay"
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "customers complain", "at": AT}
    sim.tick(50)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert {pod["metadata"]["uid"] for pod in sim.pods("m-1")} == old
    assert "m-2" in sim.status["refused"]
    assert sim.failed.get("m-1", 0) == 0
