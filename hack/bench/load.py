"""Open-loop load: requests leave at their time, whether or not earlier ones have been answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}]}).encode()


@dataclass(frozen=True)
class Answer:
    """One request as the client saw it. `code` 0: the connection broke."""

    sent: float
    """Wall clock, epoch seconds."""
    seconds: float
    code: int
    version: str
    error: str = ""
    """What broke, when no answer came."""
    body: str = ""
    """The beginning of an answer that is no success."""


@dataclass
class Load:
    """Requests to one address, at a rate, until stopped. Counts everything at the client."""

    host: str
    port: int
    path: str
    rate: float
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = BODY
    answers: list[Answer] = field(default_factory=list)
    _idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self) -> bytes:
        """The bytes of a request."""
        head = {"Host": self.host, "Content-Type": "application/json", "Content-Length": str(len(self.body))}
        lines = "".join(f"{k}: {v}\r\n" for k, v in (head | self.headers).items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body

    async def run(self) -> None:
        """Send until `stop`; then wait for the open ones."""
        wire, began, number = self.request(), time.monotonic(), 0
        while not self._stop.is_set():
            number += 1
            task = asyncio.create_task(self._one(wire))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            pause = began + number / self.rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
        await asyncio.gather(*self._open)
        while self._idle:
            self._idle.pop()[1].close()

    def stop(self) -> None:
        """No more requests."""
        self._stop.set()

    async def _one(self, wire: bytes) -> None:
        sent, began = time.time(), time.monotonic()
        code, version, error, body = 0, "", "", ""
        try:
            code, version, body = await asyncio.wait_for(self._exchange(wire), 10)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as broken:
            error = type(broken).__name__
        self.answers.append(Answer(sent, time.monotonic() - began, code, version, error, body))

    async def _exchange(self, wire: bytes) -> tuple[int, str, str]:
        reader, writer = self._idle.popleft() if self._idle else await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(wire)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await _body(reader, headers)
        except BaseException:
            writer.close()
            raise
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        code = int(head[0].split(" ", 2)[1])
        said = "" if code == 200 else body[:200].decode("utf-8", "replace")
        return code, headers.get("x-fairlead-model", ""), said

    def by_version(self) -> dict[str, Counter[int]]:
        """Status codes by the version that answered; requests that no version answered stand under ''."""
        found: dict[str, Counter[int]] = {}
        for answer in self.answers:
            found.setdefault(answer.version, Counter())[answer.code] += 1
        return found

    def failed(self) -> list[Answer]:
        """What did not succeed, with when it was sent."""
        return [answer for answer in self.answers if answer.code != 200]


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """An answer's body, in one piece or in chunks."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)
