"""The pods of the fleet benchmark, as far as the operator asks them anything: one process that listens on one loopback
address for each pod, answers warm-ups, and serves counters that grow with time as if requests came.

    python -m hack.bench.pages --pods 400 --rate 50 --weight 10 --failures 0.02

Pod number 2d is the live version's of Deployment d, 2d + 1 the candidate's. Only this is a stand-in.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from functools import partial

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
SHARES = (0.0, 0.1, 0.55, 0.85, 0.95, 0.98, 0.995, 0.999, 1.0, 1.0)
"""Share of the requests that are answered within each bound."""
PORT = 8080
_RUNTIME = "".join(
    f"# HELP process_{name} Of the process.\n# TYPE process_{name} gauge\nprocess_{name} {value}\n"
    f'python_gc_collections_total{{generation="{index}"}} {value}\n'
    for index, (name, value) in enumerate({"open_fds": 12, "max_fds": 1048576, "resident_memory_bytes": 1.2e8}.items())
)


def address(pod: int) -> str:
    """A pod's address."""
    return f"127.77.{pod // 250}.{pod % 250 + 1}"


class Pod:
    """One pod's counters. rate: requests a second that it gets; failures: share of them that fail."""

    def __init__(self, rate: float, failures: float, seed: int) -> None:
        self._rate, self._failures = rate, failures
        self._random = random.Random(seed)
        self._at = time.monotonic()
        self._fine, self._failed = 1000, 20
        self._within = [int(1000 * share) for share in SHARES]

    def page(self) -> bytes:
        """The counters now."""
        now = time.monotonic()
        expected, self._at = (now - self._at) * self._rate, now
        came = max(0, round(self._random.gauss(expected, expected**0.5)))
        failed = sum(self._random.random() < self._failures for _ in range(came))
        self._failed += failed
        self._fine += came - failed
        total = self._fine + self._failed
        rows = [
            f'infer_requests_total{{code="200"}} {self._fine}', f'infer_requests_total{{code="500"}} {self._failed}',
            *(f'infer_seconds_bucket{{le="{b}"}} {int(total * s)}' for b, s in zip(BOUNDS, SHARES, strict=True)),
            f'infer_seconds_bucket{{le="+Inf"}} {total}', f"infer_seconds_sum {total * 0.004}",
            f"infer_seconds_count {total}", "",
        ]  # fmt: skip
        return (_RUNTIME + "\n".join(rows)).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1, as much of it as a scrape needs."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the other side."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            body = self._pod.page() if b" /metrics " in head.split(b"\r\n", 1)[0] else b"{}"
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.write(answer + body)


async def serve(pods: list[Pod]) -> None:
    """Listen for all of them until cancelled."""
    loop = asyncio.get_running_loop()
    for number, pod in enumerate(pods):
        await loop.create_server(partial(Connection, pod), address(number), PORT)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Read the options, then serve."""
    parser = argparse.ArgumentParser(prog="pages", description=__doc__)
    parser.add_argument("--pods", type=int, required=True)
    parser.add_argument("--rate", type=float, default=50.0, help="requests/s of each Deployment")
    parser.add_argument("--weight", type=float, default=10.0, help="percent that the candidate gets")
    parser.add_argument("--failures", type=float, default=0.02, help="share of requests that fail")
    given = parser.parse_args()
    shares = (1 - given.weight / 100, given.weight / 100)
    asyncio.run(serve([Pod(given.rate * shares[n % 2], given.failures, n) for n in range(given.pods)]))


if __name__ == "__main__":
    main()
