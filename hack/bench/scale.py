"""Memory, idle CPU, reaction and restart of the operator beside thousands of objects.

1,000 Deployments (each live, with pods of a simulated node), 1,000 Datasets, 5,000 finished PipelineRuns. Pods are
simulated by KWOK; everything else is real. The operator runs as a process of this machine and is measured there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.api.dataset import Dataset
from fairlead.engine.app import load_config
from fairlead.plan.core import Context, Meta, Subject
from fairlead.plan.dataset import snapshot
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.sources.registry import list_source
from hack.bench.process import Operator, alone, configuration, quiet
from hack.bench.report import keep, quantile, table
from hack.install.chart import ROOT, environment, kubectl
from hack.testbed.cluster import Cluster, Json, Team, make_team
from hack.testbed.serving import METRICS

RUNS_PER_PIPELINE = 500
NODE_PODS = 500
DIGEST = "0" * 64


def now() -> str:
    """RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def version(number: int) -> tuple[Json, Json]:
    """A ModelVersion whose pods run on the simulated nodes, and its status."""
    spec = {
        "model": f"m{number}", "artifact": {"uri": f"s3://fairlead/m{number}.json", "sha256": DIGEST},
        "server": {
            "runtime": "custom", "image": "fairlead.local/none:1", "metrics": METRICS,
            "nodeSelector": {"type": "kwok"}, "tolerations": [{"key": "kwok", "operator": "Exists"}],
        },
    }  # fmt: skip
    status = {"observedGeneration": 1, "phase": "Approved", "approvedAt": now(), "conditions": [
        {"type": kind, "status": "True", "reason": "Approved", "message": "", "lastTransitionTime": now()}
        for kind in ("Approved", "Evaluated", "Ready", "Verified")
    ]}  # fmt: skip
    return {"kind": "ModelVersion", "metadata": {"name": f"m{number}-1"}, "spec": spec}, status


def deployment(number: int) -> tuple[Json, Json]:
    """A live Deployment."""
    spec = {"model": {"name": f"m{number}"}, "route": {"gateway": {"name": "public", "namespace": "infra"}}}
    status = {"phase": "Live", "live": {"version": f"m{number}-1", "since": now()}}
    return {"kind": "Deployment", "metadata": {"name": f"d{number}"}, "spec": spec}, status


class Published:
    """Datasets that have published what is in their source; it is listed every ten minutes."""

    def __init__(self, team: Team, config: OperatorConfig) -> None:
        self._team, self._world = team, SimpleNamespace(config=config)
        team.s3.put_object(Bucket=team.bucket, Key="rows/part-0.parquet", Body=b"rows")
        keys = {"AWS_ACCESS_KEY_ID": team.keys[0], "AWS_SECRET_ACCESS_KEY": team.keys[1]}
        asked = ListObjects(team.namespace, team.endpoint, team.bucket, "s3", "rows/")
        self._listed = list_source(asked, keys)

    def __call__(self, number: int) -> tuple[Json, Json]:
        """A Dataset, and its status as the operator would have left it."""
        name, team = f"s{number}", self._team
        source = {"bucket": team.bucket, "prefix": "rows/", "endpoint": team.endpoint, "credentials": {"name": "s3"}}
        spec = {"source": {"s3": source}, "format": "parquet", "watch": {"every": "10m"}}
        meta = Meta(name, team.namespace, "", 1, "", 0.0)
        subject = Subject(meta, Dataset.model_validate({"spec": spec}), {})
        version = {"version": DIGEST[:16], "digest": DIGEST, "manifest": f"s3://fairlead/{name}.json", "at": now()}
        status = {
            "phase": "Ready", "observedGeneration": 1, "current": version, "versions": [version],
            "listing": {"digest": self._listed.digest, "since": now(), "objects": 1, "bytes": 4},
            "handled": self._listed.digest, "rules": snapshot.rules(Context(subject, self._world, 0.0)),
            "conditions": [
                {"type": kind, "status": "True", "reason": "Published", "message": "", "lastTransitionTime": now()}
                for kind in ("Available", "Ready", "SourceReachable", "Valid")
            ],
        }  # fmt: skip
        return {"kind": "Dataset", "metadata": {"name": name}, "spec": spec}, status


def finished_run(number: int) -> tuple[Json, Json]:
    """A PipelineRun that has ended."""
    pipeline = f"p{number // RUNS_PER_PIPELINE}"
    steps = [
        {
            "name": name, "phase": "Completed", "attempt": 1, "job": f"j{number}-{name}", "jobUid": str(uuid.uuid4()),
            "startedAt": now(), "finishedAt": now(),
            "outputs": [{"name": "o", "type": "file", "uri": f"s3://fairlead/{number}/{name}", "sha256": DIGEST}],
        }
        for name in ("prepare", "train", "report")
    ]  # fmt: skip
    status = {
        "observedGeneration": 1, "phase": "Completed", "startedAt": now(), "finishedAt": now(), "steps": steps,
        "progress": "3/3", "message": "3 of 3 steps completed", "template": pipeline_spec(),
        "conditions": [
            {"type": kind, "status": "True", "reason": "Completed", "message": "", "lastTransitionTime": now()}
            for kind in ("Ready", "Succeeded")
        ],
    }  # fmt: skip
    return {"kind": "PipelineRun", "metadata": {"name": f"r{number}"}, "spec": {"pipeline": pipeline}}, status


def pipeline_spec() -> Json:
    """Three steps."""
    names = ("prepare", "train", "report")
    return {
        "history": {"succeeded": 1000, "failed": 1000},
        "steps": [{"name": n, "image": "fairlead.local/none:1", "command": ["true"]} for n in names],
    }


def nodes(cluster: Cluster, count: int) -> None:
    """Simulated nodes."""
    for number in range(count):
        cluster.apply({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": f"kwok-{number}", "labels": {"type": "kwok"}, "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "spec": {"taints": [{"key": "kwok", "effect": "NoSchedule"}]},
        })  # fmt: skip
        cluster.resource("node").status.patch(
            name=f"kwok-{number}", content_type="application/merge-patch+json",
            body={"status": {k: {"cpu": "64", "memory": "256Gi", "pods": str(NODE_PODS)}
                             for k in ("capacity", "allocatable")}},
        )  # fmt: skip


def built(program: str) -> str:
    """The path of a program that the local cluster does without; it is built if it is not there yet."""
    command = [sys.executable, str(ROOT / "hack/cluster"), "build", program]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


@contextmanager
def kwok(cluster: Cluster, pods: int) -> Iterator[None]:
    """KWOK with enough nodes for these pods."""
    count = pods // NODE_PODS + 1
    env = environment()
    process = subprocess.Popen(
        [built("kwok"), "--kubeconfig", env["KUBECONFIG"], "--config", str(Path(__file__).parent / "kwok.yaml"),
         "--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
         "--node-lease-duration-seconds=40"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        nodes(cluster, count)
        yield
        if process.poll() is not None:
            raise SystemExit(f"KWOK ended meanwhile, with exit code {process.returncode}; nothing was measured")
    finally:
        for number in range(count):
            cluster.resource("node").delete(name=f"kwok-{number}")
        process.terminate()
        process.wait(timeout=30)


def make_all(team: Team, objects: Iterable[tuple[Json, Json]]) -> None:
    """Create objects and their status, a few at a time."""

    def make(pair: tuple[Json, Json]) -> None:
        body, status = pair
        body = {"apiVersion": "fairlead.dev/v1alpha1", **body}
        body["metadata"]["namespace"] = team.namespace
        resource = team.cluster.resource(body["kind"].lower())
        resource.create(body=body, namespace=team.namespace)
        if status:
            resource.status.patch(
                name=body["metadata"]["name"], namespace=team.namespace, body={"status": status},
                content_type="application/merge-patch+json",
            )  # fmt: skip

    with ThreadPoolExecutor(6) as pool:
        for _ in pool.map(make, objects):
            pass


def wait_until(what: str, holds: Callable[[], bool], limit: float) -> float:
    """Seconds until it holds, looking often; SystemExit after the limit."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > limit:
            raise SystemExit(f"not {what} within {limit:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


def caught_up(operator: Operator) -> bool:
    """It is ready, and nothing waits in its queue."""
    return operator.ready() and operator.metric("fairlead_queue_depth") == 0


def restart(operator: Operator) -> float:
    """Seconds from a process's start until it has caught up."""
    operator.kill()
    operator.start()
    return wait_until("caught up", lambda: caught_up(operator), 300)


def reaction(team: Team, number: int) -> float:
    """Seconds from a change of a Deployment's spec until what follows from it is seen to have changed."""
    rules = team.cluster.resource("prometheusrule")
    value = uuid.uuid4().hex[:8]
    patch = {"spec": {"alerts": {"labels": {"probe": value}}}}
    watched = rules.watch(namespace=team.namespace, timeout=30)
    first = next(watched)
    assert first
    team.cluster.resource("deployment").patch(
        name=f"d{number}", namespace=team.namespace, body=patch, content_type="application/merge-patch+json"
    )
    began = time.monotonic()
    for event in watched:
        if value in str(event["raw_object"].get("spec")):
            return time.monotonic() - began
    return float("inf")


def populate(team: Team, config: OperatorConfig, scale: float) -> dict[str, int]:
    """All objects; how many of each."""
    counts = {"deployments": int(1000 * scale), "datasets": int(1000 * scale), "runs": int(5000 * scale)}
    published = Published(team, config)
    for number in range(counts["runs"] // RUNS_PER_PIPELINE + 1):
        team.apply({"kind": "Pipeline", "metadata": {"name": f"p{number}"}, "spec": pipeline_spec()})
    for name, made in (
        ("model versions", (version(n) for n in range(counts["deployments"]))),
        ("deployments", (deployment(n) for n in range(counts["deployments"]))),
        ("datasets", (published(n) for n in range(counts["datasets"]))),
        ("finished runs", (finished_run(n) for n in range(counts["runs"]))),
    ):
        began = time.monotonic()
        make_all(team, made)
        print(f"{name} made in {time.monotonic() - began:.0f} s", flush=True)
    return counts


def measure(team: Team, operator: Operator, counts: dict[str, int], idle: float, changes: int) -> dict[str, Any]:
    """All figures."""
    operator.start()
    first = wait_until("caught up", lambda: caught_up(operator), 1200)
    print(f"first start: caught up in {first:.1f} s; settling", flush=True)
    time.sleep(30)
    again = restart(operator)
    print(f"restart: caught up in {again:.1f} s; measuring {idle:.0f} s at rest", flush=True)
    time.sleep(20)
    cpu, began = operator.cpu(), time.monotonic()
    time.sleep(idle)
    share = (operator.cpu() - cpu) / (time.monotonic() - began)
    delays = [reaction(team, n * counts["deployments"] // changes) for n in range(changes)]
    return {
        **counts, "first start s": first, "restart s": again, "memory MiB": operator.memory(),
        "idle CPU % of a core": 100 * share, "reaction p50 s": quantile(delays, 0.5),
        "reaction p99 s": quantile(delays, 0.99), "reaction max s": max(delays),
    }  # fmt: skip


TARGETS = {"memory MiB": 400, "idle CPU % of a core": 3, "reaction p99 s": 1, "restart s": 20}


def main(arguments: list[str]) -> int:
    """Populate, measure, print, clean up."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of objects")
    parser.add_argument("--idle", type=float, default=120.0, help="seconds at rest")
    parser.add_argument("--changes", type=int, default=100)
    options = parser.parse_args(arguments)
    cluster = Cluster()
    team = make_team(cluster, f"bench-scale-{uuid.uuid4().hex[:6]}")
    config = configuration([team.namespace])
    operator = Operator(config, name="scale")
    with alone(), quiet(), kwok(cluster, int(1000 * options.scale)):
        try:
            counts = populate(team, load_config(str(config)), options.scale)
            result = measure(team, operator, counts, options.idle, options.changes)
        finally:
            operator.kill()
            # while KWOK is there to let its pods go
            kubectl("delete", "namespace", team.namespace, "--timeout=600s")
    rows = [(k, v, TARGETS.get(k, ""), "" if k not in TARGETS else "met" if v <= TARGETS[k] else "MISSED")
            for k, v in result.items()]  # fmt: skip
    table("Scale", rows, ["figure", "value", "target", ""])
    keep("scale", result)
    return 0 if all(result[k] <= limit for k, limit in TARGETS.items()) else 1
