"""Leader election: one leader, whatever the API server does."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import FakeKube, Faults
from tests.sim.virtualtime import run_virtual

from fairlead.cluster import errors as api
from fairlead.cluster.port import LEASE
from fairlead.engine.lease import Lease, LeaseLost


def story(tell: Callable[[ApiServer], Awaitable[None]]) -> None:
    async def run() -> None:
        await tell(ApiServer(lambda: 1_800_000_000.0))

    run_virtual(run())


def lease(server: ApiServer, name: str, faults: Faults | None = None) -> Lease:
    return Lease(FakeKube(server, random.Random(name), faults or Faults()), "system", "fairlead", name)


def test_the_first_one_leads_and_the_second_waits() -> None:
    async def tell(server: ApiServer) -> None:
        a, b = lease(server, "a"), lease(server, "b")
        await a.acquire()
        a.assert_held()
        keeping = asyncio.create_task(a.keep())
        waiting = asyncio.create_task(b.acquire())
        await asyncio.sleep(300)
        assert not waiting.done()
        assert a.held
        with pytest.raises(api.NotLeading):
            b.assert_held()
        keeping.cancel()
        waiting.cancel()

    story(tell)


def test_a_dead_leader_is_replaced_after_its_time() -> None:
    async def tell(server: ApiServer) -> None:
        a, b = lease(server, "a"), lease(server, "b")
        await a.acquire()
        waiting = asyncio.create_task(b.acquire())
        begun = asyncio.get_running_loop().time()
        await waiting
        took = asyncio.get_running_loop().time() - begun
        assert 12.0 <= took <= 14.0
        assert not a.held, "the old one knew before the new one began"
        assert server.get(LEASE, "system", "fairlead")["spec"]["leaseTransitions"] == 2

    story(tell)


def test_a_released_lease_is_taken_at_once() -> None:
    async def tell(server: ApiServer) -> None:
        a, b = lease(server, "a"), lease(server, "b")
        await a.acquire()
        waiting = asyncio.create_task(b.acquire())
        await asyncio.sleep(5)
        await a.release()
        begun = asyncio.get_running_loop().time()
        await waiting
        assert asyncio.get_running_loop().time() - begun <= 2.5
        assert not a.held

    story(tell)


def test_the_same_pod_leads_again_at_once_after_a_crash() -> None:
    async def tell(server: ApiServer) -> None:
        await lease(server, "a").acquire()
        begun = asyncio.get_running_loop().time()
        await lease(server, "a").acquire()
        assert asyncio.get_running_loop().time() - begun < 0.1

    story(tell)


def test_without_the_api_server_the_lease_is_lost_in_time() -> None:
    async def tell(server: ApiServer) -> None:
        faults = Faults()
        a = lease(server, "a", faults)
        await a.acquire()
        faults.unavailable = 1.0
        begun = asyncio.get_running_loop().time()
        with pytest.raises(LeaseLost):
            await a.keep()
        took = asyncio.get_running_loop().time() - begun
        assert 8.0 <= took < 12.0

    story(tell)


def test_a_short_outage_changes_nothing() -> None:
    async def tell(server: ApiServer) -> None:
        faults = Faults()
        a = lease(server, "a", faults)
        await a.acquire()
        keeping = asyncio.create_task(a.keep())
        faults.unavailable = 1.0
        await asyncio.sleep(7)
        faults.unavailable = 0.0
        await asyncio.sleep(20)
        assert not keeping.done()
        assert a.held
        keeping.cancel()

    story(tell)


def test_a_stolen_lease_is_noticed() -> None:
    async def tell(server: ApiServer) -> None:
        a = lease(server, "a")
        await a.acquire()
        server.edit(LEASE, "system", "fairlead", lambda o: o["spec"].update(holderIdentity="thief"))
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(a.keep(), 5)
        assert not a.held

    story(tell)


@pytest.mark.parametrize("seed", range(5))
def test_never_two_leaders_at_a_time(seed: int) -> None:
    async def tell(server: ApiServer) -> None:
        faults = Faults(latency=0.5, unavailable=0.2, lost_answer=0.2)
        rng = random.Random(seed)
        alive: dict[str, Lease] = {}

        async def live(name: str) -> None:
            while True:
                alive[name] = found = lease(server, f"{name}", faults)
                await found.acquire()
                with contextlib.suppress(LeaseLost, TimeoutError):
                    await asyncio.wait_for(found.keep(), rng.uniform(1, 60))

        lives = [asyncio.create_task(live(name)) for name in "abc"]
        leaders = 0
        for _ in range(6000):
            await asyncio.sleep(0.1)
            held = [name for name, found in alive.items() if found.held]
            assert len(held) <= 1, held
            leaders += len(held)
        assert leaders > 3000, "mostly somebody leads"
        for task in lives:
            task.cancel()

    story(tell)
