"""Pods as a real API server and its controllers make them of Fairlead's Jobs, with a webhook that changes them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from fairlead.api.common import Gpu
from fairlead.api.config import JobsConfig
from fairlead.api.pipeline import Step
from fairlead.api.tasks import EvaluateTask, FetchTask, JoinTask, Place, PublishTask, SnapshotTask
from fairlead.manifests import evaluation, limits, workers
from fairlead.manifests import job as jobs
from fairlead.manifests.meta import labels, owner_reference
from fairlead.manifests.pod import container, credentials_volume, pod_spec, worker
from fairlead.plan.core import JOB, POD, SERVICE, Kind
from fairlead.plan.jobs import jobpods, likeness
from tests.contract.apiserver import ApiServer
from tests.contract.webhook import mutating

Json = dict[str, Any]
WORKER = "registry.example/fairlead/worker:1.0"
PINNED = f"registry.example/fairlead/worker:1.0@sha256:{'a' * 64}"
OWNER = "11111111-2222-3333-4444-555555555555"
STORE = Place(bucket="store", prefix="x/", credentials="/fairlead/credentials/keys")
READS = limits.reading(JobsConfig())
MESH = {"name": "mesh-proxy", "image": "mesh.example/proxy:1", "volumeMounts": [
    {"name": "mesh", "mountPath": "/etc/mesh"}]}  # fmt: skip


class Live:
    """The API server's Jobs and pods of a namespace, as a plan sees them."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server, self.namespace = server, namespace

    def path(self, kind: Kind) -> str:
        group = "/api/v1" if kind.api_version == "v1" else f"/apis/{kind.api_version}"
        return f"{group}/namespaces/{self.namespace}/{kind.plural}"

    def create(self, kind: Kind, obj: Json) -> Json:
        made = self.server.call("POST", self.path(kind), obj)
        assert made.ok, made.message
        return made.body

    def get(self, kind: Kind, name: str) -> Json | None:
        """See `World`."""
        found = self.server.call("GET", f"{self.path(kind)}/{name}")
        return found.body if found.ok else None

    def select(self, kind: Kind, wanted: Mapping[str, str] | None = None) -> list[Json]:
        """See `World`."""
        items: list[Json] = self.server.call("GET", self.path(kind)).body["items"]
        mine = (wanted or {}).items()
        return [one for one in items if mine <= (one["metadata"].get("labels") or {}).items()]


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def changes() -> list[Callable[[Json], None]]:
    """What the webhook does to pods."""
    return []


@pytest.fixture(scope="module")
def live(
    server: ApiServer, changes: list[Callable[[Json], None]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:  # fmt: skip
    name = f"fl-pods-{uuid.uuid4().hex[:8]}"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"webhook": name}}}
    assert server.call("POST", "/api/v1/namespaces", space).ok
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"a": "b"}}
    assert server.call("POST", f"/api/v1/namespaces/{name}/secrets", keys).ok
    folder: Path = tmp_path_factory.mktemp("webhook")
    try:
        with mutating(server, name, folder, lambda spec: [change(spec) for change in changes] and None):
            yield Live(server, name)
    finally:
        server.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(autouse=True)
def _room(live: Live) -> Iterator[None]:
    """What a test has made gives its place on the node back: the pods of all of them would fill it."""
    yield
    gone = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    answer = live.server.call("DELETE", live.path(JOB), gone)
    assert answer.ok, answer.message


def who(live: Live, **more: str) -> jobs.Identity:
    """A Job nobody has made: Kubernetes takes away what belongs to an owner that is not there, so it has none."""
    return jobs.Identity(
        name=f"rows-{uuid.uuid4().hex[:8]}", namespace=live.namespace, labels=labels(dataset="rows", **more),
        owner=owner_reference("v1", "Namespace", live.namespace, OWNER),
    )  # fmt: skip


def snapshot(live: Live) -> Json:
    task = SnapshotTask(dataset="rows", listing="a" * 64, source=STORE, store=STORE, format="csv", pin="copy")
    return jobs.snapshot_job(who(live), WORKER, task, ["keys"], READS, 60)


def step(live: Live) -> Json:
    parts = jobs.StepPod(
        program=Step.model_validate({"name": "train", "image": "train:1", "command": ["sh", "-c", "echo $(HOME) $$"]}),
        env={"FAIRLEAD_PARAMS": "{}"}, fetch=FetchTask(items=[]), fetch_credentials=(),
        publish=jobs.Publishing(
            worker_image=PINNED, task=PublishTask(store=STORE, attempt=1, outputs=[]), credentials="keys", deadline=60,
            limits=limits.streaming(JobsConfig()),
        ),
    )  # fmt: skip
    return jobs.step_job(who(live), parts)


def evaluate(live: Live) -> Json:
    task = EvaluateTask.model_validate({
        "version": "m-2", "task": "regression", "subjects": [], "data": "/x", "dataSha256": "c" * 64,
        "features": ["x"], "target": "y", "batch": 10, "metrics": ["mae"], "gates": [], "store": STORE.model_dump(),
    })  # fmt: skip
    servers = [
        container(name, "sklearn:1", ports=[{"containerPort": port}],
                  startupProbe={"httpGet": {"path": "/", "port": port}})
        for name, port in evaluation.PORTS.items()
    ]  # fmt: skip
    return evaluation.evaluation_job(who(live), evaluation.EvaluationPod(
        image=WORKER, fetch=FetchTask(items=[]), fetch_credentials=["keys"], deadline=60, evaluate=task,
        evaluate_credentials="keys", servers=servers, gpu=Gpu(count=1), limits=READS,
    ))  # fmt: skip


def join(live: Live) -> Json:
    task = JoinTask.model_validate({
        "labels": {"access": {}, "uri": "s3://b/k", "sha256": "b" * 64, "dest": ""}, "format": "csv",
        "requestId": "id", "label": "y", "log": STORE.model_dump(), "stable": "m-1", "candidate": "m-2",
        "since": "2026-01-01T00:00:00Z", "store": STORE.model_dump(),
    })  # fmt: skip
    main = worker("join", WORKER, "join", task, credentials=["keys"], limits=READS)
    return jobs.job(who(live), pod_spec([main], volumes=[credentials_volume("keys")], activeDeadlineSeconds=60))


def several(live: Live) -> Json:
    """A step with three workers, and the Service by which they find each other."""
    identity = who(live, run="r", step="train", attempt="1")
    parts = jobs.StepPod(
        program=Step.model_validate({"name": "train", "image": "train:1", "command": ["echo", "$(RANK)"]}),
        env={"FAIRLEAD_PARAMS": "{}"}, fetch=FetchTask(items=[]), fetch_credentials=(),
        publish=jobs.Publishing(
            worker_image=PINNED, task=PublishTask(store=STORE, attempt=1, outputs=[], workers=3), credentials="keys",
            deadline=60, limits=limits.streaming(JobsConfig()),
        ),
        together=workers.Together(3, workers.service_name(identity.name)),
    )  # fmt: skip
    return jobs.step_job(identity, parts)


MAKERS = [snapshot, step, evaluate, join, several]
every = pytest.mark.parametrize("make", MAKERS)


def run(live: Live, manifest: Json) -> jobpods.Found:
    """The Job as the API server has it, and the pod that its controller makes."""
    bare = {**manifest, "metadata": {k: v for k, v in manifest["metadata"].items() if k != "ownerReferences"}}
    made = live.create(JOB, bare)
    seen = made["metadata"] | {"ownerReferences": [manifest["metadata"]["ownerReferences"][0]]}
    world = _Owned(live, made["metadata"]["name"], seen)
    main = manifest["spec"]["template"]["spec"]["containers"][0]["name"]
    sought = jobpods.Sought(made["metadata"]["name"], OWNER, "", manifest["metadata"]["labels"], main)
    end = time.monotonic() + 30
    while True:
        found = jobpods.find(world, sought, lambda: manifest)  # type: ignore[arg-type]
        if found.pod is not None or found.problem is not None:
            return found
        assert time.monotonic() < end, "the Job controller has made no pod"
        time.sleep(0.2)


class _Owned:
    """The same, where the Job has an owner; with these pods, if they are given."""

    def __init__(self, live: Live, name: str, meta: Json, pods: list[Json] | None = None) -> None:
        self.live, self.name, self.meta, self.pods = live, name, meta, pods

    def select(self, kind: Kind, wanted: Mapping[str, str] | None = None) -> list[Json]:
        return self.live.select(kind, wanted) if self.pods is None else self.pods

    def get(self, kind: Kind, name: str) -> Json | None:
        found = self.live.get(kind, name)
        return {**found, "metadata": self.meta} if found else None


def sidecar(spec: Json) -> None:
    """A mesh, as it was before there were native sidecars, and what else comes into pods."""
    spec["containers"].insert(0, {**MESH})
    spec["initContainers"] = [{"name": "mesh-init", "image": "mesh.example/init:1"}, *spec.get("initContainers", [])]
    spec["volumes"] = [*spec.get("volumes", []), {"name": "mesh", "emptyDir": {}}]
    for one in [*spec["initContainers"], *spec["containers"]]:
        one["env"] = [{"name": "HTTP_PROXY", "value": "http://proxy.example"}, *one.get("env", [])]


def mirror(spec: Json) -> None:
    """Images come from a mirror, by digest if they were."""
    for one in [*spec.get("initContainers", []), *spec["containers"]]:
        one["image"] = f"mirror.example/cache/{one['image'].rpartition('/')[2]}"


@every
def test_a_pod_of_fairleads_job_is_its_own(live: Live, changes: list[Any], make: Callable[[Live], Json]) -> None:
    """With all that the API server adds by itself."""
    changes[:] = []
    found = run(live, make(live))
    assert found.problem is None
    assert found.pod is not None


def test_each_index_has_a_pod_of_its_own_and_a_name(live: Live, changes: list[Any]) -> None:
    """As the API server takes the Job and the Service, and the Job's controller makes the pods."""
    changes[:] = [sidecar, mirror]
    manifest = several(live)
    service = workers.service(manifest)
    del service["metadata"]["ownerReferences"]
    made = live.create(SERVICE, service)
    assert made["spec"]["clusterIP"] == "None"
    found = run(live, manifest)
    assert found.job is not None
    sought = jobpods.Sought(found.job["metadata"]["name"], OWNER, found.uid, manifest["metadata"]["labels"], found.main)
    world = _Owned(live, found.job["metadata"]["name"], found.job["metadata"])
    end = time.monotonic() + 30
    while len(found.pods) < 3:
        assert time.monotonic() < end, "the Job controller has not made all pods"
        time.sleep(0.2)
        found = jobpods.find(world, sought, lambda: manifest)  # type: ignore[arg-type]
    assert (found.problem, [index for index, _ in found.pods]) == (None, [0, 1, 2])
    for index, pod in found.pods:
        assert pod["spec"]["hostname"] == f"{manifest['metadata']['name']}-{index}"
        assert pod["spec"]["subdomain"] == made["metadata"]["name"]
        env = {one["name"]: one.get("value") for one in likeness.named(pod["spec"])["step"]["env"]}
        assert env["MASTER_ADDR"] == f"{manifest['metadata']['name']}-0.{made['metadata']['name']}"
        assert made["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


@every
def test_b06_b07_a_pod_that_webhooks_have_changed_is_its_own(
    live: Live, changes: list[Any], make: Callable[[Live], Json]
) -> None:  # fmt: skip
    changes[:] = [sidecar, mirror]
    found = run(live, make(live))
    assert found.problem is None
    assert found.pod is not None
    names = [one["name"] for one in found.pod["spec"]["containers"]]
    assert names == ["mesh-proxy", found.main]
    assert all(one["image"].startswith("mirror.example/") for one in found.pod["spec"]["containers"])


def test_b07_the_image_that_the_pod_really_has_is_named(live: Live, changes: list[Any]) -> None:
    changes[:] = [mirror]
    manifest = snapshot(live)
    found = run(live, manifest)
    assert found.pod is not None
    end = time.monotonic() + 60
    while (waiting := _fresh(live, found).waiting(time.time())) is None or waiting.reason != "ImagePull":
        assert time.monotonic() < end, f"the kubelet has not tried to pull: {waiting}"
        time.sleep(0.5)
    assert "image mirror.example/cache/worker:1.0 of container snapshot can't be pulled" in waiting.message
    assert f"rewritten it from {WORKER}" in waiting.message


def _fresh(live: Live, found: jobpods.Found) -> jobpods.Found:
    assert found.pod is not None
    pod = live.get(POD, found.pod["metadata"]["name"])
    return jobpods.Found(found.main, found.uid, found.job, pod)


@every
def test_forged_evidence_pods_made_by_hand_are_strangers(
    live: Live, changes: list[Any], make: Callable[[Live], Json]
) -> None:  # fmt: skip
    """With the Job's labels, an ownerReference to it, and a name like its pods'."""
    changes[:] = []
    manifest = make(live)
    found = run(live, manifest)
    assert found.pod is not None
    assert found.job is not None
    meta = found.job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    forged = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"{meta['name']}-forge", "labels": manifest["metadata"]["labels"],
                     "ownerReferences": [owner]},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": found.main, "image": WORKER, "command": ["sh", "-c", "echo lie > /dev/termination-log"]}]},
    }  # fmt: skip
    both = [found.pod, live.create(POD, forged)]  # the Job's controller removes one of the two when it sees them
    sought = jobpods.Sought(meta["name"], OWNER, meta["uid"], manifest["metadata"]["labels"], found.main)
    world = _Owned(live, meta["name"], meta, both)
    seen = jobpods.find(world, sought, lambda: manifest)  # type: ignore[arg-type]
    assert seen.pod is not None
    assert seen.pod["metadata"]["name"] == found.pod["metadata"]["name"]
    assert [one for one in seen.strangers if f"{meta['name']}-forge" in one]
