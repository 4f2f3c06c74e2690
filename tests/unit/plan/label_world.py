"""The tiny world of rollouts with labels: answers that are kept, a Dataset of labels, and Jobs that join them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from tests.unit.plan.joining_world import JoinPods
from tests.unit.plan.rollout_world import KINDS, Json, spec

from fairlead.api.labelled import UsedLabels
from fairlead.api.tasks import JoinResult, JoinTask, TaskError, TaskResult
from fairlead.plan.core import DATASET, JOB, Plan, epoch, rfc3339

STRETCH = 4
"""Seconds."""


@dataclass
class Kept:
    """An answer in the prediction log."""

    id: str
    version: str
    at: float
    wrong: bool
    shadow: bool = False


@dataclass
class LabelWorld(JoinPods):
    """`wrong`: the share of wrong answers by version; a label comes `delay` seconds after its answer."""

    program = "join"

    delay: float = 5.0
    labelled: float = 1.0
    """Share of the answers that get a label."""
    missing: dict[str, float] = field(default_factory=dict)
    """Share of a version's answers that get none besides."""
    log: list[Kept] = field(default_factory=list)
    used: dict[str, set[str]] = field(default_factory=dict)
    """By file."""
    joins: list[JoinTask] = field(default_factory=list)
    fails: TaskError | None = None
    holds: bool = False
    """Jobs don't end."""
    counted: dict[str, Any] = field(default_factory=dict)
    strange: bool = False
    store: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.of(DATASET)

    # --- answers and labels --------------------------------------------------------------------------------------

    def traffic(self, requests: int) -> None:
        super().traffic(requests)
        shares = self.shares()
        if not shares:
            return
        for version in self.random.choices(list(shares), list(shares.values()), k=requests):
            self.log.append(self._kept(f"r{len(self.log)}", version))

    def copies(self, requests: int) -> None:
        """So many requests that both versions answer."""
        for _ in range(requests):
            name = f"r{len(self.log)}"
            self.log += [self._kept(name, "m-1"), self._kept(name, "m-2", shadow=True)]

    def _kept(self, name: str, version: str, shadow: bool = False) -> Kept:
        return Kept(name, version, self.now, self.random.random() < self.wrong.get(version, 0.0), shadow)

    def publish(self) -> str:
        """A version of the Dataset with all labels that have come."""
        known = [one.id for one in self.log if one.at + self.delay <= self.now]
        version = f"v{len(known)}"
        return self.publish_as(version, "truth")

    # --- Jobs ----------------------------------------------------------------------------------------------------

    def carry_out(self, found: Plan) -> bool:
        changed = super().carry_out(found)
        for wanted in found.create:
            changed |= self._make_job(wanted)
        return changed

    def _make_job(self, wanted: Json) -> bool:
        name = wanted["metadata"]["name"]
        if name in self.of(JOB):
            return False
        uid = f"{name}-{len(self.joins)}"
        job = {**wanted, "metadata": {**wanted["metadata"], "uid": uid, "creationTimestamp": rfc3339(self.now)}}
        self.of(JOB)[name] = {**job, "status": {}}
        text = wanted["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"].replace("$$", "$")
        task = JoinTask.model_validate_json(text)
        self.joins.append(task)
        self._pod(name, uid, None if self.holds else self._join(task, uid))
        return True

    def end(self) -> None:
        """The Jobs that were held end."""
        for name, job in list(self.of(JOB).items()):
            text = job["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"].replace("$$", "$")
            self._pod(
                name, job["metadata"]["uid"], self._join(JoinTask.model_validate_json(text), job["metadata"]["uid"])
            )

    def _join(self, task: JoinTask, uid: str) -> TaskResult:
        """What the worker would say."""
        if self.fails:
            return TaskResult(error=self.fails)
        version = int(task.labels.uri.rpartition("/v")[2])
        used = set().union(*(self.used[one.key] for one in task.used))
        come = sorted(self.log, key=lambda one: one.at)[:version]
        known = {one.id for one in come if self._has_label(one)} - used
        since, cuts = epoch(task.since), [epoch(cut) - epoch(task.since) for cut in task.cuts]
        mine = [one for one in self.log if one.at >= since and one.id not in used]
        by_id: dict[str, list[Kept]] = {}
        for one in mine:
            by_id.setdefault(one.id, []).append(one)
        cells: dict[int, list[int]] = {}
        pairs, judged = [0, 0, 0, 0], set()
        for one in mine:
            arm = {task.stable: 0, task.candidate: 1}.get(one.version)
            if arm is None or one.shadow:
                continue
            at = one.at - since
            start = max(int(at // STRETCH * STRETCH), *(int(cut) for cut in [0, *cuts] if cut <= at), 0)
            cell = cells.setdefault(start, [start, 0, 0, 0, 0, 0, 0, 0, 0])
            cell[1 + 4 * arm] += 1
            if one.id in known:
                both = by_id[one.id]
                cell[2 + 4 * arm] += 1
                judged.add(one.id)
                if len(both) == 2:
                    pairs[2 * both[0].wrong + both[1].wrong] += 1
                else:
                    cell[3 + 4 * arm] += 1
                    cell[4 + 4 * arm] += one.wrong
        self.used[uid] = judged | used
        files = [UsedLabels(key=uid, rows=len(self.used[uid]))]
        return TaskResult(join=JoinResult(
            rows=len(known), matched=len(judged), unmatched=len(known) - len(judged),
            cells=[cell for _, cell in sorted(cells.items()) if cell[2] + cell[6]], pairs=pairs if any(pairs) else [],
            strange=self.strange, used=files, kept=[
                sum(one.version == name and one.at >= since for one in self.log)
                for name in (task.stable, task.candidate)
            ],
        ))  # fmt: skip

    def _has_label(self, one: Kept) -> bool:
        share = self.labelled * (1 - self.missing.get(one.version, 0.0))
        return (crc32(one.id.encode()) % 1000) / 1000 < share

    # --- shortcuts -----------------------------------------------------------------------------------------------

    def look(self, passes: int = 400) -> Plan:
        return super().look(passes)

    def guard(self, index: int = 1) -> Json:
        """The guard on labels, of the candidate or of the watch."""
        of: Json = self.status.get("candidate") or self.status["watch"]
        found: Json = of["guards"][index]
        return found

    def joined(self) -> Json:
        """How far the labels have been joined."""
        found: Json = self.status["joins"][0]
        return found

    def canary(self) -> Json:
        """The rollout's guard after the promotion."""
        found: Json = json.loads(self.joined()["canary"])
        return found

    def until(self, done: Callable[[], bool], ticks: int = 100, requests: int = 100, every: int = 5) -> int:
        """Traffic, and labels that are published now and then, until something is so. Returns the ticks."""
        for tick in range(ticks):
            if done():
                return tick
            self.tick(requests)
            if tick % every == every - 1:
                self.publish()
                self.look()
        raise AssertionError(f"not so after {ticks} ticks: {self.status.get('message')}")


KINDS[JOB.api_version, JOB.kind] = JOB


def labels(**more: Any) -> Json:
    """A guard on labels."""
    own = {"dataset": "truth", **more.pop("labels", {})}
    return {"metric": "labels", "labels": own, **more}


def labelled_spec(guard: Json | None = None, **more: Any) -> Json:
    """A Deployment's spec with a guard on errors and one on labels."""
    more.setdefault("steps", ((20, "3s", 20), (50, "6s", 20)))
    return spec({"metric": "errors"}, guard or labels(), record={}, **more)


def begun(guard: Json | None = None, **world: Any) -> LabelWorld:
    """A rollout of m-2 over m-1 has begun; no label has come."""
    more, world["wrong"] = world.pop("more", {}), dict(world.get("wrong", {}))
    sim = LabelWorld(labelled_spec(guard, **more), **world)
    sim.publish()
    sim.go_live()
    sim.traffic(300)
    sim.now += 1
    sim.begin()
    return sim
