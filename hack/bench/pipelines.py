"""Runs of steps that do nothing, led by Fairlead, by Argo Workflows and by nobody (plain Jobs), in one sitting.

One API server and one etcd of the benchmark's own, the real scheduler and controller of Jobs, nodes by KWOK; pods end
at once (`hack.bench.simulated`). Two questions:

rows: one run at a time, by turns, of steps in a row. What is a controller's own delay: from hearing that a step's pod
has ended to hearing that there is what it makes for the next step?

queue: so many runs of one step are there before the controller is started. How long until all say that they are over,
and what has it cost?
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fairlead.cluster.client import HttpKube
from fairlead.plan.core import JOB, PIPELINE_RUN, POD
from hack.bench import argoworkflows
from hack.bench.fleet import many
from hack.bench.heard import BETWEEN, FIRST, LAST, Heard
from hack.bench.lanes import ARGO, WORDS, Lane, lane, name_of
from hack.bench.plane import NAMESPACE, Plane, plane
from hack.bench.process import SCRATCH
from hack.bench.report import keep, quantile, table
from hack.bench.simulated import Api, Ends, Store, listen, populate

Json = dict[str, Any]
SLOW = "argo-default"
"""It takes 10 s a step: it gets few rows."""
WHOLE, WITHIN = 5000, 480.0
"""The target: so many queued runs of one step within so many seconds."""
MIDDLE, TAIL = 0.3, 2.0
"""The target: seconds of own delay between steps, p50 and p99."""


@dataclass
class World:
    """What all lanes share."""

    found: Plane
    kube: HttpKube
    api: Api
    heard: Heard
    ends: Ends
    listening: Sequence[asyncio.Task[None]]

    def check(self) -> None:
        """SystemExit if something has ended that must not."""
        self.found.check()
        gone = [task.exception() for task in self.listening if task.done()]
        if gone or self.ends.failed:
            raise SystemExit(f"nothing was measured: {gone or self.ends.failed!r}")
        if self.heard.wrong:
            raise SystemExit(f"a run has not succeeded: {self.heard.wrong[0]}")

    async def until(self, one: Lane, over: int, limit: float) -> None:
        """Wait until so many runs of a lane are over. SystemExit after `limit` seconds."""
        began = time.monotonic()
        while self.heard.done[one.namespace] < over:
            self.check()
            if not one.alive():
                raise SystemExit(f"who leads {one.namespace} has ended; see {self.found.folder} and {SCRATCH}")
            if time.monotonic() - began > limit:
                done = self.heard.done[one.namespace]
                raise SystemExit(f"only {done} of {over} runs of {one.namespace} are over after {limit:.0f} s")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A fresh one."""
    async with plane(SCRATCH / "pipelines-plane") as (found, kube):
        await kube.apply(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fairlead"}})
        await argoworkflows.install(found, kube)
        api, heard = await Api.of(found.kubeconfig), Heard()
        ends = Ends(api, Store(found))
        listening = list[asyncio.Task[None]]()
        try:
            for kind, *hear in (
                (POD, heard.pod, ends.see), (JOB, heard.job), (PIPELINE_RUN, heard.run),
                (argoworkflows.WORKFLOW, heard.workflow),
            ):  # fmt: skip
                listening.append(await listen(kube, api, kind, *hear))
            await populate(found, kube)
            yield World(found, kube, api, heard, ends, listening)
        finally:
            for task in listening:
                task.cancel()
            await api.close()


# --- rows ------------------------------------------------------------------------------------------------------------


Delays = dict[str, dict[str, list[float]]]
"""In seconds, by lane and kind."""


async def rows(there: World, counts: dict[str, int], steps: int) -> Delays:
    """counts: rows of each lane; one more runs before, uncounted, so that all is warm."""
    lanes = {name: lane(name, there.found, there.kube, f"row-{name}", rows + 1, steps) for name, rows in counts.items()}
    found: Delays = {name: {} for name in counts}
    try:
        for one in lanes.values():
            await one.prepare()
            await one.start()
        for number in range(max(counts.values()) + 1):
            for name, one in lanes.items():
                if number > counts[name]:
                    continue
                await there.kube.create(one.made, one.run(number))
                await there.until(one, number + 1, 60.0 + 30.0 * steps)
                if number:
                    delays = there.heard.delays((one.namespace, name_of(number)), 1 if one.made is JOB else steps)
                    for kind, seconds in delays.items():
                        found[name].setdefault(kind, []).extend(seconds)
            print(f"  row {number} of {max(counts.values())}", flush=True)
    finally:
        for one in lanes.values():
            one.stop()
    return found


# --- queue -----------------------------------------------------------------------------------------------------------


async def queue(there: World, name: str, turn: int, runs: int, limit: float) -> Json:
    """Figures of one lane's turn."""
    one = lane(name, there.found, there.kube, f"queue-{name}-{turn}", runs, 1)
    await one.prepare()
    work = [there.kube.create(one.made, one.run(number)) for number in range(runs)]
    led = one.made is not JOB
    if led:
        await many(work)
    try:
        before, cpu, began = await there.api.requests(), _cpu(there.found), time.monotonic()
        await one.start()
        if not led:
            await many(work)
        await there.until(one, runs, limit)
        seconds = time.monotonic() - began
        mine, after = one.figures(), _cpu(there.found)
        asked = await there.api.requests() - before
    finally:
        one.stop()
    over = sorted(at - began for (space, _), at in there.heard.over.items() if space == one.namespace)
    for kind in {one.made, JOB, POD}:
        await there.api.clear(kind, one.namespace)
    others = {part: after[part] - cpu[part] for part in after}
    return {
        "lane": name, "turn": turn, "runs": runs, "seconds": seconds, "ends": over, **mine,
        "asked": asked, "parts": others, "load": os.getloadavg()[0],
    }  # fmt: skip


BENCH = "benchmark"


def _cpu(found: Plane) -> dict[str, float]:
    return {**{name: found.cpu(name) for name in found.names}, BENCH: time.process_time()}


async def queues(there: World, names: Sequence[str], turns: int, runs: int, limit: float) -> list[Json]:
    """All turns; each second one goes through the lanes backwards."""
    found = []
    for turn in range(turns):
        for name in names if turn % 2 == 0 else reversed(names):
            one = await queue(there, name, turn, runs, limit)
            found.append(one)
            print(f"  {WORDS[name]}: {runs} runs in {one['seconds']:.1f} s", flush=True)
            await asyncio.sleep(5.0)  # what was deleted goes
    return found


# --- what is told ----------------------------------------------------------------------------------------------------


def delays_table(found: Delays) -> list[list[object]]:
    """A line for each lane and kind of delay; the last cell is the median as a multiple of Fairlead's."""
    told = list[list[object]]()
    for kind in (BETWEEN, FIRST, LAST):
        ours = quantile(found["fairlead"][kind], 0.5) if "fairlead" in found else 0.0
        for name, kinds in found.items():
            if kind in kinds:
                values = kinds[kind]
                p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
                ratio = f"{p50 / ours:.3g}" if ours else ""
                told.append([kind, WORDS[name], len(values), min(values), p50, p99, max(values), ratio])
    return told


def queue_table(found: Sequence[Json]) -> list[list[object]]:
    """A line for each lane, of all its turns together; the last cell is the time as a multiple of Fairlead's."""
    told, names = list[list[object]](), list(dict.fromkeys(one["lane"] for one in found))
    mean = {name: _mean(found, name, "seconds") for name in names}
    for name in names:
        mine = [one for one in found if one["lane"] == name]
        runs, led = mine[0]["runs"], "cpu" in mine[0]
        rest = sum(sum(one["parts"].values()) - one["parts"][BENCH] for one in mine) / len(mine)
        told.append([
            WORDS[name], runs, " ".join(f"{one['seconds']:.1f}" for one in mine), f"{runs / mean[name]:.1f}",
            f"{1000 * _mean(found, name, 'cpu') / runs:.1f}" if led else "", f"{1000 * rest / runs:.1f}",
            f"{_mean(found, name, 'requests') / runs:.1f}" if led else "",
            f"{_mean(found, name, 'asked') / runs:.1f}",
            f"{max(one['peak'] for one in mine):.0f}" if led else "",
            f"{mean[name] / mean['fairlead']:.2f}" if "fairlead" in mean else "",
        ])  # fmt: skip
    return told


def _mean(found: Sequence[Json], name: str, figure: str) -> float:
    values = [float(one[figure]) for one in found if one["lane"] == name]
    return sum(values) / len(values)


def judged(delays: Delays, queued: Sequence[Json]) -> list[tuple[str, bool]]:
    """The targets that something was measured of, and whether they are met. A smaller queue has so much less time."""
    found = []
    if between := delays.get("fairlead", {}).get(BETWEEN):
        good = quantile(between, 0.5) <= MIDDLE and quantile(between, 0.99) <= TAIL
        found.append((f"own delay between steps: p50 ≤ {MIDDLE} s, p99 ≤ {TAIL:.0f} s", good))
    if mine := [one for one in queued if one["lane"] == "fairlead"]:
        limit = WITHIN * mine[0]["runs"] / WHOLE
        good = all(one["seconds"] <= limit for one in mine)
        found.append((f"{mine[0]['runs']} queued runs within {limit:.0f} s", good))
    return found


# --- the command -----------------------------------------------------------------------------------------------------


async def bench(given: argparse.Namespace) -> tuple[Delays, list[Json]]:
    """Both measurements on one control plane."""
    async with world() as there:
        counts = {name: given.slow_rows if name == SLOW else given.rows for name in given.lanes}
        delays = await rows(there, counts, given.steps) if given.rows else {}
        queued = await queues(there, given.queue, given.turns, given.runs, given.limit) if given.runs else []
    return delays, queued


def _lanes(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in WORDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(WORDS)}")
    return names


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="pipelines", description=__doc__)
    every_lane = ",".join(WORDS)
    parser.add_argument("--lanes", type=_lanes, default=every_lane, help=f"of the rows, of {every_lane}")
    parser.add_argument("--rows", type=int, default=20, help="runs of each lane, one at a time; 0: none")
    parser.add_argument("--slow-rows", type=int, default=2, help=f"of {SLOW}")
    parser.add_argument("--steps", type=int, default=6, help="of a row")
    parser.add_argument("--queue", type=_lanes, default="jobs,fairlead,argo-1s,argo-fast", help="lanes of the queue")
    parser.add_argument("--runs", type=int, default=WHOLE, help="queued at a time; 0: none")
    parser.add_argument("--turns", type=int, default=1, help="of each lane with a queue")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds that a queue may take")
    given = parser.parse_args(arguments)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    delays, queued = asyncio.run(bench(given))
    head = ["own delay, s", "led by", "n", "min", "p50", "p99", "max", "p50, × Fairlead"]
    if delays:
        table(f"Runs of {given.steps} steps in a row, one at a time", delays_table(delays), head)
    head = ["led by", "runs", "s", "runs/s", "CPU ms a run", "CPU ms a run of all else",
            "its requests a run", "all requests a run", "its memory at most, MiB", "time, × Fairlead"]  # fmt: skip
    if queued:
        table("Queued runs of one step", queue_table(queued), head)
    keep("pipelines", {"delays": delays, "queued": queued, "argo": {name: str(one) for name, one in ARGO.items()}})
    verdicts = judged(delays, queued)
    for what, good in verdicts:
        print(f"target {what}: {'met' if good else 'MISSED'}")
    return 0 if all(good for _, good in verdicts) else 1
