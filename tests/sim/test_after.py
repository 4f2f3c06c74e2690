"""Pipelines one after the other, through the real kernel: killed at any write, in storms, each run is followed once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import JOB, PIPELINE, PIPELINE_RUN
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
SPECS = (pipeline.SPEC, alone(run.SPEC))
ROUNDS = 2


class Chain(Operators):
    """`a` is run by hand; `b` comes after it, and `c` after both."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults = random.Random(seed), faults
        self.server = ApiServer(self.now, with_status={PIPELINE, PIPELINE_RUN, JOB})
        super().__init__()
        for name, before in (("a", ""), ("b", "a"), ("c", "ba")):
            triggers = [{"after": {"pipeline": one}} for one in before]
            self._put(PIPELINE, name, {"steps": [{"name": "s", "image": "i"}], "triggers": triggers})
        self._controllers = asyncio.create_task(self._runs())

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def _put(self, kind: Any, name: str, spec: Json, **meta: Any) -> None:
        self.server.create(kind, {
            "apiVersion": kind.api_version, "kind": kind.kind, "spec": spec,
            "metadata": {"name": name, "namespace": NAMESPACE} | meta,
        })  # fmt: skip

    async def _runs(self) -> None:
        """Each run is completed after a while."""
        while True:
            await asyncio.sleep(3)
            for one in self.server.all(PIPELINE_RUN):
                if not (one.get("status") or {}).get("phase"):
                    self.server.edit(PIPELINE_RUN, NAMESPACE, one["metadata"]["name"],
                                     lambda obj: obj.update(status={"phase": "Completed", "message": ""}))  # fmt: skip

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        self.started(Kernel(SPECS, kube, source, Bucket(), CONFIG, clock=self.now, rng=self.rng, pace=Pace()))

    def followed(self, name: str) -> list[str]:
        """Runs of `a`, or of `b`, that runs of a Pipeline have followed."""
        mine = (one for one in self.server.all(PIPELINE_RUN) if one["spec"]["pipeline"] == name)
        return sorted(run for one in mine for run in one["spec"].get("after", {}).values())

    def said(self, name: str) -> str:
        """What was handled last."""
        handled = (self.server.get(PIPELINE, NAMESPACE, name).get("status") or {}).get("handled", {})
        return str(handled.get("after/a", "")).partition("/")[2]

    async def go(self) -> None:
        """Runs of `a` by hand, each when all has followed the one before."""
        for number in range(1, ROUNDS + 1):
            name = f"a-{number}"
            known = {one["metadata"]["name"] for one in self.server.all(PIPELINE_RUN)}
            if name not in known:
                self._put(PIPELINE_RUN, name, {"pipeline": "a"}, labels={"fairlead.dev/pipeline": "a"})
            end = self.loop.time() + 900
            while not (name in self.followed("b") and name in self.followed("c") and self._still()):
                assert self.loop.time() < end, [self.server.get(PIPELINE, NAMESPACE, one) for one in "bc"]
                await asyncio.sleep(0.5)

    def _still(self) -> bool:
        """Whether all runs have ended, and the last one of `b` was followed."""
        ended = all((one.get("status") or {}).get("phase") for one in self.server.all(PIPELINE_RUN))
        made = [one["metadata"]["name"] for one in self.server.all(PIPELINE_RUN) if one["spec"]["pipeline"] == "b"]
        return ended and set(made) <= set(self.followed("c"))

    def check(self) -> None:
        """Each run was followed once, by each."""
        mine = [f"a-{number}" for number in range(1, ROUNDS + 1)]
        assert self.followed("b") == mine
        assert self.followed("c") == sorted([*mine, *(f"b-{number}" for number in range(1, ROUNDS + 1))])
        assert (self.said("b"), self.said("c")) == (mine[-1], mine[-1])


async def life(at: int, after: bool, seed: int, faults: Faults) -> bool:
    """All of it, with a crash at a write. False if it was over before that write."""
    world = Chain(seed, faults)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.go(), crash)
        if crashed:
            await world.kill()
            await asyncio.sleep(world.rng.uniform(0, 30))
            world.start()
        await world.go()
        await asyncio.sleep(60)
        world.check()
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_follows_each_run_once(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += 1
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 4 * ROUNDS


@pytest.mark.parametrize("seed", range(3))
def test_in_a_storm_each_run_is_followed_once(seed: int) -> None:
    run_virtual(life(2 + seed * 5, seed % 2 == 0, seed, STORM))
