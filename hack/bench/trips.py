"""How far one look goes through the files of the brain: one at a Deployment in mid-canary, and a listing, a trigger and
an approval from end to end, beside the same in an earlier tree. Needs no cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hack.bench.process import ROOT, checked_out
from hack.bench.report import keep, table

BEFORE = "d0b7f2c"
"""The last commit at which all that is planned lay in one folder."""
MOST = 12
"""How many of the files that are turned to most are printed."""
FIGURES = ("files", "functions", "stays", "returns", "changes")


def walked(tree: Path) -> dict[str, dict[str, Any]]:
    """The figures of each way in a tree, from a process of its own."""
    path = os.pathsep.join(str(folder) for folder in (tree / "operator", tree))
    command = [sys.executable, "-P", str(ROOT / "hack" / "bench" / "trip.py")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def main(arguments: list[str]) -> int:
    """Walk and print."""
    parser = argparse.ArgumentParser(prog="trips", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    options = parser.parse_args(arguments)
    now = walked(ROOT)
    with checked_out(options.before) as earlier:
        before = walked(earlier)
    rows = [[name, *(f"{before[name][one]} → {now[name][one]}" for one in FIGURES)] for name in now]
    table(f"{options.before} → now", rows, ["", *FIGURES])
    for name, found in now.items():
        if found["milliseconds"]:
            print(f"\n{name}: {before[name]['milliseconds']:.2f} → {found['milliseconds']:.2f} ms of CPU")
        most = list(found["read"].items())[:MOST]
        table(f"{name}: the files that are turned to most", [[f, n, found["called"][f]] for f, n in most],
              ["file", "stays", "calls"])  # fmt: skip
    keep("trips", {"before": before, "now": now})
    return 0
