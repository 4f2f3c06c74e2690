"""Envoy's external processing service: one stream an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from fairlead.worker.record.counts import DROPPED, HELD, NEW_USERS, RECEIVED
from fairlead.worker.record.exchange import Answer, Exchange

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
MEMORY = 16 << 20
"""Bytes of bodies that are held at a time; what comes beyond is kept without its body."""
_OPTIONS = (("grpc.max_receive_message_length", 1 << 20), ("grpc.so_reuseport", 0))


class Processor:
    """Puts exchanges together and gives each answer to `keep`."""

    def __init__(self, keep: Callable[[Answer], None], pointer: str | None) -> None:
        self._keep, self._pointer, self._held = keep, pointer, 0

    async def process(self, _: Any, context: Any) -> None:
        """A stream, from the answer's headers to its end. Nothing is sent back: Envoy waits for nothing."""
        RECEIVED.inc()
        exchange = Exchange()
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                before = exchange.held
                whole = exchange.take(message, time.time(), MEMORY - self._held)
                self._hold(exchange.held - before)
                if whole:
                    break
            self._end(exchange)
        except asyncio.CancelledError:  # the proxy gave the stream up
            DROPPED.labels("aborted").inc()
            raise
        finally:
            self._hold(-exchange.held)

    def _hold(self, change: int) -> None:
        self._held += change
        HELD.set(self._held)

    def _end(self, exchange: Exchange) -> None:
        answer = exchange.answer(time.time(), self._pointer)
        if answer is None:
            DROPPED.labels("aborted").inc()
            return
        if exchange.new_user:
            NEW_USERS.inc()
        if exchange.cut:
            DROPPED.labels("memory" if exchange.full else "long").inc()
        self._keep(answer)


async def serve(processor: Processor, socket: str) -> grpc.aio.Server:
    """Listen on a Unix socket. Raises RuntimeError when it can't be opened."""
    handler = grpc.stream_stream_rpc_method_handler(
        processor.process, ProcessingRequest.FromString, ProcessingResponse.SerializeToString
    )
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Process": handler}),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server
