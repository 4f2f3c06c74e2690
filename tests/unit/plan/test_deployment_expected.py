"""How long a rollout will still take, as people see it."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_shadow import begun as shadowing
from tests.unit.plan.test_deployment_shadow import shadowed

from fairlead.api.units import seconds


def begun(steps: list[dict], patience: str = "1h", **rollout: object) -> Sim:
    body = spec()
    body["rollout"] |= {"steps": steps, "patience": patience, **rollout}
    sim = Sim(body, errors={"m-1": 0.02, "m-2": 0.02})
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    for _ in range(12):
        sim.tick(100)
    return sim


def test_what_is_left_of_this_step_and_of_the_next() -> None:
    sim = begun([{"weight": 10, "for": "60s", "requests": 10}, {"weight": 50, "for": "30s", "requests": 1500}])
    candidate = sim.status["candidate"]
    assert candidate["step"] == 0
    assert 70 < seconds(candidate["expected"]) < 90, "48 s here, and 30 s for 1,500 requests there"
    assert 30 < seconds(candidate["doubling"]) < 120


def test_nothing_is_said_before_the_traffic_is_known() -> None:
    body = spec()
    sim = Sim(body)
    sim.go_live()
    sim.begin()
    sim.tick(100)
    assert sim.status["candidate"]["expected"] == ""


def test_a_rollout_that_cannot_end_in_time_says_what_to_change() -> None:
    sim = begun([{"weight": 10, "for": "5s", "requests": 100_000}], patience="10m")
    told = sim.condition("Progressing")
    assert told["reason"] == "TooSlow"
    assert "raise the weights" in told["message"]


def test_a_proof_takes_its_time() -> None:
    quick = begun([{"weight": 50, "for": "60s", "requests": 10}])
    slow = begun([{"weight": 50, "for": "60s", "requests": 10}], guard=[
        {"metric": "errors", "role": "guardrail", "worseBy": "0.5%"},
    ])  # fmt: skip
    assert seconds(slow.status["candidate"]["expected"]) > seconds(quick.status["candidate"]["expected"])


def test_shadow_steps_and_previews_take_their_time_too() -> None:
    steps = [{"shadow": "50%", "for": "60s", "requests": 10}, {"weight": 20, "for": "30s", "requests": 10}]
    sim = shadowing(shadowed({"metric": "errors"}, steps=steps), errors={"m-1": 0.02, "m-2": 0.02})
    for _ in range(12):
        sim.tick(100)
    candidate = sim.candidate
    assert candidate["step"] == 0
    assert 70 < seconds(candidate["expected"]) < 90, "48 s here, and 30 s there"
    assert candidate["doubling"].endswith("s")
