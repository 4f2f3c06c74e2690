"""Where a ModelVersion is used, through the real kernel: settled versions cost nothing, and say what is the case."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import DEPLOYMENT, JOB, MODEL_VERSION, PIPELINE, PIPELINE_RUN, POD, rfc3339
from tests.sim.apiserver import ApiServer
from tests.sim.factory import CONFIG, NAMESPACE, Bucket
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators, died_before
from tests.sim.test_history import EPOCH, SPECS
from tests.sim.virtualtime import run_virtual

Json = dict[str, Any]
NOW = rfc3339(EPOCH)
TAKEN_BACK = {
    "live": {"version": "m-1", "since": NOW}, "refused": ["m-2"],
    "history": [{"version": "m-2", "against": "m-1", "result": "RolledBack", "reason": "ErrorsWorse",
                 "startedAt": NOW, "endedAt": NOW}],
}  # fmt: skip


class Street(Operators):
    """A Deployment, and three versions that an older Fairlead has approved."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.loop, self.rng, self.faults = asyncio.get_running_loop(), random.Random(1), faults or Faults()
        kinds = {PIPELINE, PIPELINE_RUN, MODEL_VERSION, DEPLOYMENT, JOB, POD}
        self.server = ApiServer(self.now, with_status=kinds)
        super().__init__()
        self._controllers = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
        for number in (1, 2, 3):
            artifact = {"uri": "s3://bucket/m", "sha256": "a" * 64}
            self._put(MODEL_VERSION, f"m-{number}", {"model": "m", "artifact": artifact}, {
                "phase": "Approved", "observedGeneration": 1,
                "conditions": [{"type": "Approved", "status": "True", "reason": "Approved", "lastTransitionTime": NOW}],
            })  # fmt: skip
        self._put(DEPLOYMENT, "front", {"model": {"version": "m-1"}, "route": {"gateway": {"name": "g"}}}, {
            "live": {"version": "m-1", "since": NOW}, "candidate": {"version": "m-2", "since": NOW, "against": "m-1"},
        })  # fmt: skip

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def _put(self, kind: Any, name: str, spec: Json, status: Json) -> None:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec,
                "metadata": {"name": name, "namespace": NAMESPACE}}  # fmt: skip
        self.server.create(kind, body)
        self.become(kind, name, status)

    def become(self, kind: Any, name: str, status: Json) -> None:
        self.server.edit(kind, NAMESPACE, name, lambda obj: obj.update(status=status))

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        kube, source = (
            FakeKube(self.server, self.rng, self.faults, crash),
            FakeSource(self.server, self.rng, self.faults),
        )
        self.started(Kernel(SPECS, kube, source, Bucket(), CONFIG, clock=self.now, rng=self.rng, pace=Pace()))

    def said(self) -> list[str]:
        """What the versions say of their use."""
        return [one["status"].get("inUse", "?") for one in self.server.all(MODEL_VERSION)]

    async def until(self, *said: str) -> None:
        """Wait for what they say. Raises AssertionError."""
        end = self.loop.time() + 120
        while self.said() != list(said):
            assert self.loop.time() < end, self.said()
            await asyncio.sleep(0.1)


def test_b14_a_version_says_where_it_is_live_and_that_it_was_taken_back() -> None:
    async def story() -> None:
        world = Street()
        try:
            world.start()
            await world.until("live in front", "on its way in front", "")
            ready = [
                c for v in world.server.all(MODEL_VERSION) for c in v["status"]["conditions"] if c["type"] == "Ready"
            ]
            assert [c["status"] for c in ready] == ["True"] * 3, "an older Fairlead did not say so"
            world.become(DEPLOYMENT, "front", TAKEN_BACK)
            await world.until("live in front", "refused by front (ErrorsWorse)", "")
            before = [one["metadata"]["resourceVersion"] for one in world.server.all(MODEL_VERSION)]
            world.become(DEPLOYMENT, "front", {**TAKEN_BACK, "readyReplicas": 3, "history": []})
            await asyncio.sleep(60)
            after = [one["metadata"]["resourceVersion"] for one in world.server.all(MODEL_VERSION)]
            assert before == after, "why it was taken back stays, and nothing else has changed"
            world.server.delete(DEPLOYMENT, NAMESPACE, "front")
            await world.until("", "", "")
        finally:
            await world.close()

    run_virtual(story())


async def life(at: int, after: bool) -> bool:
    """A rollback at any moment, with a crash at a write. False if it was over before that write."""
    world = Street()
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until("live in front", "on its way in front", ""), crash)
        await world.kill()
        world.become(DEPLOYMENT, "front", TAKEN_BACK)
        world.start()
        await world.until("live in front", "refused by front (ErrorsWorse)", "")
        return crashed or crash.writes >= at
    finally:
        await world.close()


def test_what_happened_while_no_operator_ran_is_said_too() -> None:
    for after in (False, True):
        at, crashed = 0, True
        while crashed:
            at += 1
            crashed = run_virtual(life(at, after))
        assert at > 3


def test_a_deployment_that_went_while_no_operator_ran_is_not_named_any_more() -> None:
    async def story() -> None:
        world = Street()
        try:
            world.start()
            await world.until("live in front", "on its way in front", "")
            await world.kill()
            world.server.delete(DEPLOYMENT, NAMESPACE, "front")
            world.start()
            await world.until("", "", "")
        finally:
            await world.close()

    run_virtual(story())
