"""The Helm release on the local cluster."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NAMESPACE = "fairlead-system"
RELEASE = "fairlead"


@cache
def environment() -> dict[str, str]:
    """The variables that `hack/cluster env` exports, on top of this process's."""
    shell = subprocess.run(
        [sys.executable, "hack/cluster", "env"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    script = f"{shell}\n{shlex.quote(sys.executable)} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    return dict(os.environ) | dict(json.loads(done.stdout.splitlines()[-1]))


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl against the local cluster; its output."""
    done = subprocess.run(
        ["kubectl", *arguments],
        cwd=ROOT,
        env=environment(),
        input=stdin,
        check=check,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def values(images: dict[str, str]) -> dict[str, object]:
    """What the local cluster needs to be told."""
    return {
        "images": {
            "operator": images["operator"],
            "worker": images["worker"],
            "runtimes": {"sklearn": images["sklearn"]},
        },
        "store": {
            "bucket": "fairlead",
            "endpoint": "http://s3.s3.svc:9000",
            "credentials": {"name": "s3"},
        },
        "prometheus": {"url": "http://prometheus.monitoring.svc:9090"},
        "metrics": {"podMonitor": {"enabled": True}, "rules": {"enabled": True}},
    }


def install(images: dict[str, str]) -> None:
    """Install or upgrade, and wait until both replicas are ready."""
    command = [
        "helm", "upgrade", "--install", RELEASE, "charts/fairlead", "--namespace", NAMESPACE, "--create-namespace",
        "--values", "-", "--wait", "--timeout", "5m",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, env=environment(), input=json.dumps(values(images)), text=True, check=True)
