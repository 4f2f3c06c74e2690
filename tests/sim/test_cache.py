"""Runs that need the same, through the real kernel: killed at every write, in storms, with two operators at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from fairlead.api.tasks import PublishResult, PublishTask
from fairlead.plan.core import JOB, PIPELINE_RUN
from fairlead.plan.requests import Answer, ReadCached, Request
from fairlead.store import cached
from fairlead.worker import leave
from tests.effort import few
from tests.sim.factory import Factory
from tests.sim.fakecluster import Crash, Faults
from tests.sim.operators import died_before
from tests.sim.virtualtime import run_virtual
from tests.unit.worker.bucket import Memory

Json = dict[str, Any]
IMAGE = "i@sha256:" + "a" * 64
STEPS = {
    "steps": [
        {"name": "prepare", "image": IMAGE, "cache": True, "outputs": {"x": {"type": "dataset"}}},
        {"name": "train", "image": IMAGE, "cache": True, "inputs": {"x": {"output": "prepare.x"}},
         "outputs": {"model": {"type": "model"}}},
    ],
}  # fmt: skip
RUNS = 4
STORM = Faults(
    latency=0.05, unavailable=0.1, too_many=0.05, lost_answer=0.1, watch_lag=0.5, duplicate=0.2, broken_watch=0.1,
    gone=0.05,
)  # fmt: skip


class Shop(Factory):
    """Several runs of one pipeline, made at the same time; their pods leave what they make in a store in memory."""

    def __init__(self, seed: int, faults: Faults, mishaps: float = 0.0) -> None:
        super().__init__(seed, faults, mishaps, STEPS)
        self.store = Memory("store")
        for number in range(RUNS):
            self.put(PIPELINE_RUN, f"p-{number}", {"pipeline": "p"})
        self.asker = self.bucket.resolve
        self.bucket.resolve = self.resolve  # type: ignore[method-assign]

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers; about earlier results from the store."""
        asked = list(requests)
        found = dict(await self.asker(one for one in asked if not isinstance(one, ReadCached)))
        kept = (one for one in asked if isinstance(one, ReadCached))
        return found | {one: cached.look_up(self.store, one.prefix) for one in kept}  # type: ignore[arg-type]

    def _said(self, main: Json) -> Json:
        if main["name"] == "snapshot":
            return super()._said(main)
        task = json.loads(next(e["value"] for e in main["env"] if e["name"] == "FAIRLEAD_TASK"))
        told, outputs = PublishTask.model_validate(task), []
        for item in told.outputs:
            folder = f"{told.store.prefix}{told.attempt}/{item.name}/"
            self.store.put(f"{folder}part", b"1234")
            outputs.append({"name": item.name, "type": item.type, "uri": self.store.uri(folder), "sha256": "0" * 64,
                            "bytes": 4})  # fmt: skip
        result = PublishResult.model_validate({"attempt": told.attempt, "outputs": outputs})
        result = leave.leave(told.cache, result) if told.cache else result
        return {"publish": result.model_dump(mode="json", by_alias=True)}

    def phases(self) -> list[str]:
        """Of the runs."""
        return [one.get("status", {}).get("phase", "") for one in self.server.all(PIPELINE_RUN)]

    def finished(self) -> bool:
        """All runs have ended."""
        return all(phase in ("Completed", "Failed", "Aborted") for phase in self.phases())

    def outcomes(self) -> Counter[str]:
        """What became of the steps' questions."""
        steps = [step for one in self.server.all(PIPELINE_RUN) for step in one["status"]["steps"]]
        return Counter(step["cache"]["outcome"] for step in steps if step.get("cache"))

    def jobs(self) -> list[str]:
        """Steps of the Jobs that were ever made."""
        made = [one.obj for one in self.server.log if one.type == "ADDED" and one.kind == JOB]
        labels = [one["metadata"]["labels"] for one in made]
        return [one["fairlead.dev/step"] for one in labels if "fairlead.dev/step" in one]


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leave, "place", lambda _: Shop.now_in)  # type: ignore[attr-defined]


def shop(seed: int, faults: Faults, mishaps: float = 0.0) -> Shop:
    """A shop whose pods leave things in its store."""
    found = Shop(seed, faults, mishaps)
    Shop.now_in = found.store  # type: ignore[attr-defined]
    return found


async def life(at: int, after: bool, seed: int) -> bool:
    """Runs that need the same, with a crash at a write. False if all was over before that write."""
    world = shop(seed, Faults())
    try:
        crash = Crash(at, after)
        world.start(crash)
        crashed = await died_before(world.until_finished(), crash)
        if crashed:
            await world.kill()
            world.start()
        await world.until_finished()
        assert set(world.phases()) == {"Completed"}
        assert sorted(world.jobs()) == ["prepare", "train"], "each was made once"
        assert world.outcomes() == {"Miss": 2, "Hit": 2 * (RUNS - 1)}
        return crashed or crash.writes >= at
    finally:
        await world.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_makes_nothing_twice(after: bool) -> None:
    at, crashed = 0, True
    while crashed:
        at += few(5, 1)
        crashed = run_virtual(life(at, after, seed=at))
    assert at > 20


@pytest.mark.parametrize("seed", range(few(3, 8)))
def test_with_two_operators_in_a_storm_all_runs_end_and_none_has_anything_else(seed: int) -> None:
    """The same may be made twice then; what is left is left once."""

    async def story() -> None:
        world = shop(seed, STORM)
        try:
            world.start()
            world.start()
            await world.until_finished()
            assert set(world.phases()) == {"Completed"}
            entries = [key for key in world.store.objects if "/cache/" in key]
            assert len(entries) == 2
            outputs = {one["uri"] for run in world.server.all(PIPELINE_RUN)
                       for step in run["status"]["steps"] if step["cache"]["outcome"] == "Hit"
                       for one in step["outputs"]}  # fmt: skip
            assert len(outputs) <= 2
        finally:
            await world.close()

    run_virtual(story())


@pytest.mark.parametrize("seed", range(few(3, 8)))
def test_where_pods_fail_the_next_run_goes_on_and_nobody_waits_for_good(seed: int) -> None:
    async def story() -> None:
        world = shop(seed, Faults(), mishaps=0.5)
        try:
            world.start()
            await world.until_finished()
            failed = world.phases().count("Failed")
            assert len(world.jobs()) >= failed
            assert failed == RUNS or world.outcomes()["Hit"] + world.outcomes()["Miss"] >= 2
        finally:
            await world.close()

    run_virtual(story())


def test_when_all_is_over_nothing_is_written_any_more() -> None:
    async def story() -> None:
        world = shop(1, Faults())
        try:
            world.start()
            await world.until_finished()
            await asyncio.sleep(2)
            before = len(world.kube.writes)
            await asyncio.sleep(120)
            assert world.kube.writes[before:] == []
        finally:
            await world.close()

    run_virtual(story())
