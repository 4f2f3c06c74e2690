"""Fairlead's own images, built from the repository's Dockerfile, or named by whoever has them elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hack.cluster.images import BY_IMAGE, archive
from hack.cluster.settings import existing_kubeconfig, paths
from hack.cluster.shell import ClusterError, Logged

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = ("operator", "worker", "sklearn", "trainer")
VARIABLE = "FAIRLEAD_IMAGES"


def proxy() -> dict[str, str]:
    """`proxy`: Envoy as the local cluster has it, or as a cluster of the user's own got it from here. Empty when it did
    not: the chart then names a public image."""
    image = BY_IMAGE["envoy"]
    if not existing_kubeconfig():
        return {"proxy": image.reference}
    made = archive(paths(), image)
    try:
        return {"proxy": load(str(made if made.exists() else "."), image.reference)}
    except subprocess.CalledProcessError:
        print("the image of the proxy that records answers is left as the chart names it", file=sys.stderr)
        return {}


def load(context: str, name: str, *options: str) -> str:
    """Build an image and load it into the cluster; the reference, with its digest where the cluster knows it."""
    command = [sys.executable, "hack/cluster", "load-image", context, name, *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[-1]


def given(needed: Collection[str] = TARGETS) -> dict[str, str] | None:
    """References of `FAIRLEAD_IMAGES=operator=…,worker=…,sklearn=…,trainer=…,proxy=…` that the cluster can pull; None
    without it.

    ValueError when one that is needed is not among them.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    named = {name.strip(): value.strip() for name, _, value in (item.partition("=") for item in text.split(","))}
    lacking = [name for name in needed if not named.get(name)]
    if lacking:
        raise ValueError(f"{VARIABLE} names no image for {', '.join(lacking)}: write {VARIABLE}={lacking[0]}=…,…")
    return named


def words(target: str) -> list[str]:
    """The arguments of `load-image` for a target of operator/Dockerfile."""
    return [".", f"fairlead.local/fairlead-{target}", "--file", "operator/Dockerfile", "--target", target]


def build() -> dict[str, str]:
    """Reference by target of operator/Dockerfile. Unchanged ones cost less than a second each."""
    return given() or proxy() | {target: load(*words(target)) for target in TARGETS}


@contextmanager
def built_beside(wanted: Sequence[Sequence[str]], log: Path) -> Iterator[None]:
    """Build images into the cache, one after the other, while the cluster is made: the one waits for the network when
    the other needs the cores. What both need is made once. An image that can't be built is in the log, and fails again,
    before everybody's eyes, when it is loaded. When the cluster can't be made, the builds end too."""
    runner, stop = Logged(), threading.Event()

    def work() -> None:
        for arguments in wanted:
            if stop.is_set():
                return
            with suppress(ClusterError):
                runner.run([sys.executable, "hack/cluster", "load-image", "--build-only", *arguments], log, cwd=ROOT)

    lane = threading.Thread(target=work)
    lane.start()
    try:
        yield
    except BaseException:
        stop.set()
        runner.stop()
        raise
    finally:
        lane.join()
