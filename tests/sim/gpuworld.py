"""Deployments in the small world, on nodes with so many GPUs: workloads get pods, pods get a node if there is room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.cluster.errors import ApiError
from fairlead.engine.kernel import Kernel, Pace
from fairlead.plan.core import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HTTP_ROUTE,
    MODEL_VERSION,
    POD,
    REPLICA_SET,
    SERVICE,
    WORKLOAD,
    rfc3339,
)
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model import plan as modelversion
from fairlead.plan.requests import (
    Answer,
    Counters,
    Failed,
    GatewaySeen,
    NamespaceSeen,
    ReadNamespace,
    Request,
    ScrapePod,
    Warm,
    WarmUp,
)
from tests.sim.apiserver import ApiServer
from tests.sim.fakecluster import Crash, FakeKube, FakeSource, Faults
from tests.sim.operators import Operators

Json = dict[str, Any]
EPOCH = 1_800_000_000.0
NAMESPACE = "team"
METRICS = {"requests": "requests_total", "failures": "failures_total"}


class Servers:
    """Answers for the pods: warm at once, and a hundred requests a second without a failure."""

    def __init__(self, world: GpuWorld) -> None:
        self._world = world

    async def resolve(self, requests: Iterable[Request]) -> Mapping[Request, Answer]:
        """All the answers."""
        return {request: self._answer(request) for request in requests}

    def _answer(self, request: Request) -> Answer:
        if isinstance(request, WarmUp):
            return Warm()
        if isinstance(request, ScrapePod):
            return Counters(int(100 * self._world.loop.time()), 0)
        if isinstance(request, ReadNamespace):
            return NamespaceSeen()
        return GatewaySeen(("10.0.0.1",), (("HTTP", 80),)) if "Gateway" in type(request).__name__ else Failed("No", "")


class GpuWorld(Operators):
    """An API server, Kubernetes' controllers and scheduler, and operators that come and go."""

    def __init__(self, gpus: int, seed: int = 0, faults: Faults | None = None, surge: Json | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng, self.faults, self.gpus = random.Random(seed), faults or Faults(), gpus
        self.config = OperatorConfig.model_validate({
            "images": {"worker": "worker:1"}, "prometheus": {"enabled": False}, "surge": surge or {}, "workers": 4,
        })  # fmt: skip
        kinds = {DEPLOYMENT, MODEL_VERSION, WORKLOAD, POD, HTTP_ROUTE}
        self.server = ApiServer(self.now, with_status=kinds)
        self.most_pending = 0
        super().__init__()
        self._controllers = asyncio.create_task(self._control())

    def now(self) -> float:
        """Epoch seconds."""
        return EPOCH + self.loop.time()

    # --- what people make ------------------------------------------------------------------------------------

    def deploy(self, name: str, replicas: int = 1) -> None:
        """A Deployment that wants its first version."""
        rollout = {"steps": [{"weight": 50, "for": "5s", "requests": 10}], "afterPromotion": {"for": "0s"}}
        spec = {
            "model": {"name": name}, "replicas": {"min": replicas}, "rollout": rollout,
            "route": {"gateway": {"name": "public", "namespace": "infra"}},
        }  # fmt: skip
        self._put(DEPLOYMENT, name, spec)

    def version(self, model: str, number: int, gpus: int = 1) -> None:
        """An approved version of its model."""
        spec = {
            "model": model, "artifact": {"uri": f"s3://bucket/{model}", "sha256": "a" * 64},
            "server": {
                "runtime": "custom", "image": "i", "metrics": METRICS, "resources": {"gpu": {"count": gpus}},
            },
        }  # fmt: skip
        made = self._put(MODEL_VERSION, f"{model}-{number}", spec)
        generation = made["metadata"].get("generation", 0)
        self._status(MODEL_VERSION, made, {"phase": "Approved", "observedGeneration": generation})

    def _put(self, kind: Any, name: str, spec: Json) -> Json:
        meta = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "fairlead"}}
        return self.server.create(
            kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
        )

    # --- operators -------------------------------------------------------------------------------------------

    def start(self, crash: Crash | None = None) -> None:
        """A new operator process."""
        kube = FakeKube(self.server, self.rng, self.faults, crash)
        source = FakeSource(self.server, self.rng, self.faults)
        specs = deployment.SPEC, modelversion.SPEC
        kernel = Kernel(specs, kube, source, Servers(self), self.config, clock=self.now, rng=self.rng, pace=Pace())
        self.started(kernel)

    # --- Kubernetes ------------------------------------------------------------------------------------------

    async def _control(self) -> None:
        while True:
            await asyncio.sleep(0.2 * self.rng.uniform(0.5, 1.5))
            for workload in self.server.all(WORKLOAD):
                self._replicas(workload)
            for pod in self.server.all(POD):
                try:
                    self._schedule(pod)
                except ApiError:
                    continue  # deleted meanwhile
            for service in self.server.all(SERVICE):
                self._slice(service)
            self.server.collect_garbage()
            pending = sum(not pod["spec"].get("nodeName") for pod in self.server.all(POD))
            self.most_pending = max(self.most_pending, pending)

    def _replicas(self, workload: Json) -> None:
        template, meta = workload["spec"]["template"], workload["metadata"]
        labels, made = template["metadata"]["labels"], self._replica_set(workload)
        for index in range(workload["spec"]["replicas"]):
            name = f"{meta['name']}-{index}"
            if not any(pod["metadata"]["name"] == name for pod in self.server.all(POD)):
                owner = _owner("ReplicaSet", made["metadata"])
                self.server.create(POD, {
                    "apiVersion": "v1", "kind": "Pod", "spec": dict(made["spec"]["template"]["spec"]),
                    "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner]},
                })  # fmt: skip

    def _replica_set(self, workload: Json) -> Json:
        """The workload's, with the template of its first pods."""
        template, meta = workload["spec"]["template"], workload["metadata"]
        name = f"{meta['name']}-5d4c"
        known = next((one for one in self.server.all(REPLICA_SET) if one["metadata"]["name"] == name), None)
        return known or self.server.create(REPLICA_SET, {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": template},
            "metadata": {
                "name": name, "namespace": NAMESPACE, "labels": template["metadata"]["labels"],
                "ownerReferences": [_owner("Deployment", meta)],
            },
        })  # fmt: skip

    def _slice(self, service: Json) -> None:
        """The Service's EndpointSlice, with its labels and those of its pods that are ready."""
        meta, wanted = service["metadata"], service["spec"]["selector"].items()
        pods = [pod for pod in self.server.all(POD) if wanted <= pod["metadata"]["labels"].items()]
        ends = [{"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True},
                 "targetRef": {"kind": "Pod", "uid": pod["metadata"]["uid"]}}
                for pod in pods if pod.get("status", {}).get("podIP")]  # fmt: skip
        name = f"{meta['name']}-x7d2k"
        known = next((one for one in self.server.all(ENDPOINT_SLICE) if one["metadata"]["name"] == name), None)
        if known is None:
            labels = meta["labels"] | {"kubernetes.io/service-name": meta["name"]}
            self.server.create(ENDPOINT_SLICE, {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "endpoints": ends,
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
            })  # fmt: skip
        elif known["endpoints"] != ends:
            self.server.edit(ENDPOINT_SLICE, NAMESPACE, name, lambda o: o.update(endpoints=ends))

    def used(self) -> int:
        """GPUs of the pods that have a node."""
        return sum(_gpus(pod) for pod in self.server.all(POD) if pod["spec"].get("nodeName"))

    def _schedule(self, pod: Json) -> None:
        if pod["spec"].get("nodeName"):
            return
        if self.used() + _gpus(pod) > self.gpus:
            if not pod.get("status"):
                self._status(POD, pod, {"phase": "Pending", "conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU",
                    "lastTransitionTime": rfc3339(self.now()),
                }]})  # fmt: skip
            return
        self.server.edit(POD, NAMESPACE, pod["metadata"]["name"], lambda o: o["spec"].update(nodeName="n"))
        number = self.rng.randrange(250**2)
        self._status(POD, pod, {
            "phase": "Running", "podIP": f"10.1.{number // 250}.{number % 250}",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "server", "restartCount": 0,
                                   "state": {"running": {"startedAt": rfc3339(self.now())}}}],
        })  # fmt: skip

    def _status(self, kind: Any, obj: Json, status: Json) -> None:
        self.server.edit(kind, NAMESPACE, obj["metadata"]["name"], lambda o: o.update(status=status))

    # --- looking ---------------------------------------------------------------------------------------------

    def status(self, name: str) -> Json:
        """A Deployment's."""
        found: Json = self.server.get(DEPLOYMENT, NAMESPACE, name).get("status", {})
        return found

    def live(self, name: str) -> str:
        """Its live version, if nothing else is on its way; else nothing."""
        status = self.status(name)
        return "" if status.get("candidate") else str((status.get("live") or {}).get("version", ""))

    async def until(self, wanted: Mapping[str, str], within: float = 600.0) -> None:
        """Wait until these versions are live by Deployment. Raises AssertionError."""
        end = self.loop.time() + within
        while any(self.live(name) != version for name, version in wanted.items()):
            assert self.loop.time() < end, {name: self.status(name) for name in wanted}
            assert not self._controllers.done(), self._controllers
            await asyncio.sleep(0.2)


def _owner(kind: str, meta: Json) -> Json:
    return {"apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}


def _gpus(pod: Json) -> int:
    containers = pod["spec"]["containers"]
    return sum(int(c.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0)) for c in containers)
