"""Fairlead's own delay per pipeline step: from the end of a step's pod to the creation of the next Job.

A pipeline of trivial steps in a row runs a few times. A watch of Pods and a watch of Jobs note when this process
hears that a pod has succeeded and when it hears that the next Job exists; both pass the same API server, so their
difference is the operator's delay (with its own watch and its writes).
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid

from hack.bench.report import keep, quantile, table
from hack.testbed.cluster import Cluster, Team, make_team
from hack.testbed.loop import worker_image


class Times(threading.Thread):
    """When each object was first heard to be so."""

    def __init__(self, team: Team, kind: str) -> None:
        super().__init__(daemon=True)
        self._team, self._kind = team, kind
        self.first: dict[tuple[str, str], float] = {}
        """By run and step."""

    def run(self) -> None:
        """Watch until the process ends."""
        for event in self._team.cluster.resource(self._kind).watch(namespace=self._team.namespace):
            raw = event["raw_object"]
            labels = raw.get("metadata", {}).get("labels", {})
            done = self._kind == "job" or raw.get("status", {}).get("phase") == "Succeeded"
            if done and "fairlead.dev/step" in labels:
                self.first.setdefault((labels["fairlead.dev/run"], labels["fairlead.dev/step"]), time.monotonic())


def pipeline(team: Team, steps: int) -> None:
    """Steps in a row that do nothing."""
    image = worker_image(team)
    team.apply({
        "kind": "Pipeline", "metadata": {"name": "row"},
        "spec": {"steps": [
            {
                "name": f"s{n}", "image": image, "command": ["true"], "resources": {"cpu": "10m"},
                "needs": [f"s{n - 1}"] if n else [],
            }
            for n in range(steps)
        ]},
    })  # fmt: skip


def measure(team: Team, runs: int, steps: int) -> list[float]:
    """Delays in seconds."""
    pods, jobs = Times(team, "pod"), Times(team, "job")
    pods.start()
    jobs.start()
    pipeline(team, steps)
    for number in range(runs):
        name = f"row-{number}"
        team.apply({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "row"}})
        team.wait(
            "pipelinerun", name, lambda o: o.get("status", {}).get("phase") == "Completed", 60.0 * steps, "Completed"
        )
        print(f"run {number + 1} of {runs} done", flush=True)
    return [
        jobs.first[f"row-{r}", f"s{s + 1}"] - pods.first[f"row-{r}", f"s{s}"]
        for r in range(runs) for s in range(steps - 1)
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="step", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args(arguments)
    cluster = Cluster()
    team = make_team(cluster, f"bench-step-{uuid.uuid4().hex[:6]}")
    try:
        delays = measure(team, options.runs, options.steps)
    finally:
        cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=team.namespace)
    row = [len(delays), min(delays), quantile(delays, 0.5), quantile(delays, 0.99), max(delays)]
    table("Delay between a step's end and the next Job, seconds", [row], ["steps", "min", "p50", "p99", "max"])
    keep("step", delays)
    good = row[2] <= 0.3 and row[3] <= 2.0
    print(f"target p50 ≤ 0.3 s, p99 ≤ 2 s: {'met' if good else 'MISSED'}")
    return 0 if good else 1
