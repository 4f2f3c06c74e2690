"""The API server accepts what the chart renders, and the operator's pod under the restricted standard."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from hack.install.chart import ROOT, environment, kubectl
from tests.chart.helm import EVERYTHING, Json, one, render, template


@pytest.fixture(scope="module")
def space() -> Iterator[str]:
    """A namespace in which only restricted pods are admitted."""
    name = f"fl-chart-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def dry_run(text: str) -> subprocess.CompletedProcess[str]:
    command = ["kubectl", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), input=text, text=True, capture_output=True, check=False
    )  # fmt: skip


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["least", "most"])
def test_accepted(space: str, values: Json) -> None:
    done = dry_run(template(values, namespace=space))
    assert done.returncode == 0, done.stderr


def test_accepted_for_some_namespaces(space: str) -> None:
    done = dry_run(template({"namespaces": [space]}, namespace=space))
    assert done.returncode == 0, done.stderr


def test_the_operators_pod_is_admitted(space: str) -> None:
    spec = one(render(), "Deployment")["spec"]["template"]["spec"] | {"serviceAccountName": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator", "namespace": space}, "spec": spec}
    done = dry_run(json.dumps(pod))
    assert done.returncode == 0, done.stderr
    assert "would violate" not in done.stderr
