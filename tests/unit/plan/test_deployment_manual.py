"""Steps that a person must let go on."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim, spec


def begun(**errors: float) -> Sim:
    body = spec()
    body["rollout"] |= {
        "steps": [{"weight": 20, "for": "3s", "requests": 10, "manual": True}, {"weight": 50, "for": "3s"}],
        "guard": [{"metric": "errors"}],
    }  # fmt: skip
    sim = Sim(body, errors=errors)
    sim.go_live()
    sim.begin()
    return sim


def ticks(sim: Sim, count: int) -> None:
    for _ in range(count):
        sim.tick(100)


def let_on(sim: Sim, version: str = "m-2", at: str = "2026-01-01T00:00:00Z") -> None:
    sim.spec["override"] = {"action": "Continue", "version": version, "reason": "looked at", "at": at}


def test_a_person_is_waited_for_and_told_what_to_type() -> None:
    sim = begun()
    ticks(sim, 30)
    assert sim.status["candidate"]["weight"] == 20
    assert "kubectl fairlead continue web -n team" in sim.condition("Progressing")["message"]
    let_on(sim)
    ticks(sim, 20)
    assert sim.status["live"]["version"] == "m-2"
    assert "LetOn" in sim.events


def test_a_word_in_advance_holds_for_the_step_and_evidence_is_waited_for() -> None:
    sim = begun()
    sim.tick(100)
    let_on(sim)
    sim.tick(100)
    assert sim.status["candidate"]["weight"] == 20
    ticks(sim, 20)
    assert sim.status["live"]["version"] == "m-2"


def test_harm_is_taken_back_while_a_person_is_waited_for() -> None:
    sim = begun(**{"m-1": 0.01, "m-2": 0.01})
    ticks(sim, 20)
    sim.errors["m-2"] = 0.6
    ticks(sim, 10)
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_word_for_another_version_changes_nothing() -> None:
    sim = begun()
    ticks(sim, 5)
    let_on(sim, "m-7")
    ticks(sim, 5)
    assert sim.status["candidate"]["weight"] == 20
    assert "OverrideIgnored" in sim.events
