"""Runs with a report, killed at every write: it is made once, and what its Job is told never changes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fairlead.plan.core import JOB, PIPELINE_RUN
from tests.effort import few
from tests.sim.factory import Factory, Json
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.test_courses import RUNS, Courses
from tests.sim.test_factory import STORM
from tests.sim.virtualtime import run_virtual

RETRY = {"limit": 9, "backoff": "1s"}
PIPELINE: Json = {
    "concurrency": "Queue", "params": {"region": "NE"},
    "steps": [
        {"name": "a", "image": "i", "outputs": {"rows": {"type": "dataset"}}, "retry": RETRY},
        {"name": "no", "image": "i", "inputs": {"rows": {"output": "a.rows"}}, "outputs": {"plot": {}},
         "if": [{"param": "region", "in": ["NW"]}]},
        {"name": "page", "report": {}, "when": "always", "retry": RETRY,
         "inputs": {"rows": {"output": "a.rows"}, "plot": {"output": "no.plot"}}},
        {"name": "notify", "image": "i", "when": "always", "retry": RETRY},
    ],
}  # fmt: skip


class Reported(Courses):
    """Three runs, one after the other."""

    def __init__(self, seed: int, faults: Faults, mishaps: float = 0.0) -> None:
        Factory.__init__(self, seed, faults, mishaps, PIPELINE)

    def told(self) -> dict[str, set[str]]:
        """By Job's name: all that a report's program was ever told."""
        found: dict[str, set[str]] = {}
        for change in self.server.log:
            if change.kind == JOB and change.obj["metadata"]["labels"].get("fairlead.dev/step") == "page":
                spec = change.obj["spec"]["template"]["spec"]
                for one in spec.get("initContainers", ()):
                    if one["name"] == "step":
                        env = {e["name"]: e["value"] for e in one["env"]}
                        found.setdefault(change.obj["metadata"]["name"], set()).add(env["FAIRLEAD_TASK"])
        return found

    def doubted(self) -> list[Any]:
        """Looks that found a Job not to be as it is made."""
        statuses = [change.obj.get("status") or {} for change in self.server.log if change.kind == PIPELINE_RUN]
        return [s for status in statuses for s in status.get("steps", ()) if s.get("reason") == "ForeignJob"]


def check(world: Reported) -> None:
    assert world.doubted() == []
    assert all(len(one) == 1 for one in world.told().values())
    earlier = []
    for one in world.runs():
        steps = {s["name"]: s for s in one["status"]["steps"]}
        assert one["status"]["phase"] == "Completed", one["status"]["message"]
        assert steps["page"]["phase"] == "Completed"
        assert [o["name"] for o in steps["page"]["outputs"]] == ["report"]
        every = [json.loads(text) for texts in world.told().values() for text in texts]
        said = [task for task in every if task["run"] == one["metadata"]["name"]]
        assert said
        assert all({s["name"] for s in task["steps"]} == {"a", "no"} for task in said)
        earlier.append({task.get("earlier", {}).get("run") for task in said})
    assert earlier == [{None}, {"hand-0"}, {"hand-1"}]


async def life(at: int, seed: int, faults: Faults, mishaps: float = 0.0) -> bool:
    """Three runs, with a crash at a write. False if all was over before that write."""
    world = Reported(seed, faults, mishaps)
    hands = asyncio.create_task(world.hands(2.0))
    try:
        crash = Crash(at, at % 2 == 0)
        world.start(crash)
        crashed = await died_before(world.until(world.ended), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until(world.ended)
        check(world)
        return crashed or crash.writes >= at
    finally:
        hands.cancel()
        await world.close()


def test_a_kill_at_any_write_converges() -> None:
    at, crashed = 0, True
    while crashed:
        at += few(11, 1)
        crashed = run_virtual(life(at, at, Faults()))
    assert at > 8 * RUNS


@pytest.mark.parametrize("seed", range(few(1, 8)))
def test_a_kill_in_a_storm_converges(seed: int) -> None:
    run_virtual(life(3 + 7 * seed, seed, STORM, mishaps=0.2))
