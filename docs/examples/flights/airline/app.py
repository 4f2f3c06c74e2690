"""The airline's application: asks for a prediction as each plane leaves the gate, and some seconds later, when the
flight "has landed", counts whether the prediction was right, by the version that had made it.

It replays real flights at a steady rate, whatever the answers take, and writes those that have landed to the airline's
bucket, with the id of the answer. While time stands still these are flights of November, in no order; else days pass, a
few seconds each, and the application asks for a part of each day's flights. Settings by environment variables:
URL (the Deployment's address), SINCE (the day from which time passes, 2013-12-08; empty: it stands still), DAY
(seconds), RATE (requests a second), OUTCOME_DELAY (seconds), TOLERANCE (minutes), PORT; and those of `airline.feed`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from airline import calendar
from airline.columns import CATEGORIES, FEATURES, TARGET
from airline.feed import Feed
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
SINCE = os.environ.get("SINCE", "")
DAY = float(os.environ.get("DAY", "8"))
PORT = int(os.environ.get("PORT", "8080"))
DATA = os.environ.get("DATA", "/app/replay.parquet")
IN_FLIGHT = 16
"""More unanswered requests than this, and further ones are counted as dropped instead of sent: a server that is slow
for a moment is not buried."""

Row = dict[str, Any]


def body(row: Row) -> Row:
    """An Open Inference Protocol request for one flight: a tensor for each column."""

    def tensor(name: str) -> Row:
        value = row[name]
        if name in CATEGORIES:
            return {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [value]}
        return {"name": name, "datatype": "FP64", "shape": [1, 1], "data": [None if value is None else float(value)]}

    return {"parameters": {"content_type": "pd"}, "inputs": [tensor(name) for name in FEATURES]}


class Application:
    """The replay and its counters."""

    def __init__(self, flights: pa.Table, feed: Feed) -> None:
        self._flights = flights
        self._feed = feed
        self._tally = Tally()
        self._tasks: set[asyncio.Task[int]] = set()
        self._in_flight = 0
        self._session: aiohttp.ClientSession | None = None
        self._infer = f"{URL.rstrip('/')}/v2/models/delay/infer"

    async def run(self) -> None:
        """Wait until somebody answers, then send at the given rate until cancelled."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            first = next(days(self._flights)).asked[0]
            while await self._send(first, counted=False) != 200:  # noqa: ASYNC110 - a remote has no event
                await asyncio.sleep(1)
            self._tally.begin()
            next_at = time.monotonic()
            for day in days(self._flights):
                for row in day.asked:
                    await asyncio.sleep(max(0.0, next_at - time.monotonic()))
                    self._start(row)
                    next_at += 1 / RATE
                for row in day.others:
                    self._feed.add(row)

    def _start(self, row: Row) -> None:
        if self._in_flight >= IN_FLIGHT:
            self._count("none", "dropped", 0.0)
            self._feed.add(row)
            return
        task = asyncio.create_task(self._send(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, row: Row, counted: bool = True) -> int:
        """Ask for one flight; the status code, or 0 without an answer."""
        assert self._session is not None
        begin = time.perf_counter()
        version, code, answer, asked = "none", 0, None, None
        self._in_flight += 1
        try:
            async with self._session.post(self._infer, json=body(row)) as response:
                version, code = response.headers.get("x-fairlead-model", "none"), response.status
                if version == "none":
                    response.close()  # a gateway that answers by itself may be an old one: connect anew next time
                if code == 200:
                    answer = float((await response.json())["outputs"][0]["data"][0])
                    asked = response.headers.get("x-request-id")
        except (aiohttp.ClientError, TimeoutError):
            code = 0
        finally:
            self._in_flight -= 1
        if counted:
            self._count(version, str(code) if code else "unreachable", time.perf_counter() - begin)
            await asyncio.sleep(OUTCOME_DELAY)
            self._feed.add(row, asked)
            if answer is not None:
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


def days(flights: pa.Table) -> Iterator[calendar.Day]:
    """What is flown; unknown values are None."""
    at_a_time = max(1, round(RATE * DAY))
    if not SINCE:
        return calendar.still(flights, at_a_time)
    return calendar.passing(flights, date.fromisoformat(SINCE), at_a_time)


async def serve() -> None:
    """Run until SIGTERM."""
    feed = Feed()
    application = Application(pq.read_table(DATA), feed)
    server = web.Application()
    server.add_routes([web.get("/metrics", application.metrics), web.get("/stats", application.stats)])
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=PORT).start()
    both = asyncio.gather(application.run(), feed.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, both.cancel)
    try:
        await both
    except asyncio.CancelledError:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
