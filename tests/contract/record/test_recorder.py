"""The proxy and the recorder as they run in a pod, with a real Envoy."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.error
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from hack.testbed.recorded import Pod, get, running
from tests.contract.record.conftest import make

from fairlead.plan.requests import ReadInput
from fairlead.signals.answers import kept_input
from fairlead.signals.aside import Aside
from fairlead.signals.http import Outside

LIMIT = 256 * 1024


def asked(value: float) -> dict[str, Any]:
    """An inference request."""
    return {"inputs": [{"name": "x", "data": [value]}]}


async def infer(
    http: aiohttp.ClientSession, pod: Pod, value: float, headers: dict[str, str] | None = None, status: int = 200
) -> aiohttp.typedefs.LooseHeaders:
    """Ask, and check the answer; its headers."""
    query = "" if status == 200 else f"?status={status}"
    async with http.post(f"{pod.url}/infer{query}", json=asked(value), headers=headers) as reply:
        assert reply.status == status, await reply.text()
        if status == 200:
            assert (await reply.json())["outputs"][0]["data"] == [2 * value]
        return reply.headers


async def test_what_was_answered_is_recorded(pod: Pod) -> None:
    ids = [str(uuid.uuid4()) for _ in range(50)]
    began = time.time()
    async with aiohttp.ClientSession() as http:
        for number, one in enumerate(ids):
            headers = await infer(http, pod, number, {"x-request-id": one}, 500 if number % 10 == 9 else 200)
            assert headers["x-request-id"] == one
            assert not [name for name in headers if name.lower().startswith("x-fairlead-record")]
        made = (await infer(http, pod, 1))["x-request-id"]
    rows = pod.recorded(51)
    assert [row[0] for row in rows] == list(range(1, 52))
    by_id = {row[1]: row for row in rows}
    for number, one in enumerate(ids):
        _, _, at, status, latency, output, shadow, probability = by_id[one]
        assert (status, shadow, probability) == (500 if number % 10 == 9 else 200, False, 1.0)
        assert output == ({"error": "no"} if status == 500 else [2 * number])
        assert began <= at <= time.time()
        assert 0 < latency < 5000
    assert uuid.UUID(made)
    assert made in by_id
    assert pod.counted("fairlead_recorder_kept_total") == 51


@pytest.mark.parametrize("inputs", [False, True])
async def test_bodies_keep_the_form_that_they_came_in(tmp_path: Path, inputs: bool) -> None:
    """A server or a client that does not know chunks never sees any because of the proxy."""
    body = json.dumps(asked(1)).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:10]
        yield body[10:]

    with running(make(tmp_path, inputs=inputs)) as pod:
        async with aiohttp.ClientSession() as http:
            forged = {"x-fairlead-length": "7"}
            async with http.post(f"{pod.url}/headers", data=body, headers=forged) as reply:
                whole, answer = await reply.json(), reply.headers
            async with http.post(f"{pod.url}/headers", data=pieces()) as reply:
                chunked = await reply.json()
            async with http.post(f"{pod.url}/stream", data=body) as reply:
                streamed = reply.headers
    assert whole["Content-Length"] == str(len(body))
    assert "Transfer-Encoding" not in whole
    passed = {**answer, **(whole if inputs else {})}
    assert not [name for name in passed if name.lower() == "x-fairlead-length"]
    assert "Content-Length" in answer
    assert "Content-Length" not in chunked
    assert "Content-Length" not in streamed


async def test_pages_and_single_requests(pod: Pod) -> None:
    async with aiohttp.ClientSession() as http:
        for number in range(5):
            await infer(http, pod, number, {"x-request-id": f"r-{number}"})
    pod.recorded(5)
    page = json.loads(get(f"{pod.answers_url}/answers?after=1&limit=2"))
    assert ([row[0] for row in page["answers"]], page["next"], page["dropped"]) == ([2, 3], 3, 0)
    assert pod.answers(after=2**53) == {"boot": page["boot"], "next": 5, "dropped": 0, "answers": []}
    assert json.loads(get(f"{pod.answers_url}/answers/r-3"))["answers"][0][5] == [6]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{pod.answers_url}/answers/r-9")


async def test_copies_are_told_by_host_or_header(pod: Pod) -> None:
    async with aiohttp.ClientSession() as http:
        await infer(http, pod, 1, {"x-request-id": "a", "Host": "ml.example.com-shadow"})
        await infer(http, pod, 1, {"x-request-id": "b", "Host": "ml.example.com-shadow:8080"})
        await infer(http, pod, 1, {"x-request-id": "c", "x-fairlead-shadow": "true"})
        await infer(http, pod, 1, {"x-request-id": "d", "Host": "shadow.example.com"})
    assert {row[1]: row[6] for row in pod.recorded(4)} == {"a": True, "b": True, "c": True, "d": False}


async def test_new_users_are_counted(pod: Pod) -> None:
    async with aiohttp.ClientSession() as http:
        for number, user in enumerate(["new", "known", "asked", "new", ""]):
            headers = await infer(http, pod, 1, {"x-request-id": f"u{number}", "x-fairlead-user": user})
            assert not [name for name in headers if name.lower().startswith("x-fairlead-record")]
    pod.recorded(5)
    assert pod.counted("fairlead_answers_new_users_total") == 2


async def test_the_same_requests_are_chosen_everywhere(tmp_path: Path) -> None:
    ids = [str(uuid.uuid4()) for _ in range(200)]
    # what the gateway made of an id, and one that is none: neither may be recorded by chance
    ids += ["not-a-uuid-" + "0" * 25]
    with running(make(tmp_path / "a", sample=64)) as a, running(make(tmp_path / "b", sample=64)) as b:
        async with aiohttp.ClientSession() as http:
            for one in ids:
                for pod in (a, b):
                    headers = await infer(http, pod, 1, {"x-request-id": one})
                    assert headers["x-request-id"] == one
        expected = {one for one in ids[:-1] if int(one[-2:], 16) < 64}
        for pod in (a, b):
            rows = pod.recorded(len(expected))
            assert {row[1] for row in rows} == expected
            assert {row[7] for row in rows} == {0.25}


async def test_traffic_goes_on_without_the_recorder(pod: Pod) -> None:
    """Killed in the middle of traffic: no request fails, and once it is back, answers are recorded again."""
    sent, stop = 0, asyncio.Event()

    async def ask(http: aiohttp.ClientSession) -> None:
        nonlocal sent
        while not stop.is_set():
            await infer(http, pod, sent)
            sent += 1

    async with aiohttp.ClientSession() as http:
        clients = [asyncio.create_task(ask(http)) for _ in range(4)]
        await asyncio.sleep(1)
        first = pod.answers()["boot"]
        os.kill(pod.recorder(), signal.SIGKILL)
        before = sent
        await asyncio.to_thread(pod.wait_for_recorder)
        assert sent > before + 10, "requests went on"
        await asyncio.to_thread(pod.recorded, 1)
        stop.set()
        await asyncio.gather(*clients)
    again = pod.answers()
    assert again["boot"] != first
    assert again["answers"], "answers come again"


async def test_a_recorder_that_hangs_blocks_nobody(pod: Pod) -> None:
    """Stopped, not killed: its socket is open and takes nothing. Answers larger than any buffer go through."""
    body = os.urandom(3 << 20)

    async def ask(http: aiohttp.ClientSession) -> float:
        began = time.monotonic()
        for _ in range(20):
            async with http.post(f"{pod.url}/echo", data=body) as reply:
                assert await reply.read() == body
            await infer(http, pod, 1)
        return time.monotonic() - began

    async with aiohttp.ClientSession() as http:
        before = await ask(http)
        os.kill(pod.recorder(), signal.SIGSTOP)
        assert await ask(http) < 5 * before + 3
        os.kill(pod.recorder(), signal.SIGCONT)
        await asyncio.sleep(3)
        await infer(http, pod, 1, {"x-request-id": "later"})
    deadline = time.monotonic() + 60
    while "later" not in [row[1] for row in pod.answers()["answers"]]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_large_bodies_pass_and_are_not_kept(pod: Pod) -> None:
    body = os.urandom(1 << 20)
    large = {"x-request-id": "large"}
    async with aiohttp.ClientSession() as http, http.post(f"{pod.url}/echo", data=body, headers=large) as reply:
        assert await reply.read() == body
    ((_, one, _, status, _, output, _, _),) = pod.recorded(1)
    assert (one, status, output) == ("large", 200, None)
    assert pod.counted('fairlead_recorder_dropped_total{reason="long"}') == 1


async def test_what_was_asked_is_had_from_the_recorder(tmp_path: Path) -> None:
    """As the operator asks for it, to show it to people."""
    bodies = {"json": json.dumps(asked(1.5)).encode(), "binary": b"\xff" * 64, "long": b"x" * (LIMIT + 1), "a/b": b"?"}
    expected = {"json": json.dumps(asked(1.5)), "binary": None, "long": None, "a/b": "?", "nobody's": None}
    with running(make(tmp_path, inputs=True)) as pod:
        async with aiohttp.ClientSession() as http:
            for one, body in bodies.items():
                await http.post(f"{pod.url}/headers", data=body, headers={"x-request-id": one})
            pod.recorded(len(bodies))
            url = f"{pod.answers_url}/answers"
            way = Outside(http, Aside())
            assert {one: (await kept_input(way, ReadInput(url, one))).text for one in expected} == expected


async def test_streams_are_not_held_back(pod: Pod) -> None:
    times, events = [], b""
    async with aiohttp.ClientSession() as http, http.post(f"{pod.url}/stream") as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        async for chunk in reply.content.iter_any():
            times.append(time.monotonic())
            events += chunk
    assert times[-1] - times[0] > 0.5, "the first event came before the last one was made"
    words = [json.loads(line[6:])["choices"][0]["delta"]["content"] for line in events.decode().split("\n\n")[:-2]]
    assert words == ["one ", "two ", "three"]
    ((_, _, _, _, latency, output, _, _),) = pod.recorded(1)
    assert output == "one two three"
    assert latency > 800


async def test_the_server_sees_the_request_as_it_was(pod: Pod) -> None:
    given = {"x-request-id": "i", "X-Own": "1", "Host": "h"}
    async with aiohttp.ClientSession() as http, http.post(f"{pod.url}/headers", headers=given) as reply:
        seen = {name.lower(): value for name, value in (await reply.json()).items()}
    assert (seen["x-request-id"], seen["x-own"], seen["host"]) == ("i", "1", "h")
    assert not {name for name in seen if name.startswith(("x-envoy", "x-fairlead"))}


async def test_a_server_that_is_away(pod: Pod) -> None:
    """Its failures are recorded; and the proxy, not the recorder, says so to the client."""
    pod.end("server", signal.SIGKILL)
    gone = {"x-request-id": "gone"}
    async with aiohttp.ClientSession() as http, http.post(f"{pod.url}/infer", headers=gone) as reply:
        assert reply.status == 503
    ((_, one, _, status, *_),) = pod.recorded(1)
    assert (one, status) == ("gone", 503)


async def test_a_proxy_that_was_killed_starts_again(pod: Pod) -> None:
    pod.end("proxy", signal.SIGKILL)
    await asyncio.to_thread(pod.start_proxy)
    async with aiohttp.ClientSession() as http:
        await infer(http, pod, 1)
    pod.recorded(1)


async def test_counters_of_the_proxy(pod: Pod) -> None:
    async with aiohttp.ClientSession() as http:
        for number in range(10):
            await infer(http, pod, 1, status=500 if number < 3 else 200)
        async with http.post(f"{pod.stats_url}/quitquitquit") as reply:
            assert reply.status == 404
        async with http.get(f"{pod.stats_url}/config_dump") as reply:
            assert reply.status == 404
    await asyncio.sleep(5)  # histograms are added up each second
    page = get(f"{pod.stats_url}/stats/prometheus").decode()
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line[0] != "#"}
    name = "envoy_cluster_upstream_rq_xx"
    assert counted[f'{name}{{envoy_response_code_class="5",envoy_cluster_name="server"}}'] == 3
    assert counted[f'{name}{{envoy_response_code_class="2",envoy_cluster_name="server"}}'] == 7
    assert counted['envoy_cluster_upstream_rq_time_count{envoy_cluster_name="server"}'] == 10


async def test_grpc_passes_and_its_status_is_recorded(pod: Pod) -> None:
    """Unary, streamed, and failed; of gRPC no bodies are kept."""
    pod.end("server")

    async def unary(request: bytes, context: Any) -> bytes:
        if request == b"fail":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no")
        return request * 2

    async def stream(request: bytes, _: Any) -> Any:
        for _n in range(3):
            yield request
            await asyncio.sleep(0.2)

    server = grpc.aio.server()
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("model.Service", handlers),))
    server.add_insecure_port(f"127.0.0.1:{pod.server_port}")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{pod.port}") as channel:
        call = channel.unary_unary("/model.Service/Unary")
        assert await call(b"x" * 1000, metadata=[("x-request-id", "one")]) == b"x" * 2000
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(b"fail", metadata=[("x-request-id", "two")])
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
        answers = channel.unary_stream("/model.Service/Stream")(b"y", metadata=[("x-request-id", "three")])
        times = [time.monotonic() async for _ in answers]
        assert len(times) == 3
        assert times[2] - times[0] > 0.3
    await server.stop(None)
    rows = {row[1]: row for row in pod.recorded(3)}
    assert {one: row[3] for one, row in rows.items()} == {"one": 200, "two": 503, "three": 200}
    assert {row[5] for row in rows.values()} == {None}
    assert rows["three"][4] > 500
