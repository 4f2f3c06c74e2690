"""A control plane of one's own: etcd, kube-apiserver and S3 as processes of this machine, without any node.

Nothing runs pods, and no controller makes or deletes anything: what these would do, the benchmark does itself. It can
be measured beside a running cluster, which it does not touch.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from fairlead.cluster.client import HttpKube, load_configuration
from fairlead.plan.core import Kind
from hack.bench.process import cpu_of
from hack.cluster import assets, pki, waiting
from hack.cluster.settings import API_PORT, paths
from hack.testbed.programs import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
BUCKET = "fairlead"
NAMESPACE = Kind("v1", "Namespace", "namespaces")
OTHERS = ("_gateways.yaml", "_httproutes.yaml", "_podmonitors.yaml", "_prometheusrules.yaml")
"""Others' CRDs that are installed, by the ends of their files' names."""
Json = dict[str, Any]


@cache
def built(program: str) -> str:
    """The path of a program of the local cluster; it is built if it is not there yet."""
    command = [sys.executable, str(ROOT / "hack/cluster"), "build", program]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


GOGC = "300"
"""The API server's garbage collection: it has the memory, and shares the cores with what is measured."""


class Plane:
    """The processes, all of whose files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = ("fairlead", secrets.token_hex(16))
        self._ports = {name: free_port() for name in ("etcd", "peers", "api", "s3")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def store(self) -> str:
        """S3's address."""
        return f"http://{HOST}:{self._ports['s3']}"

    @property
    def s3(self) -> Any:
        """A client of the store."""
        return boto3.client(
            "s3", endpoint_url=self.store, aws_access_key_id=self.keys[0], aws_secret_access_key=self.keys[1],
            region_name="us-east-1", config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip

    def start(self) -> None:
        """Start all, with all CRDs; returns when they answer."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        pki.ensure(self.folder / "pki")
        config = pki.kubeconfig(self.folder / "pki", "admin")
        self.kubeconfig.write_text(config.replace(f":{API_PORT}", f":{self._ports['api']}"))
        localkube, gateway = built("localkube"), built("versitygw")
        self._run("etcd", [localkube, "etcd", *self._etcd()])
        self._await("etcd", f"http://{HOST}:{self._ports['etcd']}/health")
        self._run("kube-apiserver", [localkube, "kube-apiserver", *self._apiserver()], {"GOGC": GOGC})
        for part in ("objects", "iam"):
            (self.folder / part).mkdir()
        keys = {"ROOT_ACCESS_KEY": self.keys[0], "ROOT_SECRET_KEY": self.keys[1]}
        self._run("s3", [gateway, f"--port={HOST}:{self._ports['s3']}", "--region=us-east-1", "--health=/healthz",
                         f"--iam-dir={self.folder}/iam", "posix", f"{self.folder}/objects"], keys)  # fmt: skip
        self._await("s3", f"{self.store}/healthz")
        waiting.until(
            lambda: self._kubectl("get", "--raw=/readyz"), "the API server is ready", timeout=90, stop=self._ended
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self._install()

    def _install(self) -> None:
        """All CRDs; returns when they are served."""
        where = paths()
        others = [*assets.gateway_api_crds(where), *assets.prometheus_crds(where)]
        files = [*(ROOT / "crds").glob("*.yaml"), *(path for path in others if path.name.endswith(OTHERS))]
        self.install(files)

    def install(self, files: Iterable[Path]) -> None:
        """Apply definitions; returns when all are served."""
        named = [word for path in files for word in ("-f", str(path))]
        if not self._kubectl("apply", "--server-side", *named) or not self._kubectl(
            "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"
        ):
            raise SystemExit(f"the CRDs can't be installed; see {self.folder}/kubectl.log")

    def _kubectl(self, *words: str) -> bool:
        command = [built("localkube"), "kubectl", "--kubeconfig", str(self.kubeconfig), *words]
        with (self.folder / "kubectl.log").open("ab") as log:
            return subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0

    def _etcd(self) -> list[str]:
        client, peers = (f"http://{HOST}:{self._ports[name]}" for name in ("etcd", "peers"))
        return [
            f"--data-dir={self.folder}/etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}", "--unsafe-no-fsync", "--log-level=warn",
            "--quota-backend-bytes=8589934592", "--auto-compaction-mode=periodic", "--auto-compaction-retention=1m",
        ]  # fmt: skip

    def _apiserver(self) -> list[str]:
        keys = self.folder / "pki"
        return [
            f"--etcd-servers=http://{HOST}:{self._ports['etcd']}", f"--bind-address={HOST}",
            f"--secure-port={self._ports['api']}", f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key", f"--client-ca-file={keys}/ca.crt",
            f"--service-account-key-file={keys}/sa.pub", f"--service-account-signing-key-file={keys}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.97.0.0/16",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
        ]  # fmt: skip

    def beside(self, name: str, command: list[str]) -> None:
        """Start one more process, which ends with the others; its output goes to `<name>.log`."""
        self._run(name, command)

    @property
    def names(self) -> list[str]:
        """Of the processes, in the order of their start."""
        return list(self._processes)

    def check(self) -> None:
        """SystemExit if one of the processes has ended."""
        gone = self._ended()
        if gone:
            raise SystemExit(gone)

    def _run(self, name: str, command: list[str], env: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, env=os.environ | (env or {}), stdout=log, stderr=log)

    def _await(self, name: str, url: str) -> None:
        waiting.until(lambda: waiting.http_ok(url), f"{name} answers", timeout=60, stop=self._ended)

    def _ended(self) -> str | None:
        gone = [process.args for process in self._processes.values() if process.poll() is not None]
        return f"{gone[0]} has ended; see the logs in {self.folder}" if gone else None

    def cpu(self, name: str) -> float:
        """Seconds of CPU that one of the processes has used."""
        return cpu_of(self._processes[name].pid)

    def stop(self) -> None:
        """End all."""
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait(timeout=30)


@asynccontextmanager
async def plane(folder: Path) -> AsyncIterator[tuple[Plane, HttpKube]]:
    """A fresh one with all CRDs, and a connection to it; the folder is emptied first."""
    found = Plane(folder)
    try:
        await asyncio.to_thread(found.start)
        kube = HttpKube(await load_configuration(str(found.kubeconfig)))
        try:
            yield found, kube
        finally:
            await kube.close()
    finally:
        found.stop()
