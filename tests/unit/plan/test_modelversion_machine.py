"""A ModelVersion under everything that can happen to it: it never has two proofs at a time, and it always ends."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.plan.littleworld import CONFIG, Crash, LittleWorld, stopped

from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import TaskResult
from fairlead.plan.core import JOB, MODEL_VERSION, POD, Json
from fairlead.plan.model.plan import SPEC

NAME = "m-2"
ENDS = ("Approved", "Rejected", "Revoked")
ERRORS = ["DigestMismatch", "Unreachable", "ObjectMissing", "ServerFailed", "BadData", "AccessDenied"]
SERVERS = {"images": {"worker": "worker:1", "runtimes": {"sklearn": "sklearn:1"}}}


def version(name: str, **spec: Any) -> Json:
    artifact = {"uri": f"s3://store/{name}/", "sha256": "a" * 64}
    return {"kind": "ModelVersion", "metadata": {"name": name}, "spec": {"model": "m", "artifact": artifact} | spec}


def said(**member: Any) -> str:
    return TaskResult.model_validate(member).model_dump_json(by_alias=True, exclude_none=True)


class ProofMachine(RuleBasedStateMachine):
    """The operator looks and is killed; pods run, end and vanish; other versions go live; people approve."""

    def __init__(self) -> None:
        super().__init__()
        self.world = LittleWorld(config=OperatorConfig.model_validate(CONFIG.model_dump() | SERVERS))
        self.proofs = 0
        self.final: str | None = None

    @initialize(approval=st.booleans())
    def make(self, approval: bool) -> None:
        evaluation = {
            "features": ["x"], "target": "y", "metrics": ["mae"],
            "data": {"artifact": {"uri": "s3://store/test/", "sha256": "b" * 64}},
            "gates": [{"metric": "mae", "against": "champion"}],
        }  # fmt: skip
        policy = {"approval": {"required": 1, "expires": "1h"}} if approval else {}
        self.world.put(version(NAME, evaluation=evaluation, **policy))

    @property
    def status(self) -> Json:
        return self.world.status(MODEL_VERSION, NAME)

    @property
    def waiting(self) -> list[Json]:
        """Jobs whose pod has not ended."""
        ended = {
            p["metadata"]["name"] for p in self.world.select(POD) if p["status"]["phase"] in ("Succeeded", "Failed")
        }
        return [j for j in self.world.select(JOB) if f"{j['metadata']['name']}-x" not in ended]

    @rule(crash=st.sampled_from([None, None, 0, 1, 2]))
    def look(self, crash: int | None) -> None:
        try:
            self.world.look(SPEC, NAME, crash_after=crash)
        except Crash:
            return

    @rule(seconds=st.sampled_from([1, 10, 300, 1800]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += seconds

    @precondition(lambda self: self.waiting)
    @rule()
    def pod_runs(self) -> None:
        self.world.pod(self.waiting[0], "Running", initContainerStatuses=[stopped("fetch", 0, '{"fetched": 3}')])

    @precondition(lambda self: self.waiting)
    @rule(verdict=st.sampled_from(["Passed", "Passed", "Failed"]))
    def proof_ends(self, verdict: str) -> None:
        self.proofs += 1
        gate = {"gate": "mae against champion", "verdict": verdict}
        result = {"digest": f"{self.proofs:064x}", "report": "s3://r", "rows": 1, "scores": [], "gates": [gate]}
        self.world.pod(self.waiting[0], "Succeeded", initContainerStatuses=[stopped("fetch", 0, '{"fetched": 3}')],
                       containerStatuses=[stopped("evaluate", 0, said(evaluate=result))])  # fmt: skip

    @precondition(lambda self: self.waiting)
    @rule(reason=st.sampled_from(ERRORS), fetched=st.booleans())
    def proof_fails(self, reason: str, fetched: bool) -> None:
        message = said(error={"reason": reason, "message": "x"})
        fetch = stopped("fetch", 0, '{"fetched": 3}') if fetched else stopped("fetch", 1, message)
        main = [stopped("evaluate", 1, message)] if fetched else []
        self.world.pod(self.waiting[0], "Failed", initContainerStatuses=[fetch], containerStatuses=main)

    @property
    def known(self) -> list[str]:
        """Jobs that the operator has seen. One that goes before it was seen is like one that was not made."""
        unseen = "" if self.status.get("job", {}).get("uid") else self.status.get("job", {}).get("name", "")
        return [j["metadata"]["name"] for j in self.world.select(JOB) if j["metadata"]["name"] != unseen]

    @precondition(lambda self: self.known)
    @rule(index=st.integers(0, 3))
    def job_vanishes(self, index: int) -> None:
        self.world.remove(JOB, self.known[index % len(self.known)])

    @rule(name=st.sampled_from(["m-0", "m-1"]))
    def another_goes_live(self, name: str) -> None:
        self.world.put(version(name) | {"status": {"phase": "Approved"}})
        self.world.put({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {},
                        "status": {"live": {"version": name, "since": "2026-01-01T00:00:00Z"}}})  # fmt: skip

    @rule(current=st.booleans())
    def somebody_approves(self, current: bool) -> None:
        evidence = (self.status.get("evidence") or {}).get("digest", "f" * 64) if current else "e" * 64
        raw = self.world.objects["ModelVersion", NAME]
        raw["spec"]["approvals"] = [{"user": "ann", "evidence": evidence}]
        raw["metadata"]["generation"] += 1

    @invariant()
    def one_proof_at_a_time(self) -> None:
        assert len(self.waiting) <= 2, "the last one, and the one that replaces it until it is deleted"
        assert len(set(self.world.created)) == len(self.world.created), "no Job is made twice"

    @invariant()
    def what_is_final_stays(self) -> None:
        phase = self.status.get("phase", "")
        if self.final:
            assert phase == self.final
        elif phase in ENDS:
            self.final = phase

    @invariant()
    def approved_means_proven_and_agreed(self) -> None:
        if self.status.get("phase") != "Approved":
            return
        evidence = self.status["evidence"]
        assert all(g["verdict"] != "Failed" for g in evidence["gates"])
        if self.world.objects["ModelVersion", NAME]["spec"].get("approval"):
            assert self.status["approvedBy"] == ["ann"]

    def teardown(self) -> None:
        """In a world without trouble it comes to an end."""
        for _ in range(30):
            self.world.settle(SPEC, NAME)
            if self.status["phase"] in ENDS:
                return
            if self.waiting:
                self.proof_ends("Passed")
            self.world.now += 3700
        raise AssertionError(f"it never ends: {self.status}")


TestProofMachine = ProofMachine.TestCase
TestProofMachine.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
