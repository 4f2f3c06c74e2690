"""Envoy's external processing service: one stream an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from fairlead.worker.record.bins import Bins
from fairlead.worker.record.choice import Choice
from fairlead.worker.record.counts import DROPPED, HELD, NEW_USERS, RECEIVED
from fairlead.worker.record.exchange import Answer, Exchange

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
MEMORY = 16 << 20
"""Bytes of bodies that are held at a time; what comes beyond is kept without its body."""
_OPTIONS = (("grpc.max_receive_message_length", 1 << 20), ("grpc.so_reuseport", 0))


class Processor:
    """Puts exchanges together, gives each answer to `keep`, and what is chosen to `bins`.

    probability: with which the proxy hands answers over, if its share does not follow the traffic. sparing: it does so,
    and only what is chosen is kept.
    """

    def __init__(
        self, keep: Callable[[Answer], None], pointer: str | None, probability: float, choice: Choice, bins: Bins,
        sparing: bool = False,
    ) -> None:  # fmt: skip
        self._keep, self._pointer, self._held = keep, pointer, 0
        self._probability, self._choice, self._bins, self._sparing = probability, choice, bins, sparing

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
        if not exchange.answered:
            DROPPED.labels("aborted").inc()
            return
        if exchange.new_user and not self._sparing:  # two versions' counts at different shares say nothing
            NEW_USERS.inc()
        share = exchange.share
        chance = share if share is not None and self._sparing else self._probability
        self._bins.answered(chance)
        chosen = None if share is None else self._choice.chosen(exchange.request_id, share)
        if chosen is not None and self._bins.wanted:
            self._bins.offer(exchange.raw())
        if self._sparing:
            if chosen is None:
                return
            chance = chosen
        if exchange.cut:
            DROPPED.labels("memory" if exchange.full else "long").inc()
        self._keep(exchange.answer(time.time(), self._pointer, chance))


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
