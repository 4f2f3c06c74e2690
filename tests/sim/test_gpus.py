"""Rollouts that share scarce GPUs end, whoever comes first, whatever breaks on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairlead.plan.core import WORKLOAD
from tests.sim.fakecluster import Faults
from tests.sim.gpuworld import GpuWorld
from tests.sim.virtualtime import run_virtual

Story = Callable[[GpuWorld], Awaitable[None]]
STORM = Faults(latency=0.05, unavailable=0.05, too_many=0.02, lost_answer=0.05, watch_lag=0.5, duplicate=0.2)


def play(story: Story, **how: Any) -> None:
    """Tell a story in virtual time."""

    async def run() -> None:
        world = GpuWorld(**how)
        world.start()
        try:
            await story(world)
        finally:
            await world.close()

    run_virtual(run())


async def both_live(world: GpuWorld, replicas: int) -> None:
    """Two Deployments are live."""
    for name in ("a", "b"):
        world.deploy(name, replicas)
        world.version(name, 1)
    await world.until({"a": "a-1", "b": "b-1"}, 200)
    assert world.used() == 2 * replicas


@pytest.mark.parametrize("faults", [Faults(), STORM], ids=["calm", "storm"])
@pytest.mark.parametrize(("replicas", "spare"), [(1, 1), (2, 2), (2, 3)])
def test_two_candidates_with_room_for_one_both_go_live(replicas: int, spare: int, faults: Faults) -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, replicas)
        world.most_pending = 0
        for name in ("a", "b"):
            world.version(name, 2)
        await world.until({"a": "a-2", "b": "b-2"})
        assert world.most_pending <= replicas  # never pods of both
        assert not any(world.status(name).get("refused") for name in ("a", "b"))

    play(story, gpus=2 * replicas + spare, faults=faults)


def test_one_that_waits_says_for_whom_and_has_no_pods() -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 1)
        world.version("a", 2)
        await asyncio.sleep(5)
        world.version("b", 2)
        await asyncio.sleep(5)
        said = next(c for c in world.status("b")["conditions"] if c["type"] == "Progressing")
        assert (said["status"], said["reason"]) == ("False", "WaitingForGpus")
        assert "a-2 of a (1, starts)" in said["message"]
        assert {w["metadata"]["labels"]["fairlead.dev/version"] for w in world.server.all(WORKLOAD)} == {
            "a-1", "b-1", "a-2",
        }  # fmt: skip

    play(story, gpus=2)


def test_a_budget_bounds_what_candidates_ask_for() -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 1)
        most = 0
        for name in ("a", "b"):
            world.version(name, 2)
        for _ in range(600):
            await asyncio.sleep(0.1)
            most = max(most, world.used())
            if world.live("a") == "a-2" and world.live("b") == "b-2":
                break
        # the version that was live drains beside the next candidate
        assert (world.live("a"), world.live("b")) == ("a-2", "b-2")
        assert most <= 4

    play(story, gpus=8, surge={"gpus": 1})


def test_one_that_is_larger_than_the_budget_says_so_and_holds_up_nobody() -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 1)
        world.version("a", 2, gpus=2)
        await asyncio.sleep(3)
        world.version("b", 2)
        await world.until({"b": "b-2"})
        said = next(c for c in world.status("a")["conditions"] if c["type"] == "Progressing")
        assert "surge.gpus" in said["message"]

    play(story, gpus=8, surge={"gpus": 1})


def test_without_room_it_lets_go_and_asks_again_until_there_is_some() -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 2)
        world.version("a", 2)
        await asyncio.sleep(40)
        place = world.status("a")["candidate"]["place"]
        assert (place["state"], place["tries"]) == ("Waiting", 1)
        assert world.used() == 4
        world.gpus = 6
        await world.until({"a": "a-2"})

    play(story, gpus=5, surge={"wait": 20})


def test_a_partner_that_finds_no_room_does_not_hold_up_the_next() -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 1)
        world.version("a", 2, gpus=4)
        await asyncio.sleep(3)
        world.version("b", 2)
        await world.until({"b": "b-2"}, 120)
        assert world.status("a")["candidate"]["place"]["tries"] >= 1

    play(story, gpus=3, surge={"wait": 20})


@pytest.mark.parametrize("at", [3.0, 6.2, 8.4, 11.0])
def test_a_killed_operator_goes_on_where_it_was(at: float) -> None:
    async def story(world: GpuWorld) -> None:
        await both_live(world, 2)
        for name in ("a", "b"):
            world.version(name, 2)
        await asyncio.sleep(at)
        await world.kill()
        await asyncio.sleep(2)
        world.start()
        await world.until({"a": "a-2", "b": "b-2"})

    play(story, gpus=6)
