"""Data, pipelines and runs in the small world: Jobs get pods, pods do what they were told, or fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.api.items import PAGE
from fairlead.cluster.errors import ApiError
from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import DATASET, JOB, MODEL_VERSION, PIPELINE, PIPELINE_RUN, POD, rfc3339
from fairlead.plan.dataset import plan as dataset
from fairlead.plan.pipeline import ending, run
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.requests import Answer, Failed, KeepLog, Listed, LogKept, ReadDocument, Request
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators
from tests.unit.plan.answering import Answers

Json = dict[str, Any]
EPOCH = 1_800_000_000.0
NAMESPACE = "team"
SPECS = (dataset.SPEC, pipeline.SPEC, run.SPEC)
CONFIG = OperatorConfig.model_validate({"images": {"worker": "worker:1"}, "store": {"bucket": "store"}, "workers": 4})
DATA = {
    "source": {"s3": {"bucket": "src"}}, "format": "parquet", "watch": {"every": "5s", "settle": "1s"},
}  # fmt: skip
STEPS = {
    "triggers": [{"dataset": {"name": "rows"}}],
    "steps": [
        {"name": "prepare", "image": "i", "inputs": {"raw": {"dataset": "rows"}}, "outputs": {"x": {"type": "dataset"}},
         "retry": {"limit": 9, "backoff": "1s"}},
        {"name": "left", "image": "i", "inputs": {"x": {"output": "prepare.x"}}},
        {"name": "train", "image": "i", "needs": ["left"], "inputs": {"x": {"output": "prepare.x"}},
         "outputs": {"model": {"type": "model"}}, "retry": {"limit": 9, "backoff": "1s"}},
    ],
    "produces": [{"model": "m", "from": "train.model", "version": {}}],
}  # fmt: skip


ITEMS = [["NE", "large"], ["NE", None], [None, "ÜÄ $(X)"], ["../x", "small"]]
"""The distinct rows of two columns of the data."""


def phase(pod: Json) -> str:
    """A pod's phase."""
    found: str = pod.get("status", {}).get("phase", "Pending")
    return found


class Bucket:
    """The source: answers listings with what is there. And the store, with what workers have left."""

    def __init__(self) -> None:
        self.letter = "a"
        self.told = Answers()
        self.asked: Counter[KeepLog] = Counter()

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers."""
        return {request: self._answer(request) for request in requests}

    def _answer(self, request: Request) -> Answer:
        if isinstance(request, KeepLog):
            self.asked[request] += 1
            return LogKept(7, False) if self.asked[request] > 2 else Failed("Underway", "")
        listed = Listed(self.letter * 64, 1, 10)
        return self.told.answer(request) if isinstance(request, ReadDocument) else listed


class Factory(Operators):
    """An API server, Kubernetes' Job controller, and operators that come and go."""

    def __init__(self, seed: int, faults: Faults, mishaps: float = 0.0, steps: Json = STEPS) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults, self.mishaps = random.Random(seed), faults, mishaps
        self.server = ApiServer(self.now, with_status={DATASET, PIPELINE, PIPELINE_RUN, MODEL_VERSION, JOB, POD})
        self.bucket = Bucket()
        self.kube: FakeKube
        self.overlaps: list[str] = []
        super().__init__()
        self._controllers = asyncio.create_task(self._control())
        self.put(DATASET, "rows", DATA)
        self.put(PIPELINE, "p", steps)

    def now(self) -> float:
        """Epoch seconds."""
        return EPOCH + self.loop.time()

    def put(self, kind: Any, name: str, spec: Json) -> None:
        """Make an object."""
        meta = {"name": name, "namespace": NAMESPACE}
        self.server.create(kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec})

    # --- operators -------------------------------------------------------------------------------------------

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        self.kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        kernel = Kernel(SPECS, self.kube, source, self.bucket, CONFIG, clock=self.now, rng=self.rng, pace=Pace())
        self.started(kernel)

    # --- Kubernetes ------------------------------------------------------------------------------------------

    async def _control(self) -> None:
        while True:
            await asyncio.sleep(0.1 * self.rng.uniform(0.5, 1.5))
            for job in self.server.all(JOB):
                try:
                    self._advance(job)
                except ApiError:
                    continue  # deleted meanwhile
            self._note_overlaps()
            self.server.collect_garbage()

    def _pod(self, job: Json) -> Json | None:
        uid = job["metadata"]["uid"]
        pods = self.server.all(POD, NAMESPACE)
        return next((p for p in pods if p["metadata"]["ownerReferences"][0]["uid"] == uid), None)

    def _advance(self, job: Json) -> None:
        if job.get("status"):
            return
        pod = self._pod(job)
        if pod is None:
            self._make_pod(job)
        elif phase(pod) == "Pending":
            self._status(POD, pod, {"phase": "Running"})
        elif phase(pod) == "Running":
            self._status(POD, pod, self._end(job))
        else:
            kind = "Complete" if phase(pod) == "Succeeded" else "Failed"
            self._status(
                JOB, job, {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": rfc3339(self.now())}]}
            )

    def _make_pod(self, job: Json) -> None:
        template, meta = job["spec"]["template"], job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        self.server.create(POD, {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": f"{meta['name']}-{self.rng.randrange(10**6)}", "namespace": NAMESPACE,
                "labels": template["metadata"]["labels"], "ownerReferences": [owner],
            },
            "spec": template["spec"] | {"nodeName": "n"},
        })  # fmt: skip

    def _status(self, kind: Any, obj: Json, status: Json) -> None:
        self.server.edit(kind, NAMESPACE, obj["metadata"]["name"], lambda o: o.update(status=status))

    def _end(self, job: Json) -> Json:
        """How a pod ends."""
        main = job["spec"]["template"]["spec"]["containers"][0]
        if self.rng.random() < self.mishaps:
            return self.rng.choice([{"phase": "Failed", "reason": "Evicted"}, {"phase": "Failed"}])
        said = json.dumps(self._said(main))
        stopped = {"name": main["name"], "state": {"terminated": {"exitCode": 0, "message": said}}}
        before = [
            {"name": one["name"], "state": {"terminated": {"exitCode": 0}}}
            for one in job["spec"]["template"]["spec"].get("initContainers", [])
        ]
        ended = self.bucket.told.keep(job, [stopped])
        return {"phase": "Succeeded", "initContainerStatuses": before, "containerStatuses": ended}

    def _said(self, main: Json) -> Json:
        task = json.loads(next(e["value"] for e in main["env"] if e["name"] == "FAIRLEAD_TASK"))
        if main["name"] == "snapshot":
            name = f"v-{task['listing'][0]}"
            return {"snapshot": {"version": {
                "version": name, "digest": "d" * 64, "manifest": f"s3://store/{name}", "at": "2026-01-01T00:00:00Z",
            }}}  # fmt: skip
        if main["name"] == "items":
            return {"items": {"total": len(ITEMS), "pages": self._pages(task["store"]["prefix"])}}
        folder = f"{task['store']['prefix']}/" if "item" in task else ""
        outputs = [
            {"name": o["name"], "type": o["type"], "uri": f"s3://store/{folder}{o['name']}/", "sha256": "0" * 64}
            for o in task["outputs"]
        ]
        return {"publish": {"attempt": task["attempt"], "outputs": outputs}}

    def _pages(self, prefix: str) -> list[str]:
        """Documents with the values of ITEMS."""
        pages = []
        for first in range(0, len(ITEMS), PAGE):
            body = json.dumps(ITEMS[first : first + PAGE])
            pages.append(hashlib.sha256(body.encode()).hexdigest())
            self.bucket.told.documents[f"{prefix}pages/{pages[-1]}.json"] = body
        return pages

    def _note_overlaps(self) -> None:
        found = [p["metadata"]["labels"] for p in self.server.all(POD, NAMESPACE) if phase(p) in ("Pending", "Running")]
        running = [
            tuple(labels.get(f"fairlead.dev/{of}", "") for of in ("run", "step", "item"))
            for labels in found
            if "fairlead.dev/step" in labels
        ]
        self.overlaps += ["/".join(one) for one in running if running.count(one) > 1]

    # --- looking ---------------------------------------------------------------------------------------------

    def made(self, plural: str) -> list[str]:
        """Names of the objects that were ever made, in order."""
        return [c.obj["metadata"]["name"] for c in self.server.log if c.type == "ADDED" and c.kind.plural == plural]

    def finished(self) -> bool:
        """Whether the newest data has been published and run, and nothing is left to do."""
        status = self.server.get(PIPELINE, NAMESPACE, "p").get("status", {})
        runs = self.server.all(PIPELINE_RUN)
        ended = [r.get("status", {}).get("phase") in ending.TERMINAL for r in runs]
        handled = status.get("handled", {}).get("dataset/rows") == f"v-{self.bucket.letter}"
        made = bool(status.get("lastRun", {}).get("uid"))
        return bool(ended) and all(ended) and handled and made and status["active"] == 0

    def kept(self) -> bool:
        """Whether the log of each step's last attempt is in the store."""
        steps = [s for run in self.server.all(PIPELINE_RUN) for s in run.get("status", {}).get("steps", [])]
        return all((s.get("log") or {}).get("uri", "").endswith(f"/{s['attempt']}/log.txt") for s in steps)

    async def until_finished(self, within: float = 3600.0) -> None:
        """Wait for that: longer than a few pods in a row rest that needed too much of the disk. Raises
        AssertionError."""
        end = self.loop.time() + within
        while not self.finished():
            states = [(r["metadata"]["name"], r.get("status")) for r in self.server.all(PIPELINE_RUN)]
            assert self.loop.time() < end, f"not finished: {states}"
            assert not self._controllers.done(), self._controllers
            await asyncio.sleep(0.05)
