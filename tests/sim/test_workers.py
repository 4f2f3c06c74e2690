"""Steps with several workers through the real kernel, killed at its writes, in storms, with pods that fail."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from fairlead.plan.core import PIPELINE_RUN, SERVICE
from tests.effort import few
from tests.sim.fakecluster import Crash, Faults
from tests.sim.gangs import Gangs
from tests.sim.operators import died_before
from tests.sim.test_factory import STORM
from tests.sim.virtualtime import run_virtual


async def life(at: int, after: bool, seed: int, faults: Faults, mishaps: float = 0.0) -> bool:
    """One version of the data, with a crash at a write. False if it was over before that write."""
    world = Gangs(seed, faults, mishaps)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until_finished(), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until_finished()
        await asyncio.sleep(30)
        check_end(world)
        return crashed or crash.writes >= at
    finally:
        await world.close()


def check_end(world: Gangs) -> None:
    """What must be so in the end, whatever happened on the way."""
    assert all(count == 1 for count in Counter(world.made("jobs")).values())
    assert world.beside == [], "an attempt ran beside another one"
    assert world.server.all(SERVICE) == []
    (run,) = world.server.all(PIPELINE_RUN)
    assert run["status"]["phase"] == "Completed", run["status"]
    train = run["status"]["steps"][0]
    assert "failing" not in train
    assert train["attempt"] == 1 + train.get("failures", 0) + train.get("disruptions", 0)
    assert len(set(world.made("services"))) == train["attempt"], "a name for each attempt"
    assert set(train["log"]["kept"]) <= {1, 2}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_converges(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(5, 1)
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 15


@pytest.mark.parametrize("seed", range(few(4, 20)))
def test_a_kill_in_a_storm_with_pods_that_fail_converges(seed: int) -> None:
    run_virtual(life(2 + seed * 3, seed % 2 == 0, seed, STORM, mishaps=0.15))
