"""A run whose step has several workers, and what becomes of their pods."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import live, look, step, task_of, uri

from fairlead.plan.core import JOB, PIPELINE_RUN, POD, SERVICE, Json, rfc3339

INDEX = "batch.kubernetes.io/job-completion-index"
TRAIN: Json = {
    "name": "train", "image": "i", "command": ["torchrun", "train.py"], "workers": {"count": 4},
    "resources": {"memory": "8Gi", "gpu": {"count": 2}}, "outputs": {"m": {}},
    "retry": {"limit": 3, "backoff": "0s"}, "startTimeout": "10m", "timeout": "2h",
}  # fmt: skip


class Gang:
    """The world, and the pods of the newest attempt."""

    def __init__(self, **more: Any) -> None:
        self.world = LittleWorld()
        self.world.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": [TRAIN | more]}})
        self.world.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
        look(self.world)

    @property
    def job(self) -> Json:
        """The newest attempt's."""
        return live(self.world, "train")

    @property
    def status(self) -> Json:
        """The step's."""
        return step(self.world.status(PIPELINE_RUN, "delay-7"), "train")

    @property
    def services(self) -> list[str]:
        """Names of the Services that there are."""
        return [one["metadata"]["name"] for one in self.world.select(SERVICE)]

    def look(self, after: float = 0.0) -> Json:
        """The step's status, some seconds later."""
        self.world.now += after
        look(self.world)
        return self.status

    def pod(self, index: int, phase: str = "Running", *, node: bool = True, meta: Json | None = None,
            **status: Any) -> Json:  # fmt: skip
        """Make or change the pod with an index."""
        job = self.job
        name, template = f"{job['metadata']['name']}-{index}-abcde", job["spec"]["template"]
        owners = [{"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}]
        labels = template["metadata"]["labels"] | {INDEX: str(index)}
        own = {"name": name, "labels": labels, "annotations": {INDEX: str(index)}, "ownerReferences": owners}
        for key in ("initContainerStatuses", "containerStatuses"):
            if key in status:
                status[key] = self.world.told.keep(job, status[key])
        conditions = status.pop("conditions", [])
        if node:
            at = rfc3339(self.world.now)
            before = self.world.get(POD, name)
            said = (before or {}).get("status", {}).get("conditions") or []
            placed = next((o for o in said if (o["type"], o["status"]) == ("PodScheduled", "True")), None)
            conditions = [*conditions, placed or {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}]
        spec = template["spec"] | ({"nodeName": f"node-{index}"} if node else {})
        return self.world.put({"kind": "Pod", "metadata": own | (meta or {}), "spec": spec,
                               "status": {"phase": phase, "conditions": conditions} | status})  # fmt: skip

    def run(self, *indices: int) -> Json:
        """The programs of these (none: of all) run since now."""
        for index in indices or range(4):
            self.pod(index, initContainerStatuses=[self.running()])
        return self.look()

    def running(self) -> Json:
        """Of a program that has just begun."""
        return {"name": "step", "state": {"running": {"startedAt": rfc3339(self.world.now)}}}

    def fail(self, index: int, code: int = 1, *, meta: Json | None = None, conditions: list[Json] | None = None,
             **more: Any) -> None:  # fmt: skip
        """The program of one has ended badly."""
        end = stopped("step", code, finishedAt=rfc3339(self.world.now), **more)
        self.pod(index, "Failed", initContainerStatuses=[end], meta=meta, conditions=conditions or [])

    def deleted(self, index: int, *, ended: bool = True, grace: int = 30) -> None:
        """The Job ends one."""
        meta = {"deletionTimestamp": rfc3339(self.world.now + grace), "deletionGracePeriodSeconds": grace}
        if ended:
            self.fail(index, 143, meta=meta)
        else:
            self.pod(index, initContainerStatuses=[self.running()], meta=meta)

    def succeed(self, index: int) -> None:
        """One has done its work."""
        message = "{}"
        if index == 0:
            task = task_of(self.job, "publish")
            outputs = [{"name": o["name"], "type": o["type"], "uri": f"{uri(task)}m", "sha256": "b" * 64}
                       for o in task["outputs"]]  # fmt: skip
            message = json.dumps({"publish": {"attempt": task["attempt"], "outputs": outputs}})
        ends = [stopped("step")], [stopped("publish", 0, message)]
        self.pod(index, "Succeeded", initContainerStatuses=ends[0], containerStatuses=ends[1])

    def gone(self, *indices: int) -> None:
        """Their pods are gone."""
        for index in indices:
            self.world.remove(POD, f"{self.job['metadata']['name']}-{index}-abcde")

    def job_is(self, word: str) -> None:
        """The Job has this condition."""
        at = rfc3339(self.world.now)
        self.job.setdefault("status", {}).setdefault("conditions", []).append(
            {"type": word, "status": "True", "lastTransitionTime": at}
        )

    @property
    def jobs(self) -> int:
        """How many were ever made."""
        return sum(kind == JOB.kind for kind, _ in self.world.created)
