"""Kill the operator between any two writes, break what can break: the end is the same, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from fairlead.plan.core import JOB
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.toys import CONFIG_MAP, TOY, toy
from tests.sim.virtualtime import run_virtual
from tests.sim.world import SimWorld

STORM = Faults(
    latency=0.05, unavailable=0.15, too_many=0.05, lost_answer=0.1, watch_lag=0.5, duplicate=0.2, broken_watch=0.1,
    gone=0.05,
)  # fmt: skip


def check_end(world: SimWorld, attempts: int) -> None:
    """What must be so in the end, whatever happened on the way."""
    made = Counter(world.made("jobs"))
    assert all(count == 1 for count in made.values()), f"a Job was made twice: {made}"
    assert len(made) == attempts * len(world.server.all(TOY))
    assert world.server.all(JOB) == []
    assert set(world.colours().values()) == {"red"}
    for one in world.server.all(TOY):
        assert one["status"]["attempt"] == attempts
        assert world.condition(one["metadata"]["name"])["status"] == "True"


def all_done(world: SimWorld) -> bool:
    return all(one.get("status", {}).get("done") for one in world.server.all(TOY)) and not world.server.all(JOB)


async def life_with_a_crash(at: int, after: bool, seed: int, faults: Faults) -> bool:
    """One life with a crash at a write. False if it was over before that write."""
    world = SimWorld(seed, faults)
    world.start_controllers()
    try:
        world.server.create(TOY, toy("bear", attempts=2))
        world.server.create(TOY, toy("cat", attempts=2))
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until(lambda: all_done(world), 600), crash)
        if crashed:
            await world.kill()
            world.start()
            await world.until(lambda: all_done(world), 600)
        await asyncio.sleep(5)
        check_end(world, attempts=2)
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_between_any_two_writes_converges(after: bool) -> None:
    """At every single write of the two toys' lives."""
    at = 0
    crashed = True
    while crashed:
        at += 1
        crashed = run_virtual(life_with_a_crash(at, after, seed=at, faults=Faults()))
    assert at > 20


@pytest.mark.parametrize("seed", range(12))
def test_a_kill_in_a_storm_converges(seed: int) -> None:
    """Crashes, lost answers, stale watches and an API server that fails, all together."""
    run_virtual(life_with_a_crash(1 + seed * 2, seed % 2 == 0, seed, STORM))


@pytest.mark.parametrize("seed", range(4))
def test_two_operators_at_once_do_no_harm(seed: int) -> None:
    """Even without any lease: deterministic names and resource versions are the second wall."""

    async def story() -> None:
        world, twin = SimWorld(seed, STORM), SimWorld(seed + 100, STORM)
        twin.server = world.server
        world.start_controllers()
        try:
            for n in range(4):
                world.server.create(TOY, toy(f"toy-{n}", attempts=2))
            world.start()
            twin.start()
            await world.until(lambda: all_done(world), 600)
            await asyncio.sleep(5)
            check_end(world, attempts=2)
        finally:
            await twin.close()
            await world.close()

    run_virtual(story())


def test_a_deleted_and_remade_object_is_another_one() -> None:
    """The children of the first are not the second's."""

    async def story() -> None:
        world = SimWorld(3, Faults(watch_lag=0.3))
        world.start_controllers()
        try:
            for _ in range(5):
                world.server.create(TOY, toy("bear"))
                world.start()
                await asyncio.sleep(world.rng.uniform(0.0, 1.0))
                world.server.delete(TOY, "play", "bear")
                await world.kill()
            made = world.server.create(TOY, toy("bear"))
            world.start()
            await world.until(lambda: all_done(world), 600)
            await world.until(lambda: "bear-config" in world.colours(), 600)
            config: Any = world.server.get(CONFIG_MAP, "play", "bear-config")
            assert config["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        finally:
            await world.close()

    run_virtual(story())
