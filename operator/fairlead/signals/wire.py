"""Connections that cost no more work than what comes over them is worth.

What arrives is taken apart on the event loop, before anybody can say how much of an answer it is. A megabyte of empty
answers, of `100 Continue` or of chunks of one byte takes as long as hundreds of pages, and whoever sends it does so as
fast as it is read.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from fairlead.signals.errors import SignalError

AT_ONCE = 16 * 1024
"""Bytes that are taken in before others have their turn."""
WORK, EACH_BYTE = 0.01, 0.01 / 2**20
"""Seconds of the processor's time that the arrival of an answer may take, and more for each of its bytes. One of 8 MiB
takes 3 ms, and 10 ms in chunks of 2 KiB."""

HEADS = 8
"""Answers that may wait to be read: one, and those that say that it will come."""


class _Handler(ResponseHandler):
    _over = -WORK
    """Seconds beyond what it may take."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if hasattr(transport, "max_size"):  # asyncio's own; without it 256 KiB are
            transport.max_size = AT_ONCE
        super().connection_made(transport)

    def set_response_params(self, **settings: Any) -> None:
        """A request begins."""
        self._over = -WORK
        super().set_response_params(**settings)

    def data_received(self, data: bytes) -> None:
        began = time.thread_time()
        super().data_received(data)
        self._over += time.thread_time() - began - len(data) * EACH_BYTE
        if self._over > 0 or len(self._buffer) > HEADS:
            self._give_up()

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        while len(self._buffer) > 1:  # they are in cycles with this, and would stay for minutes
            self._buffer.pop()
        error = SignalError(
            "TooSlow",
            "what is answered takes too long to take apart: chunks of a few bytes, or answers that nobody has asked "
            "for. See what listens there.",
        )
        if self._payload is not None:
            self._payload.set_exception(error)
        self.set_exception(error)


class _Connector(aiohttp.TCPConnector):
    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)
        factory: Any = partial(_Handler, loop=self._loop)
        self._factory = factory


def session(connections: int = 256) -> aiohttp.ClientSession:
    """For all signals of a process: so many connections at a time, and no cookies, of which a jar would be searched
    through for each request."""
    return aiohttp.ClientSession(connector=_Connector(connections), cookie_jar=aiohttp.DummyCookieJar())
