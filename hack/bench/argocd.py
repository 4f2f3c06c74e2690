"""The real Argo CD beside the local cluster: its application controller and repository server as processes of this
machine, as its core mode has them, redis, and a git repository in a folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from hack.bench.process import SCRATCH
from hack.bench.scale import built
from hack.gen.argocd import settings
from hack.install.chart import ROOT, environment, kubectl
from hack.testbed.cluster import Cluster, Json
from hack.testbed.programs import free_port

NAMESPACE = "gitops-argocd"
KINDS = ("application", "applicationset", "appproject")
MODULE = "github.com/argoproj/argo-cd/v3"
SYNC = {"automated": {"prune": True, "selfHeal": True}}


class Repository:
    """A git repository in a folder of this machine. Each Application has one of its own: Argo CD tells of the newest
    commit, whoever made it."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self._git("init", "-q", "-b", "main")

    @property
    def url(self) -> str:
        """Where Argo CD finds it."""
        return f"file://{self.folder}"

    def commit(self, message: str, files: dict[str, Json | None]) -> str:
        """Write manifests by path (None: delete) and commit them; the commit."""
        for path, body in files.items():
            target = self.folder / path
            if body is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
        self._git("add", "-A")
        self._git("-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.folder), *words], check=True, stdout=subprocess.PIPE, text=True
        ).stdout


@dataclass(frozen=True)
class Seen:
    """What an Application said at one moment."""

    at: float
    """When it was heard of, epoch seconds."""
    revision: str
    sync: str
    health: str
    resources: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By `kind/name`: sync, health, and what it says."""
    error: str = ""


def seen(obj: Json) -> Seen:
    """What an Application says."""
    status = obj.get("status") or {}
    sync = status.get("sync") or {}
    found = {}
    for one in status.get("resources") or []:
        health = one.get("health") or {}
        found[f"{one['kind']}/{one['name']}"] = (
            one.get("status", ""),
            health.get("status", ""),
            health.get("message", ""),
        )
    return Seen(
        at=time.time(), revision=sync.get("revision", ""), sync=sync.get("status", ""),
        health=(status.get("health") or {}).get("status", ""), resources=found,
        error="; ".join(one["message"] for one in status.get("conditions") or []),
    )  # fmt: skip


class Application:
    """An Application, and all that it has said."""

    def __init__(self, cluster: Cluster, name: str, repository: Repository, namespace: str) -> None:
        self.name, self.said = name, list[Seen]()
        self._resource = cluster.dynamic.resources.get(api_version="argoproj.io/v1alpha1", kind="Application")
        self._changed = threading.Condition()
        cluster.apply({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "project": "default", "syncPolicy": SYNC,
                "source": {"repoURL": repository.url, "path": name, "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            },
        })  # fmt: skip
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        try:
            while True:
                for event in self._resource.watch(namespace=NAMESPACE, name=self.name, timeout=600):
                    with self._changed:
                        self.said.append(seen(event["raw_object"]))
                        self._changed.notify_all()
        except client.ApiException as error:
            if error.status != 404:  # Argo CD is gone
                raise

    def refresh(self) -> None:
        """What a git server's webhook does: look at the repository now."""
        self._resource.patch(
            name=self.name, namespace=NAMESPACE, content_type="application/merge-patch+json",
            body={"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}},
        )  # fmt: skip

    def wait(self, holds: Callable[[Seen], bool], limit: float, what: str) -> Seen:
        """The first state since now, the present one included, for which it holds. Raises AssertionError after the
        limit, in seconds."""
        deadline = time.monotonic() + limit
        with self._changed:
            index = max(0, len(self.said) - 1)
            while True:
                for one in self.said[index:]:
                    if holds(one):
                        return one
                index = len(self.said)
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"application {self.name}: not {what} within {limit:.0f} s; last: {self.said[-1:]}"
                    )
                self._changed.wait(left)


@contextmanager
def running(cluster: Cluster) -> Iterator[Path]:
    """Argo CD while the block runs. Gives a folder for the repositories that its Applications read."""
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is missing: apt-get install --no-install-recommends redis-server")
    folder = SCRATCH / "argocd"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("tls", "ssh", "plugins", "tmp"):
        (folder / name).mkdir(parents=True)
    program = built("argocd")
    _install(cluster)
    redis, server = free_port(), free_port()
    env = environment() | {
        "ARGOCD_FAKE_IN_CLUSTER": "true", "ARGOCD_GPG_ENABLED": "false", "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"), "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
        "TMPDIR": str(folder / "tmp"),
    }  # fmt: skip
    common = ["--redis", f"127.0.0.1:{redis}", "--loglevel", "warn"]
    programs = {
        "redis": ["redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--save", "", "--dir", str(folder)],
        "repo-server": [
            program, "argocd-repo-server", *common, "--address", "127.0.0.1", "--port", str(server), "--disable-tls",
            "--metrics-address", "127.0.0.1", "--metrics-port", str(free_port()),
        ],
        "application-controller": [
            program, "argocd-application-controller", *common, "--repo-server", f"127.0.0.1:{server}",
            "--repo-server-plaintext", "--metrics-port", str(free_port()), "--persist-resource-health",
            "--kubeconfig", env["KUBECONFIG"], "--namespace", NAMESPACE,
        ],
    }  # fmt: skip
    with ExitStack() as stack:
        stack.callback(_uninstall)
        for name, command in programs.items():
            stack.enter_context(_process(name, command, env, folder))
        yield folder


@contextmanager
def _process(name: str, command: list[str], env: dict[str, str], folder: Path) -> Iterator[None]:
    with (SCRATCH / f"argocd-{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        try:
            yield
            if process.poll() is not None:
                raise SystemExit(f"{name} ended meanwhile, with exit code {process.returncode}: see {log.name}")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _install(cluster: Cluster) -> None:
    """Its definitions, and its settings with Fairlead's health checks and actions."""
    where = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", MODULE], cwd=ROOT / "hack/cluster/src/argocd", check=True,
        stdout=subprocess.PIPE, text=True,
    ).stdout.strip()  # fmt: skip
    if kubectl("get", "crd", "applications.argoproj.io", "--ignore-not-found", "-o", "name"):
        raise SystemExit("this cluster has an Argo CD, or what is left of one: its definitions would be written over")
    for name in KINDS:
        kubectl("apply", "--server-side", "--force-conflicts", "-f", f"{where}/manifests/crds/{name}-crd.yaml")
    for kind in ("Application", "AppProject"):
        name = f"crd/{kind.lower()}s.argoproj.io"
        kubectl("wait", f"--for=jsonpath={{.status.acceptedNames.kind}}={kind}", name)  # before, it has no conditions
        kubectl("wait", "--for=condition=Established", name)
    part = {"app.kubernetes.io/part-of": "argocd"}
    objects: list[Json] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": dict(settings())},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argocd-secret"},
         "data": {"server.secretkey": base64.b64encode(secrets.token_bytes(32)).decode()}},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "default"},
         "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
                  "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}},
    ]  # fmt: skip
    for one in objects:
        one["metadata"] |= {"labels": part} | ({} if one["kind"] == "Namespace" else {"namespace": NAMESPACE})
        if one["kind"] == "ConfigMap":
            one["data"] = {key: str(text) for key, text in one["data"].items()}
        cluster.apply(one)


def _uninstall() -> None:
    """Without its controller nothing that an Application has made is deleted with it."""
    kubectl("delete", "crd", *(f"{name}s.argoproj.io" for name in KINDS))
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def ask_scripts(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Argo CD's own interpreter says: see hack/cluster/src/argocd/scripts.go."""
    done = subprocess.run(
        [built("argocd"), "scripts"], input=json.dumps(questions), check=True, stdout=subprocess.PIPE, text=True,
        env=dict(os.environ),
    )  # fmt: skip
    return list(json.loads(done.stdout))
