"""What is long, and nobody reads, as short text: a test's state, a window's counts."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from fairlead.api import foreign

MOST = 4 << 20
"""Bytes of what is unpacked."""


class BadPack(ValueError):  # noqa: N818 - the house's names of errors
    """A text that `packed` has not made."""


def packed(value: Mapping[str, Any]) -> str:
    """JSON of one form only, compressed, in base64."""
    return base64.b64encode(zlib.compress(_text(value), 9)).decode()


def unpacked(text: str) -> dict[str, Any]:
    """The value of such a text. Raises BadPack."""
    try:
        unzip = zlib.decompressobj()
        body = unzip.decompress(base64.b64decode(text, validate=True), MOST)
        found = foreign.parse(body, length=MOST)
    except (ValueError, zlib.error) as bad:
        raise BadPack(f"it can't be unpacked: {bad}") from bad
    if not isinstance(found, dict) or not unzip.eof:
        raise BadPack("it can't be unpacked: it is no object, or too large")
    return found


def digest(value: Mapping[str, Any]) -> str:
    """Names a value by its first 16 hex digits: equal values have equal ones, to the last bit of each number."""
    return hashlib.sha256(_text(value)).hexdigest()[:16]


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
