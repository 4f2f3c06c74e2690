"""What a window of a fleet costs, counted: the operator's function calls and requests, beside those of an earlier tree.

Counts are nearly the same on a machine that does other things meanwhile, so a cost that has come in between is seen
without a quiet one, and where it is. They are no times: what is written in C (parsing, TLS, comparing) is one call
however long it takes; `fleet` has the CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

from hack.bench import counting, fleet
from hack.bench.process import ROOT, SCRATCH, checked_out
from hack.bench.report import keep, table
from hack.cluster import waiting

BEFORE = "d0b7f2c"
"""The last commit at which all that is planned lay in one folder, and a status was one piece."""
WORSE = 0.05
"""By so much of what it was the calls of a window may have become more."""
SETTLE = 8.0
"""Seconds from the last candidate's start until the measurement."""
LIMIT = 600.0
"""Seconds that it may take until they are closed."""
CALLS, REQUESTS, LOOKS = "function calls", "API requests", "looks"
Figures = dict[str, float]
"""By what was counted, a window; calls also by where the function lives."""


async def measured(options: fleet.Options, windows: int) -> Figures:
    """Of this tree's operator, over so many windows."""
    counts = SCRATCH / "calls.json"
    counts.unlink(missing_ok=True)
    program = (sys.executable, "-m", "hack.bench.counting", str(counts))
    async with fleet.fleet(options, SETTLE, program=program) as (kube, found, operator):
        before, began, closed = fleet.counts_of(operator), time.time(), 0
        os.kill(operator.pid, counting.BEGIN)
        while closed < windows:
            if time.time() - began > options.seconds:
                raise SystemExit(f"only {closed} of {windows} windows were closed in {options.seconds:.0f} s")
            await asyncio.sleep(1.0)
            statuses = await fleet.statuses_of(kube)
            closed = sum(map(len, fleet.closed_between(found, statuses, began, time.time())))
        os.kill(operator.pid, counting.END)
        after = fleet.counts_of(operator)
        await asyncio.to_thread(waiting.until, counts.exists, "the operator has counted", timeout=60)
    calls = {room: number / closed for room, number in read(counts).items()}
    asked = {name: (after[name] - before[name]) / closed for name in (REQUESTS, LOOKS)}
    return {CALLS: sum(calls.values()), **asked, **calls}


def read(counts: Path) -> dict[str, int]:
    """What the operator has counted."""
    found: dict[str, int] = json.loads(counts.read_text())
    return found


def of(tree: Path, arguments: list[str]) -> Figures:
    """The figures of a tree, from processes of its own."""
    path = os.pathsep.join(str(folder) for folder in (tree / "operator", tree))
    command = [sys.executable, "-m", "hack.bench.calls", "--one", *arguments]
    done = subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(before: list[Figures], now: list[Figures]) -> list[tuple[str, float, float]]:
    """(what, before, now): medians of the rounds; what was called most stands first."""
    known = Counter[str]()
    for one in (*before, *now):
        known |= Counter(one)
    names = [CALLS, REQUESTS, LOOKS]
    names += [name for name, _ in known.most_common() if name not in names]
    return [(name, *(median(one.get(name, 0.0) for one in rounds) for rounds in (before, now))) for name in names]


def main(arguments: list[str]) -> int:
    """Count in both trees in turn, and print."""
    parser = argparse.ArgumentParser(prog="calls", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rollouts", type=int, default=20)
    parser.add_argument("--windows", type=int, default=400, help="so many are counted")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        options = fleet.Options(given.rollouts, LIMIT, 50.0, ("errors",))
        SCRATCH.mkdir(parents=True, exist_ok=True)
        with fleet.pods(options.rollouts, options.rate):
            print(json.dumps(asyncio.run(measured(options, given.windows))))
        return 0
    each = ["--rollouts", str(given.rollouts), "--windows", str(given.windows)]
    before, now = list[Figures](), list[Figures]()
    with checked_out(given.before) as earlier:
        shutil.copytree(ROOT / "hack", earlier / "hack", dirs_exist_ok=True)  # both are measured by the same program
        for _ in range(given.rounds):
            before.append(of(earlier, each))
            now.append(of(ROOT, each))
    rows = compared(before, now)
    told = [
        (what, old, new, f"{100 * (new / old - 1):+.1f} %" if old else "")
        for what, old, new in rows
        if max(old, new) >= 1
    ]
    table(f"A window, {given.before} → now", told, ["", "before", "now", ""])
    keep("calls", {"before": before, "now": now})
    _, old, new = rows[0]
    return 0 if new <= (1 + WORSE) * old else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
