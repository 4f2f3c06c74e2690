"""From data to a model through the real kernel, killed at every write, in storms, and with two operators at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter

import pytest

from fairlead.plan.core import JOB, MODEL_VERSION, PIPELINE_RUN
from tests.effort import few
from tests.sim.factory import Factory
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.virtualtime import run_virtual

STORM = Faults(
    latency=0.05, unavailable=0.1, too_many=0.05, lost_answer=0.1, watch_lag=0.5, duplicate=0.2, broken_watch=0.1,
    gone=0.05,
)  # fmt: skip


def check_end(world: Factory, runs: int) -> None:
    """What must be so in the end, whatever happened on the way."""
    made = Counter(world.made("jobs"))
    assert all(count == 1 for count in made.values()), f"a Job was made twice: {made}"
    assert world.overlaps == []
    assert len(world.made("pipelineruns")) == runs
    for one in world.server.all(PIPELINE_RUN):
        assert one["status"]["phase"] == "Completed", one["status"]
        attempts = sum(s["attempt"] for s in one["status"]["steps"])
        jobs = [
            j
            for j in world.server.all(JOB)
            if j["metadata"]["labels"].get("fairlead.dev/run") == one["metadata"]["name"]
        ]
        programs = [j for j in jobs if "initContainers" in j["spec"]["template"]["spec"]]
        assert len(programs) == attempts
    assert sorted(m["metadata"]["name"] for m in world.server.all(MODEL_VERSION)) == [f"m-{n + 1}" for n in range(runs)]


async def over(world: Factory) -> None:
    """Until all has ended, and the last log, for which no run waits, is kept."""
    await world.until_finished()
    await asyncio.sleep(30)


async def life(at: int, after: bool, seed: int, faults: Faults, mishaps: float = 0.0) -> bool:
    """One version of the data, with a crash at a write. False if it was over before that write."""
    world = Factory(seed, faults, mishaps)
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(over(world), crash)
        if crashed:
            await world.kill()
            world.start()
        await over(world)
        check_end(world, 1)
        assert world.kept(), "whatever was killed, each log is kept"
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_converges(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(4, 1) if after else 1
        crashed = run_virtual(life(at, after, seed=at, faults=Faults()))
    assert at > 20


@pytest.mark.parametrize("seed", range(few(5, 10)))
def test_a_kill_in_a_storm_with_mishaps_converges(seed: int) -> None:
    run_virtual(life(2 + seed * 3, seed % 2 == 0, seed, STORM, mishaps=0.3))


def test_the_same_seed_is_the_same_storm_in_each_process() -> None:
    """Sets have another order in each process, by the hashes of strings; what is done has not."""
    program, path = f"from {__name__} import storm; print(storm())", os.pathsep.join(sys.path)
    ends = set()
    for seed in ("1", "3"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
        ends.add(subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True).stdout)
    assert len(ends) == 1, ends


def storm() -> tuple[float, list[tuple[str, str, str]]]:
    """When a storm is over, and what has been asked for until then."""

    async def told() -> tuple[float, list[tuple[str, str, str]]]:
        world = Factory(0, STORM)
        try:
            world.start()
            await world.until_finished()
            return world.now(), world.kube.calls
        finally:
            await world.close()

    return run_virtual(told())


@pytest.mark.parametrize("seed", range(3))
def test_two_operators_at_once_do_no_harm(seed: int) -> None:
    async def story() -> None:
        world = Factory(seed, STORM)
        try:
            world.start()
            world.start()
            await world.until_finished()
            check_end(world, 1)
        finally:
            await world.close()

    run_virtual(story())


def test_each_version_is_run_once_and_then_nothing_is_written() -> None:
    async def story() -> None:
        world = Factory(1, Faults())
        try:
            world.start()
            for letter in "abc":
                world.bucket.letter = letter
                await world.until_finished()
            check_end(world, 3)
            await asyncio.sleep(2)
            before = len(world.kube.writes)
            await asyncio.sleep(120)
            assert world.kube.writes[before:] == []
        finally:
            await world.close()

    run_virtual(story())


def test_the_next_step_begins_at_once() -> None:
    """Between a pod's end and the next Job there are two writes and no waiting."""

    async def story() -> list[float]:
        world = Factory(3, Faults(latency=0.001, watch_lag=0.002))
        try:
            world.start()
            await world.until_finished()
            ends, begins = {}, {}
            for change in world.server.log:
                labels = change.obj["metadata"].get("labels") or {}
                step = labels.get("fairlead.dev/step", "")
                if change.kind.plural == "pods" and change.obj.get("status", {}).get("phase") == "Succeeded":
                    ends.setdefault(step, change.version)
                if change.kind == JOB and change.type == "ADDED":
                    begins[step] = change.version
            return [begins[b] - ends[a] for a, b in (("prepare", "left"), ("left", "train"))]
        finally:
            await world.close()

    assert all(versions <= 3 for versions in run_virtual(story()))
