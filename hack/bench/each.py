"""What a step with thousands of items costs the operator: milliseconds a look, bytes of the status, writes an item, and
memory. The kernel is the real one, the API server and the pods are the simulation of tests/sim. Needs no cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import time
import tracemalloc
from typing import Any

from tests.sim import factory
from tests.sim.fakecluster import Faults
from tests.sim.virtualtime import run_virtual

from fairlead.engine.cache import compact
from fairlead.plan.core import PIPELINE_RUN
from fairlead.plan.pipeline import run
from hack.bench.report import keep, table

Json = dict[str, Any]
CASES = ((100, 10), (1_000, 10), (10_000, 10), (10_000, 100))
"""Items, and how many run at a time."""
DONE = 60
"""So many items are over when a case is left: what is counted are looks in the middle of a run."""


@dataclasses.dataclass
class Looks:
    """CPU that looks at a run take."""

    count: int = 0
    seconds: float = 0.0

    def spec(self) -> Any:
        """The kind of runs, with a watch at its plans."""

        def observe(*look: Any) -> list[Any]:
            begun = time.process_time()
            found = list(run.SPEC.observe(*look))
            self.seconds += time.process_time() - begun
            return found

        def plan(*look: Any) -> Any:
            begun = time.process_time()
            found = run.SPEC.plan(*look)
            self.seconds += time.process_time() - begun
            self.count += 1
            return found

        return dataclasses.replace(run.SPEC, observe=observe, plan=plan)


def pipeline(items: int, parallel: int) -> Json:
    """A step with a matrix of so many items."""
    matrix = {"a": [f"value-{n}" for n in range(items // 10)], "b": [str(n) for n in range(10)]}
    if items == 10_000:
        matrix = {"a": [f"value-{n}" for n in range(100)], "b": [f"value-{n}" for n in range(100)]}
    each = {"matrix": matrix, "maxParallel": parallel}
    step = {"name": "train", "image": "i", "command": ["train", "{{each.a}}"], "each": each, "outputs": {"model": {}}}
    return {"triggers": [{"dataset": {"name": "rows"}}], "steps": [step]}


def measured(items: int, parallel: int, done: int) -> Json:
    """A case."""
    looks = Looks()

    async def story() -> Json:
        world = factory.Factory(1, Faults(), steps=pipeline(items, parallel))
        try:
            world.start()
            while (status := _status(world)).get("completed", 0) < done:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.1)
            writes = [one for one in world.kube.writes if one[1] in ("jobs", "pipelineruns")]
            raw = json.dumps(world.server.all(PIPELINE_RUN)[0])
            return {"completed": status["completed"], "writes": len(writes), "raw": raw}
        finally:
            await world.close()

    kinds = factory.SPECS
    factory.SPECS = (*kinds[:2], looks.spec())
    try:
        found = run_virtual(story())
    finally:
        factory.SPECS = kinds
    status = json.loads(found["raw"])["status"]
    return {
        "items": items, "parallel": parallel, "milliseconds": 1e3 * looks.seconds / looks.count,
        "writes": found["writes"] / found["completed"], "memory": memory(found["raw"]),
        "bytes": len(json.dumps(status, separators=(",", ":"))),
    }  # fmt: skip


def _status(world: factory.Factory) -> Json:
    runs = world.server.all(PIPELINE_RUN)
    steps = (runs[0].get("status") or {}).get("steps") if runs else None
    return dict((steps or [{}])[0].get("items") or {})


def memory(raw: str) -> int:
    """Bytes that a run takes in the operator's cache."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = compact(json.loads(raw))
        return tracemalloc.get_traced_memory()[0] - before if kept else 0
    finally:
        tracemalloc.stop()


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="each", description=__doc__)
    parser.add_argument("--done", type=int, default=DONE, help="items that are over when a case is left")
    options = parser.parse_args(arguments)
    found = [measured(items, parallel, options.done) for items, parallel in CASES]
    rows = [
        [one["items"], one["parallel"], f"{one['milliseconds']:.1f}", f"{one['bytes']:,}", f"{one['writes']:.1f}",
         f"{one['memory'] / 1024:.0f}"] for one in found
    ]  # fmt: skip
    table("A run in the middle of a step with `each`", rows,
          ["items", "at a time", "ms a look", "bytes of status", "writes an item", "KiB in the cache"])  # fmt: skip
    keep("each", {"cases": found})
    return 0
