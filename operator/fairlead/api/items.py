"""Items of a step with `each`: what they are called, sets of them in few bytes, and one digest of all that they left.

The operator and its workers must agree about these to the letter, and a fetch loads few modules: so this one is small.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MOST = 10_000
"""Items that a step may have."""
PAGE = 250
"""Items in one document of values."""
VALUE, WIDTH = 256, 512
"""Bytes of one value, and of all values of one item as JSON: a page is a document of at most 128 KiB."""

Values = Mapping[str, str | None]
"""By the name that people use: `{{each.NAME}}`. None: null in the data."""


def canonical(value: Any) -> bytes:
    """JSON with one form for each value, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def item_hash(values: Values) -> str:
    """Ten hex digits that tell values apart."""
    return hashlib.sha256(canonical(dict(values))).hexdigest()[:10]


def item_id(number: int, values: Values) -> str:
    """`00017-3f9c02ab1d`: number and hash, whatever the values are. A label's value, a part of a key, a folder's name;
    sorted as the items are."""
    return f"{number:05d}-{item_hash(values)}"


def said(values: Values) -> str:
    """The values in words for people: `region=NE, size=large`."""
    return ", ".join(f"{name}={'null' if value is None else value}" for name, value in values.items())


# --- sets of items -------------------------------------------------------------------------------------------------

_BITS = "bits:"


def mask_of(text: str) -> int:
    """A set of items as the bits of a number. text: as `text_of` writes it. Raises ValueError for another one."""
    if text.startswith(_BITS):
        return int.from_bytes(base64.b64decode(text.removeprefix(_BITS), validate=True), "little")
    found = 0
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        begin, end = int(first), int(last if dash else first)
        if not 0 <= begin <= end < MOST:
            raise ValueError(f"{part!r} names no items")
        found |= ((1 << (end - begin + 1)) - 1) << begin
    return found


def text_of(mask: int) -> str:
    """`0-3,7`: the numbers, or, where that is shorter, the bits in base64. At most 1.7 KB for 10,000 items."""
    bits = _BITS + base64.b64encode(mask.to_bytes((mask.bit_length() + 7) // 8, "little")).decode()
    parts, length = [], 0
    for begin, end in _runs(mask):
        parts.append(f"{begin}-{end}" if end > begin else str(begin))
        length += len(parts[-1]) + 1
        if length > len(bits):
            return bits
    return ",".join(parts)


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """First and last numbers of what stands side by side."""
    at = 0
    while mask:
        gap = (mask & -mask).bit_length() - 1
        mask >>= gap
        at += gap
        length = (~mask & (mask + 1)).bit_length() - 1
        yield at, at + length - 1
        mask >>= length
        at += length


def numbers(mask: int) -> Iterator[int]:
    """The items of a set, in order."""
    for begin, end in _runs(mask):
        yield from range(begin, end + 1)


# --- what all have left --------------------------------------------------------------------------------------------

_BYTES = 256
_MODULUS = 1 << (8 * _BYTES)


def counted(tally: str, outcome: Any) -> str:
    """A tally of outcomes (see `left`) with one more: the same in whatever order they come, and 344 characters.

    The sum of their hashes modulo 2^2048 (AdHash: Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing",
    Eurocrypt 1997). To replace outcomes so that the sum stays takes, by Wagner's k-tree (Crypto 2002), some
    2^(2048 / (1 + log2 k)) steps: 2^143 for k = 10,000 items.
    """
    before = int.from_bytes(base64.b64decode(tally), "big") if tally else 0
    mine = int.from_bytes(hashlib.shake_256(canonical(outcome)).digest(_BYTES), "big")
    return base64.b64encode(((before + mine) % _MODULUS).to_bytes(_BYTES, "big")).decode()


def left(number: int, outputs: Iterable[tuple[str, str, str]]) -> Any:
    """What counts of an item's outcome: (name, URI, sha256) of its outputs."""
    return [number, sorted(map(list, outputs))]


def tally_digest(tally: str) -> str:
    """SHA-256 of a tally, in hex."""
    return hashlib.sha256(tally.encode()).hexdigest()
