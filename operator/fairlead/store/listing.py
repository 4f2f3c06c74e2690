"""What is in a source: a digest that changes exactly when an object comes, goes or changes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable

from fairlead.plan.requests import Listed
from fairlead.store.errors import SpentError
from fairlead.store.objects import Object

OBJECTS = 1_000_000
"""Of one listing."""
UNORDERED = 16 << 20
"""Bytes of memory that a listing may take which has to be sorted here: some 100,000 objects."""
_OVERHEAD = sys.getsizeof(b"") + 8
"""Bytes that a line takes besides its own: an object, and its place in a list."""


def digest(listing: Callable[[], Iterable[Object]]) -> Listed:
    """SHA-256 over the sorted lines `key<TAB>size<TAB>etag`; object and byte counts. A listing in order (as S3
    promises) needs constant memory; from a store that does not keep order it is taken again and sorted.

    Raises SpentError for one that is too large."""
    return _in_order(listing()) or _sorted(listing())


def _line(entry: Object) -> bytes:
    return f"{entry.key}\t{entry.size}\t{entry.etag}\n".encode()


def _in_order(objects: Iterable[Object]) -> Listed | None:
    running, count, size, last = hashlib.sha256(), 0, 0, b""
    for entry in objects:
        line = _line(entry)
        if line < last:
            return None
        running.update(line)
        count, size, last = count + 1, size + entry.size, line
        if count > OBJECTS:
            raise SpentError("objects")
    return Listed(running.hexdigest(), count, size)


def _sorted(objects: Iterable[Object]) -> Listed:
    lines, size, taken = [], 0, 0
    for entry in objects:
        line = _line(entry)
        lines.append(line)
        size, taken = size + entry.size, taken + len(line) + _OVERHEAD
        if taken > UNORDERED:
            raise SpentError("memory")
    lines.sort()
    running = hashlib.sha256()
    for line in lines:
        running.update(line)
    return Listed(running.hexdigest(), len(lines), size)
