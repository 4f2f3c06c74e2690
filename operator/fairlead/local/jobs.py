"""Jobs on this machine: what a Job controller and a kubelet would do, for Jobs of steps.

A Job's pod runs what its manifest says: inputs are fetched, the program runs, outputs are published, by the same code
as in a cluster. What became of it stands in the pod's status, as a node would write it.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Protocol

from fairlead.api import foreign
from fairlead.api.fetching import TASK_ENV, FetchTask, Said
from fairlead.api.tasks import INPUTS, OUTPUTS, ItemsTask, PublishTask, TaskResult
from fairlead.local import together
from fairlead.local.container import Folders, Unusable
from fairlead.local.program import Program
from fairlead.manifests import workers
from fairlead.manifests.job import FETCH, ITEMS, PUBLISH
from fairlead.plan.core import LABEL_PREFIX, Json, rfc3339
from fairlead.plan.jobs import likeness
from fairlead.plan.jobs.jobpods import count_of
from fairlead.plan.pipeline.code import FOLDER as CODE
from fairlead.worker import result
from fairlead.worker.fetch import fetch
from fairlead.worker.main import guarded
from fairlead.worker.publish import publish

WORKERS = (FETCH, PUBLISH, ITEMS)
"""Containers that run Fairlead's own program."""


class Runs(Protocol):
    """How a step's container runs: as a process, or in a container."""

    def program(self, container: Json, place: Place, heard: Callable[[str], None]) -> Program:
        """What is to be run. Raises Unusable."""
        ...


@dataclass(frozen=True)
class Place:
    """The folder of an attempt."""

    folder: Path

    @property
    def inputs(self) -> Path:
        """What is `/fairlead/in` in a pod."""
        return self.folder / "in"

    @property
    def outputs(self) -> Path:
        """What is `/fairlead/out`."""
        return self.folder / "out"

    @property
    def log(self) -> Path:
        """What the program printed."""
        return self.folder / "log"

    def folders(self, code: Path | None = None) -> Folders:
        """Where a container's folders are. code: what is `/fairlead/code`."""
        at = {INPUTS: str(self.inputs), OUTPUTS: str(self.outputs)}
        return Folders(at if code is None else at | {CODE: str(code)})


@dataclass
class Pod:
    """A Job under way, or ended."""

    job: Json
    place: Place
    made: str
    """When its Job was made."""
    statuses: dict[str, Json] = field(default_factory=dict)
    """By container."""
    started: bool = False
    phase: str = "Pending"
    reason: str = ""
    stopped: bool = False
    program: Program | None = None
    index: int = 0
    """Which it is of pods that work together."""
    mates: list[Pod] = field(default_factory=list)
    """All pods of the Job; empty: it is the only one."""
    follows: str = ""
    """Since when it is being ended, because one of those has failed."""

    @property
    def together(self) -> list[Pod]:
        """All pods of the Job."""
        return self.mates or [self]

    @property
    def here(self) -> str:
        """Its own name."""
        return f"{self.name}-{self.index}-here" if self.mates else f"{self.name}-here"

    @property
    def name(self) -> str:
        """Of the Job."""
        return str(self.job["metadata"]["name"])

    @property
    def step(self) -> str:
        """Whose attempt it is."""
        return _label(self.job, "step")

    @property
    def speaker(self) -> str:
        """Before the lines that it prints: the step, and its item or index."""
        item = f"{self.index}" if self.mates else _label(self.job, "item")
        return f"{self.step}/{item}" if item else self.step

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in ("Succeeded", "Failed")

    def manifest(self) -> Json:
        """The pod, as the API server would have it."""
        template, spec = self.job["spec"]["template"], self.job["spec"]["template"]["spec"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": self.job["metadata"]["uid"]}
        inits = [one["name"] for one in spec.get("initContainers") or ()]
        status: Json = {"phase": self.phase, "conditions": []}
        status["initContainerStatuses"] = [one for name, one in self.statuses.items() if name in inits]
        status["containerStatuses"] = [one for name, one in self.statuses.items() if name not in inits]
        own: Json = {"annotations": {workers.INDEX_MARK: str(self.index)}} if self.mates else {}
        if self.follows:  # as the Job's controller deletes it
            own["deletionTimestamp"] = self.follows
        return {
            "metadata": {
                "name": self.here, "namespace": self.job["metadata"]["namespace"],
                "uid": f"pod-{self.job['metadata']['uid']}-{self.index}", "creationTimestamp": self.made,
                "labels": template["metadata"]["labels"], "ownerReferences": [owner | {"controller": True}], **own,
            },
            "spec": spec | ({"nodeName": "here"} if self.started else {}),
            "status": status | ({"reason": self.reason} if self.reason else {}),
        }  # fmt: skip

    def as_job(self) -> Json:
        """The Job, with its outcome once it has one."""
        if not all(one.over for one in self.together):
            return self.job
        kind = "Complete" if all(one.phase == "Succeeded" for one in self.together) else "Failed"
        condition = {"type": kind, "status": "True", "lastTransitionTime": rfc3339(time.time())}
        return self.job | {"status": {"conditions": [condition]}}


class Machine:
    """Runs Jobs, so many at a time, in the order in which they came.

    Args:
        folder: Of the run; each attempt gets a folder below.
        store: The folder that stands for all buckets.
        runs: How steps run.
        parallel: Pods at a time.
        changed: Called, from any thread, when a pod's status is another one.
        heard: Called with a step's name and each line that it prints.
    """

    def __init__(
        self, folder: Path, store: Path, runs: Runs, parallel: int, changed: Callable[[], None],
        heard: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._folder, self._store, self._runs, self._heard = folder, store, runs, heard
        self._parallel, self._changed = parallel, changed
        self._pods: dict[str, list[Pod]] = {}
        self.attempts: dict[str, Pod] = {}
        """By Job, in their order: all that there were, also those that are gone."""
        self._ports: dict[str, int] = {}
        """By Job, where the first of several pods listens."""
        self._lock = Lock()

    def make(self, job: Json, made: str) -> None:
        """A new Job: its pod runs as soon as it is its turn."""
        folder, count = self._folder / _folder(job), count_of(job)
        places = [folder, *(folder / f"worker-{index}" for index in range(1, count))]
        pods = [Pod(job, Place(place), made, index=index) for index, place in enumerate(places)]
        for pod in pods:
            pod.mates = pods if count > 1 else []
        with self._lock:
            self._pods[pods[0].name] = pods
            self.attempts[pods[0].name] = pods[0]
        self._begin()

    def pods(self) -> list[Pod]:
        """All that are known."""
        with self._lock:
            return [pod for pods in self._pods.values() for pod in pods]

    def remove(self, name: str) -> bool:
        """End a Job's pods; whether nothing of it is left, and it is forgotten."""
        with self._lock:
            pods = self._pods.get(name, [])
            for pod in pods:
                pod.stopped = True
                if not pod.started:
                    pod.phase = "Failed"
            running = [pod for pod in pods if not pod.over]
            if not running:
                self._pods.pop(name, None)
        for pod in running:
            if pod.program:
                pod.program.stop()
        return not running

    def kill(self) -> None:
        """End all of them at once."""
        for pod in self.pods():
            if pod.over:
                continue
            pod.stopped = True
            if pod.program:
                pod.program.stop(now=True)

    def _begin(self) -> None:
        with self._lock:
            # pods that work together take one place, for none of them gets anywhere alone
            busy = sum(any(pod.started and not pod.over for pod in pods) for pods in self._pods.values())
            waiting = [pods for pods in self._pods.values() if not any(pod.started or pod.over for pod in pods)]
            chosen = [pod for pods in waiting[: max(0, self._parallel - busy)] for pod in pods]
            for pod in chosen:
                pod.started, pod.phase = True, "Running"
        for pod in chosen:
            Thread(target=self._run, args=(pod,), daemon=True).start()

    def _run(self, pod: Pod) -> None:
        ended = False
        try:
            ended = all(self._container(pod, one) for one in _in_order(pod.job))
        finally:
            with self._lock:
                pod.phase = "Succeeded" if ended else "Failed"
            if not ended:
                self._end_others(pod)
            self._changed()
            self._begin()

    def _end_others(self, failed: Pod) -> None:
        """Those that work with a pod that has failed, as the Job's controller does."""
        with self._lock:
            others = [pod for pod in failed.mates if not pod.over and not pod.follows]
            for pod in others:
                pod.follows = rfc3339(time.time())
        for pod in others:
            if pod.program:
                pod.program.stop()

    def _container(self, pod: Pod, container: Json) -> bool:
        """Run one; whether it ended well."""
        if pod.follows:
            return False
        name = container["name"]
        self._says(pod, container, {"running": {"startedAt": rfc3339(time.time())}})
        code, message = self._worker(pod, container) if name in WORKERS else self._step(pod, container)
        if pod.stopped or pod.follows:
            code, message = 137, ""
        ended = {"exitCode": code, "message": message, "finishedAt": rfc3339(time.time())}
        self._says(pod, container, {"terminated": ended})
        return code == 0

    def _says(self, pod: Pod, container: Json, state: Json) -> None:
        with self._lock:
            pod.statuses[container["name"]] = {"name": container["name"], "image": container["image"], "state": state}
        self._changed()

    # --- Fairlead's own containers ---------------------------------------------------------------------------------

    def _worker(self, pod: Pod, container: Json) -> tuple[int, str]:
        text = next(one["value"] for one in container["env"] if one["name"] == TASK_ENV).replace("$$", "$")
        pod.place.outputs.mkdir(parents=True, exist_ok=True)
        work = {FETCH: self._fetch, PUBLISH: self._publish, ITEMS: self._items}[container["name"]]
        if container["name"] == PUBLISH and pod.index:
            return 0, result.encode(Said()).decode()  # index 0 commits
        said = guarded(container["name"], lambda: work(pod.place, text))
        return (0 if said.error is None else 1), result.encode(said).decode()

    def _fetch(self, place: Place, text: str) -> Said:
        task, here = FetchTask.model_validate_json(text), {"folder": str(self._store)}
        items = [
            one.model_copy(update={
                "access": one.access.model_copy(update=here), "source": None,
                "dest": one.dest.replace(INPUTS, str(place.inputs), 1),
            })
            for one in task.items
        ]  # fmt: skip
        return Said(fetched=fetch(FetchTask(items=items)))

    def _publish(self, place: Place, text: str) -> Said:
        task = PublishTask.model_validate(foreign.parse(text))
        where = task.store.model_copy(update={"folder": str(self._store)})
        outputs = [
            one.model_copy(update={"path": one.path.replace(OUTPUTS, str(place.outputs), 1)}) for one in task.outputs
        ]
        logged = task.logged.replace(OUTPUTS, str(place.outputs), 1)
        done = publish(task.model_copy(update={"store": where, "outputs": outputs, "logged": logged}))
        # what is answered is the task as it was asked; where things lie on this machine is no part of it
        return result.keep("publish", task, where, TaskResult(publish=done))

    def _items(self, place: Place, text: str) -> Said:
        from fairlead.worker.items import items  # it needs what reads data

        task = ItemsTask.model_validate(foreign.parse(text))
        where = task.store.model_copy(update={"folder": str(self._store)})
        folder = task.folder.replace(INPUTS, str(place.inputs), 1)
        found = items(task.model_copy(update={"store": where, "folder": folder}))
        return result.keep("items", task, where, TaskResult(items=found))

    # --- the user's ------------------------------------------------------------------------------------------------

    def _step(self, pod: Pod, container: Json) -> tuple[int, str]:
        try:
            for folder in (pod.place.inputs, pod.place.outputs):
                folder.mkdir(parents=True, exist_ok=True)
            known = self._known(pod, container) if pod.mates else container
            program = self._runs.program(known, pod.place, lambda line: self._heard(pod.speaker, line))
        except (Unusable, OSError) as why:
            return 1, str(why)
        with self._lock:
            if pod.stopped or pod.follows:
                return 137, ""
            pod.program = program
        code = program.run(pod.job["spec"]["template"]["spec"].get("activeDeadlineSeconds"))
        if program.late:
            pod.reason = "DeadlineExceeded"
        if code == 0:
            shutil.rmtree(pod.place.inputs, ignore_errors=True)  # as with a pod; of one that failed it stays to be seen
        return (137 if code is None or program.late else code), program.tail

    def _known(self, pod: Pod, container: Json) -> Json:
        """A program's container where all that work together are on this machine."""
        with self._lock:
            port = self._ports.setdefault(pod.name, 0) or _free_port()
            self._ports[pod.name] = port
        return together.here(container, pod.name, pod.index, port)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _in_order(job: Json) -> Iterator[Json]:
    return iter(likeness.named(job["spec"]["template"]["spec"]).values())


def _label(job: Json, name: str) -> str:
    """One of Fairlead's labels; empty: there is none."""
    return str(job["metadata"]["labels"].get(f"{LABEL_PREFIX}{name}", ""))


def _folder(job: Json) -> Path:
    """Of an attempt, below the folder of all steps. What asks for a step's items is told from its attempts."""
    step, item, attempt = _label(job, "step"), _label(job, "item"), _label(job, "attempt")
    if any(one["name"] == ITEMS for one in job["spec"]["template"]["spec"]["containers"]):
        return Path(step, "asking", attempt)
    of = Path(step, "items", item) if item else Path(step)
    return of if attempt in ("", "1") else of / f"attempt-{attempt}"
