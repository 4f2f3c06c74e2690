"""Guardrails and targets: the last step is left only when what must be proven is; and harm still ends it."""

from __future__ import annotations

from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.deployment import Deployment


def guarded(**guard: str) -> dict:
    found = spec()
    found["rollout"] |= {
        "steps": [{"weight": 50, "for": "2s", "requests": 50}], "patience": "5m",
        "guard": [{"metric": "errors", **guard}],
    }  # fmt: skip
    return found


def run(sim: Sim, ticks: int, requests: int = 400) -> int:
    """Ticks until the rollout has ended."""
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    for tick in range(ticks):
        sim.tick(requests)
        if "candidate" not in sim.status:
            return tick
    return ticks


def test_a_guardrail_waits_for_its_proof_and_says_so() -> None:
    sim = Sim(guarded(role="guardrail", worseBy="2%"), errors={"m-1": 0.01, "m-2": 0.01})
    assert run(sim, 6, requests=40) == 6
    assert "proof that 0/errors is worse by at most 2%" in sim.condition("Progressing")["message"]
    for _ in range(120):
        sim.tick(400)
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"
    proven = sim.status["history"][0]["guards"][0]["proven"]
    assert float(proven["logEvidence"]) >= float(proven["bound"])


def test_a_guardrail_that_is_worse_is_taken_back() -> None:
    sim = Sim(guarded(role="guardrail", worseBy="2%"), errors={"m-1": 0.01, "m-2": 0.3})
    run(sim, 60)
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_target_that_is_only_as_good_never_goes_live() -> None:
    sim = Sim(guarded(role="target"), errors={"m-1": 0.02, "m-2": 0.02})
    run(sim, 320, requests=100)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["history"][0]["reason"] in ("PatienceExceeded", "ErrorsWorse")


def test_a_target_that_is_better_goes_live() -> None:
    sim = Sim(guarded(role="target"), errors={"m-1": 0.2, "m-2": 0.02})
    run(sim, 60)
    assert sim.status["live"]["version"] == "m-2"


def test_a_latency_guardrail_is_proven_by_requests_below_the_threshold() -> None:
    body = guarded()
    body["rollout"]["guard"] = [{"metric": "latency", "quantile": "p90", "role": "guardrail", "worseBy": "50%"}]
    sim = Sim(body, slow={"m-1": 0.02, "m-2": 0.02})
    run(sim, 120)
    assert sim.status["live"]["version"] == "m-2"


def test_status_keeps_every_bit_of_a_proof() -> None:
    sim = Sim(guarded(role="guardrail", worseBy="2%"), errors={"m-1": 0.01, "m-2": 0.01})
    run(sim, 6, requests=40)
    status = Deployment.model_validate({"spec": sim.spec, "status": sim.status}).status
    assert status.candidate
    proven = status.candidate.guards[0].proven
    assert proven
    assert len(proven.log_lr) == 4
    assert float(proven.log_evidence) != 0.0
