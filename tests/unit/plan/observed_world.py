"""The tiny world of monitors with labels: answers that are kept, a Dataset of labels, and Jobs that count them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.unit.plan.joining_world import JoinPods
from tests.unit.plan.monitor_world import Counting, lines, watched
from tests.unit.plan.rollout_world import KINDS, Json

from fairlead.api.labelled import UsedLabels
from fairlead.api.tasks import ObserveResult, ObserveTask, TaskError, TaskResult
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Profile
from fairlead.monitor.risk import Pairs
from fairlead.plan.core import DATASET, JOB, Plan, epoch, rfc3339
from fairlead.plan.deployment.monitors import labels
from fairlead.verdict.bounded import Sums

ASKED: Json = {"dataset": "outcomes"}
GROUPS = "xxyz"


@dataclass(frozen=True)
class Kept:
    """An answer in the log."""

    id: str
    version: str
    at: float
    said: bool
    true: bool
    group: str


@dataclass
class Observed(JoinPods, Counting):
    """`wrongly`: the share of wrong answers. A label comes with the next version of the Dataset."""

    program = "observe"

    wrongly: float = 0.25
    """Share of wrong answers."""
    unfair: float = 0.0
    """So many more of them in the group z."""
    log: list[Kept] = field(default_factory=list)
    used: dict[str, set[str]] = field(default_factory=dict)
    """By file."""
    joins: list[ObserveTask] = field(default_factory=list)
    fails: TaskError | None = None
    holds: bool = False
    """Jobs don't end."""
    strange: bool = False
    instead: Any = None
    """What the worker says instead of its counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.of(DATASET)

    # --- answers and labels --------------------------------------------------------------------------------------

    def rows(self, version: str, many: int, learnt: Profile | None = None) -> None:
        super().rows(version, many, learnt)
        for _ in range(many):
            said, group = self.random.random() < 0.5, self.random.choice(GROUPS)
            wrong = self.random.random() < self.wrongly + (self.unfair if group == "z" else 0.0)
            self.log.append(Kept(f"r{len(self.log)}", version, self.now, said, said != wrong, group))

    def publish(self, version: str = "", name: str = "outcomes") -> str:
        """A version of the Dataset with the labels of all answers so far."""
        version = version or f"v{len(self.log)}"
        return self.publish_as(version, name)

    def labelled(self, many: int = 2000, seconds: float = 600.0) -> None:
        """A window's requests come, their labels do, and both are taken in."""
        self.rows(self.status["live"]["version"], many)
        self.publish()
        self.look()
        self.now += seconds
        self.look()

    # --- Jobs ----------------------------------------------------------------------------------------------------

    def carry_out(self, found: Plan) -> bool:
        changed = super().carry_out(found)
        for wanted in found.create:
            changed |= self.make_job(wanted)
        return changed

    def make_job(self, wanted: Json) -> bool:
        """The Job runs at once."""
        name = wanted["metadata"]["name"]
        if name in self.of(JOB):
            return False
        uid = f"{name}-{len(self.joins)}"
        job = {**wanted, "metadata": {**wanted["metadata"], "uid": uid, "creationTimestamp": rfc3339(self.now)}}
        self.of(JOB)[name] = {**job, "status": {}}
        text = wanted["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"].replace("$$", "$")
        task = ObserveTask.model_validate_json(text)
        self.joins.append(task)
        self._pod(name, uid, None if self.holds else self._observe(task, uid))
        return True

    def _observe(self, task: ObserveTask, uid: str) -> TaskResult:
        """What the worker would say."""
        if self.fails:
            return TaskResult(error=self.fails)
        if self.strange:
            return TaskResult(observe=ObserveResult(rows=40, unmatched=40, strange=True, used=task.used))
        known = self.log[: int(task.labels.uri.rpartition("/v")[2])]
        used = set().union(*(self.used[one.key] for one in task.used))
        fresh = [
            one for one in known if one.version == task.version and one.at >= epoch(task.since) and one.id not in used
        ]
        self.used[uid] = used | {one.id for one in fresh}
        if not fresh:
            return TaskResult(observe=ObserveResult(rows=len(known), used=task.used))
        window = self.instead if self.instead is not None else counts(fresh).dumped()
        files = [UsedLabels(key=uid, rows=len(self.used[uid]))]
        return TaskResult(observe=ObserveResult(rows=len(known), matched=len(fresh), window=window, used=files))

    # --- what is told ---

    @property
    def joined(self) -> Json:
        """What the status says of the labels."""
        found: Json = self.monitored["labels"]
        return found


def counts(rows: list[Kept]) -> LabelledWindow:
    """As the worker counts them."""
    wrong = sum(one.said != one.true for one in rows)
    slices = {name: _confusion(one for one in rows if one.group == name) for name in "xyz"}
    n = len(rows)
    pairs = Pairs(n, wrong, wrong, 0.25 * n, 0.0625 * n, 0.25 * wrong)
    return LabelledWindow(Sums(n, wrong, wrong), _confusion(rows), slices={"c": slices}, pairs=pairs)


def _confusion(rows: Any) -> Confusion:
    found = Confusion()
    for one in rows:
        found += Confusion(one.said and one.true, one.said and not one.true, one.true and not one.said,
                           not one.said and not one.true)  # fmt: skip
    return found


KINDS[JOB.api_version, JOB.kind] = JOB


def observed(monitors: Json | None = None, **more: Any) -> Observed:
    """m-1 is live and monitored, with labels."""
    sim = watched({"labels": ASKED, **(monitors or {})}, made=Observed, **more)
    assert isinstance(sim, Observed)
    return sim


def folded(sim: Observed) -> Iterator[LabelledWindow]:
    """The labels that went into windows, as the ledgers have it."""
    return (labels.parsed(line["labels"]) for line in lines(sim) if "labels" in line)


def in_windows(sim: Observed) -> int:
    """How many they were."""
    return sum(one.losses.n for one in folded(sim))


def text(sim: Observed) -> str:
    """All of the status."""
    return json.dumps(sim.status)
