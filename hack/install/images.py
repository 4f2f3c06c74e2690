"""Fairlead's own images, built from the repository's Dockerfile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = ("operator", "worker", "sklearn")


def load(context: str, name: str, *options: str) -> str:
    """Build an image and load it into the cluster; the reference, with its digest where the cluster knows it."""
    command = [sys.executable, "hack/cluster", "load-image", context, name, *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[-1]


def build() -> dict[str, str]:
    """Reference by target of operator/Dockerfile. Unchanged ones cost less than a second each."""
    return {
        target: load(".", f"fairlead.local/fairlead-{target}", "--file", "operator/Dockerfile", "--target", target)
        for target in TARGETS
    }
