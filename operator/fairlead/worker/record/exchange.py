"""One request and its answer, put together from the proxy's messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fairlead.worker.record import extract
from fairlead.worker.record.names import BODY_LIMIT, FAILED, PARTS, REFUSED
from fairlead.worker.record.rows import Raw

_GRPC = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
         14: 503, 15: 500, 16: 401}  # fmt: skip
"""HTTP status by gRPC status, as google.rpc.Code gives them."""
_DIGITS = 15


@dataclass(frozen=True)
class Answer:
    """What is kept. `output` and `input`: JSON text."""

    request_id: str
    time: float
    """When it was whole (epoch seconds)."""
    status: int
    latency: float
    """Milliseconds from the request's first byte to the answer's last; of a truncated one to where it was cut."""
    output: str
    shadow: bool
    input: str | None = None
    truncated: bool = False
    """The answer was longer than what is kept of one."""
    chance: float = 1.0
    """With which it was chosen."""

    @property
    def failed(self) -> bool:
        """Whether the server failed."""
        return self.status >= FAILED

    def row(self, limit: int | None = None) -> str:
        """As members of a JSON list, without its brackets; an output longer than `limit` is left out."""
        shown = self.output if limit is None or len(self.output) <= limit else extract.NONE
        return (
            f"{json.dumps(self.request_id)},{self.time:.6f},{self.status},{self.latency:.3f},{shown},"
            f"{'true' if self.shadow else 'false'},{self.chance!r}"
        )


class Exchange:
    """Takes messages in their order. A body that grows beyond BODY_LIMIT ends it: the answer is kept without."""

    __slots__ = ("_answer", "_arrived", "_headers", "_request", "cut", "full", "held")

    def __init__(self) -> None:
        self._headers: dict[str, str] | None = None
        self._arrived = 0.0
        self._answer = bytearray()
        self._request: bytearray | None = bytearray()
        self.cut = False
        """Whether the answer is longer than what is kept,"""
        self.full = False
        """because there was no room, not because of BODY_LIMIT."""
        self.held = 0
        """Bytes in memory."""

    @property
    def new_user(self) -> bool:
        """Whether the route told the server that the request is a new user's."""
        return self._headers is not None and self._headers.get("x-fairlead-record-user") == "new"

    @property
    def answered(self) -> bool:
        """Whether an answer began; if not, the client went away before."""
        return self._headers is not None

    @property
    def request_id(self) -> str:
        """What the request is called; empty before its answer's headers came."""
        return (self._headers or {}).get("x-fairlead-record-id", "")

    @property
    def share(self) -> float | None:
        """The share that follows the traffic, with which the proxy chose the request; None: it is none of these."""
        parts = _number((self._headers or {}).get("x-fairlead-record-share", ""), 0)
        return parts / PARTS if 1 <= parts <= PARTS else None

    def raw(self) -> Raw:
        """Both bodies, as they came."""
        headers = self._headers or {}
        return Raw(
            _status(headers), bytes(self._request) if self._request else None, bytes(self._answer),
            headers.get("content-type", ""), headers.get("content-encoding", ""), self.cut or self._request is None,
        )  # fmt: skip

    def take(self, message: Any, now: float, room: int) -> bool:
        """Take a message (a ProcessingRequest) that came at `now` (epoch seconds); whether it was the last one.

        room: bytes that may still be held.
        """
        kind = message.WhichOneof("request")
        if kind == "response_headers":
            headers = message.response_headers
            self._headers = _named(headers.headers)
            self._arrived = now
            return bool(headers.end_of_stream)
        if kind == "response_body":
            return self._body(message.response_body, room)
        if kind == "request_body":
            self._input(message.request_body.body, room)
            return False
        if kind == "response_trailers" and self._headers is not None:
            self._headers.update(_named(message.response_trailers.trailers))
            return True
        return False

    def _body(self, part: Any, room: int) -> bool:
        if len(part.body) > min(room, BODY_LIMIT - len(self._answer)):
            self.cut, self.full, self._answer = True, len(part.body) > room, bytearray()
            return True
        self._answer += part.body
        self.held += len(part.body)
        return bool(part.end_of_stream)

    def _input(self, body: bytes, room: int) -> None:
        """One that is too long is left out whole: half a request would be taken for another one."""
        if self._request is None or len(body) > min(room, BODY_LIMIT - len(self._request)):
            self._request = None
        else:
            self._request += body
            self.held += len(body)

    def answer(self, now: float, pointer: str | None, chance: float = 1.0) -> Answer:
        """The answer, whole at `now`. chance: with which it was chosen."""
        headers = self._headers or {}
        text, status = not headers.get("content-type", "").startswith("application/grpc"), _status(headers)
        micros = headers.get("x-fairlead-record-us", "")
        first = _number(micros, 0) / 1000
        return Answer(
            request_id=self.request_id, time=now, status=status,
            latency=first + max(0.0, now - self._arrived) * 1000,
            output=self._refusal(headers, text) if status >= REFUSED else self._output(headers, pointer, text),
            shadow=_shadow(headers), input=_readable(self._request) if text else None, truncated=self.cut,
            chance=chance,
        )  # fmt: skip

    def _refusal(self, headers: dict[str, str], text: bool) -> str:
        """What is said instead of an answer; gRPC says it in a header."""
        if text:
            return extract.refusal(bytes(self._answer), headers.get("content-encoding", ""))
        return extract.words(unquote(headers.get("grpc-message", "")))

    def _output(self, headers: dict[str, str], pointer: str | None, text: bool) -> str:
        if self.cut or not text:
            return extract.NONE
        kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
        return extract.output(bytes(self._answer), kind, encoding, pointer)


def _named(headers: Any) -> dict[str, str]:
    return {one.key: (one.raw_value or one.value.encode()).decode("latin-1") for one in headers.headers}


def _status(headers: dict[str, str]) -> int:
    grpc, status = headers.get("grpc-status", "0"), headers.get(":status", "0")
    code = _number(grpc, 2)
    return _GRPC.get(code, 500) if code else _number(status, 0)


def _number(text: str, otherwise: int) -> int:
    """A header's number. `isdigit` alone lets pass what `int` does not take: superscripts, and thousands of digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else otherwise


def _shadow(headers: dict[str, str]) -> bool:
    """Whether the gateway made the request as a copy of another one: Envoy marks its host, others a header."""
    host = headers.get("x-fairlead-record-host", "").rsplit(":", 1)[0]
    return host.endswith("-shadow") or headers.get("x-fairlead-record-shadow", "") == "true"


def _readable(body: bytearray | None) -> str | None:
    """A request's body as text; None for one that was not kept, and for bytes that are no text."""
    if not body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
