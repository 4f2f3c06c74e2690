"""What stores that are slow, endless, giant or none at all do to the others, and to the operator's memory.

40 Datasets of 1 or of 12 namespaces list such a store for some seconds. Meanwhile another namespace's first listing and
a document of evidence go to a good one, again and again. No cluster is needed; each row is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fairlead.api.config import OperatorConfig
from fairlead.engine.app import tune
from fairlead.engine.resolve import Resolver
from fairlead.plan.requests import UNDERWAY, Failed, SaveDocument
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.endpoints import Rules
from hack.bench.report import table
from hack.testbed.badstore import serving

KINDS = {
    "slow": "answers after 12 s",
    "endless": "a listing without an end",
    "unordered": "the same, in no order",
    "trickle": "a byte every 20 ms",
    "giant": "pages of 200 MiB",
    "tags": "pages of a million empty elements",
    "bomb": "entities of 10⁹ characters",
}
DATASETS = 40
MIB = 1 << 20


class Secrets:
    """Each namespace has keys."""

    async def get(self, *_: Any) -> dict[str, Any]:
        """A Secret."""
        value = base64.b64encode(b"x").decode()
        return {"data": {"AWS_ACCESS_KEY_ID": value, "AWS_SECRET_ACCESS_KEY": value}}


def resident() -> int:
    """Bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def store() -> str:
    """Starts a store in a process of its own, which ends with this one. Returns its address."""
    started = subprocess.Popen(
        [sys.executable, "-m", "hack.bench", "stores", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert started.stdout
    return started.stdout.readline().strip()


async def timed(resolver: Resolver, request: Any, found: list[float]) -> None:
    """Seconds until there was an answer, which must be a good one."""
    started = time.monotonic()
    while True:
        answer = (await resolver.resolve([request]))[request]
        if not isinstance(answer, Failed):
            break
        assert answer.reason == UNDERWAY, answer
    found.append(time.monotonic() - started)


async def watch(seen: SimpleNamespace) -> None:
    """How late the event loop is, and how much memory there is at most."""
    while True:
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        seen.late = max(seen.late, time.monotonic() - due)
        seen.peak = max(seen.peak, resident())


async def one(kind: str, namespaces: int, seconds: float) -> dict[str, float]:
    """A row."""
    bad, good = store(), store()
    rules = Rules(OperatorConfig.model_validate({"images": {"worker": "-"}, "endpoints": {"allow": ["127.0.0.0/8"]}}))
    resolver = Resolver(Secrets(), None, lambda *_: None, rules)  # type: ignore[arg-type]
    healthy = ListObjects("healthy", good, "good", "s3", "in/")
    await resolver.resolve([healthy])
    before = resident()
    seen, listings, saves = SimpleNamespace(late=0.0, peak=before), list[float](), list[float]()
    watching = asyncio.create_task(watch(seen))
    asked = [ListObjects(f"n-{n % namespaces}", bad, f"{kind}-{n}", "s3", "in/") for n in range(DATASETS)]
    hostile = [asyncio.ensure_future(resolver.resolve([request])) for request in asked]
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        await timed(resolver, healthy, listings)
        await timed(resolver, SaveDocument("n-0", "good", f"e/{number}", "{}", good, None, "s3"), saves)
        await asyncio.sleep(0.02)
    for task in (watching, *hostile):
        task.cancel()
    return {"listing": max(listings), "save": max(saves), "late": seen.late, "more": (seen.peak - before) / MIB}


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="hack.bench stores", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        with serving() as server:
            print(server.endpoint, flush=True)
            sys.stdin.read()
        return 0
    if args.one:
        tune()
        print(json.dumps(asyncio.run(one(args.one[0], int(args.one[1]), args.seconds))), flush=True)
        os._exit(0)  # what hangs is not waited for, as the operator does not
    rows = []
    for kind, what in KINDS.items():
        for namespaces in (1, 12):
            command = [sys.executable, "-m", "hack.bench", "stores", "--seconds", str(args.seconds), "--one", kind]
            done = subprocess.run([*command, str(namespaces)], check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout)
            cells = [f"{row[name]:.2f}" for name in ("listing", "save", "late")]
            rows.append([what, str(namespaces), *cells, f"{row['more']:.0f}"])
    head = ["the store", "namespaces", "another's listing, s", "evidence, s", "event loop late, s", "MiB more"]
    table("While 40 Datasets list such a store: at most", rows, head)
    return 0
