"""A namespace on a real API server that serves Fairlead's kinds, and the commands against it."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hack.bench.process import alone
from hack.install.chart import environment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The cluster's; without one these tests fail."""
    named = os.environ.get("FAIRLEAD_KUBECONFIG") or str(ROOT / ".local" / "cluster" / "kubeconfig")
    if not Path(named).is_file():
        pytest.fail("no cluster: run `python3 hack/cluster up`, or set FAIRLEAD_KUBECONFIG")
    return named


@pytest.fixture(scope="session")
def kubectl(kubeconfig: str) -> Callable[..., str]:
    """Run kubectl; its output."""

    def run(*words: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--kubeconfig", kubeconfig, *words]
        done = subprocess.run(
            command, env=environment(), check=True, text=True, input=stdin, capture_output=True, timeout=60
        )  # fmt: skip
        return done.stdout

    try:
        run("get", "-f", str(ROOT / "crds"))
    except subprocess.CalledProcessError:  # Fairlead is not installed here: its kinds are enough
        run("apply", "--server-side", "-f", str(ROOT / "crds"))
    run("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
    return run


@pytest.fixture(scope="package", autouse=True)
def nobody_acts(kubectl: Callable[..., str]) -> Iterator[None]:
    """An installed operator would answer what these tests write."""
    if "fairlead" in kubectl("get", "deployments.apps", "-A", "-l", "app.kubernetes.io/name=fairlead", "-o", "name"):
        with alone():
            yield
    else:
        yield


@pytest.fixture
def namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """A fresh one."""
    name = f"fl-cli-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def fairlead(kubeconfig: str, namespace: str) -> Callable[..., int]:
    """Run a command in the namespace; its exit code."""
    from fairlead.cli.main import main

    return lambda *words: main([*words, "-n", namespace, "--kubeconfig", kubeconfig])
