"""The tiny world of monitors in which answers are explained: Jobs are made, and end as a test says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.unit.plan import label_world as label_world  # Jobs are known there
from tests.unit.plan.monitor_world import Counting, watched
from tests.unit.plan.rollout_world import Json

from fairlead.api.explain import Contribution, Reference
from fairlead.api.tasks import ExplainResult, ExplainTask, Moved
from fairlead.plan.core import JOB, MODEL_VERSION, POD, Plan, rfc3339
from fairlead.plan.deployment.monitors import explaining
from fairlead.verdict import bounded
from fairlead.worker.explaining import reference

DAY = 86400.0
RANDOM = np.random.default_rng(3)


class Explains(Counting):
    """Jobs wait until their pod is made to end (`pod`, `ends`)."""

    made = 0
    said_before = ""

    def carry_out(self, found: Plan) -> bool:
        changed = super().carry_out(found)
        for wanted in found.create:
            changed |= self._make_job(wanted)
        return changed

    def _make_job(self, wanted: Json) -> bool:
        name = wanted["metadata"]["name"]
        if name in self.of(JOB):
            return False
        self.made += 1
        uid = f"{name}-{self.made}"
        meta = {**wanted["metadata"], "uid": uid, "creationTimestamp": rfc3339(self.now)}
        self.of(JOB)[name] = {**copy.deepcopy(wanted), "metadata": meta, "status": {}}
        self.pod_of(name, {"running": {}}, "Running")
        return True

    def pod_of(self, name: str, state: Json, phase: str) -> Json:
        """The pod of a Job, with the container that answers in a state."""
        job = self.of(JOB)[name]
        uid = job["metadata"]["uid"]
        pod: Json = {
            "metadata": {"name": f"{name}-pod", "namespace": "team", "uid": f"{uid}-pod",
                         "creationTimestamp": rfc3339(self.now), "labels": {"fairlead.dev/explain": "web"},
                         "ownerReferences": [{"uid": uid, "controller": True}]},
            "spec": copy.deepcopy(job["spec"]["template"]["spec"]),
            "status": {"phase": phase, "conditions": [], "podIP": "10.9.9.9",
                       "containerStatuses": self.told.keep(job, [{"name": "explain", "state": state}])},
        }  # fmt: skip
        self.of(POD)[f"{name}-pod"] = pod
        return pod

    def _pod(self, name: str, _uid: str, _said: None) -> None:
        """The pod of a Job comes."""
        self.pod_of(name, {"running": {}}, "Running")

    def _drop_pods(self) -> None:
        mine = {name: pod for name, pod in self.of(POD).items() if explaining.LABEL in pod["metadata"]["labels"]}
        for name in mine:
            del self.of(POD)[name]
        super()._drop_pods()
        self.of(POD).update(mine)

    @property
    def job(self) -> Json:
        """The newest."""
        return list(self.of(JOB).values())[-1]

    @property
    def task(self) -> ExplainTask:
        """What the newest was told."""
        env = self.job["spec"]["template"]["spec"]["containers"][0]["env"]
        text = next(one["value"] for one in env if one["name"] == "FAIRLEAD_TASK").replace("$$", "$")
        return ExplainTask.model_validate_json(text)

    def ends(self, found: ExplainResult | Json) -> None:
        """The newest Job ends with what it has found, or with an error; somebody looks."""
        result = found.model_dump(mode="json", by_alias=True) if isinstance(found, ExplainResult) else found
        said = {"explain": result} if isinstance(found, ExplainResult) else {"error": result}
        failed = "error" in said
        state = {"terminated": {"exitCode": int(failed), "message": json.dumps(said)}}
        self.pod_of(self.job["metadata"]["name"], state, "Failed" if failed else "Succeeded")
        self.look()

    @property
    def explained(self) -> Json:
        """What the status has of it."""
        found: Json = self.monitored["explained"]
        return found


def begun(explain: Json | None = None, made: type[Explains] = Explains, **more: Any) -> Explains:
    """m-1 is live, and the first Job is under way."""
    sim = watched({"explain": {} if explain is None else explain}, made=made, **more)
    assert isinstance(sim, Explains)
    sim.passes(2000, seconds=explaining.FIRST + 1)
    return sim


EVALUATION = {
    "task": "regression", "features": ["a", "c"], "target": "y", "metrics": ["mae"],
    "gates": [{"metric": "mae", "max": "20"}],
    "data": {"artifact": {"uri": "s3://store/test/", "sha256": "b" * 64}},
}  # fmt: skip


def first_of_an_evaluated_version() -> Explains:
    """m-1 was proven by rows that can be had; the first Job is under way."""
    sim = Explains({**watched({"explain": {}}).spec}, store=True)
    sim.version("m-1", age=1000, evaluation=EVALUATION)
    raw = sim.get(MODEL_VERSION, "m-1")
    assert raw
    raw["status"]["evidence"]["data"] = "b" * 64
    sim.look()
    sim.ready("m-1")
    sim.look()
    sim.said_before = sim.line("explain")["message"]
    sim.now += explaining.FIRST + 1
    sim.look()
    return sim


def values(many: int, weights: dict[str, float]) -> Any:
    """Contributions to so many answers."""
    return RANDOM.normal(size=(many, len(weights))) * list(weights.values())


WEIGHTS = {"a": 4.0, "c": 1.0}


def answered(
    many: int = 100, made: Reference | None = None, weights: dict[str, float] | None = None, **more: Any
) -> ExplainResult:  # fmt: skip
    """What a Job finds. made: what it compares with; None: the reference is made of its own 400 rows."""
    weights = weights or WEIGHTS
    names, rows = list(weights), values(400 if made is None else many, weights)
    features = [
        Contribution(feature=name, mean=f"{abs(rows[:, at]).mean():.4g}", error="0.1", share="50.0%")
        for at, name in enumerate(names)
    ]  # fmt: skip
    of = made or Reference(
        key="backgrounds/x.json", sha256="e" * 64, of="requests", rows=400, pairs=32,
        watched=reference.watched(names, rows),
    )  # fmt: skip
    sums = [] if made is None else [
        Moved(name=name, share=_sums(share), way=_sums(way))
        for name, (share, way) in reference.columns(names, rows, names).items()
    ]  # fmt: skip
    return ExplainResult(
        rows=len(rows), answered=len(rows) + 9, asked=1000, calls=10, explains="the answer", base="3.5",
        features=features, reference=of, sums=sums, key="date=2026-03-02/x.parquet", **more,
    )  # fmt: skip


def _sums(given: Any) -> list[float]:
    found = bounded.sums(given.tolist())
    return [found.n, found.total, found.squares]


Change = Callable[[Json], None]
