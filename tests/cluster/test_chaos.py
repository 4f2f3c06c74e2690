"""What a cluster goes through at night, under runs that have several steps, items, and data that they hand on: every
run completes, what it leaves is what it leaves otherwise, no program runs twice at a time, and none of it is held
against a step."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
from hack.install.chart import NAMESPACE as OPERATOR
from hack.testbed.cluster import Json, Team
from hack.testbed.faults import asleep, component, drained, next_leader, stopped, without_store
from hack.testbed.loop import step

from fairlead.manifests.job import STEP
from fairlead.plan.core import epoch
from fairlead.plan.jobs import failures

pytestmark = [pytest.mark.soak, pytest.mark.alone, pytest.mark.timeout(1500)]
ITEMS, RUNS = 4, 3
WITHIN = 900.0
"""Seconds that runs may take to complete after the worst of it."""
SPLIT = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
time.sleep(3)
pathlib.Path('/fairlead/out/rows').write_text(' '.join(map(str, range(1000))))
"""
SQUARE = """
import json, os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
which = int(json.loads(os.environ['FAIRLEAD_ITEM'])['part'])
rows = list(map(int, pathlib.Path('/fairlead/in/rows/rows').read_text().split()))
time.sleep(5)
pathlib.Path('/fairlead/out/part').write_text(str(sum(row ** 2 for row in rows[which::4])))
"""
ADD = """
import json, pathlib
parts = pathlib.Path('/fairlead/in/parts')
listed = json.loads((parts / 'items.json').read_text())
total = sum(int((parts / one['path']).read_text()) for one in listed)
pathlib.Path('/fairlead/out/total').write_text(f'{len(listed)} {total}')
"""
TOTAL = f"{ITEMS} {sum(row**2 for row in range(1000))}"


def pipeline(team: Team) -> Json:
    """Three steps; the one in the middle has items. One retry each, which nothing here may spend."""
    first = step(team, "split", SPLIT, {}, {"rows": {}})
    middle = step(team, "square", SQUARE, {"rows": {"output": "split.rows"}}, {"part": {}})
    middle |= {"each": {"matrix": {"part": [str(n) for n in range(ITEMS)]}, "maxParallel": 2}}
    last = step(team, "add", ADD, {"parts": {"output": "square.part"}}, {"total": {}})
    small = {"resources": {"cpu": "20m", "memory": "64Mi"}}
    return {
        "kind": "Pipeline", "metadata": {"name": "night"},
        "spec": {"history": {"succeeded": 100}, "steps": [one | small for one in (first, middle, last)]},
    }  # fmt: skip


class Programs(threading.Thread):
    """When which step's program ran, by what the pods say of their containers."""

    def __init__(self, team: Team) -> None:
        super().__init__(daemon=True)
        self._team, self.pods = team, dict[str, Json]()

    def run(self) -> None:
        """Watch, also over what cuts the watch, until the namespace goes."""
        while True:
            try:
                for event in self._team.cluster.resource("pod").watch(namespace=self._team.namespace, timeout=60):
                    found = event["raw_object"]
                    if uid := found["metadata"].get("uid"):
                        self.pods[uid] = found
            except Exception as error:  # noqa: BLE001 - what is tried here cuts it
                print(f"the watch of pods: {error}", flush=True)
                time.sleep(1.0)

    def times(self) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
        """Intervals, in epoch seconds, by run, step and item."""
        found = defaultdict(list)
        for pod in self.pods.values():
            labels = pod["metadata"].get("labels") or {}
            which = tuple(labels.get(f"fairlead.dev/{name}", "") for name in ("run", "step", "item"))
            for _, one in failures.statuses(pod):
                ended = (one.get("state") or {}).get("terminated")
                if one["name"] == STEP and ended and ended.get("startedAt") and ended.get("finishedAt"):
                    found[which].append((epoch(ended["startedAt"]), epoch(ended["finishedAt"])))
        return found


def steps_of(run: Json) -> Iterator[Json]:
    yield from (run.get("status") or {}).get("steps") or ()


def under_way(run: Json) -> bool:
    """Whether the items have begun."""
    return any(one["name"] == "square" and one["phase"] == "Running" for one in steps_of(run))


def over(run: Json) -> bool:
    return bool((run.get("status") or {}).get("phase") in ("Completed", "Failed", "Aborted"))


@contextmanager
def nobody(_team: Team) -> Iterator[None]:
    """Nothing happens: what the others are compared with."""
    yield


@contextmanager
def away(name: str, seconds: float, _team: Team) -> Iterator[None]:
    """A part of the control plane, or the node's agent, stands still."""
    with stopped(component(name)):
        time.sleep(seconds)
    yield


@contextmanager
def store_away(team: Team) -> Iterator[None]:
    """A minute without S3."""
    with without_store(team.cluster):
        time.sleep(60)
    yield


@contextmanager
def node_drained(team: Team) -> Iterator[None]:
    """All pods of steps are evicted, and for 20 s none has a node."""
    with drained(team) as evicted:
        assert evicted, "nothing ran that could be evicted"
        time.sleep(20)
    yield


@contextmanager
def sleepers(team: Team) -> Iterator[None]:
    """Three times the replica that leads stands still until another one leads, and wakes up beside it."""
    for _ in range(3):
        with asleep(team.cluster):
            pass
        time.sleep(5)
    yield


@contextmanager
def leaders_killed(team: Team) -> Iterator[None]:
    """The replica that leads is killed, and the next one, and so on."""
    name = ""
    for _ in range(4):
        name = next_leader(team.cluster, but=name)
        team.cluster.resource("pod").delete(name=name, namespace=OPERATOR, body={"gracePeriodSeconds": 0})
    yield


FAULTS: dict[str, Callable[[Team], AbstractContextManager[Any]]] = {
    "nothing": nobody,
    "drained": node_drained,
    "kubelet-stopped": partial(away, "kubelet", 75.0),
    "store-away": store_away,
    "api-server-away": partial(away, "kube-apiserver", 25.0),
    "leaders-killed": leaders_killed,
    "sleeping-leaders": sleepers,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_runs_complete_whatever_happens(team: Team, fault: str) -> None:
    team.apply(pipeline(team))
    programs = Programs(team)
    programs.start()
    names = [f"night-{number}" for number in range(RUNS)]
    for name in names:
        team.apply({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "night"}})
    team.wait("pipelinerun", names[0], under_way, 180, "at its items")
    began = time.monotonic()
    with FAULTS[fault](team):
        runs = [team.wait("pipelinerun", name, over, WITHIN, "over") for name in names]
    print(f"{fault}: {time.monotonic() - began:.0f} s", *map(summary, runs), sep="\n", flush=True)
    for run in runs:
        assert run["status"]["phase"] == "Completed", run["status"].get("message")
        assert not [one for one in steps_of(run) if one.get("failures")], "a step's own retries were spent"
        assert left(team, run) == TOTAL
    check_programs(names, programs)


def summary(run: Json) -> str:
    """Attempts and disruptions."""
    told = (f"{one['name']} {one['attempt']}/{one['disruptions']}" for one in steps_of(run))
    return f"  {run['metadata']['name']}: {run['status']['phase']}, attempts/disruptions {', '.join(told)}"


def left(team: Team, run: Json) -> str:
    """What the last step has left in the store."""
    output = next(one["outputs"][0] for one in steps_of(run) if one["name"] == "add")
    return team.read(output["uri"]).decode()


def check_programs(names: list[str], programs: Programs) -> None:
    """No two programs of one step, or item, at a time."""
    times = programs.times()
    assert {run for run, _, _ in times} >= set(names)
    for which, found in times.items():
        ordered = sorted(found)
        overlaps = [(a, b) for a, b in itertools.pairwise(ordered) if b[0] < a[1]]
        assert not overlaps, f"{which} ran twice at a time: {overlaps}"
