"""Runs that wait their turn or replace each other, with steps after the verdict, killed at every write."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from fairlead.plan.core import JOB, PIPELINE_RUN, POD, epoch
from fairlead.plan.pipeline import ending, runs
from tests.effort import few
from tests.sim.factory import NAMESPACE, Factory, Json, phase
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.test_factory import STORM
from tests.sim.virtualtime import run_virtual

RUNS = 3


def pipeline(concurrency: str) -> Json:
    """Two steps that decide, one that is skipped, two that come after."""
    return {
        "concurrency": concurrency, "params": {"region": "NE"},
        "steps": [
            {"name": "a", "image": "i", "retry": {"limit": 9, "backoff": "1s"}},
            {"name": "no", "image": "i", "needs": ["a"], "if": [{"param": "region", "in": ["NW"]}]},
            {"name": "b", "image": "i", "needs": ["no"], "retry": {"limit": 9, "backoff": "1s"}},
            {"name": "notify", "image": "i", "when": "always", "retry": {"limit": 9, "backoff": "1s"}},
            {"name": "mend", "image": "i", "when": "failed"},
        ],
    }  # fmt: skip


class Courses(Factory):
    """Runs by hand, one after the other; and a look after each change whether two are under way."""

    def __init__(self, seed: int, faults: Faults, concurrency: str, mishaps: float = 0.0) -> None:
        super().__init__(seed, faults, mishaps, pipeline(concurrency))

    def runs(self) -> list[Json]:
        return sorted(self.server.all(PIPELINE_RUN), key=runs.made)

    def ended(self) -> bool:
        found = self.runs()
        return len(found) == RUNS and all(r.get("status", {}).get("phase") in ending.TERMINAL for r in found)

    async def until(self, true: Callable[[], bool], within: float = 3600.0) -> None:
        """Wait for that. Raises AssertionError."""
        end = self.loop.time() + within
        while not true():
            said = [(r["metadata"]["name"], r.get("status", {}).get("message")) for r in self.runs()]
            assert self.loop.time() < end, said
            await asyncio.sleep(0.05)

    async def hands(self, pause: float) -> None:
        """People make runs."""
        for number in range(RUNS):
            self.put(PIPELINE_RUN, f"hand-{number}", {"pipeline": "p"})
            await asyncio.sleep(pause)

    def together(self) -> list[set[str]]:
        """Runs that were under way at the same time, by what the API server has seen."""
        live, found = set[str](), []
        for change in self.server.log:
            if change.kind == PIPELINE_RUN:
                status, name = change.obj.get("status") or {}, change.obj["metadata"]["name"]
                begun = bool(status.get("template")) and status["phase"] not in ending.TERMINAL
                (live.add if begun and change.type != "DELETED" else live.discard)(name)
                if len(live) > 1:
                    found.append(set(live))
        return found


def check(world: Courses, concurrency: str) -> None:
    """What must be so in the end, whatever happened on the way."""
    assert world.together() == []
    assert world.overlaps == []
    made = Counter(world.made("jobs"))
    assert all(count == 1 for count in made.values()), made
    for one in world.runs():
        status = one["status"]
        steps = {s["name"]: s for s in status.get("steps", [])}
        if concurrency == "Queue":
            assert status["phase"] == "Completed", status["message"]
            assert (steps["no"]["reason"], steps["mend"]["reason"]) == ("Skipped", "Skipped")
        if steps:
            assert steps["notify"]["phase"] == "Completed", "once, and in any case"
            assert status["verdict"]["phase"] == status["phase"]
    assert world.runs()[-1]["status"]["phase"] == "Completed", "the newest runs to its end"
    assert [p for p in world.server.all(POD, NAMESPACE) if phase(p) in ("Pending", "Running")] == []
    started = [one for one in world.runs() if one["status"].get("steps")]
    ordered = [one["status"]["startedAt"] for one in started]
    assert ordered == sorted(ordered), "in the order in which they were made"


async def life(concurrency: str, at: int, seed: int, faults: Faults, mishaps: float = 0.0) -> bool:
    """Three runs, with a crash at a write. False if all was over before that write."""
    world = Courses(seed, faults, concurrency, mishaps)
    hands = asyncio.create_task(world.hands(1.0 if concurrency == "Replace" else 0.2))
    try:
        crash = Crash(at, at % 2 == 0)
        world.start(crash)
        crashed = await died_before(world.until(world.ended), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until(world.ended)
        await asyncio.sleep(5)
        check(world, concurrency)
        return crashed or crash.writes >= at
    finally:
        hands.cancel()
        await world.close()


@pytest.mark.parametrize("concurrency", ["Queue", "Replace"])
def test_a_kill_at_any_write_converges(concurrency: str) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(9, 1)
        crashed = run_virtual(life(concurrency, at, at, Faults()))
    assert at > 20


@pytest.mark.parametrize("concurrency", ["Queue", "Replace"])
@pytest.mark.parametrize("seed", range(few(1, 8)))
def test_a_kill_in_a_storm_converges(concurrency: str, seed: int) -> None:
    run_virtual(life(concurrency, 3 + 7 * seed, seed, STORM, mishaps=0.2))


@pytest.mark.parametrize("concurrency", ["Queue", "Replace"])
@pytest.mark.parametrize("seed", range(few(1, 8)))
def test_two_operators_at_once_do_no_harm(concurrency: str, seed: int) -> None:
    async def story() -> None:
        world = Courses(seed, STORM, concurrency)
        hands = asyncio.create_task(world.hands(0.5))
        try:
            world.start()
            world.start()
            await world.until(world.ended)
            check(world, concurrency)
        finally:
            hands.cancel()
            await world.close()

    run_virtual(story())


def test_the_next_run_starts_at_once_and_then_nothing_is_written() -> None:
    async def story() -> None:
        world = Courses(1, Faults(), "Queue")
        try:
            world.start()
            await world.hands(0.0)
            await world.until(world.ended)
            ends = [(one["status"]["startedAt"], one["status"]["finishedAt"]) for one in world.runs()]
            assert world.server.all(JOB)
            await asyncio.sleep(2)
            before = len(world.kube.writes)
            await asyncio.sleep(120)
            assert world.kube.writes[before:] == []
            gaps = [epoch(start) - epoch(end) for (_, end), (start, _) in pairwise(ends)]
            assert all(0 <= gap < 1 for gap in gaps), gaps
        finally:
            await world.close()

    run_virtual(story())
