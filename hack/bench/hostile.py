"""What one hostile tenant does to the others: the operator's memory, and how late others' windows are closed.

A real operator, API server, etcd and S3 (`hack.bench.plane`), and two namespaces. In `team` are rollouts under way, as
in the fleet's benchmark. In `evil` one thing after the other is added, and all of it stays: pods whose pages of metrics
are what nobody should answer, Datasets on such stores, documents in the store, and objects that are large or whose
statuses say what can't be.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial

from fairlead.cluster.client import HttpKube
from fairlead.cluster.errors import ApiError
from fairlead.plan.core import DATASET, DEPLOYMENT, MODEL_VERSION, PIPELINE, Kind
from hack.bench import fleet
from hack.bench.fleet import TEAM, Json, closed_between, intervals, make, many
from hack.bench.pages import PORT, Pod, address
from hack.bench.plane import BUCKET, Plane, plane
from hack.bench.process import SCRATCH, Operator
from hack.bench.report import keep, quantile, table
from hack.testbed.badstore import serving
from hack.testbed.programs import free_port

EVIL, OTHER = "evil", "other"
FIRST = 1000
"""The number of the first hostile Deployment; the addresses of its pods follow from it, as the fleet's do."""
WINDOW, LATE = 1.0, 0.5
"""Seconds from window to window, and after which one is called late."""
LIMIT = 512.0
"""MiB that the chart gives the operator."""
MIB = 1 << 20
STORES = ("slow", "endless", "unordered", "trickle", "giant", "tags", "bomb", "digits")
Step = Callable[[HttpKube, Plane], Awaitable[None]]


# --- pages of metrics -------------------------------------------------------------------------------------------------


def answers() -> list[tuple[bytes, bytes]]:
    """What pods answer: what is sent first, and what again and again then."""
    from tests.unit.signals.hostile import ENDLESS, PAGES

    whole = [(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, b"") for body, _ in PAGES.values()]
    slow = (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"#")
    nested = b"[" * 100_000
    deep = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(nested) + nested, b"")
    return [*whole, *((first, more) for first, more, _ in ENDLESS.values()), slow, deep, (b"", b"")]


GOOD = 3
"""Pages that a hostile pod answers as it should, for else it would never be live."""


async def answer(
    pod: Pod, asked: Iterator[int], what: tuple[bytes, bytes], reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:  # fmt: skip
    """Answer some pages well, and then each with the same; what has no end goes on until nobody listens. asked: counts
    the pages of the pod."""
    first, more = what
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            page = b" /metrics " in head.split(b"\r\n", 1)[0]
            if not page or next(asked) < GOOD:
                body = pod.page() if page else b"{}"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                continue
            writer.write(first)
            while more or not first:
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0.0 if len(more) > 1 else 0.02)
            await writer.drain()
    writer.close()


async def serve(many_pods: int) -> None:
    """Listen at the addresses of so many hostile pods until cancelled."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)  # such pods have processors of their own
    every = itertools.cycle(answers())
    for number in range(many_pods):
        connected = partial(answer, Pod(50.0, 0.0, number), itertools.count(), next(every))
        await asyncio.start_server(connected, address(2 * FIRST + number), PORT)
    print("ready", flush=True)
    await asyncio.Event().wait()


def own_address() -> str:
    """An address of this machine that is no loopback: no Dataset may name one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


# --- what the tenant does ---------------------------------------------------------------------------------------------


def text(size: int, seed: int) -> str:
    """Letters that can't be compressed to much less."""
    return random.Random(seed).randbytes(size // 2).hex()


async def neighbours(kube: HttpKube, _found: Plane, numbers: range) -> None:
    """As many rollouts of a third team, of which nothing is hostile: what it costs that some more begin."""
    await fleet.populate(kube, numbers, ("errors", "latency"), OTHER)


async def pages(kube: HttpKube, _found: Plane, rollouts: int) -> None:
    """Rollouts whose pods answer what nobody should."""
    await fleet.populate(kube, range(FIRST, FIRST + rollouts), ("errors", "latency"), EVIL)


async def listings(kube: HttpKube, _found: Plane, store: str, datasets: int) -> None:
    """Datasets on stores that are slow, endless, giant or none at all."""
    keys = {"endpoint": store, "credentials": {"name": "s3"}}
    await many([
        make(kube, DATASET, {
            "metadata": {"name": f"set-{n}", "namespace": EVIL},
            "spec": {"source": {"s3": {"bucket": f"{STORES[n % len(STORES)]}-{n}", "prefix": "in/", **keys}},
                     "format": "csv", "watch": {"every": "10s", "settle": "1s"}},
        })
        for n in range(datasets)
    ])  # fmt: skip


DOCUMENTS: tuple[Callable[[], bytes], ...] = (
    lambda: b"[" * 1_000_000,
    lambda: b'{"live":' + b"9" * 1_000_000 + b"}",
    lambda: b'{"live":1e999}',
    lambda: b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(1_000_000)) + b"}",
    lambda: b" " * (60 * MIB),
    lambda: b"\xff" * MIB,
    lambda: b'{"version":1,"status":{"live":{"version":"' + b"x" * (8 * MIB) + b'"}}}',
    lambda: b"",
)
"""What Deployments find that look for what must survive the loss of a status."""


async def documents(kube: HttpKube, found: Plane) -> None:
    """Deployments that have such documents in the store before they have a status."""
    for index, body in enumerate(DOCUMENTS):
        number = FIRST + 500 + index
        key = f"{EVIL}/state/d{number}/000000009.json"
        await asyncio.to_thread(found.s3.put_object, Bucket=BUCKET, Key=key, Body=body())
        await make(kube, MODEL_VERSION, *fleet.version(number, 1, EVIL))
        await make(kube, DEPLOYMENT, fleet.deployment(number, 1, ("errors",), EVIL))


async def statuses(kube: HttpKube, _found: Plane, rollouts: int) -> None:
    """A quarter of the hostile rollouts say of themselves what can't be."""
    for number in range(FIRST, FIRST + rollouts, 4):
        for _ in range(20):  # the operator writes it, too
            obj = await kube.get(DEPLOYMENT, EVIL, f"d{number}")
            told, own = obj["status"]["candidate"]["guards"], obj["status"]["record"]["candidate"]["guards"]
            for guard, state in zip(told, own, strict=True):
                guard |= {"windows": 2**53, "bound": "-inf"}
                state |= {"logLr": ["no number"] * 8, "odds": "nan"}
            with suppress(ApiError):
                await kube.replace_status(DEPLOYMENT, obj)
                break


async def objects(kube: HttpKube, _found: Plane, count: int) -> None:
    """Pipelines of 1.3 MB, and ModelVersions of 0.75 MB of which a third is a thousand annotations."""

    async def pipeline(n: int) -> Json:
        steps = [{"name": f"s{s}", "image": "i", "args": [text(4096, 1000 * n + 60 * s + a) for a in range(52)]}
                 for s in range(6)]  # fmt: skip
        return await make(kube, PIPELINE, {"metadata": {"name": f"p{n}", "namespace": EVIL}, "spec": {"steps": steps}})

    async def version(n: int) -> Json:
        body, _ = fleet.version(FIRST + 600 + n, 1, EVIL)
        body["metadata"]["annotations"] = {f"example.com/k{k}": text(220, n * 1000 + k) for k in range(1000)}
        for part in ("command", "args"):
            body["spec"]["server"][part] = [text(4096, n * 1000 + k) for k in range(64)]
        return await make(kube, MODEL_VERSION, body)

    await many([one(n) for n in range(count) for one in (pipeline, version)])


# --- the measurement --------------------------------------------------------------------------------------------------


async def row(kube: HttpKube, found: Plane, operator: Operator, seconds: float) -> Json:
    """What the others have of it for some seconds."""
    began, cpu = time.time(), operator.cpu()
    await asyncio.sleep(seconds)
    ended = time.time()
    every = await listed(kube, DEPLOYMENT, TEAM)
    times = closed_between(found, {one["metadata"]["name"]: one.get("status") or {} for one in every}, began, ended)
    late = [gap - WINDOW for gap in intervals(times)]
    return {
        "rollouts": len(times), "windows": sum(map(len, times)), "late": sum(gap > LATE for gap in late),
        "p99, s": quantile(late, 0.99), "most, s": max(late), "VmHWM, MiB": operator.peak(),
        "resident, MiB": operator.memory(), "CPU, %": 100 * (operator.cpu() - cpu) / (ended - began),
        "load": os.getloadavg()[0],
    }  # fmt: skip


async def listed(kube: HttpKube, kind: Kind, namespace: str) -> list[Json]:
    """All of them."""
    return [one async for page in kube.pages(kind, namespace) for one in page.items]


async def said(kube: HttpKube) -> dict[str, int]:
    """How often the hostile objects' conditions and guards give a reason for what is not as it should be."""
    found: Counter[str] = Counter()
    for kind in (DEPLOYMENT, DATASET, PIPELINE, MODEL_VERSION):
        for one in await listed(kube, kind, EVIL):
            status = one.get("status") or {}
            guards = (status.get("candidate") or {}).get("guards", [])
            for what in [*status.get("conditions", []), *guards]:
                if what.get("reason") and what.get("status") != "True":
                    found[f"{kind.kind} {what.get('type', 'guard')} {what['reason']}"] += 1
    return dict(found.most_common())


async def bench(steps: dict[str, Step], rollouts: int, seconds: float) -> tuple[list[Json], dict[str, int]]:
    """A row before the first step and after each, beginning with it; and what has been said at the end."""
    async with plane(SCRATCH / "hostile-plane") as (found, kube):
        await fleet.surroundings(kube, found, TEAM, OTHER, EVIL)
        config = fleet.configuration(found, endpoints={"allow": [own_address()]})
        operator = Operator(config, "hostile", port=free_port(), kubeconfig=found.kubeconfig)
        operator.start()
        try:
            await fleet.populate(kube, range(rollouts), ("errors",))
            await asyncio.sleep(10)
            rows = []
            for name, step in {"rollouts": _nothing, **steps}.items():
                operator.forget_peak()
                _, figures = await asyncio.gather(step(kube, found), row(kube, found, operator, seconds))
                rows.append({"what": name, **figures})
                print(f"  {rows[-1]}", flush=True)
            return rows, await said(kube)
        finally:
            operator.kill()


async def _nothing(_kube: HttpKube, _found: Plane) -> None:
    return


def main(arguments: list[str]) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=20, help="of the others")
    parser.add_argument("--hostile", type=int, default=16, help="rollouts with hostile pods, two each")
    parser.add_argument("--datasets", type=int, default=40)
    parser.add_argument("--objects", type=int, default=40, help="of each large kind")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each row")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        asyncio.run(serve(given.serve))
        return 0
    if given.store:
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        with serving(own_address()) as server:
            print(server.endpoint, flush=True)
            sys.stdin.read()
        return 0
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with (
        fleet.pods(given.rollouts + given.hostile, 50.0),
        fleet.beside("hack.bench", "hostile", "--serve", str(2 * given.hostile)) as ready,
        fleet.beside("hack.bench", "hostile", "--store") as store,
    ):
        assert ready == "ready", "the hostile pods could not listen"
        others = range(given.rollouts, given.rollouts + given.hostile)
        steps: dict[str, Step] = {
            "as many rollouts of a third": partial(neighbours, numbers=others),
            "nothing hostile": _nothing,
            "+ pages of metrics": partial(pages, rollouts=given.hostile),
            "+ listings": partial(listings, store=store, datasets=given.datasets),
            "+ documents": documents,
            "+ statuses": partial(statuses, rollouts=given.hostile),
            "+ large objects": partial(objects, count=given.objects),
            "all of it goes on": _nothing,
        }
        rows, reasons = asyncio.run(bench(steps, given.rollouts, given.seconds))
    table("While one tenant is hostile: the others", [list(one.values()) for one in rows], list(rows[0]))
    table("What is said of the hostile objects", list(reasons.items()), ["what", "how often"])
    keep("hostile", {"rows": rows, "said": reasons})
    met = all(one["late"] == 0 and one["VmHWM, MiB"] < LIMIT for one in rows)
    print(f"no window of the others late by more than {LATE} s, below {LIMIT:.0f} MiB: {'met' if met else 'MISSED'}")
    return 0 if met else 1
