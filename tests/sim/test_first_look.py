"""Versions that only their pods verify, through the real kernel: the operator is killed at every write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fairlead.api import halves
from fairlead.plan.core import DEPLOYMENT, JOB, MODEL_VERSION, POD
from tests.effort import few
from tests.sim.fakecluster import Crash, Faults
from tests.sim.gpuworld import METRICS, NAMESPACE, GpuWorld
from tests.sim.virtualtime import run_virtual

Json = dict[str, Any]
STORM = Faults(latency=0.05, unavailable=0.05, too_many=0.02, lost_answer=0.05, watch_lag=0.5, duplicate=0.2)
WRONG = '{"error":{"reason":"DigestMismatch","message":"s3://bucket/a has other bytes"}}'


class Verified(GpuWorld):
    """Pods say how their fetch has ended. `wrong`: versions with other bytes."""

    def __init__(self, *wrong: str, faults: Faults | None = None) -> None:
        super().__init__(8, faults=faults)
        self.wrong = wrong

    def made(self, name: str, number: int) -> None:
        """A version as people make it: nobody has looked at it."""
        self._put(MODEL_VERSION, f"{name}-{number}", {
            "model": name, "artifact": {"uri": f"s3://bucket/{name}", "sha256": "a" * 64},
            "server": {"runtime": "custom", "image": "i", "metrics": METRICS},
        })  # fmt: skip

    def mv(self, name: str) -> Json:
        """A version's status."""
        found: Json = self.server.get(MODEL_VERSION, NAMESPACE, name).get("status", {})
        return found

    def _status(self, kind: Any, obj: Json, status: Json) -> None:
        version = (obj["metadata"].get("labels") or {}).get("fairlead.dev/version", "")
        if kind == POD and status["phase"] == "Running":
            bad = version in self.wrong
            end = {"exitCode": 1, "message": WRONG} if bad else {"exitCode": 0, "message": '{"fetched":3}'}
            status["initContainerStatuses"] = [{"name": "fetch", "restartCount": 0, "state": {"terminated": end}}]
            if bad:
                status["phase"] = "Pending"
                status["conditions"] = [{"type": "Ready", "status": "False"}]
                del status["containerStatuses"]
        super()._status(kind, obj, status)


def verified(status: Json) -> str:
    """The condition's status."""
    return next((str(c["status"]) for c in status.get("conditions", []) if c["type"] == "Verified"), "")


async def told(world: Verified) -> None:
    """A version, and one with other bytes: both are settled by their pods, and nothing else."""
    world.deploy("a")
    world.made("a", 1)
    await world.until({"a": "a-1"}, 120)
    world.made("a", 2)
    end = world.loop.time() + 120
    while world.mv("a-2").get("phase") != "Rejected" or verified(world.mv("a-1")) != "True":
        assert world.loop.time() < end, (world.mv("a-1"), world.mv("a-2"), world.status("a"))
        await asyncio.sleep(0.2)
    await asyncio.sleep(40)  # longer than a Job would wait
    assert (world.mv("a-1")["phase"], world.mv("a-2")["phase"]) == ("Approved", "Rejected")
    assert world.live("a") == "a-1"
    assert not halves.own({"status": world.status("a")}, "findings"), "both know it"
    assert [(one["version"], one["reason"]) for one in world.status("a")["history"]] == [
        ("a-2", "DigestMismatch"), ("a-1", "Promoted"),
    ]  # fmt: skip
    assert not world.server.all(JOB)
    pods = [pod["metadata"]["labels"]["fairlead.dev/version"] for pod in world.server.all(POD)]
    assert pods == ["a-1"]
    assert world.server.get(DEPLOYMENT, NAMESPACE, "a")


def test_pods_verify_and_refuse_in_a_storm() -> None:
    async def play() -> None:
        world = Verified("a-2", faults=STORM)
        world.start()
        try:
            await told(world)
        finally:
            await world.close()

    run_virtual(play())


@pytest.mark.parametrize(("at", "after"), [
    *((at, False) for at in range(1, 25)), *((at, True) for at in range(1, 25, few(4, 1))),
])  # fmt: skip
def test_a_kill_at_any_write_changes_nothing(at: int, after: bool) -> None:
    async def play() -> None:
        world, crash = Verified("a-2"), Crash(at, after)
        world.start(crash)

        async def again() -> None:
            await crash.dead.wait()
            await world.kill()
            await asyncio.sleep(1)
            world.start()

        revived = asyncio.create_task(again())
        try:
            await told(world)
        finally:
            revived.cancel()
            await asyncio.gather(revived, return_exceptions=True)
            await world.close()

    run_virtual(play())
