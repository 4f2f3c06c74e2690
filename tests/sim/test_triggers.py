"""A condition that stays True, through the real kernel: killed at every write, in storms, it is the same few runs."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import (
    DEPLOYMENT,
    JOB,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    rfc3339,
)
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from tests.sim.apiserver import ApiServer
from tests.sim.factory import CONFIG, NAMESPACE, Bucket
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators, alone, died_before
from tests.sim.test_history import STORM
from tests.sim.virtualtime import run_virtual

Json = dict[str, Any]
EPOCH = 1_800_000_000.0


SPECS = (pipeline.SPEC, alone(run.SPEC), alone(modelversion.SPEC), alone(deployment.SPEC))
GIVE_UP = 3


class Loop(Operators):
    """A Deployment whose world has changed, a Pipeline that goes by it, and runs whose versions are rejected."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults = random.Random(seed), faults
        self.server = ApiServer(self.now, with_status={PIPELINE, PIPELINE_RUN, MODEL_VERSION, DEPLOYMENT, JOB})
        super().__init__()
        self._controllers = asyncio.create_task(self._runs())
        self._put(PIPELINE, "p", {
            "steps": [{"name": "train", "image": "i", "outputs": {"model": {"type": "model"}}}],
            "produces": [{"model": "m", "from": "train.model", "version": {}}],
            "triggers": [{"condition": {"deployment": "front", "type": "WorldChanged", "for": "10s"}}],
            "limits": {"backoff": "30s", "giveUp": GIVE_UP},
        }, {})  # fmt: skip
        said = {"type": "WorldChanged", "status": "True", "reason": "MoreWrong", "message": "",
                "lastTransitionTime": rfc3339(EPOCH)}  # fmt: skip
        self._put(DEPLOYMENT, "front", {"model": {"name": "m"}, "route": {"gateway": {"name": "g"}}},
                  {"live": {"version": "m-0", "since": rfc3339(EPOCH)}, "conditions": [said]})  # fmt: skip

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def _put(self, kind: Any, name: str, spec: Json, status: Json, **meta: Any) -> None:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec,
                "metadata": {"name": name, "namespace": NAMESPACE} | meta}  # fmt: skip
        self.server.create(kind, body)
        self.server.edit(kind, NAMESPACE, name, lambda obj: obj.update(status=status))

    async def _runs(self) -> None:
        """Each run is completed after a while, and its version is rejected some time later."""
        while True:
            await asyncio.sleep(3)
            for one in self.server.all(PIPELINE_RUN):
                if not (one.get("status") or {}).get("phase"):
                    self._complete(one["metadata"])

    def _complete(self, meta: Json) -> None:
        name = f"m-of-{meta['name']}"
        self._put(
            MODEL_VERSION, name, {"model": "m", "artifact": {"uri": "s3://bucket/m", "sha256": "a" * 64}},
            {"phase": "Rejected", "message": "no better"},
            labels={"fairlead.dev/pipeline": "p", "fairlead.dev/run": meta["name"]},
            annotations={"fairlead.dev/created-by-uid": meta["uid"]},
        )  # fmt: skip
        ended = {"phase": "Completed", "models": [name], "message": ""}
        self.server.edit(PIPELINE_RUN, NAMESPACE, meta["name"], lambda obj: obj.update(status=ended))

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        self.started(Kernel(SPECS, kube, source, Bucket(), CONFIG, clock=self.now, rng=self.rng, pace=Pace()))

    def status(self) -> Json:
        return self.server.get(PIPELINE, NAMESPACE, "p").get("status") or {}

    def gave_up(self) -> bool:
        """Whether a person is asked."""
        said = {one["type"]: one["status"] for one in self.status().get("conditions", ())}
        return said.get("GaveUp") == "True"

    async def until_it_gives_up(self, within: float = 900.0) -> None:
        """Wait. Raises AssertionError."""
        end = self.loop.time() + within
        while not self.gave_up():
            assert self.loop.time() < end, self.status()
            await asyncio.sleep(0.2)

    def check(self) -> None:
        """Runs are as many as they may be, each for a decision of its own, and not sooner than they may be."""
        runs = sorted(one["metadata"]["name"] for one in self.server.all(PIPELINE_RUN))
        status = self.status()
        assert runs == [f"p-{number}" for number in range(1, GIVE_UP + 1)]
        assert (status["runs"], sum(status["starts"]["days"].values())) == (GIVE_UP, GIVE_UP)
        said = [one["because"] or one["run"] for one in status["decisions"]]
        said = [one for one in said if one != "Proving"]  # for a moment, if it is looked at just then
        assert said == ["GaveUp", "p-3", "BackOff", "p-2", "BackOff", "p-1"]
        times = [one["at"] for one in reversed(status["decisions"]) if one["run"]]
        assert times == sorted(times)
        assert times[0] >= rfc3339(EPOCH + 10)


async def life(at: int, after: bool, seed: int, faults: Faults) -> bool:
    """All of it, with a crash at a write. False if it was over before that write."""
    world = Loop(seed, faults)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until_it_gives_up(), crash)
        if crashed:
            await world.kill()
            await asyncio.sleep(world.rng.uniform(0, 60))
            world.start()
        await world.until_it_gives_up()
        await asyncio.sleep(120)
        world.check()
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_makes_the_same_runs(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += 1
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 3 * GIVE_UP


@pytest.mark.parametrize("seed", range(4))
def test_in_a_storm_the_same_runs_are_made(seed: int) -> None:
    run_virtual(life(2 + seed * 3, seed % 2 == 0, seed, STORM))


def test_while_nothing_happens_nothing_is_written() -> None:
    async def story() -> None:
        world = Loop(1, Faults())
        try:
            world.start()
            await world.until_it_gives_up()
            await asyncio.sleep(60)
            version = world.server.get(PIPELINE, NAMESPACE, "p")["metadata"]["resourceVersion"]
            await asyncio.sleep(2 * 3600)
            assert world.server.get(PIPELINE, NAMESPACE, "p")["metadata"]["resourceVersion"] == version
        finally:
            await world.close()

    run_virtual(story())
