"""The real controller of Argo Workflows as a process of this machine, for one namespace.

It is built on demand from its Go module; nothing of it is kept here. Its pods are simulated as all others. Two things
are in its favour: no pod writes a WorkflowTaskResult (in a cluster its container `wait` makes one and changes it once,
and the controller hears of both), and it may be told to be faster than its default.
"""

from __future__ import annotations

import os
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fairlead.cluster.client import HttpKube
from fairlead.plan.core import Kind
from hack.bench.plane import HOST, NAMESPACE, ROOT, Plane, built
from hack.bench.process import SCRATCH, cpu_of, peak_of
from hack.bench.simulated import counted
from hack.testbed.programs import free_port

Json = dict[str, Any]
MODULE = "github.com/argoproj/argo-workflows/v4"
SYSTEM, SETTINGS = "argo", "workflow-controller-configmap"
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
WORKFLOW = Kind("argoproj.io/v1alpha1", "Workflow", "workflows")
LABEL = "workflows.argoproj.io/workflow"
NODE_NAME = "workflows.argoproj.io/node-name"
IMAGE = "fairlead.local/none:1"


@dataclass(frozen=True)
class Settings:
    """How it is started."""

    requeue: str = ""
    """Least time between two looks at a Workflow; empty: its default, 10 s."""
    qps: int = 0
    """Requests a second to the API server at most, and twice as many in a burst; 0: its default, 20 and 30."""

    def flags(self) -> list[str]:
        """Of the command line."""
        return [f"--qps={self.qps}", f"--burst={2 * self.qps}"] if self.qps else []

    def env(self) -> dict[str, str]:
        """Variables."""
        return {"DEFAULT_REQUEUE_TIME": self.requeue} if self.requeue else {}


def module() -> Path:
    """The folder of its sources, in Go's own cache."""
    return Path(subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", MODULE], cwd=ROOT / "hack/cluster/src/argoworkflows", check=True,
        stdout=subprocess.PIPE, text=True,
    ).stdout.strip())  # fmt: skip


async def install(found: Plane, kube: HttpKube) -> None:
    """Its definitions and its namespace."""
    found.install(sorted((module() / "manifests/base/crds/minimal").glob("argoproj.io_*.yaml")))
    await kube.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})


def workflow(name: str, namespace: str, steps: int) -> Json:
    """Steps in a row that do nothing; one step is a template by itself."""
    program = {"name": "program", "container": {"image": IMAGE, "command": ["true"]}}
    row = {"name": "row", "steps": [[{"name": f"s{number}", "template": "program"}] for number in range(steps)]}
    templates = [program, row] if steps > 1 else [program]
    return {
        "apiVersion": WORKFLOW.api_version, "kind": WORKFLOW.kind, "metadata": {"name": name, "namespace": namespace},
        "spec": {"entrypoint": templates[-1]["name"], "templates": templates},
    }  # fmt: skip


def step_of(pod: Json) -> tuple[str, int] | None:
    """(Workflow, number of the step) of a pod; None: it is of none."""
    meta = pod["metadata"]
    name, node = (meta.get("labels") or {}).get(LABEL), (meta.get("annotations") or {}).get(NODE_NAME)
    if not name or not node:
        return None
    return name, int(node.rpartition(".s")[2]) if ".s" in node else 0


class Controller:
    """The process. Its log is `<folder of the plane>/argo-<namespace>.log`."""

    def __init__(self, found: Plane, kube: HttpKube, namespace: str, settings: Settings) -> None:
        self._found, self._kube, self._namespace, self._settings = found, kube, namespace, settings
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; RuntimeError when it isn't running."""
        if self._process is None:
            raise RuntimeError("the workflow controller is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start it; returns at once."""
        metrics = {"enabled": True, "path": "/metrics", "port": self._port, "secure": False}
        config = {"name": f"{SETTINGS}-{self._namespace}", "namespace": SYSTEM}
        data = {"metricsConfig": yaml.safe_dump(metrics)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": data}
        await self._kube.apply(CONFIG_MAP, body)
        self._start(config["name"])

    def _start(self, config: str) -> None:
        command = [
            built("workflow-controller"), "--kubeconfig", str(self._found.kubeconfig), "--namespace", SYSTEM,
            "--namespaced", "--managed-namespace", self._namespace, "--configmap", config,
            "--executor-image", IMAGE, "--loglevel", "warn", *self._settings.flags(),
        ]  # fmt: skip
        env = os.environ | {"LEADER_ELECTION_DISABLE": "true"} | self._settings.env()
        with (self._found.folder / f"argo-{self._namespace}.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, cwd=SCRATCH, stdout=log, stderr=log)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return cpu_of(self.pid)

    def peak(self) -> float:
        """The most memory that it has had, in MiB."""
        return peak_of(self.pid)

    def requests(self) -> float:
        """How many requests it has made, by its own count."""
        with urllib.request.urlopen(f"http://{HOST}:{self._port}/metrics", timeout=5) as answer:
            return counted(answer.read().decode(), "argo_workflows_k8s_request_total", without='verb="Watch"')
