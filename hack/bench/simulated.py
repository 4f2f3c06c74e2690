"""Nodes of KWOK's beside a control plane of one's own, with the real scheduler and the real controller of Jobs.

KWOK says that a pod runs as soon as it is on a node; what ends it is `Ends`, for all pods alike: one write of the pod's
status. A step of Fairlead's ends with an answer in the store, as its worker leaves one, and the answer's digest as its
container's last word. So nothing is decided here but that each program succeeds at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from fairlead.api import answers
from fairlead.api.tasks import TASK_ENV, Place, PublishResult, TaskResult
from fairlead.cluster.client import HttpKube, connection, load_configuration, path_of
from fairlead.manifests.job import PUBLISH
from fairlead.plan.core import POD, Kind
from hack.bench.plane import BUCKET, HOST, Plane, built
from hack.testbed.programs import free_port

NODE = Kind("v1", "Node", "nodes")
PODS, NODES = 500, 12
"""Pods that a node takes at a time, and nodes. Pods that have ended take no place."""
RATE = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""Kubernetes' own controllers wait for nobody: what is measured is what stands behind or before them."""
Json = dict[str, Any]


def now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- processes -------------------------------------------------------------------------------------------------------


async def populate(found: Plane, kube: HttpKube) -> None:
    """Start what makes pods of Jobs, gives them nodes and lets them run, and make the nodes."""
    conf, port = str(found.kubeconfig), free_port
    common = [f"--kubeconfig={conf}", f"--authentication-kubeconfig={conf}", f"--authorization-kubeconfig={conf}",
              "--leader-elect=false", f"--bind-address={HOST}", *RATE]  # fmt: skip
    localkube = built("localkube")
    # no controller of nodes: KWOK's are always there, and a busy machine must not make them seem lost
    controllers = "--controllers=job-controller,garbage-collector-controller"
    found.beside("kube-controller-manager", [
        localkube, "kube-controller-manager", *common, f"--secure-port={port()}", controllers,
    ])  # fmt: skip
    found.beside("kube-scheduler", [localkube, "kube-scheduler", *common, f"--secure-port={port()}"])
    for number in range(NODES):
        await _node(kube, f"kwok-{number}")  # before KWOK, which changes them
    found.beside("kwok", [
        built("kwok"), "--kubeconfig", conf, "--config", str(Path(__file__).parent / "kwok.yaml"),
        "--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
    ])  # fmt: skip


async def _node(kube: HttpKube, name: str) -> None:
    meta = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    made = await kube.create(NODE, {"apiVersion": "v1", "kind": "Node", "metadata": meta})
    room = {"cpu": "1000", "memory": "4000Gi", "pods": str(PODS)}
    made = await kube.replace_status(NODE, {**made, "status": {"capacity": room, "allocatable": room}})
    # a new node is tainted until the controller of nodes has seen that it is ready
    await kube.replace(NODE, {**made, "spec": {**made["spec"], "taints": []}})


# --- the API server, beyond what the operator's own client does -------------------------------------------------------


class Api:
    """Watches, patches, and the API server's own counters."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session, self._server = session, server

    @classmethod
    async def of(cls, kubeconfig: Path) -> Api:
        """For the user that the file names; to be closed."""
        there = await connection(await load_configuration(str(kubeconfig)))
        trust = ssl.create_default_context(cafile=there.ca_file)
        assert there.certificate_file
        trust.load_cert_chain(there.certificate_file, there.key_file)
        connector = aiohttp.TCPConnector(ssl=trust, limit=64)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=10)
        session = aiohttp.ClientSession(connector=connector, timeout=patience, read_bufsize=1 << 22)
        return cls(session, there.server)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def watch(self, kind: Kind, version: str) -> AsyncIterator[tuple[str, Json]]:
        """(type, object) of all that happens after a version, in all namespaces. ValueError: the watch is too old."""
        while True:
            query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3000"}
            async with self._session.get(self._server + path_of(kind), params=query) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ValueError(f"the watch of {kind.plural} has ended: {event['object'].get('message')}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    yield event["type"], event["object"]

    async def end(self, pod: Json, status: Json) -> None:
        """Write how a pod ended. A pod that is gone stays gone."""
        meta, headers = pod["metadata"], {"Content-Type": "application/merge-patch+json"}
        path = self._server + path_of(POD, meta["namespace"], meta["name"], "status")
        async with self._session.patch(path, data=json.dumps({"status": status}), headers=headers) as answer:
            if answer.status != 404:
                answer.raise_for_status()

    async def clear(self, kind: Kind, namespace: str) -> None:
        """Delete all of a kind in a namespace, at once."""
        query = {"gracePeriodSeconds": "0", "propagationPolicy": "Background"}
        async with self._session.delete(self._server + path_of(kind, namespace), params=query) as answer:
            if answer.status != 404:
                answer.raise_for_status()

    async def requests(self) -> float:
        """How many requests the API server has answered, watches left out."""
        async with self._session.get(f"{self._server}/metrics") as answer:
            answer.raise_for_status()
            return counted(await answer.text(), "apiserver_request_total", without='verb="WATCH"')


def counted(metrics: str, name: str, without: str = "\0") -> float:
    """Sum of a metric's series in the Prometheus format, those left out that have this label."""
    lines = (line for line in metrics.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if without not in line)


# --- how pods end ----------------------------------------------------------------------------------------------------


class Store:
    """Where workers leave their answers: the folder that S3 serves. So the benchmark spends no time on S3's protocol,
    which in a cluster is the nodes' work."""

    def __init__(self, found: Plane) -> None:
        self._folder = found.folder / "objects" / BUCKET

    def put(self, key: str, body: bytes) -> None:
        """Write a document, whole or not at all."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.half")
        half.write_bytes(body)
        half.rename(path)


def answer_of(container: Json) -> tuple[str, bytes, str] | None:
    """(key, document, digest) of what a step without outputs leaves; None: the container is none of Fairlead's."""
    text = next((one["value"] for one in container.get("env", ()) if one["name"] == TASK_ENV), None)
    if container["name"] != PUBLISH or text is None:
        return None
    task = json.loads(text.replace("$$", "$"))
    result = TaskResult(publish=PublishResult(attempt=task["attempt"], outputs=[]))
    found = answers.Answered(task=answers.task_digest(task), result=result)
    body = found.model_dump_json(by_alias=True, exclude_defaults=True).encode()
    digest = hashlib.sha256(body).hexdigest()
    return answers.key("publish", Place.model_validate(task["store"]).prefix, digest), body, digest


def succeeded(pod: Json, said: dict[str, str], at: str) -> Json:
    """The status of a pod all of whose containers have succeeded. said: last words by container; at: RFC 3339."""

    def ended(container: Json) -> Json:
        over = {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}
        words = {"message": said[container["name"]]} if container["name"] in said else {}
        return {"name": container["name"], "image": container["image"], "imageID": "", "ready": False,
                "restartCount": 0, "state": {"terminated": {**over, **words}}}  # fmt: skip

    spec = pod["spec"]
    return {
        "phase": "Succeeded", "startTime": (pod.get("status") or {}).get("startTime") or at,
        "initContainerStatuses": [ended(one) for one in spec.get("initContainers", ())],
        "containerStatuses": [ended(one) for one in spec["containers"]],
        "conditions": [
            {"type": kind, "status": "False", "reason": "PodCompleted", "lastTransitionTime": at}
            for kind in ("Ready", "ContainersReady")
        ],
    }  # fmt: skip


class Ends:
    """Ends each pod that runs, once."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api, self._store = api, store
        self._known: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(32)
        self.failed: BaseException | None = None
        """Why a pod could not be ended."""

    def see(self, type_: str, pod: Json) -> None:
        """An event of a pod."""
        uid = pod["metadata"]["uid"]
        if type_ == "DELETED":
            self._known.discard(uid)
        elif uid not in self._known and (pod.get("status") or {}).get("phase") == "Running":
            self._known.add(uid)
            task = asyncio.get_running_loop().create_task(self._end(pod))
            self._under_way.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failed = task.exception()

    async def _end(self, pod: Json) -> None:
        async with self._gate:
            said = dict[str, str]()
            for container in pod["spec"]["containers"]:
                left = answer_of(container)
                if left is not None:
                    key, body, digest = left
                    self._store.put(key, body)
                    said[container["name"]] = json.dumps({"answer": digest})
            await self._api.end(pod, succeeded(pod, said, now()))


Hear = Callable[[str, Json], None]


async def listen(kube: HttpKube, api: Api, kind: Kind, *hear: Hear) -> asyncio.Task[None]:
    """Hear of all that happens to a kind from now on, until the task is cancelled."""
    version = ""
    async for page in kube.pages(kind, metadata_only=True):
        version = page.resource_version

    async def go_on() -> None:
        async for event in api.watch(kind, version):
            for one in hear:
                one(*event)

    return asyncio.create_task(go_on())
