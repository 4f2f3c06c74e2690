"""Runs of a pipeline whose steps may take earlier results: a little world with a store in memory, in which the real
`publish` leaves what it leaves, and which the real look-up reads."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.worker.bucket import Memory

from fairlead.api.tasks import PublishEntry, PublishResult, PublishTask
from fairlead.plan.core import JOB, PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import run
from fairlead.plan.requests import Answer, Failed, FindOutputs, ReadCached, ReadImage, Request
from fairlead.store import cached
from fairlead.store.layout import split
from fairlead.worker import leave

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PIPELINE: Json = {
    "kind": "Pipeline",
    "metadata": {"name": "delay"},
    "spec": {
        "params": {"horizon": "24"},
        "steps": [
            {
                "name": "prepare", "image": f"r/app@{A}", "cache": True, "command": ["prepare"],
                "inputs": {"raw": {"dataset": "flights"}}, "outputs": {"rows": {"type": "dataset"}},
            },
            {
                "name": "train", "image": f"r/app@{A}", "cache": True, "args": ["--h={{params.horizon}}"],
                "env": [{"name": "SEED", "value": "1"}], "secrets": ["token"], "retry": {"limit": 1, "backoff": "1s"},
                "resources": {"cpu": "1", "memory": "1Gi", "gpu": {"count": 1, "product": "A100"}},
                "inputs": {"rows": {"output": "prepare.rows"}}, "outputs": {"model": {"type": "model"}},
            },
        ],
    },
}  # fmt: skip


class CacheWorld(LittleWorld):
    """A little world with a store."""

    bucket: Memory
    says: Failed | None = None
    """What the store says instead of answering about earlier results."""
    registry: dict[str, Answer]
    """What registries say of names."""
    asked: list[ReadImage]
    """What they were asked."""

    def answer(self, request: Request) -> Answer:
        """See `World`."""
        if request in self._asked and isinstance(request, ReadImage):
            self.asked.append(request)
            return self.registry.get(request.name, Failed("UnknownImage", f"there is no {request.name}"))
        if request in self._asked and isinstance(request, ReadCached | FindOutputs):
            if self.says is not None:
                return self.says
            if isinstance(request, ReadCached):
                return cached.look_up(self.bucket, request.prefix)  # type: ignore[arg-type]
            return cached.missing(self.bucket, request.outputs)  # type: ignore[arg-type]
        return super().answer(request)

    # --- what people do ---

    def pipeline(self, **changes: Any) -> None:
        """The Pipeline; keywords with two underscores change fields of a step (`train__image`)."""
        found = copy.deepcopy(PIPELINE)
        for name, value in changes.items():
            step, _, what = name.partition("__")
            if what:
                next(one for one in found["spec"]["steps"] if one["name"] == step)[what] = value
            else:
                found["spec"][name] = value
        self.put(found)

    def run(self, name: str, **spec: Any) -> Json:
        """A new run, looked at until nothing is written."""
        self.put({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "delay"} | spec})
        return self.look_at(name)

    def look_at(self, name: str) -> Json:
        """Its status after looking until nothing is written."""
        self.settle(run.SPEC, name)
        return self.status(PIPELINE_RUN, name)

    def whole(self, name: str, **spec: Any) -> Json:
        """A new run, to its end: all its pods succeed."""
        self.run(name, **spec)
        return self.to_the_end(name)

    def to_the_end(self, name: str) -> Json:
        """A run's status when all its pods have succeeded."""
        status = self.look_at(name)
        while status["phase"] == "Running":
            live = self.live(name)
            assert live, status
            for job in live:
                self.succeed(job)
            status = self.look_at(name)
        return status

    def live(self, name: str) -> list[Json]:
        """Jobs of a run whose pods are not over."""
        return [one for one in self.jobs(run=name) if not self.phase(one)]

    def phase(self, job: Json) -> str:
        """Of a Job's pod, if it is over; else empty."""
        pod = self.get(POD, f"{job['metadata']['name']}-x")
        phase = pod["status"]["phase"] if pod else ""
        return phase if phase in ("Succeeded", "Failed") else ""

    # --- what pods do ---

    def succeed(self, job: Json, salt: str = "") -> None:
        """A pod succeeds: its outputs follow from what its program gets. salt: makes other ones."""
        task = publishing(job)
        said = self.publish(task, f"{salt}{program(job)}")
        self.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
                 containerStatuses=[stopped("publish", 0, json.dumps({"publish": said}))])  # fmt: skip

    def fail(self, job: Json) -> None:
        """Its program fails."""
        self.pod(job, "Failed", initContainerStatuses=[stopped("step", 1)])

    def publish(self, task: PublishTask, text: str) -> Json:
        """What `publish` uploads, leaves and says."""
        from fairlead.worker import digests

        outputs = []
        for item in task.outputs:
            body = f"{item.name}: {text}".encode()
            folder = f"{task.store.prefix}{task.attempt}/{item.name}/"
            self.bucket.put(f"{folder}part", body)
            sha = digests.of_folder([("part", digests.of_bytes(body))])
            outputs.append({"name": item.name, "type": item.type, "uri": self.bucket.uri(folder), "sha256": sha,
                            "bytes": len(body)})  # fmt: skip
        result = PublishResult.model_validate({"attempt": task.attempt, "outputs": outputs, "item": task.item})
        result = leave.leave(task.cache, result) if task.cache else result
        return result.model_dump(mode="json", by_alias=True)

    def programs(self) -> list[str]:
        """`run/step` of all Jobs that were made, in order."""
        labels = [self.objects[kind, name]["metadata"]["labels"] for kind, name in self.created if kind == JOB.kind]
        return [f"{one['fairlead.dev/run']}/{one['fairlead.dev/step']}" for one in labels]


def publishing(job: Json) -> PublishTask:
    """What `publish` is told."""
    main = job["spec"]["template"]["spec"]["containers"][0]
    text = next(one["value"] for one in main["env"] if one["name"] == "FAIRLEAD_TASK")
    return PublishTask.model_validate_json(text.replace("$$", "$"))


def program(job: Json) -> str:
    """All that a step's program can see."""
    spec = job["spec"]["template"]["spec"]
    found = next(one for one in spec["initContainers"] if one["name"] == "step")
    env = [one for one in found["env"] if one["name"] not in ("FAIRLEAD_RUN", "FAIRLEAD_ATTEMPT")]
    fetched = next((one["env"] for one in spec["initContainers"] if one["name"] == "fetch"), [])
    read = [item["sha256"] for one in fetched if one["name"] == "FAIRLEAD_TASK"
            for item in json.loads(one["value"].replace("$$", "$"))["items"]]  # fmt: skip
    return json.dumps([found["image"], found.get("command"), found.get("args"), env, read], sort_keys=True)


def entry_of(job: Json) -> PublishEntry | None:
    """What it is told to leave."""
    return publishing(job).cache


def step(status: Json, name: str) -> Json:
    """A step's status."""
    found: Json = next(one for one in status["steps"] if one["name"] == name)
    return found


def outcomes(status: Json) -> list[str]:
    """What became of each step's question."""
    return [one.get("cache", {}).get("outcome", "") for one in status["steps"]]


def gone(where: CacheWorld, output: Json) -> None:
    """An output's bytes are erased."""
    prefix = split(output["uri"])[1]
    for key in [one for one in where.bucket.objects if one.startswith(prefix)]:
        del where.bucket.objects[key]


def made(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    """A world with a Pipeline and a Dataset."""
    from tests.unit.plan.test_run_plan import dataset

    found = CacheWorld()
    found.bucket, found.registry, found.asked = Memory("store"), {}, []
    monkeypatch.setattr(leave, "place", lambda _: found.bucket)
    found.pipeline()
    dataset(found)
    return found
