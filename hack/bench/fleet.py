"""Many rollouts at a time on one operator: its share of a core, and how punctual the windows of evidence are.

The operator is a process of this machine; API server, etcd and S3 are real and its own (`hack.bench.plane`). There is
no node: the benchmark makes the pods' objects, and one process answers for all of them (`hack.bench.pages`). So nothing
but the operator decides, and the cluster that may run here is not touched.

Each window that was judged is a line of the evidence ledger with its time: the intervals between them are what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.cluster.client import HttpKube
from fairlead.cluster.errors import Conflict
from fairlead.cluster.port import GATEWAY, SECRET
from fairlead.plan.core import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HTTP_ROUTE,
    MODEL_VERSION,
    POD,
    REPLICA_SET,
    WORKLOAD,
    Kind,
)
from hack.bench.pages import address
from hack.bench.plane import BUCKET, NAMESPACE, Plane, plane
from hack.bench.process import SCRATCH, Operator
from hack.bench.report import keep, quantile, table
from hack.testbed.programs import free_port

TEAM, SYSTEM, INFRA = "team", "fairlead", "infra"
AT_ONCE = 8
METRICS = {
    "requests": "infer_requests_total", "failures": 'infer_requests_total{code=~"5.."}', "latency": "infer_seconds",
}  # fmt: skip
Json = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    rollouts: int
    seconds: float
    rate: float
    guards: tuple[str, ...]


def now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- objects -------------------------------------------------------------------------------------------------------


async def make(kube: HttpKube, kind: Kind, obj: Json, status: Json | None = None) -> Json:
    """Make an object, in the team's namespace if it names none, and its status if that is given."""
    body = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
    body["metadata"] = {"namespace": TEAM, **obj["metadata"]}
    made = await kube.apply(kind, body)
    while status:
        try:
            return await kube.replace_status(kind, {**made, "status": status})
        except Conflict:  # the operator has seen it already, and said so
            made = await kube.get(kind, made["metadata"]["namespace"], made["metadata"]["name"])
    return made


def owner(obj: Json, kind: Kind) -> Json:
    """The controlling owner reference to an object."""
    meta = obj["metadata"]
    return {"apiVersion": kind.api_version, "kind": kind.kind, "name": meta["name"], "uid": meta["uid"],
            "controller": True}  # fmt: skip


async def many(work: Iterable[Awaitable[Any]]) -> None:
    """Do all, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(todo: Awaitable[Any]) -> None:
        async with gate:
            await todo

    await asyncio.gather(*map(one, work))


def version(number: int, which: int, namespace: str = TEAM) -> tuple[Json, Json]:
    """An approved ModelVersion, and its status."""
    spec = {
        "model": f"m{number}", "artifact": {"uri": f"s3://{BUCKET}/m{number}.json", "sha256": "0" * 64},
        "server": {"runtime": "custom", "image": "fairlead.local/none:1", "metrics": METRICS},
    }  # fmt: skip
    status = {"observedGeneration": 1, "phase": "Approved", "approvedAt": now(), "conditions": [
        {"type": kind, "status": "True", "reason": "Approved", "message": "", "lastTransitionTime": now()}
        for kind in ("Approved", "Evaluated", "Ready", "Verified")
    ]}  # fmt: skip
    return {"metadata": {"name": f"m{number}-{which}", "namespace": namespace}, "spec": spec}, status


def deployment(number: int, which: int, guards: Iterable[str], namespace: str = TEAM) -> Json:
    """A Deployment that wants this version, with a first step that does not end."""
    rollout = {
        "steps": [{"weight": 10, "for": "1h", "requests": 1_000_000}],
        "guard": [{"metric": metric} for metric in guards],
    }  # fmt: skip
    spec = {
        "model": {"version": f"m{number}-{which}"}, "rollout": rollout,
        "route": {"gateway": {"name": "public", "namespace": INFRA}},
    }  # fmt: skip
    return {"metadata": {"name": f"d{number}", "namespace": namespace}, "spec": spec}


async def surroundings(kube: HttpKube, found: Plane, *teams: str) -> None:
    """Namespaces, the store's keys in those of teams, and a Gateway that says where it listens."""
    for name in (*teams, SYSTEM, INFRA):
        await kube.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    keys = zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), found.keys, strict=True)
    data = {name: base64.b64encode(value.encode()).decode() for name, value in keys}
    for name in teams:
        await make(kube, SECRET, {"metadata": {"name": "s3", "namespace": name}, "data": data})
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    gateway = {
        "metadata": {"name": "public", "namespace": INFRA},
        "spec": {"gatewayClassName": "none", "listeners": [listener]},
    }
    await make(kube, GATEWAY, gateway, {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}]})


# --- in the place of nodes, controllers and the gateway --------------------------------------------------------------


class Hands:
    """Makes the pods that workloads ask for, and says of routes that they are taken."""

    def __init__(self, kube: HttpKube, namespace: str = TEAM) -> None:
        self._kube, self._namespace = kube, namespace
        self._done: set[str] = set()

    async def lend(self) -> None:
        """Do what is to be done now."""
        routes = [route async for page in self._kube.pages(HTTP_ROUTE, self._namespace) for route in page.items]
        workloads = [found async for page in self._kube.pages(WORKLOAD, self._namespace) for found in page.items]
        await many([self._accept(route) for route in self._new(routes)])
        await many([self._run(workload) for workload in self._new(workloads)])

    def _new(self, objects: list[Json]) -> list[Json]:
        found = [obj for obj in objects if obj["metadata"]["uid"] not in self._done]
        self._done |= {obj["metadata"]["uid"] for obj in found}
        return found

    async def _accept(self, route: Json) -> None:
        meta = {"name": route["metadata"]["name"], "namespace": self._namespace, "resourceVersion": ""}
        said = [
            {"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": now(),
             "observedGeneration": route["metadata"]["generation"]}
            for kind in ("Accepted", "ResolvedRefs")
        ]  # fmt: skip
        parent = {"parentRef": route["spec"]["parentRefs"][0], "controllerName": "bench.local/none", "conditions": said}
        made = await self._kube.get(HTTP_ROUTE, self._namespace, meta["name"])
        meta["resourceVersion"] = made["metadata"]["resourceVersion"]
        body = {**route, "metadata": {**route["metadata"], **meta}, "status": {"parents": [parent]}}
        await self._kube.replace_status(HTTP_ROUTE, body)

    async def _run(self, workload: Json) -> None:
        """One ready pod of a ReplicaSet, at the address that its number in the fleet gives it."""
        template, wanted = workload["spec"]["template"], workload["spec"]
        number, which = template["metadata"]["labels"]["fairlead.dev/version"].removeprefix("m").split("-")
        name = workload["metadata"]["name"]
        conditions = [{"type": kind, "status": "True", "lastTransitionTime": now()}
                      for kind in ("Initialized", "ContainersReady", "Ready", "PodScheduled")]  # fmt: skip
        labels = template["metadata"]["labels"]
        meta = {"name": f"{name}-1", "namespace": self._namespace, "labels": labels}
        made = await make(self._kube, REPLICA_SET, {
            "metadata": {**meta, "ownerReferences": [owner(workload, WORKLOAD)]},
            "spec": {"replicas": 1, "selector": wanted["selector"], "template": template},
        })  # fmt: skip
        mine = {**meta, "name": f"{name}-1-0", "ownerReferences": [owner(made, REPLICA_SET)]}
        pod = {"metadata": mine, "spec": template["spec"]}
        ip = address(2 * int(number) + int(which) - 1)
        running = [{"name": one["name"], "image": one["image"], "imageID": "", "ready": True, "restartCount": 0,
                    "state": {"running": {"startedAt": now()}}} for one in template["spec"]["containers"]]  # fmt: skip
        made = await make(self._kube, POD, pod, {
            "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions, "startTime": now(),
            "containerStatuses": running,
        })  # fmt: skip
        routed = ip.replace("127.", "10.", 1)  # a slice may not name a loopback address
        endpoint = {"addresses": [routed], "conditions": {"ready": True},
                    "targetRef": {"kind": "Pod", "namespace": self._namespace, "name": mine["name"],
                                  "uid": made["metadata"]["uid"]}}  # fmt: skip
        await make(self._kube, ENDPOINT_SLICE, {
            "metadata": {**meta, "labels": labels | {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": [endpoint],
        })  # fmt: skip

    async def until(self, what: str, count: int, holds: Callable[[Json], bool], limit: float) -> None:
        """Go on until it holds for so many Deployments. SystemExit after `limit` seconds."""
        began = time.monotonic()
        while True:
            await self.lend()
            every = [found async for page in self._kube.pages(DEPLOYMENT, self._namespace) for found in page.items]
            ready = sum(holds(one.get("status") or {}) for one in every)
            print(f"  {ready} of {count} {what}, after {time.monotonic() - began:.0f} s", flush=True)
            if ready == count:
                return
            if time.monotonic() - began > limit:
                raise SystemExit(f"only {ready} of {count} were {what} after {limit:.0f} s; see {SCRATCH}/fleet.log")
            await asyncio.sleep(2.0)


# --- the measurement -------------------------------------------------------------------------------------------------


def configuration(found: Plane, **more: Any) -> Path:
    """The operator's configuration: as a chart would write it, with this store and what else is given."""
    path = found.folder / "config.yaml"
    store = {"bucket": BUCKET, "prefix": "", "endpoint": found.store, "credentials": {"name": "s3"}}
    path.write_text(yaml.safe_dump({"images": {"worker": "fairlead.local/none:1"}, "store": store, **more}))
    return path


@contextmanager
def pods(rollouts: int, rate: float) -> Iterator[None]:
    """The process that answers for all pods."""
    with beside("hack.bench.pages", "--pods", str(2 * rollouts), "--rate", str(rate)) as said:
        if said != "ready":
            raise SystemExit("the pods' process could not listen on 127.77.0.0/16")
        yield


@contextmanager
def beside(module: str, *words: str) -> Iterator[str]:
    """A program of its own while this holds: the first line that it prints."""
    command = [sys.executable, "-m", module, *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(timeout=10)


async def populate(kube: HttpKube, numbers: range, guards: Iterable[str], namespace: str = TEAM) -> None:
    """All objects; then a candidate under way for each."""
    hands = Hands(kube, namespace)
    await many([make(kube, MODEL_VERSION, *version(n, which, namespace)) for n in numbers for which in (1, 2)])
    await many([make(kube, DEPLOYMENT, deployment(n, 1, guards, namespace)) for n in numbers])
    await hands.until("live", len(numbers), lambda status: bool(status.get("live")), 600)
    await many([make(kube, DEPLOYMENT, deployment(n, 2, guards, namespace)) for n in numbers])
    await hands.until("under way", len(numbers), _under_way, 600)


def _under_way(status: Json) -> bool:
    return int((status.get("candidate") or {}).get("weight") or 0) > 0


def windows(found: Plane, statuses: dict[str, Json]) -> Iterator[tuple[str, list[float]]]:
    """(Deployment, times of its windows in order), from the store and from what is not saved yet."""
    for name, status in statuses.items():
        candidate = DeploymentStatus.model_validate(status).candidate
        if candidate is None:
            continue
        folder = found.folder / "objects" / candidate.ledger.uri.removeprefix("s3://")
        lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
        judged = map(json.loads, [*lines, *candidate.ledger.lines])
        yield name, sorted({line["t"] for line in judged if "arms" in line})  # one that is just saved stands in both


def closed_between(found: Plane, statuses: dict[str, Json], begin: float, end: float) -> list[list[float]]:
    """Of each Deployment the times of its windows in this time (epoch seconds)."""
    return [[t for t in judged if begin <= t < end] for _, judged in windows(found, statuses)]


def intervals(times: list[list[float]]) -> list[float]:
    """Seconds from each window to the next one of the same Deployment."""
    return [later - earlier for judged in times for earlier, later in pairwise(judged)]


COUNTED = {
    "API requests": ("fairlead_api_requests_total", ""),
    "status writes": ("fairlead_api_requests_total", 'verb="replace_status"'),
    "applies": ("fairlead_api_requests_total", 'verb="apply"'),
    "looks": ("fairlead_reconciles_total", 'kind="Deployment"'),
    "scrapes": ("fairlead_signal_seconds_count", 'signal="ScrapePod"'),
}  # fmt: skip


async def statuses_of(kube: HttpKube) -> dict[str, Json]:
    """Of each Deployment, by name."""
    every = [one async for page in kube.pages(DEPLOYMENT, TEAM) for one in page.items]
    return {one["metadata"]["name"]: one.get("status") or {} for one in every}


async def measure(kube: HttpKube, found: Plane, operator: Operator, options: Options) -> dict[str, Any]:
    """All figures."""
    before, began, cpu, served = counts_of(operator), time.time(), operator.cpu(), found.cpu("kube-apiserver")
    await asyncio.sleep(options.seconds)
    took, after = time.time() - began, counts_of(operator)
    share, served = (operator.cpu() - cpu) / took, (found.cpu("kube-apiserver") - served) / took
    statuses = await statuses_of(kube)
    times = closed_between(found, statuses, began, began + took)
    gaps = intervals(times)
    sizes = [len(json.dumps(status, separators=(",", ":"))) for status in statuses.values()]
    closed = len(gaps) + len(times)
    return {
        "rollouts": len(times), "CPU, % of a core": 100 * share, "CPU ms a window": 1000 * share * took / closed,
        "windows/s": closed / took, "CPU of the API server, % of a core": 100 * served,
        **{f"interval {name} s": quantile(gaps, q) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "shortest judged s": min(judged[-1] - judged[0] for judged in times),
        **{f"{name}/s": (after[name] - before[name]) / took for name in COUNTED},
        "status bytes p50": quantile(sizes, 0.5), "status bytes max": max(sizes), "memory MiB": operator.memory(),
        "load average": os.getloadavg()[0],
    }  # fmt: skip


def counts_of(operator: Operator) -> dict[str, float]:
    """What the operator has counted itself."""
    return {name: operator.metric(*what) for name, what in COUNTED.items()}


TARGETS = {"CPU, % of a core": 50.0, "interval max s": 3.0}


@asynccontextmanager
async def fleet(options: Options, settle: float, **more: Any) -> AsyncIterator[tuple[HttpKube, Plane, Operator]]:
    """All rollouts under way for `settle` seconds. more: of the operator."""
    async with plane(SCRATCH / "plane") as (found, kube):
        await surroundings(kube, found, TEAM)
        operator = Operator(configuration(found), "fleet", port=free_port(), kubeconfig=found.kubeconfig, **more)
        operator.start()
        try:
            await populate(kube, range(options.rollouts), options.guards)
            await asyncio.sleep(settle)
            yield kube, found, operator
        finally:
            operator.kill()


async def bench(options: Options) -> dict[str, Any]:
    """Set up, settle, measure."""
    async with fleet(options, 20) as (kube, found, operator):
        return await measure(kube, found, operator, options)


def main(arguments: list[str]) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="fleet", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the measurement")
    parser.add_argument("--rate", type=float, default=50.0, help="requests/s of each Deployment")
    parser.add_argument("--guards", default="errors", help="metrics, with commas between them")
    given = parser.parse_args(arguments)
    options = Options(given.rollouts, given.seconds, given.rate, tuple(given.guards.split(",")))
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with pods(options.rollouts, options.rate):
        result = asyncio.run(bench(options))
    rows = [(k, v, TARGETS.get(k, ""), "" if k not in TARGETS else "met" if v <= TARGETS[k] else "MISSED")
            for k, v in result.items()]  # fmt: skip
    table("Fleet", rows, ["figure", "value", "target", ""])
    keep("fleet", result | {"guards": options.guards, "rate": options.rate})
    return 0 if all(result[k] <= limit for k, limit in TARGETS.items()) else 1
