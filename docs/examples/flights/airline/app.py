"""The airline's application: asks for a prediction as each plane leaves the gate, and some seconds later, when the
flight "has landed", counts whether the prediction was right, by the version that had made it.

It replays real flights at a steady rate, whatever the answers take. Settings by environment variables:
URL (the Deployment's address), RATE (requests a second), OUTCOME_DELAY (seconds), TOLERANCE (minutes), PORT.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from airline.columns import CATEGORIES, FEATURES, TARGET
from airline.tally import Tally

REQUESTS = Counter("app_requests", "Requests by the version that answered and the status code.", ["version", "code"])
OUTCOMES = Counter("flight_outcomes", "Answers by what came of them.", ["version", "right"])
LATENCY = Histogram(
    "app_request_seconds", "Time to an answer.", ["version"],
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5),
)  # fmt: skip

URL = os.environ.get("URL", "http://localhost:8080")
RATE = float(os.environ.get("RATE", "20"))
OUTCOME_DELAY = float(os.environ.get("OUTCOME_DELAY", "3"))
TOLERANCE = float(os.environ.get("TOLERANCE", "20"))
PORT = int(os.environ.get("PORT", "8080"))
DATA = os.environ.get("DATA", "/app/replay.parquet")
IN_FLIGHT = 16
"""More unanswered requests than this, and further ones are counted as dropped instead of sent: a server that is slow
for a moment is not buried."""

Row = dict[str, Any]


def body(row: Row) -> Row:
    """An Open Inference Protocol request for one flight: a tensor for each column."""

    def tensor(name: str) -> Row:
        kind = "BYTES" if name in CATEGORIES else "FP64"
        return {"name": name, "datatype": kind, "shape": [1, 1], "data": [row[name]]}

    return {"parameters": {"content_type": "pd"}, "inputs": [tensor(name) for name in FEATURES]}


class Application:
    """The replay and its counters."""

    def __init__(self, flights: pa.Table) -> None:
        self._flights = flights
        self._tally = Tally()
        self._tasks: set[asyncio.Task[int]] = set()
        self._in_flight = 0
        self._session: aiohttp.ClientSession | None = None
        self._infer = f"{URL.rstrip('/')}/v2/models/delay/infer"

    async def run(self) -> None:
        """Wait until somebody answers, then send at the given rate until cancelled."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            first = next(rows(self._flights))
            while await self._send(first, counted=False) != 200:  # noqa: ASYNC110 - a remote has no event
                await asyncio.sleep(1)
            self._tally.begin()
            begin = time.monotonic()
            for number, row in enumerate(forever(self._flights)):
                await asyncio.sleep(max(0.0, begin + number / RATE - time.monotonic()))
                self._start(row)

    def _start(self, row: Row) -> None:
        if self._in_flight >= IN_FLIGHT:
            self._count("none", "dropped", 0.0)
            return
        task = asyncio.create_task(self._send(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, row: Row, counted: bool = True) -> int:
        """Ask for one flight; the status code, or 0 without an answer."""
        assert self._session is not None
        begin = time.perf_counter()
        version, code, answer = "none", 0, None
        self._in_flight += 1
        try:
            async with self._session.post(self._infer, json=body(row)) as response:
                version, code = response.headers.get("x-fairlead-model", "none"), response.status
                if version == "none":
                    response.close()  # a gateway that answers by itself may be an old one: connect anew next time
                if code == 200:
                    answer = float((await response.json())["outputs"][0]["data"][0])
        except (aiohttp.ClientError, TimeoutError):
            code = 0
        finally:
            self._in_flight -= 1
        if counted:
            self._count(version, str(code) if code else "unreachable", time.perf_counter() - begin)
            if answer is not None:
                await asyncio.sleep(OUTCOME_DELAY)
                self._judge(version, abs(answer - row[TARGET]) <= TOLERANCE)
        return code

    def _count(self, version: str, code: str, took: float) -> None:
        REQUESTS.labels(version=version, code=code).inc()
        LATENCY.labels(version=version).observe(took)
        self._tally.answer(version, code, took)

    def _judge(self, version: str, right: bool) -> None:
        OUTCOMES.labels(version=version, right=str(right).lower()).inc()
        self._tally.outcome(version, right)

    async def metrics(self, _: web.Request) -> web.Response:
        """Counters for Prometheus."""
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def stats(self, _: web.Request) -> web.Response:
        """The same by version, for people."""
        return web.json_response(self._tally.report())


def load(path: str) -> pa.Table:
    """The flights to replay."""
    return pq.read_table(path, columns=[*FEATURES, TARGET])


def rows(flights: pa.Table) -> Iterator[Row]:
    """One flight at a time; unknown values are None."""
    for batch in flights.to_batches(max_chunksize=500):
        yield from batch.to_pylist()


def forever(flights: pa.Table) -> Iterator[Row]:
    """All flights, again and again."""
    while True:
        yield from rows(flights)


async def serve() -> None:
    """Run until SIGTERM."""
    application = Application(load(DATA))
    server = web.Application()
    server.add_routes([web.get("/metrics", application.metrics), web.get("/stats", application.stats)])
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=PORT).start()
    replay = asyncio.create_task(application.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, replay.cancel)
    try:
        await replay
    except asyncio.CancelledError:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
