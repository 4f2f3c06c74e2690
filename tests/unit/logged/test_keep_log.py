"""Logs are read and written beside the looks: none waits for one, and one that is stuck holds up no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from fairlead.cluster import errors as api
from fairlead.cluster.client import LOG_LINES, _tail
from fairlead.cluster.port import Log
from fairlead.engine import resolve
from fairlead.engine.resolve import Resolver
from fairlead.plan.requests import Answer, Document, Failed, KeepLog, LogKept, ReadDocument
from fairlead.store.errors import StoreError

ASKED = KeepLog("team", "bucket", "p/1/log.txt", "http://s3:9000", None, "s3", "train-x", "step", 10)
pytestmark = pytest.mark.usefixtures("unhurried")


class Nodes:
    """Pods' logs; some nodes never answer."""

    def __init__(self, says: Log | Exception | None = None) -> None:
        self.says, self.reads = says or Log(b"done\n", False), 0
        self.stuck = asyncio.Event()

    async def get(self, *_: Any) -> dict[str, Any]:
        """The Secret that opens the store."""
        return {"data": {}}

    async def log(self, _namespace: str, pod: str, _container: str, _limit: int) -> Log:
        self.reads += 1
        if pod == "stuck":
            await self.stuck.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    monkeypatch.setattr(resolve, "keep_log", lambda request, _secret, body: found.append((request.key, body)))
    return found


def resolver(nodes: Nodes) -> Resolver:
    return Resolver(nodes, None, lambda *_: None)  # type: ignore[arg-type]


async def answer(found: Resolver, asked: KeepLog = ASKED) -> Answer:
    """What is said once the log is kept, or not."""
    while True:
        said = (await found.resolve([asked]))[asked]
        if said != Failed("Underway", "the log is being kept"):
            return said
        await asyncio.wait([found._logs[asked]])


async def test_a_log_is_read_and_written_once_however_often_it_is_asked_for(kept: list[Any]) -> None:
    nodes = Nodes(Log(b"0123456789", True))
    found = resolver(nodes)
    first = (await found.resolve([ASKED]))[ASKED]
    assert first == Failed("Underway", "the log is being kept"), "no look waits for it"
    assert [await answer(found) for _ in range(3)] == [LogKept(10, True)] * 3
    assert (nodes.reads, kept) == (1, [("p/1/log.txt", b"0123456789")])
    found.close()


@pytest.mark.usefixtures("kept")
async def test_a_stuck_node_delays_no_other_log_of_its_namespace() -> None:
    nodes = Nodes()
    found = resolver(nodes)
    stuck = [replace(ASKED, pod="stuck", key=str(number)) for number in range(resolve.LOGS_EACH - 1)]
    for _ in range(3):
        said = await found.resolve(stuck)
        assert {one.reason for one in said.values() if isinstance(one, Failed)} == {"Underway"}
    assert await answer(found) == LogKept(5, False)
    other = replace(ASKED, namespace="other")
    many = [replace(ASKED, pod="stuck", key=f"more-{number}") for number in range(50)]
    await found.resolve(many)
    assert await answer(found, other) == LogKept(5, False), "one namespace has only so many places"
    found.close()


async def test_a_log_that_is_kept_while_the_look_waits_for_another_answer_is_known_at_once(
    kept: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that both are recorded by one write."""
    document = ReadDocument("team", "bucket", "answers/a.json", "a" * 64, "http://s3:9000", None, "s3")

    def slow(*_: Any) -> Document:
        assert written.wait(20)
        return Document("{}")

    written = threading.Event()
    monkeypatch.setattr(resolve, "read", slow)
    found = resolver(Nodes())
    task = asyncio.ensure_future(found.resolve([ASKED, document]))
    assert await answer(found) == LogKept(5, False)
    written.set()
    assert (await task)[ASKED] == LogKept(5, False)
    assert len(kept) == 1
    found.close()


async def test_who_waits_too_long_for_a_place_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "LOG_TURN", 0.05)
    found = resolver(Nodes())
    await found.resolve([replace(ASKED, pod="stuck", key=str(number)) for number in range(resolve.LOGS_EACH)])
    said = await answer(found)
    assert isinstance(said, Failed)
    assert said.reason == "NoTurn"
    found.close()


async def test_a_node_that_never_answers_is_given_up(kept: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "LOG", 0.02)
    found = resolver(Nodes())
    said = await answer(found, replace(ASKED, pod="stuck"))
    assert isinstance(said, Failed)
    assert (said.reason, kept) == ("LogUnreadable", [])
    found.close()


async def test_a_store_that_hangs_holds_a_thread_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(resolve, "keep_log", lambda request, *_: hangs.wait() if request.key == "hangs" else None)
    found = resolver(Nodes())
    await found.resolve([replace(ASKED, key="hangs")])
    assert await answer(found, replace(ASKED, bucket="other")) == LogKept(5, False)
    hangs.set()
    found.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (api.NotFound("pods x not found", 404), "LogGone"), (api.Forbidden("no", 403), "LogForbidden"),
        (api.Unavailable("dial tcp: refused", 500), "LogUnreadable"),
        (api.Refused("not started", 400), "LogUnreadable"), (KeyError("x"), "Bug"),
    ],
)  # fmt: skip
async def test_why_a_log_is_not_kept(error: Exception, reason: str, kept: list[Any]) -> None:
    found = resolver(Nodes(error))
    said = await answer(found)
    assert isinstance(said, Failed)
    assert (said.reason, kept) == (reason, [])
    found.close()


async def test_a_failure_is_asked_for_again_after_a_while(
    kept: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(resolve, "AGAIN", 0.3)
    nodes = Nodes(StoreError("Unreachable", "away"))
    found = resolver(nodes)
    assert await answer(found) == Failed("Unreachable", "away")
    nodes.says = Log(b"now", False)
    await asyncio.sleep(0.6)
    assert await answer(found) == LogKept(3, False)
    assert len(kept) == 1
    found.close()


class Parts:
    """A body that comes in parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


@pytest.mark.parametrize(
    ("parts", "limit", "log"),
    [
        ([], 10, Log(b"", False)), ([b"abc"], 10, Log(b"abc", False)), ([b"abc", b"def"], 4, Log(b"cdef", True)),
        ([b"x" * 5] * 1000 + [b"end"], 4, Log(b"xend", True)),
        ([b"\n" * LOG_LINES], 1 << 20, Log(b"\n" * LOG_LINES, True)),
    ],
)  # fmt: skip
async def test_only_the_end_is_held_in_memory(parts: list[bytes], limit: int, log: Log) -> None:
    assert await _tail(Parts(parts), limit) == log  # type: ignore[arg-type]
