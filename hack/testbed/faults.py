"""What goes away for a while on the local cluster, and comes back: its control plane, its node's agent, the store, the
replica that leads. All of it is on this machine, so it takes root and the local cluster."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kubernetes import client

from hack.install.chart import NAMESPACE, environment, kubectl
from hack.testbed.cluster import Cluster, Json, Team
from hack.testbed.firewall import processes_of

LEASE = "fairlead"


def component(name: str) -> int:
    """The process of a part of the local cluster (`kubelet`, `kube-apiserver` …)."""
    cluster = Path(environment()["KUBECONFIG"]).parent
    found = json.loads((cluster / "pids" / f"{name}.json").read_text())
    return int(found["pid"])


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """While this holds, these processes get no turn: they are not dead, and nobody is told. Afterwards they go on as if
    no time had passed."""
    with ExitStack() as going:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            going.callback(_go_on, pid)
        yield


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):  # somebody has lost patience with it
        os.kill(pid, signal.SIGCONT)


@contextmanager
def without_store(cluster: Cluster) -> Iterator[None]:
    """While this holds, nobody answers at the store's address."""
    kubectl("scale", "statefulset", "s3", "-n", "s3", "--replicas=0")
    try:
        cluster.wait_none("pod", "s3", "app.kubernetes.io/name=s3", 60)
        yield
    finally:
        kubectl("scale", "statefulset", "s3", "-n", "s3", "--replicas=1")
        kubectl("rollout", "status", "statefulset", "s3", "-n", "s3", "--timeout=120s")


@contextmanager
def drained(team: Team) -> Iterator[int]:
    """While this holds, the nodes take no new pods; those of the team are evicted first. Yields how many were."""
    nodes = [node["metadata"]["name"] for node in team.cluster.list("node", "")]
    core = client.CoreV1Api(team.cluster.api)
    with ExitStack() as undone:
        for node in nodes:
            kubectl("cordon", node)
            undone.callback(kubectl, "uncordon", node)
        yield sum(_evict(core, pod) for pod in team.cluster.list("pod", team.namespace))


def _evict(core: client.CoreV1Api, pod: Json) -> bool:
    meta = pod["metadata"]
    if pod["status"].get("phase") not in ("Pending", "Running") or "deletionTimestamp" in meta:
        return False
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=meta["name"]))
    try:
        core.create_namespaced_pod_eviction(meta["name"], meta["namespace"], eviction)
    except client.ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def leader(cluster: Cluster) -> str:
    """The name of the pod that leads; empty: none does."""
    found = cluster.get("lease", LEASE, NAMESPACE)
    return str(((found or {}).get("spec") or {}).get("holderIdentity") or "")


def next_leader(cluster: Cluster, but: str, within: float = 60.0) -> str:
    """Wait until another one leads; its name. Raises AssertionError."""
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        if (found := leader(cluster)) not in ("", but):
            return found
        stream = cluster.resource("lease").watch(namespace=NAMESPACE, name=LEASE, timeout=max(1, int(left)))
        for event in stream:
            if (event["raw_object"].get("spec") or {}).get("holderIdentity") not in ("", None, but):
                break
    raise AssertionError(f"nobody but {but} has led within {within:.0f} s")


@contextmanager
def asleep(cluster: Cluster) -> Iterator[str]:
    """While this holds, the replica that leads gets no turn, and another one leads: when it wakes up it does not know.
    Yields the sleeper's name."""
    name = leader(cluster)
    pod = cluster.get("pod", name, NAMESPACE)
    assert pod is not None, f"the leader {name} is no pod"
    with stopped(*processes_of(pod["metadata"]["uid"])):
        next_leader(cluster, but=name)
        yield name
