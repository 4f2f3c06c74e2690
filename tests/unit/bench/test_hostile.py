"""A hostile pod of the benchmark is live at first, and hostile then; and windows are counted as they were closed."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial

from hack.bench import fleet, hostile
from hack.bench.pages import Pod

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: bytes) -> bytes:
    writer.write(GET % path)
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))


async def test_a_hostile_pod_answers_well_until_it_is_live() -> None:
    bad = (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xff\xff", b"")
    connected = partial(hostile.answer, Pod(50.0, 0.0, 1), itertools.count(), bad)
    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(hostile.GOOD):
            assert b"infer_requests_total" in await ask(reader, writer, b"/metrics")
            assert await ask(reader, writer, b"/v2/health/ready") == b"{}"
        assert await ask(reader, writer, b"/metrics") == b"\xff\xff\xff"
        assert await ask(reader, writer, b"/v2/health/ready") == b"{}"
        writer.close()


def test_there_is_an_answer_of_each_kind() -> None:
    every = hostile.answers()
    assert sum(bool(more) for _, more in every) >= 5, "such without an end"
    assert (b"", b"") in every, "and none at all"
    assert len(every) >= 20


def test_what_is_written_large_can_not_be_compressed_away() -> None:
    import zlib

    made = hostile.text(4096, 1)
    assert len(made) == 4096
    assert len(zlib.compress(made.encode())) > 2000
    assert made != hostile.text(4096, 2)


def test_intervals_are_those_of_each_deployment() -> None:
    assert fleet.intervals([[1.0, 2.0, 4.5], [1.5], []]) == [1.0, 2.5]
