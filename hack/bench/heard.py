"""When was heard of what: beginnings and ends of runs and of their steps, of whoever leads them.

All is heard from one API server by one process, so what is compared has come the same way.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fairlead.plan.pipeline.ending import TERMINAL
from hack.bench import argoworkflows

Json = dict[str, Any]
Run = tuple[str, str]
"""Namespace and name."""
RUN, STEP, JOB_NAME = "fairlead.dev/run", "fairlead.dev/step", "batch.kubernetes.io/job-name"


def step_name(number: int) -> str:
    """Of a row's steps."""
    return f"s{number}"


class Heard:
    """Times of the monotonic clock, in seconds; each is of the first time that something was heard."""

    def __init__(self) -> None:
        self.made = dict[Run, float]()
        """A run is there."""
        self.begun = dict[tuple[Run, int], float]()
        """What its controller makes for a step is there: a Job of Fairlead's, a pod of Argo's."""
        self.ended = dict[tuple[Run, int], float]()
        """A step's pod has succeeded."""
        self.over = dict[Run, float]()
        """A run says that it is over, or a plain Job."""
        self.done = Counter[str]()
        """Runs that are over, by namespace."""
        self.wrong = list[str]()
        """Runs that have not succeeded."""

    def pod(self, type_: str, pod: Json) -> None:
        """An event of a pod."""
        labels, step = pod["metadata"].get("labels") or {}, argoworkflows.step_of(pod)
        space = pod["metadata"]["namespace"]
        if step is not None:
            name, number = step
            if type_ == "ADDED":
                self.begun.setdefault(((space, name), number), time.monotonic())
        elif RUN in labels:
            name, number = labels[RUN], int(labels[STEP][1:])
        elif JOB_NAME in labels:
            name, number = labels[JOB_NAME], 0
        else:
            return
        if (pod.get("status") or {}).get("phase") == "Succeeded":
            self.ended.setdefault(((space, name), number), time.monotonic())

    def job(self, type_: str, job: Json) -> None:
        """An event of a Job."""
        meta = job["metadata"]
        labels, space = meta.get("labels") or {}, meta["namespace"]
        if RUN in labels:
            if type_ == "ADDED":
                self.begun.setdefault(((space, labels[RUN]), int(labels[STEP][1:])), time.monotonic())
            return
        conditions = (job.get("status") or {}).get("conditions") or ()
        ended = [one["type"] for one in conditions if one["type"] in ("Complete", "Failed") and one["status"] == "True"]
        self._run(type_, job, ended[0] if ended else "", "Complete")

    def run(self, type_: str, run: Json) -> None:
        """An event of a PipelineRun."""
        phase = (run.get("status") or {}).get("phase", "")
        self._run(type_, run, phase if phase in TERMINAL else "", "Completed")

    def workflow(self, type_: str, workflow: Json) -> None:
        """An event of a Workflow."""
        phase = (workflow.get("status") or {}).get("phase", "")
        self._run(type_, workflow, phase if phase in ("Succeeded", "Failed", "Error") else "", "Succeeded")

    def _run(self, type_: str, obj: Json, end: str, good: str) -> None:
        key = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if type_ == "ADDED":
            self.made.setdefault(key, time.monotonic())
        if not end or key in self.over:
            return
        self.over[key] = time.monotonic()
        self.done[key[0]] += 1
        if end != good:
            self.wrong.append(f"{'/'.join(key)}: {end}")

    def delays(self, run: Run, steps: int) -> dict[str, list[float]]:
        """A controller's own delays in a run whose steps stand in a row, in seconds: from the run to its first step,
        from a step's end to the next one, from the last step's end to the run's. Of a plain Job there is the last."""
        last = [self.over[run] - self.ended[run, steps - 1]]
        if (run, 0) not in self.begun:
            return {LAST: last}
        between = [self.begun[run, n + 1] - self.ended[run, n] for n in range(steps - 1)]
        return {FIRST: [self.begun[run, 0] - self.made[run]], BETWEEN: between, LAST: last}


FIRST, BETWEEN, LAST = "run → first step", "step → next step", "last step → run over"
