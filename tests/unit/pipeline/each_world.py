"""Runs with a step for each item, in the little world: who makes its Jobs' pods, and what they leave."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import dataset, task_of

from fairlead.api.items import mask_of, numbers
from fairlead.plan.core import JOB, PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import run

REGIONS = {"matrix": {"region": ["NE", "NW", "SE"], "size": ["large", "small"]}}
TRAIN = {
    "name": "train", "image": "i:1", "command": ["train", "--region={{each.region}}"], "each": REGIONS,
    "env": [{"name": "SIZE", "value": "{{each.size}}"}], "outputs": {"model": {"type": "model"}},
}  # fmt: skip
REPORT = {"name": "report", "image": "i:1", "inputs": {"models": {"output": "train.model"}}}


class EachWorld(LittleWorld):
    """One run of a pipeline."""

    def begin(self, *steps: Json, **spec: Any) -> EachWorld:
        """A pipeline with these steps, and its run."""
        dataset(self)
        self.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": list(steps)} | spec})
        self.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "p"}})
        return self

    def look_on(self) -> Json:
        """The run's status after looking until nothing changes."""
        self.settle(run.SPEC, "p-1")
        return self.status(PIPELINE_RUN, "p-1")

    def step(self, name: str = "train") -> Json:
        """A step's status after that."""
        found: Json = next(one for one in self.look_on()["steps"] if one["name"] == name)
        return found

    def items(self, name: str = "train") -> Json:
        """Where its items stand."""
        found: Json = self.step(name)["items"]
        return found

    def alive(self, name: str = "train") -> dict[int, Json]:
        """Jobs without an end, by item."""
        jobs = [job for job in self.jobs(step=name) if self.phase(job) not in ("Succeeded", "Failed")]
        return {number(job): job for job in jobs if "fairlead.dev/item" in job["metadata"]["labels"]}

    def phase(self, job: Json) -> str:
        """Of its pod."""
        pod = self.get(POD, f"{job['metadata']['name']}-x")
        return pod["status"]["phase"] if pod else ""

    def succeed(self, *which: int, step: str = "train") -> None:
        """The pods of these items leave what they should."""
        for one in which:
            succeed(self, self.alive(step)[one])

    def fail(self, *which: int, step: str = "train", code: int = 1) -> None:
        """The programs of these items fail."""
        for one in which:
            self.pod(self.alive(step)[one], "Failed", initContainerStatuses=[stopped("step", code)])

    def answer_items(self, values: list[list[str | None]], step: str = "train") -> None:
        """The data say which items there are."""
        (job,) = (one for one in self.jobs(step=step) if "fairlead.dev/asks" in one["metadata"]["labels"]
                  and not self.phase(one))  # fmt: skip
        prefix = task_of(job, "items")["store"]["prefix"]
        pages = []
        for first in range(0, len(values), 250):
            pages.append(f"{first:064x}")
            self.told.documents[f"{prefix}pages/{pages[-1]}.json"] = json.dumps(values[first : first + 250])
        said = json.dumps({"items": {"total": len(values), "pages": pages}})
        self.pod(job, "Succeeded", initContainerStatuses=[stopped("fetch", 0, '{"fetched": 1}')],
                 containerStatuses=[stopped("items", 0, said)])  # fmt: skip


def succeed(where: LittleWorld, job: Json) -> None:
    """A Job's pod leaves what it should."""
    task = task_of(job, "publish")
    outputs = [
        {"name": o["name"], "type": o["type"], "uri": f"s3://store/{task['store']['prefix']}{o['name']}/",
         "sha256": f"{number(job):064x}"} for o in task["outputs"]
    ]  # fmt: skip
    said = json.dumps({"publish": {"attempt": task["attempt"], "outputs": outputs, "item": task.get("item")}})
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
              containerStatuses=[stopped("publish", 0, said)])  # fmt: skip


def number(job: Json) -> int:
    """The item's of a Job."""
    return int(job["metadata"]["labels"].get("fairlead.dev/item", "0").partition("-")[0])


def members(text: str) -> set[int]:
    """A set of a status."""
    return set(numbers(mask_of(text)))


def jobs_left(where: LittleWorld) -> list[Any]:
    """Names of the Jobs that are there."""
    return [job["metadata"]["name"] for job in where.select(JOB)]
