"""What monitors cost the operator: a look that closes a window, in the tiny world of the unit tests.

Each look reads the page of one recorder as the operator does, plans, and writes the status out: what is not here is the
network. Seconds are those of the processor. The profile is parsed at each window, as after the ten minutes of a real
one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

from fairlead.api import halves
from fairlead.monitor.counts import Tally, feature_key
from fairlead.monitor.profile import Number, Profile
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.requests import Answer, ReadCounts, Request
from fairlead.signals import binned
from hack.bench.report import keep, table

if TYPE_CHECKING:
    from tests.unit.plan.monitor_world import Counting

DEPLOYMENTS, MINUTE = 200, 60.0
ROWS = 2000


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m hack.bench monitors live", description=__doc__)
    parser.add_argument("--features", type=int, nargs="+", default=[20, 50, 500], help="sizes of the profile")
    parser.add_argument("--windows", type=int, default=30, help="windows of each")
    args = parser.parse_args(arguments)
    rows = [(size, *_measured(size, args.windows)) for size in args.features]
    header = (
        "features",
        "ms a window",
        "% of a core, 200 Deployments by the minute",
        "bytes of status.record",
        "page, bytes",
    )
    table(f"A look that closes a window, median of {args.windows}", rows, header)
    keep("monitors_live", {"rows": rows})
    return 0


def _measured(features: int, windows: int) -> tuple[float, float, int, int]:
    from tests.unit.plan.monitor_world import watched

    learnt = _profile(features)
    sim = watched({"every": "1m"}, learnt=False)
    sim.learnt = learnt
    sim.learns("m-1")
    sim.look()
    taken, page = [], ""
    for _ in range(windows):
        _requests(sim, learnt)
        sim.now += MINUTE
        if sim.known is not None:
            sim.known.age()  # what was remembered is forgotten in the minutes between two windows
            sim.known.age()
        seconds, page = _look(sim)
        taken.append(seconds)
    milliseconds = 1000 * statistics.median(taken)
    record = len(json.dumps(halves.written(sim.subject().body.status)["record"]["monitors"]))
    return round(milliseconds, 1), round(milliseconds / 10 * DEPLOYMENTS / MINUTE, 1), record, len(page)


def _look(sim: Counting) -> tuple[float, str]:
    """One look: seconds, and the page that was read."""
    from tests.unit.plan.rollout_world import View

    subject, world, pages = sim.subject(), View(sim), list[str]()
    started = time.process_time()
    asked = list(deployment.observe(subject, world, sim.now))
    spent = time.process_time() - started
    answers: dict[Request, Answer] = {request: sim.answer(request) for request in asked}
    for request in asked:
        if isinstance(request, ReadCounts):
            pages.append(_page(sim, request))
    started = time.process_time()
    answers |= {one: binned.parse(text) for one, text in zip(
        [request for request in asked if isinstance(request, ReadCounts)], pages, strict=True)}  # fmt: skip
    world.answers = answers
    found = deployment.plan(subject, world, sim.now)
    halves.written(found.status)
    spent += time.process_time() - started
    sim.carry_out(found)
    sim.look()
    return spent, pages[0] if pages else ""


def _page(sim: Counting, request: ReadCounts) -> str:
    """As the recorder writes it."""
    page = sim.answer(request)
    assert isinstance(page, binned.CountsPage)

    def shown(one: Tally) -> dict[str, object]:
        return {
            "rows": one.rows, "requests": one.requests, "sampled": one.sampled, "outliers": one.outliers,
            "unread": dict(one.unread), "vectors": dict(one.vectors), "sums": dict(one.sums),
        }  # fmt: skip

    return json.dumps({
        "boot": page.boot, "profile": page.profile, "problem": page.problem, "mark": page.mark,
        "tally": shown(page.tally), "since": shown(page.since) if page.since else None,
    }, separators=(",", ":"))  # fmt: skip


def _profile(features: int) -> Profile:
    edges = [float(edge) for edge in range(1, 32)]
    return Profile(task="regression", rows=320_000, features=[
        Number(kind="number", name=f"feature_{at}", edges=edges, counts=[10_000] * 32, low=0, high=32, mean=16, sd=9.2)
        for at in range(features)
    ])  # fmt: skip


def _requests(sim: Counting, learnt: Profile) -> None:
    (pod,) = (one["metadata"]["uid"] for one in sim.pods("m-1"))
    vectors = {}
    for one in learnt.features:
        counts = [0] * 32
        for _ in range(ROWS):
            counts[int(32 * sim.random.random())] += 1
        vectors[feature_key(one.name)] = (*counts, 0, 0, 0, 0, 0)
    more = Tally(learnt.digest, rows=ROWS, requests=ROWS, sampled=ROWS, vectors=vectors)
    sim.tallies[pod] = sim.tallies[pod] + more if pod in sim.tallies else more
