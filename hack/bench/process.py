"""The operator as a process of this machine, so that it can be measured and killed.

While it runs, the installed operator is scaled to nothing; it comes back afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from hack.install.chart import NAMESPACE, environment, kubectl

ROOT = Path(__file__).resolve().parent.parent.parent
SCRATCH = Path(os.environ.get("FAIRLEAD_STATE", ROOT / ".local")) / "bench"
PORT = 18080


def cluster_ip(namespace: str, service: str) -> str:
    """A Service's address; this machine does not resolve the cluster's names."""
    return kubectl("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}").strip()


def configuration(namespaces: list[str]) -> Path:
    """The installed operator's configuration, with addresses that this machine can reach."""
    data = json.loads(kubectl("get", "configmap", "fairlead", "-n", NAMESPACE, "-o", "json"))["data"]
    found = yaml.safe_load(data["config.yaml"])
    found["store"]["endpoint"] = f"http://{cluster_ip('s3', 's3')}:9000"
    found["prometheus"]["url"] = f"http://{cluster_ip('monitoring', 'prometheus')}:9090"
    found["namespaces"] = namespaces
    SCRATCH.mkdir(parents=True, exist_ok=True)
    path = SCRATCH / f"config-{namespaces[0] if namespaces else 'all'}.yaml"
    path.write_text(yaml.safe_dump(found))
    return path


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_of(pid: int) -> float:
    """The most resident memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """An earlier tree."""
    with tempfile.TemporaryDirectory(prefix="fairlead-before-") as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), commit], check=True, capture_output=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)


class Operator:
    """One operator process; its log is appended to `.local/bench/<name>.log`."""

    def __init__(
        self, config: Path, name: str = "bench", lease: str = "fairlead", port: int = PORT,
        kubeconfig: Path | None = None, program: Sequence[str] = (str(Path(sys.executable).parent / "fairlead"),),
    ) -> None:  # fmt: skip
        """kubeconfig: of another cluster than the local one; program: what takes the command line."""
        self._config, self._name, self._lease, self._port = config, name, lease, port
        self._kubeconfig, self._program = kubeconfig, program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; RuntimeError when it isn't running."""
        if self._process is None:
            raise RuntimeError("the operator is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it; returns at once."""
        elsewhere = ["--kubeconfig", str(self._kubeconfig)] if self._kubeconfig else []
        env = dict(os.environ) if elsewhere else environment()
        env |= {"POD_NAMESPACE": "fairlead" if elsewhere else NAMESPACE, "POD_NAME": self._name}
        command = [*self._program, "operator", "--config", str(self._config), "--port", str(self._port),
                   "--lease", self._lease, *elsewhere]  # fmt: skip
        with (SCRATCH / f"{self._name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill it and wait for its end."""
        if self._process is not None:
            self._process.send_signal(sig)
            self._process.wait(timeout=40)
            self._process = None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def memory(self) -> float:
        """Resident memory in MiB."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """The most resident memory that it has had in MiB, since it began or since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """From now on the peak is counted anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(ln for ln in status.splitlines() if ln.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return cpu_of(self.pid)

    def ready(self) -> bool:
        """Whether it leads and has seen everything."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name: str, label: str = "") -> float:
        """Sum of a metric's series, of those that have this label (`name="value"`)."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(ln.rsplit(" ", 1)[1]) for ln in lines
                   if ln.split("{")[0].split(" ")[0] == name and label in ln)  # fmt: skip


@contextmanager
def alone() -> Iterator[None]:
    """While this holds, no operator is installed that would act too."""
    kubectl("scale", "deployment", "fairlead", "-n", NAMESPACE, "--replicas=0")
    kubectl("wait", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=fairlead", "--for=delete", "--timeout=60s")
    try:
        yield
    finally:
        kubectl("scale", "deployment", "fairlead", "-n", NAMESPACE, "--replicas=2")
        kubectl("rollout", "status", "deployment", "fairlead", "-n", NAMESPACE, "--timeout=120s")


OTHERS = (
    ("monitoring", "deployment/prometheus-operator"), ("monitoring", "statefulset/prometheus-main"),
    ("monitoring", "statefulset/alertmanager-main"), ("envoy-gateway-system", "deployment/envoy-gateway"),
)  # fmt: skip
"""What else acts on the objects that Fairlead makes."""


@contextmanager
def quiet() -> Iterator[None]:
    """While this holds, nobody else on this machine works on Fairlead's objects: with thousands of them, Prometheus and
    the gateway's controller would take the processors for themselves."""
    for namespace, what in OTHERS:
        kubectl("scale", what, "-n", namespace, "--replicas=0")
    try:
        yield
    finally:
        for namespace, what in OTHERS:
            kubectl("scale", what, "-n", namespace, "--replicas=1")
