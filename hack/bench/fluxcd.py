"""Flux's own apply, comparison and health checks over Fairlead's objects: see hack/cluster/src/flux."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field

import yaml

from hack.bench.process import SCRATCH
from hack.bench.scale import built
from hack.install.chart import environment
from hack.testbed.cluster import Json, Team


@dataclass
class Look:
    """One reconciliation: what was expected of it, and what came."""

    what: str
    expected: str
    """`Healthy`, or what the reason must name."""
    changed: list[str] = field(default_factory=list)
    """Objects that were written, by the first time."""
    again: list[str] = field(default_factory=list)
    """Those that a second time wrote, though nothing had changed."""
    health: str = ""
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether all was as expected."""
        return not self.again and (not self.health if self.expected == "Healthy" else self.expected in self.health)


def reconcile(team: Team, objects: list[Json], limit: float) -> Json:
    """Apply and wait: `changes` by object, `health` (empty: all Current), `seconds`. limit: seconds."""
    path = SCRATCH / "flux.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = [{**one, "metadata": {**one["metadata"], "namespace": team.namespace}} for one in objects]
    path.write_text(yaml.safe_dump_all(placed, sort_keys=False), encoding="utf-8")
    done = subprocess.run(
        [built("flux"), str(path), f"{limit:.0f}s"], env=environment(), check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def look(team: Team, what: str, expected: str, objects: list[Json], limit: float) -> Look:
    """Reconcile twice: the first time applies and waits, the second one must find nothing to write."""
    began = time.monotonic()
    first = reconcile(team, objects, limit)
    found = Look(what, expected, _written(first), health=first["health"], seconds=time.monotonic() - began)
    second = reconcile(team, objects, limit)
    found.again = _written(second)
    found.health = found.health or second["health"]
    return found


def _written(said: Json) -> list[str]:
    return sorted(name for name, action in said["changes"].items() if action not in ("unchanged", "skipped"))
