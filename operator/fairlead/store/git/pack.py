"""Reading a git pack that may be hostile, with bounds on whatever it could make large.

A pack is written by whoever has the repository. A few bytes in it may stand for gigabytes (zlib; a delta that copies
the same bytes again and again), and a chain of deltas may be as long as the pack has objects. So what an object says of
its size is looked at before it is unpacked, it is never unpacked to more, and chains are followed without recursion.

The format: https://git-scm.com/docs/gitformat-pack.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from fairlead.store.errors import StoreError
from fairlead.store.terms import current

COMMIT, TREE, BLOB, TAG = "commit", "tree", "blob", "tag"
_KINDS = {1: COMMIT, 2: TREE, 3: BLOB, 4: TAG}
_BY_OFFSET, _BY_NAME = 6, 7
_CHUNK = 1 << 16
_VARINT = 10
"""Bytes of the longest number that is taken."""


class BadPackError(Exception):
    """What came is no pack."""


@dataclass(frozen=True)
class Bounds:
    """What a pack may hold."""

    objects: int
    one: int
    """Bytes of one object;"""
    total: int
    """bytes of all that is unpacked, deltas included."""


class Shelf(Protocol):
    """Where objects are put, by their names (SHA-1 in hex)."""

    def put(self, name: str, kind: str, body: bytes) -> None:
        """Keep an object."""

    def get(self, name: str) -> tuple[str, bytes] | None:
        """Its kind and its bytes; None: it has not been put."""


class InMemory(dict[str, tuple[str, bytes]]):
    """A shelf for a few objects."""

    def put(self, name: str, kind: str, body: bytes) -> None:
        """Keep an object."""
        self[name] = (kind, body)


def named(kind: str, body: bytes) -> str:
    """The name of an object."""
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()


def unpack(pack: BinaryIO, shelf: Shelf, bounds: Bounds) -> int:
    """Put all objects of a pack on a shelf, each under the name that its bytes have; returns how many.

    A delta whose base is not in the pack is left out. Raises BadPackError, and StoreError (TooLarge) that names the
    bound."""
    return _Unpacking(pack, shelf, bounds).all()


@dataclass(frozen=True)
class _Entry:
    at: int
    """Where it begins in the pack."""
    kind: int
    size: int
    base: int | str | None
    """Of a delta: where its base begins, or its name."""
    body: int
    """Where its compressed bytes begin."""


class _Unpacking:
    def __init__(self, pack: BinaryIO, shelf: Shelf, bounds: Bounds) -> None:
        self._pack, self._shelf, self._bounds = pack, shelf, bounds
        self._left = bounds.total
        self._names: dict[int, str] = {}
        self._waiting: dict[int | str, list[_Entry]] = {}
        self._put = 0

    def all(self) -> int:
        head = self._pack.read(12)
        if len(head) < 12 or head[:4] != b"PACK" or head[4:8] not in (b"\0\0\0\2", b"\0\0\0\3"):
            raise BadPackError("it does not begin as a pack does")
        number = int.from_bytes(head[8:], "big")
        if number > self._bounds.objects:
            raise _large(f"it has {number} objects, and {self._bounds.objects} is the limit")
        for _ in range(number):
            self._next()
        return self._put

    def _next(self) -> None:
        terms = current()
        if terms is not None:
            terms.left()
        entry = self._entry()
        body, after = self._inflate(entry), self._pack.tell()
        if entry.base is None:
            self._keep(entry, _KINDS[entry.kind], body)
        elif (base := self._base(entry.base)) is not None:
            self._keep(entry, base[0], self._applied(base[1], body))
        else:
            self._waiting.setdefault(entry.base, []).append(entry)
        self._pack.seek(after)

    def _base(self, base: int | str) -> tuple[str, bytes] | None:
        name = self._names.get(base) if isinstance(base, int) else base
        return self._shelf.get(name) if name else None

    def _keep(self, entry: _Entry, kind: str, body: bytes) -> None:
        """Put it, and all that have waited for it."""
        ready = [(entry, self._one(entry, kind, body))]
        while ready:
            one, name = ready.pop()
            for key in (one.at, name):
                for waiting in self._waiting.pop(key, ()):
                    there = self._shelf.get(name)
                    assert there is not None
                    self._pack.seek(waiting.body)
                    made = self._applied(there[1], self._inflate(waiting))
                    ready.append((waiting, self._one(waiting, there[0], made)))

    def _one(self, entry: _Entry, kind: str, body: bytes) -> str:
        name = named(kind, body)
        self._shelf.put(name, kind, body)
        self._names[entry.at] = name
        self._put += 1
        return name

    def _entry(self) -> _Entry:
        at = self._pack.tell()
        byte = self._byte()
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            byte = self._byte()
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 7 * _VARINT:
                raise BadPackError("an object's size is no number")
        self._fits(size)
        base = self._base_of(kind, at)
        if kind not in _KINDS and base is None:
            raise BadPackError(f"it has an object of the kind {kind}")
        return _Entry(at, kind, size, base, self._pack.tell())

    def _base_of(self, kind: int, at: int) -> int | str | None:
        if kind == _BY_NAME:
            name = self._pack.read(20)
            if len(name) < 20:
                raise BadPackError("it is cut off")
            return name.hex()
        if kind != _BY_OFFSET:
            return None
        byte = self._byte()
        back = byte & 0x7F
        for _ in range(_VARINT):
            if not byte & 0x80:
                break
            byte = self._byte()
            back = (back + 1) << 7 | byte & 0x7F
        if not 0 < back <= at:
            raise BadPackError("a delta's base is not in it")
        return at - back

    def _byte(self) -> int:
        found = self._pack.read(1)
        if not found:
            raise BadPackError("it is cut off")
        return found[0]

    def _inflate(self, entry: _Entry) -> bytes:
        """Its bytes, and not one more than it says. Afterwards the pack stands behind it."""
        size, found, stream = entry.size, bytearray(), zlib.decompressobj()
        chunk = min(_CHUNK, size + 64)
        self._spend(size)
        try:
            while not stream.eof:
                part = self._pack.read(chunk)
                if not part:
                    raise BadPackError("it is cut off")
                found += stream.decompress(part, size + 1 - len(found))
                if len(found) > size:
                    raise BadPackError("an object is larger than it says")
        except zlib.error as error:
            raise BadPackError(f"an object can't be unpacked: {error}") from error
        if len(found) != size:
            raise BadPackError("an object is smaller than it says")
        self._pack.seek(-len(stream.unused_data), 1)
        return bytes(found)

    def _applied(self, base: bytes, delta: bytes) -> bytes:
        return b"".join(self._parts(base, delta))

    def _parts(self, base: bytes, delta: bytes) -> Iterator[bytes]:
        """What a delta makes of its base, in parts."""
        source, at = _number(delta, 0)
        size, at = _number(delta, at)
        if source != len(base):
            raise BadPackError("a delta is of another base")
        self._fits(size)
        self._spend(size)
        while at < len(delta):
            code, at = delta[at], at + 1
            if code & 0x80:
                begin, length, at = _copied(code, delta, at)
                part = base[begin : begin + length]
            else:
                length, part, at = code, delta[at : at + code], at + code
            size -= length
            if not length or len(part) != length or size < 0:
                raise BadPackError("a delta makes no sense")
            yield part
        if size:
            raise BadPackError("a delta is cut off")

    def _fits(self, size: int) -> None:
        if size > self._bounds.one:
            raise _large(f"a file in it has {size} bytes, and {self._bounds.one} is the limit for one")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _large(f"unpacked it has more than {self._bounds.total} bytes, which is the limit")


def _number(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for _ in range(_VARINT):
        if at >= len(delta):
            raise BadPackError("a delta is cut off")
        byte, at = delta[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
    raise BadPackError("a delta's size is no number")


def _copied(code: int, delta: bytes, at: int) -> tuple[int, int, int]:
    """(where in the base it begins, how long it is, where the next one stands)"""
    begin = length = 0
    for bit in range(7):
        if code & 1 << bit:
            if at >= len(delta):
                raise BadPackError("a delta is cut off")
            if bit < 4:
                begin |= delta[at] << 8 * bit
            else:
                length |= delta[at] << 8 * (bit - 4)
            at += 1
    return begin, length or 0x10000, at


def _large(what: str) -> StoreError:
    return StoreError("TooLarge", f"the code is too large: {what}; keep data in a Dataset, and models in the store")
