"""Components through the real kernel: whoever waits for one is woken, in whichever namespace it is made or granted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.component import plan as component
from fairlead.plan.core import COMPONENT, JOB, PIPELINE, PIPELINE_RUN, POD
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from tests.sim.apiserver import ApiServer
from tests.sim.factory import CONFIG, NAMESPACE, Bucket
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators, died_before
from tests.sim.test_history import STORM
from tests.sim.virtualtime import run_virtual

Json = dict[str, Any]
EPOCH = 1_800_000_000.0
SPECS = (component.SPEC, pipeline.SPEC, run.SPEC)
CLEAN: Json = {"version": "1", "image": "i:1", "command": ["clean", "--most={{params.most}}"],
               "params": {"most": {"type": "integer"}}}  # fmt: skip
STEPS: Json = {"steps": [
    {"name": "clean", "component": {"name": "clean", "namespace": "platform"}, "params": {"most": "5"}},
    {"name": "rest", "image": "r:1", "needs": ["clean"]},
]}  # fmt: skip


class Shared(Operators):
    """A Pipeline in one namespace, and the Component that it uses in another one."""

    def __init__(self, seed: int = 0, faults: Faults | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults = random.Random(seed), faults or Faults()
        self.server = ApiServer(self.now, with_status={COMPONENT, PIPELINE, PIPELINE_RUN, JOB, POD})
        self.kube: FakeKube
        super().__init__()
        self._controllers = asyncio.create_task(asyncio.Event().wait())

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def put(self, kind: Any, name: str, spec: Json, namespace: str = NAMESPACE) -> None:
        self.server.create(kind, {
            "apiVersion": kind.api_version, "kind": kind.kind, "spec": spec,
            "metadata": {"name": name, "namespace": namespace},
        })  # fmt: skip

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        self.kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        self.started(Kernel(SPECS, self.kube, source, Bucket(), CONFIG, clock=self.now, rng=self.rng, pace=Pace()))

    def change(self, spec: Json) -> None:
        """The Component's spec, as its owner writes it."""

        def edit(obj: Json) -> None:
            obj["spec"] = CLEAN | spec

        self.server.edit(COMPONENT, "platform", "clean", edit)

    def ready(self, kind: Any = PIPELINE, name: str = "p", namespace: str = NAMESPACE) -> str:
        status = self.server.get(kind, namespace, name).get("status") or {}
        return next((one["reason"] for one in status.get("conditions") or () if one["type"] == "Ready"), "")

    def phase(self) -> str:
        return str((self.server.get(PIPELINE_RUN, NAMESPACE, "p-1").get("status") or {}).get("phase", ""))

    async def until(self, true: Callable[[], bool], within: float) -> float:
        """Seconds until it is so."""
        began = self.loop.time()
        while not true():
            assert self.loop.time() < began + within, (self.ready(), self.phase(), self.server.all(COMPONENT))
            await asyncio.sleep(0.05)
        return self.loop.time() - began


async def granted_later() -> None:
    world = Shared()
    try:
        world.put(PIPELINE, "p", STEPS)
        world.put(PIPELINE_RUN, "p-1", {"pipeline": "p"})
        world.start()
        await world.until(lambda: world.ready() == "ComponentMissing" and world.phase() == "Pending", 10)
        world.put(COMPONENT, "clean", CLEAN, "platform")
        await world.until(lambda: world.ready(COMPONENT, "clean", "platform") == "Valid", 10)
        await asyncio.sleep(12)
        assert (world.ready(), world.phase()) == ("ComponentMissing", "Pending"), "it is there, and not granted"
        world.change({"allowedNamespaces": [NAMESPACE]})
        took = await world.until(lambda: world.ready() == "Valid" and world.phase() == "Running", 10)
        assert took < 2, "an event has woken them, not the next look"
        world.change({"allowedNamespaces": []})
        await world.until(lambda: world.ready() == "ComponentMissing", 2)
        assert world.phase() == "Running", "a run that has started needs it no more"
    finally:
        await world.close()


def test_a_grant_wakes_the_pipeline_and_its_run_in_the_other_namespace() -> None:
    run_virtual(granted_later())


async def in_steady_state() -> None:
    world = Shared()
    try:
        world.put(COMPONENT, "clean", CLEAN | {"allowedNamespaces": ["*"]}, "platform")
        world.put(PIPELINE, "p", STEPS)
        world.start()
        await world.until(lambda: world.ready() == "Valid", 10)
        await asyncio.sleep(10)
        before = len(world.kube.writes)
        await asyncio.sleep(3600)
        assert world.kube.writes[before:] == []
        world.server.delete(COMPONENT, "platform", "clean")
        assert await world.until(lambda: world.ready() == "ComponentMissing", 10) < 2
    finally:
        await world.close()


def test_nothing_is_written_while_nothing_changes_and_a_deletion_is_told_at_once() -> None:
    run_virtual(in_steady_state())


async def changed_during_a_run() -> None:
    world = Shared()
    try:
        world.put(COMPONENT, "clean", CLEAN | {"allowedNamespaces": ["*"]}, "platform")
        world.put(PIPELINE, "p", STEPS)
        world.put(PIPELINE_RUN, "p-1", {"pipeline": "p"})
        world.start()
        await world.until(lambda: bool(world.server.all(JOB)), 10)
        before = world.server.get(PIPELINE_RUN, NAMESPACE, "p-1")["status"]
        (job,) = world.server.all(JOB)
        world.change({"version": "2", "image": "i:2", "allowedNamespaces": ["*"]})
        await asyncio.sleep(30)
        after = world.server.get(PIPELINE_RUN, NAMESPACE, "p-1")["status"]
        assert (after["template"], after["components"]) == (before["template"], before["components"])
        assert [one["metadata"]["uid"] for one in world.server.all(JOB)] == [job["metadata"]["uid"]]
        world.put(PIPELINE_RUN, "p-2", {"pipeline": "p"})
        await world.until(lambda: len(world.server.all(JOB)) == 2, 10)
        newer = world.server.get(PIPELINE_RUN, NAMESPACE, "p-2")["status"]
        assert [one["version"] for one in (*after["components"], *newer["components"])] == ["1", "2"]
        assert [one["template"]["steps"][0]["image"] for one in (after, newer)] == ["i:1", "i:2"]
    finally:
        await world.close()


def test_a_change_during_a_run_is_for_the_next_one() -> None:
    run_virtual(changed_during_a_run())


async def life(at: int, after: bool, seed: int, faults: Faults) -> bool:
    """A grant, with a crash at a write. False if all was over before that write."""
    world = Shared(seed, faults)
    try:
        world.put(PIPELINE, "p", STEPS)
        world.put(PIPELINE_RUN, "p-1", {"pipeline": "p"})
        world.put(COMPONENT, "clean", CLEAN, "platform")
        crash = Crash(at, after)
        world.start(crash)

        async def go() -> None:
            await world.until(lambda: world.ready() == "ComponentMissing", 300)
            if "allowedNamespaces" not in world.server.get(COMPONENT, "platform", "clean")["spec"]:
                world.change({"allowedNamespaces": [NAMESPACE]})
            await world.until(lambda: world.ready() == "Valid" and bool(world.server.all(JOB)), 300)

        crashed = await died_before(go(), crash)
        if crashed:
            await world.kill()
            if world.rng.random() < 0.5:  # it is granted while no operator sees it
                world.change({"allowedNamespaces": [NAMESPACE]})
            await asyncio.sleep(world.rng.uniform(0, 30))
            world.start()
            if "allowedNamespaces" not in world.server.get(COMPONENT, "platform", "clean")["spec"]:
                await world.until(lambda: world.ready() == "ComponentMissing", 300)
                world.change({"allowedNamespaces": [NAMESPACE]})
            await world.until(lambda: world.ready() == "Valid" and bool(world.server.all(JOB)), 300)
        await asyncio.sleep(30)
        assert len(world.server.all(JOB)) == 1
        status = world.server.get(PIPELINE_RUN, NAMESPACE, "p-1")["status"]
        assert [one["version"] for one in status["components"]] == ["1"]
        return crashed
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += 1
        crashed = run_virtual(life(at, after, at, Faults()))
    assert at > 4


@pytest.mark.parametrize("seed", range(3))
def test_in_a_storm(seed: int) -> None:
    run_virtual(life(2 + seed, seed % 2 == 0, seed, STORM))
