"""Old ModelVersions through the real kernel: killed at every write, in storms, and while people change their minds."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fairlead.cluster.errors import NotFound
from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import (
    DEPLOYMENT,
    JOB,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    POD,
    rfc3339,
)
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from tests.effort import few
from tests.sim.apiserver import ApiServer
from tests.sim.factory import CONFIG, NAMESPACE, Bucket
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators, alone, died_before
from tests.sim.virtualtime import run_virtual

Json = dict[str, Any]
EPOCH = 1_800_000_000.0
SPECS = (pipeline.SPEC, run.SPEC, modelversion.SPEC, alone(deployment.SPEC))
VERSIONS, LIVE = 30, "m-2"
STORM = Faults(latency=0.05, unavailable=0.1, too_many=0.05, lost_answer=0.1, watch_lag=0.5, duplicate=0.2,
               broken_watch=0.1, gone=0.05)  # fmt: skip


class Shelf(Operators):
    """Thirty old versions of a model, of which a Deployment serves one, and a Pipeline that keeps three."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults = random.Random(seed), faults
        kinds = {PIPELINE, PIPELINE_RUN, MODEL_VERSION, DEPLOYMENT, JOB, POD}
        self.server = ApiServer(self.now, with_status=kinds)
        super().__init__()
        self._controllers = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
        history = {"versions": {"approved": 3, "age": "0s"}}
        self._put(PIPELINE, "p", {"steps": [{"name": "train", "image": "i"}], "history": history}, {})
        self._put(DEPLOYMENT, "front", {"model": {"version": LIVE}, "route": {"gateway": {"name": "g"}}},
                  {"live": {"version": LIVE, "since": rfc3339(EPOCH)}})  # fmt: skip
        for number in range(1, VERSIONS + 1):
            self._version(number)

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def _put(self, kind: Any, name: str, spec: Json, status: Json, **meta: Any) -> None:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec,
                "metadata": {"name": name, "namespace": NAMESPACE} | meta}  # fmt: skip
        self.server.create(kind, body)
        self.server.edit(kind, NAMESPACE, name, lambda obj: obj.update(status=status))

    def _version(self, number: int) -> None:
        lineage = {"pipeline": "p", "run": f"p-{number}", "runUid": f"run-{number}"}
        spec = {"model": "m", "artifact": {"uri": "s3://bucket/m", "sha256": "a" * 64}, "lineage": lineage}
        status = {"phase": "Approved", "observedGeneration": 1, "conditions": [
            {"type": "Approved", "status": "True", "reason": "Approved", "lastTransitionTime": rfc3339(EPOCH)}
        ]}  # fmt: skip
        labels = {"fairlead.dev/pipeline": "p", "app.kubernetes.io/managed-by": "fairlead"}
        notes = {"fairlead.dev/created-by-uid": f"run-{number}"}
        self._put(MODEL_VERSION, f"m-{number}", spec, status, labels=labels, annotations=notes)

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        self.started(Kernel(SPECS, kube, source, Bucket(), CONFIG, clock=self.now, rng=self.rng, pace=Pace()))

    def left(self) -> set[str]:
        """Names of the versions that are there."""
        return {one["metadata"]["name"] for one in self.server.all(MODEL_VERSION)}

    async def until_left(self, names: set[str], within: float = 900.0) -> None:
        """Wait until these versions are left, and the Pipeline says so. Raises AssertionError."""
        end = self.loop.time() + within
        while self.left() != names or self._said() != ("False", "StillNeeded", VERSIONS - len(names)):
            assert self.loop.time() < end, f"left: {sorted(self.left() ^ names)}, said: {self._said()}"
            await asyncio.sleep(0.2)

    def _said(self) -> tuple[str, str, int]:
        status = self.server.get(PIPELINE, NAMESPACE, "p").get("status") or {}
        found = [c for c in status.get("conditions", ()) if c["type"] == "VersionsCleared"]
        told = (found[0]["status"], found[0]["reason"]) if found else ("", "")
        return (*told, status.get("clearedVersions", 0))


STAY = {LIVE, *(f"m-{number}" for number in range(VERSIONS - 2, VERSIONS + 1))}


async def life(at: int, after: bool, seed: int, faults: Faults) -> bool:
    """All of it, with a crash at a write. False if it was over before that write. One that the API server has refused
    is none to die after."""
    world = Shelf(seed, faults)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until_left(STAY), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until_left(STAY)
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_clears_the_same_away(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(4, 1) if after else 1
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 28


@pytest.mark.parametrize("seed", range(6))
def test_in_a_storm_the_same_is_cleared_away(seed: int) -> None:
    run_virtual(life(2 + seed * 5, seed % 2 == 0, seed, STORM))


@pytest.mark.parametrize("seed", range(6))
def test_what_somebody_has_kept_in_time_stays(seed: int) -> None:
    """While versions are cleared away, people say of some that they shall stay: whoever was heard in time is right."""

    async def story() -> None:
        world = Shelf(seed, STORM)
        kept = set()
        try:
            world.start()
            for number in world.rng.sample(range(1, VERSIONS + 1), 12):
                await asyncio.sleep(world.rng.uniform(0, 0.4))
                try:
                    world.server.edit(MODEL_VERSION, NAMESPACE, f"m-{number}", _keep)
                except NotFound:
                    continue
                kept.add(f"m-{number}")
            await world.until_left(STAY | kept)
        finally:
            await world.close()

    run_virtual(story())


def _keep(obj: Json) -> None:
    obj["metadata"]["annotations"]["fairlead.dev/keep"] = "please"
