"""What is in a source: a digest that changes exactly when an object comes, goes or changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from fairlead.plan.core import Listed, ListObjects
from fairlead.store.keys import Source
from fairlead.store.s3 import Bucket, Object, keys_from


def digest(listing: Callable[[], Iterable[Object]]) -> Listed:
    """SHA-256 over the sorted lines `key<TAB>size<TAB>etag`; object and byte counts. A listing in order (as S3
    promises) needs constant memory; from a store that does not keep order it is taken again and sorted."""
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
    return Listed(running.hexdigest(), count, size)


def _sorted(objects: Iterable[Object]) -> Listed:
    found = sorted(((_line(o), o.size) for o in objects), key=lambda pair: pair[0])
    return Listed(hashlib.sha256(b"".join(line for line, _ in found)).hexdigest(), len(found), sum(s for _, s in found))


def list_objects(request: ListObjects, credentials: Mapping[str, str] | None) -> Listed:
    """List a source. `credentials`: the Secret's decoded data; None: the pod's own identity. Raises StoreError."""
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    source = Source(bucket, request.prefix, request.exclude)
    return replace(digest(source.data), ignored=source.ignored)
