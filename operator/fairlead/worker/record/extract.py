"""What an answer says: the part of its body that is compared."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from fairlead.api import foreign
from fairlead.worker.record.names import BODY_LIMIT

NONE = "null"
DEPTH = foreign.DEPTH // 2
"""Of an answer: it is read again as part of a page."""
SAID = 1000
"""Characters that are kept of what a server says instead of an answer."""


def output(body: bytes, kind: str, encoding: str, pointer: str | None) -> str:
    """The output as JSON text; `null` where there is none, or none that could be read.

    kind: the content type; encoding: the content encoding; pointer: see `Output.path`.
    """
    plain = decoded(body, encoding)
    if plain is None:
        return NONE
    if kind.startswith("text/event-stream"):
        return _text(_streamed(plain))
    try:
        found = foreign.parse(plain, depth=DEPTH, finite=False)
    except foreign.Beyond:
        return NONE
    except ValueError:
        return NONE if pointer is not None else _text(_utf8(plain))
    return dumped(at(found, pointer) if pointer is not None else usual(found))


def refusal(body: bytes, encoding: str) -> str:
    """What a server says instead of an answer, as JSON text: its body if that is short JSON, else its beginning as a
    string; `null` where there is none. Where the output of an answer lies says nothing about it."""
    plain = decoded(body, encoding)
    if not plain:
        return NONE
    try:
        found = dumped(foreign.parse(plain, depth=DEPTH, finite=False))
    except ValueError:
        found = NONE
    return found if found != NONE and len(found) <= SAID else words(plain.decode(errors="replace"))


def words(text: str) -> str:
    """The beginning of a text, as JSON text; `null` for an empty one."""
    return _text(text[:SAID])


def dumped(value: Any) -> str:
    """JSON without spaces; NaN and infinities, which JSON lacks, make the whole null."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return NONE


def decoded(body: bytes, encoding: str) -> bytes | None:
    """The body without its compression; None for one that is not known or is larger than BODY_LIMIT inside."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    opened = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        found = opened.decompress(body, BODY_LIMIT + 1)
    except zlib.error:
        return None
    return found if opened.eof and len(found) <= BODY_LIMIT else None


def usual(answer: Any) -> Any:
    """The first output's data of the Open Inference Protocol, else the first choice's text of the OpenAI API, else
    the whole."""
    for path in ("/outputs/0/data", "/choices/0/message/content", "/choices/0/text"):
        found = at(answer, path)
        if found is not None:
            return found
    return answer


def at(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names; None where there is nothing."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _utf8(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _text(found: str | None) -> str:
    return NONE if not found else dumped(found)


def _streamed(body: bytes) -> str | None:
    """The text that a stream of the OpenAI API adds up to; None for a stream of something else."""
    parts = [_delta(line[5:].strip()) for line in body.splitlines() if line.startswith(b"data:")]
    found = [part for part in parts if isinstance(part, str)]
    return "".join(found) if found else None


def _delta(event: bytes) -> Any:
    return _or_none(lambda: foreign.parse(event, depth=DEPTH, finite=False)) if event != b"[DONE]" else None


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        event = read()
    except ValueError:
        return None
    return at(event, "/choices/0/delta/content") or at(event, "/choices/0/text")
