"""What tiny worlds with labels share: versions of a Dataset of labels, and the pods of Jobs that join them."""

from __future__ import annotations

from typing import ClassVar

from tests.unit.plan.rollout_world import Sim

from fairlead.api.tasks import TaskResult
from fairlead.plan.core import DATASET, JOB, POD, rfc3339


class JoinPods(Sim):
    """A world whose Jobs have pods that answer."""

    program: ClassVar[str]
    """What the pods' container is called, and their label."""

    def publish_as(self, version: str, name: str) -> str:
        """A version of a Dataset, by its name."""
        found = {
            "version": version,
            "digest": "d" * 64,
            "manifest": f"s3://fairlead/{version}",
            "at": rfc3339(self.now),
        }
        old = self.of(DATASET).get(name, {"status": {}})["status"].get("versions", [])
        self.of(DATASET)[name] = {
            "metadata": {"name": name}, "spec": {"source": {"s3": {"bucket": "b" * 3}}, "format": "parquet"},
            "status": {"current": found, "versions": [found, *(v for v in old if v["version"] != version)][:20]},
        }  # fmt: skip
        return version

    def _pod(self, name: str, uid: str, said: TaskResult | None) -> None:
        ended = {"terminated": {"exitCode": 0 if said and not said.error else 1, "message": ""}}
        if said:
            ended["terminated"]["message"] = said.model_dump_json(by_alias=True, exclude_defaults=True)
        phase = "Running" if said is None else "Failed" if said.error else "Succeeded"
        job = self.of(JOB)[name]
        statuses = [{"name": self.program, "state": ended if said else {"running": {}}}]
        self.of(POD)[f"{name}-pod"] = {
            "metadata": {"name": f"{name}-pod", "namespace": "team", "uid": f"{uid}-pod",
                         "creationTimestamp": rfc3339(self.now), "labels": {self._label: "web"},
                         "ownerReferences": [{"uid": uid, "controller": True}]},
            "spec": job["spec"]["template"]["spec"],
            "status": {"phase": phase, "conditions": [], "containerStatuses": self.told.keep(job, statuses)},
        }  # fmt: skip

    def _drop_pods(self) -> None:
        mine = {name: pod for name, pod in self.of(POD).items() if self._label in pod["metadata"]["labels"]}
        for name in mine:
            del self.of(POD)[name]
        super()._drop_pods()
        self.of(POD).update(mine)

    @property
    def _label(self) -> str:
        return f"fairlead.dev/{self.program}"
