"""A small model server for tests and benchmarks: Open Inference Protocol v2 over REST, with counters.

It "loads" `/fairlead/model/model.json`:

    {"value": 1.0, "wrongRate": 0.0, "errorRate": 0.2, "delayMs": 2, "loadSeconds": 0}

and answers each inference with `value` (a share `wrongRate` with `value` + 1), fails the given share of requests with
status 500 (pseudo-random, seeded by the process), and takes `delayMs`. `POST /error-rate/0.5` lets this process
fail another share of them from now on. `POST /v1/chat/completions` streams the value as a text, a word at a time, as
servers of language models do. Only the standard library is used.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

PAUSE = 0.05
"""Seconds between the words of a streamed answer."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Model:
    """The model and what it has counted."""

    def __init__(self) -> None:
        found = sorted(Path("/fairlead/model").rglob("*.json"))
        settings = json.loads(found[0].read_text()) if found else {}
        self.value = float(settings.get("value", 1.0))
        self.wrong_rate = float(settings.get("wrongRate", 0.0))
        self.error_rate = float(settings.get("errorRate", 0.0))
        self.delay = float(settings.get("delayMs", 2)) / 1000
        self.load_seconds = float(settings.get("loadSeconds", 0))
        self.codes: Counter[int] = Counter()
        self.latencies: Counter[float] = Counter()
        self.seconds = 0.0

    async def infer(self, body: bytes) -> tuple[int, bytes]:
        """Answer with as many values as the first input has rows."""
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(self.delay)
        if random.random() < self.error_rate:
            answer = 500, b'{"error":"the model failed"}'
        else:
            try:
                rows = json.loads(body)["inputs"][0]["shape"][0]
            except (ValueError, KeyError, IndexError, TypeError):
                answer = 400, b'{"error":"not an inference request"}'
            else:
                value = self.value + (random.random() < self.wrong_rate)
                output = {"name": "predict", "shape": [rows, 1], "datatype": "FP64", "data": [value] * rows}
                answer = 200, json.dumps({"model_name": "m", "outputs": [output]}).encode()
        took = asyncio.get_running_loop().time() - began
        self.codes[answer[0]] += 1
        self.seconds += took
        self.latencies[next((bound for bound in BOUNDS if took <= bound), float("inf"))] += 1
        return answer

    async def words(self) -> AsyncIterator[bytes]:
        """A streamed answer, in events of the OpenAI API."""
        value = self.value + (random.random() < self.wrong_rate)
        for word in ("it ", "will ", "be ", f"{value} ", "late"):
            yield f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n".encode()
            await asyncio.sleep(PAUSE)
        yield b"data: [DONE]\n\n"
        self.codes[200] += 1

    def metrics(self) -> bytes:
        """The counters as Prometheus reads them. Both outcomes are there from the start."""
        lines = ["# TYPE infer_requests_total counter"]
        codes = sorted({200, 500, *self.codes})
        lines.extend(f'infer_requests_total{{code="{code}"}} {self.codes[code]}' for code in codes)
        lines.append("# TYPE infer_seconds histogram")
        total = 0
        for bound in (*BOUNDS, float("inf")):
            total += self.latencies[bound]
            lines.append(f'infer_seconds_bucket{{le="{"+Inf" if bound == float("inf") else bound}"}} {total}')
        lines += [f"infer_seconds_sum {self.seconds}", f"infer_seconds_count {total}", ""]
        return "\n".join(lines).encode()


async def respond(model: Model, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """One request."""
    if method == "POST" and path.endswith("/infer"):
        return await model.infer(body)
    if method == "POST" and path.startswith("/error-rate/"):
        model.error_rate = float(path.rsplit("/", 1)[1])
        return 200, b"{}"
    if path == "/metrics":
        return 200, model.metrics()
    if path.startswith("/v2"):
        return 200, b"{}"
    return 404, b'{"error":"no such path"}'


async def stream(model: Model, writer: asyncio.StreamWriter) -> None:
    """An answer in chunks."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    async for event in model.words():
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def serve(model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, kept alive."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if method == "POST" and path.endswith("/chat/completions"):
                await stream(model, writer)
                continue
            code, answer = await respond(model, method, path.split("?")[0], body)
            writer.write(
                f"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                + answer
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Load, listen, and stop when told to."""
    model = Model()
    await asyncio.sleep(model.load_seconds)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(
        lambda reader, writer: serve(model, reader, writer), "0.0.0.0", int(os.environ.get("PORT", "8080"))
    )
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
