"""Fairlead's kinds in a group of their own, where nobody works on what is applied, and the real kubectl."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hack.gen.crds import definition
from hack.install.chart import environment

from fairlead.api.common import GROUP
from fairlead.api.kinds import KINDS

Json = dict[str, Any]
PATIENCE = 120.0
"""Seconds in which the API server serves new kinds, on a machine that has other work."""


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command in the cluster's environment."""
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, env=environment())


def kubectl(*words: str, stdin: str | None = None) -> str:
    """What kubectl prints. Fails where it does."""
    done = run("kubectl", *words, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listed(objects: list[Json]) -> str:
    """For kubectl. As JSON: what is a string for one version of YAML is a number for another."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def moved(manifest: Json, group: str) -> Json:
    """A definition or an object, in another group."""
    return dict(json.loads(json.dumps(manifest, default=str).replace(GROUP, group)))


@contextmanager
def kinds() -> Iterator[str]:
    """The kinds, once they are served; their group, which no other run has used."""
    group = f"t{uuid.uuid4().hex[:8]}.{GROUP}"
    made = [moved(definition(info), group) for info in KINDS]
    for one in made:
        for name in ("categories", "shortNames"):
            one["spec"]["names"].pop(name, None)
    text = listed(made)
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=text)
        wait_for_kinds(group)
        yield group
    finally:
        kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=text)


def wait_for_kinds(group: str) -> None:
    """Until kubectl finds them all: that a definition is established says nothing of what discovery has."""
    wanted, deadline = ",".join(f"{info.plural}.{group}" for info in KINDS), time.monotonic() + PATIENCE
    while (seen := run("kubectl", "get", wanted, "-n", "default")).returncode != 0:
        assert time.monotonic() < deadline, seen.stderr
        time.sleep(0.5)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A fresh one."""
    made = f"fl-{name}-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", made)
    yield made
    kubectl("delete", "namespace", made, "--wait=false")
