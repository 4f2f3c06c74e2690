"""The proxy of a server that exports no counters: a real Envoy with the bootstrap that pods get, and no recorder."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from hack.testbed.programs import free_port, program
from hack.testbed.recorded import Pod, get, wait_for

from fairlead.api.server import Server
from fairlead.manifests import presets
from fairlead.manifests.proxy import Proxy, arguments
from fairlead.plan.requests import Counters, MetricNames
from fairlead.signals.page import parse_page

SERVER = Server.model_validate({"runtime": "custom", "image": "any", "metrics": {"from": "Proxy"}})


@dataclass
class Counted:
    """A server behind a proxy that only counts. calls: the proxy's port for gRPC, and the server's."""

    pod: Pod
    calls: tuple[int, int]

    async def seen(self, requests: int, *, grpc: bool = False) -> Counters:
        """What the operator reads, once so many requests are in the histogram, which is added up each second."""
        known = presets.counters(SERVER, grpc)
        assert known.port == presets.PROXY_STATS_PORT
        names = MetricNames(known.requests, known.failures, known.latency, 0.001)
        for _ in range(600):
            page = await asyncio.to_thread(get, f"{self.pod.stats_url}{known.path}")
            found = parse_page(page.decode(), names)
            if found.buckets and found.buckets[-1][1] == requests:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(page.decode())


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    script = Path(__file__).with_name("modelserver.py")
    pod = Pod(tmp_path, lambda port: [sys.executable, str(script), str(port)])
    calls = free_port(), free_port()
    proxy = Proxy(
        listen=pod.port, stats=pod.stats_port, server=pod.server_port, quiet=("/v2/health/ready",),
        admin=str(tmp_path / "admin"), grpc=calls,
    )  # fmt: skip
    try:
        pod.start_server()
        pod.start("proxy", [program("envoy"), *arguments(proxy)])
        wait_for(f"{pod.url}/v2/health/ready")
        yield Counted(pod, calls)
    finally:
        for name in list(pod.running):
            pod.end(name, signal.SIGKILL)


async def ask(http: aiohttp.ClientSession, url: str) -> int:
    """The status of an answer."""
    async with http.post(url, json={"inputs": [{"name": "x", "data": [1]}]}) as reply:
        await reply.read()
        return reply.status


async def test_requests_failures_and_latency_of_any_server(counted: Counted) -> None:
    pod, asked = counted.pod, [200] * 6 + [500] * 3 + [404]
    async with aiohttp.ClientSession() as http:
        answers = [await ask(http, f"{pod.url}/infer?status={status}") for status in asked]
        assert answers == asked
        for _ in range(5):
            wait_for(f"{pod.url}/v2/health/ready")  # a probe is no request
        found = await counted.seen(10)
        assert (found.requests, found.failures, found.unproven) == (10, 3, ())
        pod.end("server", signal.SIGKILL)
        assert await ask(http, f"{pod.url}/infer") == 503
    after = await counted.seen(10)
    assert (after.requests, after.failures) == (11, 4), "who does not answer has failed"


@asynccontextmanager
async def serving(port: int) -> AsyncIterator[None]:
    """A gRPC server that fails as it is told."""

    async def unary(request: bytes, context: Any) -> bytes:
        if request:
            await context.abort(grpc.StatusCode[request.decode()], "no")
        return b"ok"

    server = grpc.aio.server()
    handlers = {"Unary": grpc.unary_unary_rpc_method_handler(unary)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("model.Service", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    yield
    await server.stop(None)


async def test_calls_are_counted_by_their_own_status(counted: Counted) -> None:
    """An error of the client's (InvalidArgument) is no failure, as a 4xx is none."""
    asked = [b""] * 4 + [b"INTERNAL", b"UNAVAILABLE", b"INVALID_ARGUMENT"]
    async with serving(counted.calls[1]), grpc.aio.insecure_channel(f"127.0.0.1:{counted.calls[0]}") as channel:
        call = channel.unary_unary("/model.Service/Unary")
        for one in asked:
            if one:
                with pytest.raises(grpc.aio.AioRpcError, match=one.decode()):
                    await call(one)
            else:
                assert await call(one) == b"ok"
        found = await counted.seen(7, grpc=True)
    assert (found.requests, found.failures) == (7, 2)
