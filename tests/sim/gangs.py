"""Steps with several workers in the small world: Indexed Jobs, one of whose pods fails now and then."""

from __future__ import annotations

from typing import Any

from fairlead.manifests.workers import INDEX_MARK, is_indexed
from fairlead.plan.core import JOB, POD, rfc3339
from fairlead.plan.jobs.jobpods import count_of
from tests.sim.factory import NAMESPACE, Factory, phase
from tests.sim.fakecluster import Faults

Json = dict[str, Any]
COUNT = 3
STEPS = {
    "triggers": [{"dataset": {"name": "rows"}}],
    "steps": [
        {"name": "train", "image": "i", "workers": {"count": COUNT}, "inputs": {"x": {"dataset": "rows"}},
         "resources": {"gpu": {"count": 1}}, "outputs": {"model": {"type": "model"}},
         "retry": {"limit": 9, "backoff": "1s"}},
        {"name": "test", "image": "i", "inputs": {"m": {"output": "train.model"}}},
    ],
    "produces": [{"model": "m", "from": "train.model", "version": {}}],
}  # fmt: skip


class Gangs(Factory):
    """With a controller of Indexed Jobs: when a pod has failed, the others are ended, and then the Job has."""

    def __init__(self, seed: int, faults: Faults, mishaps: float = 0.0) -> None:
        self.beside: list[str] = []
        super().__init__(seed, faults, mishaps, STEPS)

    def _advance(self, job: Json) -> None:
        if not is_indexed(job):
            super()._advance(job)
            return
        uid = job["metadata"]["uid"]
        pods = [p for p in self.server.all(POD, NAMESPACE) if p["metadata"]["ownerReferences"][0]["uid"] == uid]
        self._note_strangers(job)
        ended = next((one["type"] for one in job.get("status", {}).get("conditions") or ()
                      if one["type"] in ("Complete", "Failed")), "")  # fmt: skip
        if ended:
            return
        if any(phase(pod) == "Failed" for pod in pods) or job.get("status"):
            self._end_all(job, pods)
        elif len(pods) < count_of(job):
            have = {self._index(pod) for pod in pods}
            self._make_indexed(job, self.rng.choice([one for one in range(count_of(job)) if one not in have]))
        elif all(phase(pod) == "Succeeded" for pod in pods):
            self._is(job, "Complete")
        else:
            self._go_on(job, self.rng.choice([pod for pod in pods if phase(pod) != "Succeeded"]))

    def _end_all(self, job: Json, pods: list[Json]) -> None:
        """First it says so, then it ends the others; when they are gone, it has failed."""
        if not job.get("status"):
            self._is(job, "FailureTarget")
            return
        rest = [pod for pod in pods if not (phase(pod) == "Failed" and "deletionTimestamp" not in pod["metadata"])]
        rest = [pod for pod in rest if phase(pod) != "Succeeded"]
        for pod in rest:
            name = pod["metadata"]["name"]
            if "deletionTimestamp" not in pod["metadata"]:
                stamp = {"deletionTimestamp": rfc3339(self.now()), "deletionGracePeriodSeconds": 0}
                self.server.edit(POD, NAMESPACE, name, lambda o, s=stamp: o["metadata"].update(s))
            elif phase(pod) in ("Pending", "Running"):
                self._status(POD, pod, {"phase": "Failed"})
            else:
                self.server.delete(POD, NAMESPACE, name)
        if not rest:
            self._is(job, "Failed")

    def _is(self, job: Json, word: str) -> None:
        before = job.get("status", {}).get("conditions") or []
        said = {"type": word, "status": "True", "lastTransitionTime": rfc3339(self.now())}
        self._status(JOB, job, {"conditions": [*before, said]})

    def _go_on(self, job: Json, pod: Json) -> None:
        if phase(pod) == "Pending":
            steps = [{"name": "step", "state": {"running": {"startedAt": rfc3339(self.now())}}}]
            self._status(POD, pod, {"phase": "Running", "initContainerStatuses": steps})
            return
        end = self._end(job)
        if self._index(pod) and end["phase"] == "Succeeded":
            publish = {"name": "publish", "state": {"terminated": {"exitCode": 0, "message": "{}"}}}
            end = end | {"containerStatuses": [publish]}
        self._status(POD, pod, end)

    def _make_indexed(self, job: Json, index: int) -> None:
        template, meta = job["spec"]["template"], job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        self.server.create(POD, {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": f"{meta['name']}-{index}-{self.rng.randrange(10**5)}", "namespace": NAMESPACE,
                "labels": template["metadata"]["labels"], "ownerReferences": [owner],
                "annotations": {INDEX_MARK: str(index)},
            },
            "spec": template["spec"] | {"nodeName": f"n-{index}"},
        })  # fmt: skip

    @staticmethod
    def _index(pod: Json) -> int:
        return int(pod["metadata"]["annotations"][INDEX_MARK])

    def _note_strangers(self, job: Json) -> None:
        """No pod of an attempt runs beside one of another attempt of the same step."""
        mine = job["metadata"]["labels"]
        for pod in self.server.all(POD, NAMESPACE):
            labels = pod["metadata"]["labels"]
            same = all(labels.get(f"fairlead.dev/{of}") == mine[f"fairlead.dev/{of}"] for of in ("run", "step"))
            if same and labels["fairlead.dev/attempt"] != mine["fairlead.dev/attempt"] and self._both_run(job, pod):
                self.beside.append(pod["metadata"]["name"])

    def _both_run(self, job: Json, pod: Json) -> bool:
        own = [p for p in self.server.all(POD, NAMESPACE)
               if p["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]]  # fmt: skip
        return phase(pod) in ("Pending", "Running") and any(phase(p) in ("Pending", "Running") for p in own)

    def _note_overlaps(self) -> None:
        """Several pods of an attempt are meant here: see `_note_strangers`."""
