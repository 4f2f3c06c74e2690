"""The Helm release on the local cluster."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NAMESPACE = "fairlead-system"
RELEASE = "fairlead"
LOCAL = Path(os.environ.get("FAIRLEAD_STATE", ROOT / ".local"))


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
            "trainer": images["trainer"],
            **({"proxy": images["proxy"]} if "proxy" in images else {}),
        },
        "store": {
            "bucket": "fairlead",
            "endpoint": "http://s3.s3.svc:9000",
            "credentials": {"name": "s3"},
        },
        "prometheus": {"url": "http://prometheus.monitoring.svc:9090"},
        "metrics": {"podMonitor": {"enabled": True}, "rules": {"enabled": True}},
        "networkPolicy": {"enabled": True},
        "tuning": {"monitors": 15},  # the demo's windows: nobody waits for hours here
    }


@contextmanager
def alone() -> Iterator[int]:
    """One installation at a time. The lock's descriptor goes to helm too: it is held until both have ended."""
    LOCAL.mkdir(parents=True, exist_ok=True)
    with (LOCAL / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def forget_unfinished() -> None:
    """A helm that was killed leaves its release pending, and every later one refuses. Nobody else is installing now,
    so what is pending is dead: forget that attempt; the next one adopts what it made."""
    labels = f"owner=helm,name={RELEASE},status in (pending-install,pending-upgrade,pending-rollback)"
    kubectl("delete", "secret", "--namespace", NAMESPACE, "--selector", labels, "--ignore-not-found")


def check() -> None:
    """End with an error that names what a cluster of the user's own lacks; the local one was made for this."""
    if os.environ.get("FAIRLEAD_KUBECONFIG"):
        subprocess.run([sys.executable, "hack/cluster", "check"], cwd=ROOT, check=True)


def install(images: dict[str, str]) -> None:
    """Install or upgrade, and wait until both replicas are ready."""
    command = [
        "helm", "upgrade", "--install", RELEASE, "charts/fairlead", "--namespace", NAMESPACE, "--create-namespace",
        "--values", "-", "--wait", "--timeout", "5m",
    ]  # fmt: skip
    with alone() as lock:
        forget_unfinished()
        subprocess.run(
            command,
            cwd=ROOT,
            env=environment(),
            input=json.dumps(values(images)),
            text=True,
            check=True,
            pass_fds=[lock],
        )
