"""Steps for each item through the real kernel: killed at every write, in storms, with two operators at once; and what
an item costs the API server."""

from __future__ import annotations

from collections import Counter

import pytest

from fairlead.api.items import mask_of
from fairlead.plan.core import JOB, PIPELINE_RUN
from tests.effort import few
from tests.sim.factory import ITEMS, Factory, Json
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.test_factory import STORM
from tests.sim.virtualtime import run_virtual

RETRY = {"limit": 9, "backoff": "1s"}
EACH = {
    "triggers": [{"dataset": {"name": "rows"}}],
    "steps": [
        {"name": "prepare", "image": "i", "inputs": {"raw": {"dataset": "rows"}}, "outputs": {"x": {}}, "retry": RETRY,
         "each": {"dataset": "rows", "distinct": ["region", "size"], "maxParallel": 2},
         "command": ["prepare", "{{each.region}}"]},
        {"name": "train", "image": "i", "inputs": {"x": {"output": "prepare.x"}}, "outputs": {"model": {}},
         "each": {"itemsOf": "prepare"}, "retry": RETRY},
        {"name": "report", "image": "i", "inputs": {"models": {"output": "train.model"}}, "retry": RETRY},
    ],
}  # fmt: skip


def wide(items: int, parallel: int) -> Json:
    """A matrix of so many items."""
    matrix = {"a": [str(n) for n in range(items // 10)], "b": [str(n) for n in range(10)]}
    return {
        "triggers": [{"dataset": {"name": "rows"}}],
        "steps": [{"name": "train", "image": "i", "each": {"matrix": matrix, "maxParallel": parallel}}],
    }


def check_end(world: Factory) -> None:
    """What must be so in the end, whatever happened on the way."""
    made = Counter(world.made("jobs"))
    assert all(count == 1 for count in made.values()), f"a Job was made twice: {made}"
    assert world.overlaps == []
    (one,) = world.server.all(PIPELINE_RUN)
    assert one["status"]["phase"] == "Completed", one["status"]
    for step in one["status"]["steps"]:
        if items := step.get("items"):
            assert (items["completed"], items["live"]) == (items["total"], [])
            assert not mask_of(items["failed"])
    digests = [step["items"]["digest"] for step in one["status"]["steps"] if step.get("items")]
    assert len(set(digests)) == len(digests)


async def life(at: int, after: bool, seed: int, faults: Faults, mishaps: float = 0.0) -> bool:
    """One version of the data, with a crash at a write. False if it was over before that write."""
    world = Factory(seed, faults, mishaps, EACH)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until_finished(), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until_finished()
        check_end(world)
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_converges(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(11, 1)
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 40


@pytest.mark.parametrize("seed", range(few(3, 10)))
def test_a_kill_in_a_storm_with_mishaps_converges(seed: int) -> None:
    run_virtual(life(2 + seed * 7, seed % 2 == 0, seed, STORM, mishaps=0.2))


@pytest.mark.parametrize("seed", range(few(2, 6)))
def test_two_operators_at_once_do_no_harm(seed: int) -> None:
    async def story() -> None:
        world = Factory(seed, STORM, steps=EACH)
        try:
            world.start()
            world.start()
            await world.until_finished()
            check_end(world)
        finally:
            await world.close()

    run_virtual(story())


@pytest.mark.parametrize("parallel", [1, 10])
def test_an_item_costs_at_most_eight_writes(parallel: int) -> None:
    async def story() -> tuple[int, int]:
        world = Factory(1, Faults(), steps=wide(100, parallel))
        try:
            world.start()
            await world.until_finished()
            check_end(world)
            assert len(world.server.all(JOB)) <= 1  # that which read the data
            return len(world.kube.writes), len(world.made("jobs"))
        finally:
            await world.close()

    writes, jobs = run_virtual(story())
    assert jobs == 101
    assert writes / 100 <= 8


def test_all_items_of_the_data_were_run() -> None:
    async def story() -> list[str]:
        world = Factory(5, Faults(), steps=EACH)
        try:
            world.start()
            await world.until_finished()
            changes = [change.obj for change in world.server.log if change.kind == JOB and change.type == "ADDED"]
            return [
                job["spec"]["template"]["spec"]["initContainers"][-1]["command"][-1]
                for job in changes
                if job["metadata"]["labels"].get("fairlead.dev/step") == "prepare"
                and "fairlead.dev/item" in job["metadata"]["labels"]
            ]
        finally:
            await world.close()

    assert sorted(run_virtual(story())) == sorted(region or "" for region, _ in ITEMS)
