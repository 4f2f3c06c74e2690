"""One run: the operator's own plan is asked what comes next, until it says that the run is over."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRun, PipelineRunSpec, PipelineRunStatus, StepStatus
from fairlead.local import only
from fairlead.local.jobs import Machine
from fairlead.local.trouble import Trouble
from fairlead.local.world import Here
from fairlead.manifests.job import STEP
from fairlead.plan.core import JOB, MODEL_VERSION, PIPELINE_RUN, POD, SERVICE, Json, Meta, Plan, Subject, rfc3339
from fairlead.plan.pipeline.ending import TERMINAL
from fairlead.plan.pipeline.run import observe, plan
from fairlead.plan.pipeline.units import FAILED

CLOCK = time.time
_LOG = re.compile(rf"kubectl logs -n \S+ job/(\S+) -c {STEP}")


@dataclass
class Run:
    """A run under way.

    Args:
        name: Its name.
        namespace: Its namespace.
        spec: As a person writes it.
        world: With its Pipeline and Datasets.
        changed: Called with the status after each look that has changed it.
    """

    name: str
    namespace: str
    spec: PipelineRunSpec
    world: Here
    changed: Callable[[PipelineRunStatus], None]
    keep_going: bool = False
    """A step that has failed stops only those that wait for it."""

    def __post_init__(self) -> None:
        self.status = PipelineRunStatus()
        self._ended: set[str] = set()
        self._aside: dict[str, StepStatus] = {}
        self._whole: PipelineSpec | None = None
        self.uid = str(uuid.uuid4())
        self._created = CLOCK()
        self._news: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        """Something has changed. From any thread."""
        self._news.put(None)

    def cancel(self) -> None:
        """As a person would cancel it in the cluster."""
        self.spec = self.spec.model_copy(update={"cancel": "now"})
        self.wake()

    def now(self) -> float:
        """Epoch seconds."""
        return CLOCK()

    def manifest(self) -> Json:
        """The run as an object."""
        return {
            "apiVersion": PIPELINE_RUN.api_version, "kind": PIPELINE_RUN.kind,
            "metadata": {
                "name": self.name, "namespace": self.namespace, "uid": self.uid, "generation": 1,
                "creationTimestamp": rfc3339(self._created),
            },
            "spec": self.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "status": self.status.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        }  # fmt: skip

    def to_its_end(self, machine: Machine) -> PipelineRunStatus:
        """Look, do what is to be done, wait for news. Raises Trouble for a run that waits for what never comes."""
        logging.getLogger("fairlead").addHandler(logging.NullHandler())
        while self.status.phase not in TERMINAL:
            self._mirror(machine)
            made = self._look()
            if self.keep_going and self._set_aside(made):
                continue
            assert isinstance(made.status, PipelineRunStatus)
            moved = made.status != self.status or bool(made.create) or bool(made.delete)
            self.status = _here(made.status, machine)
            self._do(made, machine)
            if moved:
                self.changed(self.status)
            else:
                self._wait(made, machine)
        self._take_back()
        return self.status

    def _set_aside(self, made: Plan) -> bool:
        """Take steps that failed, and those that wait for them, out of the run, so that the others go on."""
        assert isinstance(made.status, PipelineRunStatus)
        template, found = made.status.template, made.status.steps
        failed = {s.name: s for s in found if s.phase == "Failed"}
        if not failed or template is None:
            return False
        left = only.without(template, set(failed))
        names = {step.name for step in left.steps}
        if not names:
            return False
        self._whole = self._whole or template
        waits = f"step {', '.join(failed)} failed, and this one waits for it"
        self._aside |= failed | {
            s.name: s.model_copy(update={"phase": "Aborted", "reason": FAILED, "message": waits})
            for s in found if s.name not in names and s.name not in failed
        }  # fmt: skip
        # what ran meanwhile is looked at again; what the plan would have stopped is not
        before = [s for s in self.status.steps if s.name in names]
        self.status = self.status.model_copy(update={"template": left, "steps": before})
        self.changed(made.status)
        return True

    def _take_back(self) -> None:
        if self._whole is None:
            return
        steps = {s.name: s for s in self.status.steps} | self._aside
        failed = [s for s in self._aside.values() if s.phase == "Failed"]
        done = sum(s.phase == "Completed" for s in steps.values())
        self.status = self.status.model_copy(update={
            "template": self._whole, "steps": [steps[one.name] for one in self._whole.steps],
            "progress": f"{done}/{len(steps)}",
            **({"phase": "Failed", "message": "; ".join(f"step {s.name}: {s.message}" for s in failed)[:1024]}
               if self.status.phase == "Completed" else {}),
        })  # fmt: skip

    def _look(self) -> Plan:
        now = CLOCK()
        meta = Meta(self.name, self.namespace, self.uid, 1, "1", self._created)
        subject = Subject(meta, PipelineRun(spec=self.spec, status=self.status), self.manifest())
        list(observe(subject, self.world, now))  # what it asks is answered when the plan looks
        return plan(subject, self.world, now)

    def _mirror(self, machine: Machine) -> None:
        """Jobs and pods as they are by now."""
        for pod in machine.pods():
            over = all(one.over for one in pod.together)
            if over:
                self._ended.add(pod.name)
            if pod.stopped and over:
                self._remove(pod.name, machine)
                continue
            job, found = pod.as_job(), pod.manifest()
            if pod.stopped:
                job = job | {"metadata": job["metadata"] | {"deletionTimestamp": pod.made}}
            self.world.logs[found["metadata"]["name"]] = pod.place.log
            self.world.put(JOB, job)
            self.world.put(POD, found)

    def _do(self, made: Plan, machine: Machine) -> None:
        stamp = rfc3339(CLOCK())
        for one in made.create:
            if one["kind"] == SERVICE.kind:
                self.world.add(SERVICE, one, stamp)  # all are on this machine
            elif one["kind"] == JOB.kind:
                machine.make(self.world.add(JOB, one, stamp), stamp)
            elif one["kind"] == MODEL_VERSION.kind:
                self.world.add(MODEL_VERSION, one, stamp)
            else:
                raise Trouble(f"the run would make a {one['kind']}, which only a cluster has")
        for gone in made.delete:
            if gone.kind == SERVICE:
                self.world.remove(SERVICE, gone.name)
            else:
                self._remove(gone.name, machine)

    def _remove(self, name: str, machine: Machine) -> None:
        """End a Job. One that has ended meanwhile is gone at once, here and for the plan: it would ask for ever."""
        pods = [pod.here for pod in machine.pods() if pod.name == name]
        if machine.remove(name):
            self.world.remove(JOB, name)
            for pod in pods or [f"{name}-here"]:
                self.world.remove(POD, pod)

    def _wait(self, made: Plan, machine: Machine) -> None:
        busy = any(pod.name not in self._ended for pod in machine.pods())
        if not busy and made.requeue_after is None:
            raise Trouble(
                f"the run waits for what this machine has not: {self.status.message or 'nothing is under way'}"
            )
        try:
            self._news.get(timeout=made.requeue_after)
            while not self._news.empty():
                self._news.get_nowait()
        except Empty:
            return


def _here(status: PipelineRunStatus, machine: Machine) -> PipelineRunStatus:
    """With this machine's files where a cluster would be asked for a log."""
    logs = {name: str(pod.place.log) for name, pod in machine.attempts.items()}

    def told(text: str) -> str:
        return _LOG.sub(lambda match: logs.get(match[1], match[0]), text)

    steps = [step.model_copy(update={"message": told(step.message)}) for step in status.steps]
    return status.model_copy(update={"message": told(status.message), "steps": steps})
