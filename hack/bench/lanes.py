"""Who leads runs of steps that do nothing: Fairlead, Argo Workflows, or nobody (plain Jobs)."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from typing import Any

import yaml

from fairlead.cluster.client import HttpKube
from fairlead.cluster.port import SECRET
from fairlead.plan.core import JOB, PIPELINE, PIPELINE_RUN, Kind
from hack.bench import argoworkflows
from hack.bench.argoworkflows import IMAGE, WORKFLOW
from hack.bench.heard import step_name
from hack.bench.plane import BUCKET, NAMESPACE, Plane
from hack.bench.process import Operator
from hack.testbed.programs import free_port

RUNS_PER_PIPELINE = 500
Json = dict[str, Any]


class Lane(ABC):
    """One of them, in a namespace of its own."""

    made: Kind
    """What one run is."""

    def __init__(self, found: Plane, kube: HttpKube, namespace: str, runs: int, steps: int) -> None:
        """runs: at most; steps: of each."""
        self.found, self.kube, self.namespace, self.runs, self.steps = found, kube, namespace, runs, steps

    async def prepare(self) -> None:
        """Make the namespace, and what runs need besides themselves."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.kube.apply(NAMESPACE, body)

    @abstractmethod
    def run(self, number: int) -> Json:
        """One run."""

    @abstractmethod
    async def start(self) -> None:
        """Start who leads it; returns at once."""

    @abstractmethod
    def stop(self) -> None:
        """Kill it, if it runs."""

    def alive(self) -> bool:
        """Whether it runs as it should."""
        return True

    def figures(self) -> Json:
        """`cpu` in seconds, `peak` in MiB and `requests` since it was started; empty: nobody leads."""
        return {}


def name_of(number: int) -> str:
    """Of a run."""
    return f"r-{number:05d}"


def _object(kind: Kind, name: str, namespace: str, spec: Json) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name, "namespace": namespace},
            "spec": spec}  # fmt: skip


class PlainJobs(Lane):
    """A Job for each run, made by the benchmark: what Kubernetes alone takes."""

    made = JOB

    def run(self, number: int) -> Json:
        """One step, however many others have."""
        pod = {"restartPolicy": "Never", "containers": [{"name": "program", "image": IMAGE, "command": ["true"]}]}
        return _object(JOB, name_of(number), self.namespace, {"backoffLimit": 0, "template": {"spec": pod}})

    async def start(self) -> None:
        """Kubernetes is there."""

    def stop(self) -> None:
        """It stays."""


class Fairlead(Lane):
    """PipelineRuns."""

    made = PIPELINE_RUN
    _operator: Operator | None = None

    async def prepare(self) -> None:
        """The store's keys, and Pipelines for so many runs each."""
        await super().prepare()
        keys = zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), self.found.keys, strict=True)
        data = {name: base64.b64encode(value.encode()).decode() for name, value in keys}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": self.namespace}}
        await self.kube.apply(SECRET, {**secret, "data": data})
        row = [
            {"name": step_name(n), "image": IMAGE, "command": ["true"], "needs": [step_name(n - 1)] if n else []}
            for n in range(self.steps)
        ]
        for number in range((self.runs - 1) // RUNS_PER_PIPELINE + 1):
            spec = {"history": {"succeeded": 1000}, "steps": row}
            await self.kube.apply(PIPELINE, _object(PIPELINE, f"p-{number}", self.namespace, spec))

    def run(self, number: int) -> Json:
        """A PipelineRun."""
        pipeline = f"p-{number // RUNS_PER_PIPELINE}"
        return _object(PIPELINE_RUN, name_of(number), self.namespace, {"pipeline": pipeline})

    async def start(self) -> None:
        """The operator, for this namespace. Logs aren't kept: KWOK has none, and Argo Workflows keeps none either."""
        store = {"bucket": BUCKET, "prefix": "", "endpoint": self.found.store, "credentials": {"name": "s3"}}
        config = {"images": {"worker": IMAGE}, "store": store, "jobs": {"logs": False}, "namespaces": [self.namespace]}
        path = self.found.folder / f"{self.namespace}.yaml"
        path.write_text(yaml.safe_dump(config))
        self._operator = Operator(
            path, name=f"pipelines-{self.namespace}", lease=self.namespace, port=free_port(),
            kubeconfig=self.found.kubeconfig,
        )  # fmt: skip
        self._operator.start()

    def stop(self) -> None:
        """Kill the operator."""
        if self._operator is not None:
            self._operator.kill()

    def alive(self) -> bool:
        """Whether the operator runs."""
        return self._operator is not None and self._operator.alive()

    def figures(self) -> Json:
        """Of the operator."""
        operator = self._operator
        assert operator is not None
        asked = operator.metric("fairlead_api_requests_total")
        return {"cpu": operator.cpu(), "peak": operator.peak(), "requests": asked}


class Argo(Lane):
    """Workflows."""

    made = WORKFLOW

    def led_by(self, settings: argoworkflows.Settings) -> Argo:
        """With a controller."""
        self._controller = argoworkflows.Controller(self.found, self.kube, self.namespace, settings)
        return self

    def run(self, number: int) -> Json:
        """A Workflow, with its steps in itself: so the controller has no template to look up."""
        return argoworkflows.workflow(name_of(number), self.namespace, self.steps)

    async def start(self) -> None:
        """The workflow controller, for this namespace."""
        await self._controller.start()

    def stop(self) -> None:
        """Kill it."""
        self._controller.stop()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._controller.alive()

    def figures(self) -> Json:
        """Of the controller."""
        one = self._controller
        return {"cpu": one.cpu(), "peak": one.peak(), "requests": one.requests()}


ARGO = {
    "argo-default": argoworkflows.Settings(),
    "argo-1s": argoworkflows.Settings(requeue="1s", qps=1000),
    "argo-fast": argoworkflows.Settings(requeue="50ms", qps=1000),
}
"""Its defaults; the least time between looks that its own source calls safe, and no limit of requests that matters;
less than that."""
WORDS = {
    "jobs": "plain Jobs", "fairlead": "Fairlead", "argo-default": "Argo Workflows, its defaults",
    "argo-1s": "Argo Workflows, requeue 1 s", "argo-fast": "Argo Workflows, requeue 50 ms",
}  # fmt: skip


def lane(name: str, found: Plane, kube: HttpKube, namespace: str, runs: int, steps: int) -> Lane:
    """By its name in WORDS."""
    if name in ARGO:
        return Argo(found, kube, namespace, runs, steps).led_by(ARGO[name])
    return {"jobs": PlainJobs, "fairlead": Fairlead}[name](found, kube, namespace, runs, steps)
