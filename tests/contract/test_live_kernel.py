"""The kernel as it runs in production, with Kopf's watch, against the real API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest_asyncio

from fairlead.api.config import Images, OperatorConfig
from fairlead.cluster import errors as api
from fairlead.cluster.client import HttpKube, load_configuration
from fairlead.engine.kernel import Kernel
from fairlead.engine.source import KopfSource
from tests.sim.toys import CONFIG_MAP, SPECS, TOY, toy
from tests.sim.world import FakeAsker

Json = dict[str, Any]


class CountingKube(HttpKube):
    """Counts the writes of objects."""

    writes = 0

    async def _call(self, method: str, verb: str, *rest: Any, **more: Any) -> Json:
        self.writes += method != "GET" and "events" not in rest[1]
        return await super()._call(method, verb, *rest, **more)


class Live:
    """An operator for one namespace."""

    def __init__(self, kube: CountingKube, namespace: str, kubeconfig: str) -> None:
        self.kube, self.namespace = kube, namespace
        config = OperatorConfig(images=Images(worker="worker"), namespaces=[namespace])
        self.kernel = Kernel(SPECS, kube, KopfSource(kubeconfig, [namespace]), FakeAsker(), config)

    async def make(self, name: str, **spec: Any) -> Json:
        made = toy(name, **spec)
        made["metadata"]["namespace"] = self.namespace
        return await self.kube.create(TOY, made)

    async def until(self, true: Callable[[], Coroutine[Any, Any, bool]], within: float = 20.0) -> float:
        begun = time.monotonic()
        while not await true():
            assert time.monotonic() - begun < within
            await asyncio.sleep(0.02)
        return time.monotonic() - begun

    async def colour(self, name: str) -> str:
        try:
            found = await self.kube.get(CONFIG_MAP, self.namespace, f"{name}-config")
        except api.NotFound:
            return ""
        return str(found["data"]["colour"])


@pytest_asyncio.fixture
async def live(http: HttpKube, namespace: str, kubeconfig: str) -> AsyncIterator[Live]:
    """A running operator."""
    del http  # it has put the definitions in place
    kube = CountingKube(await load_configuration(kubeconfig))
    found = Live(kube, namespace, kubeconfig)
    running = asyncio.create_task(found.kernel.run())
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await found.kernel.drain(5.0)
    await kube.close()


async def test_children_follow_the_spec(live: Live) -> None:
    await live.make("bear", colour="brown")

    async def brown() -> bool:
        return await live.colour("bear") == "brown"

    await live.until(brown)


async def test_changes_by_hand_are_seen_through_kopf_within_a_second(live: Live) -> None:
    await live.make("bear")

    async def red() -> bool:
        return await live.colour("bear") == "red"

    await live.until(red)
    await live.until(_watching(live))
    took = []
    for n in range(5):
        found = await live.kube.get(CONFIG_MAP, live.namespace, "bear-config")
        await live.kube.replace(CONFIG_MAP, {**found, "data": {"colour": f"mud-{n}"}})
        took.append(await live.until(red, within=5))
    assert max(took) < 1.0, took


async def test_steady_state_writes_nothing(live: Live) -> None:
    for n in range(5):
        await live.make(f"toy-{n}")

    async def all_there() -> bool:
        return all([await live.colour(f"toy-{n}") == "red" for n in range(5)])

    await live.until(all_there)
    await live.until(_watching(live))
    await asyncio.sleep(3)
    before = live.kube.writes
    for n in range(5):
        live.kernel.router.wake_all(TOY)
        await asyncio.sleep(0.2 * n)
    assert live.kube.writes == before


async def test_deletions_are_seen(live: Live) -> None:
    await live.make("bear")

    async def red() -> bool:
        return await live.colour("bear") == "red"

    await live.until(red)
    await live.until(_watching(live))
    found = await live.kube.get(CONFIG_MAP, live.namespace, "bear-config")
    await live.kube.delete(CONFIG_MAP, live.namespace, "bear-config", found["metadata"]["uid"])
    await live.until(red, within=5)


def _watching(live: Live) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Kopf needs a moment for its own first list."""

    async def watching() -> bool:
        await asyncio.sleep(1.5)
        return live.kernel.watching

    return watching
