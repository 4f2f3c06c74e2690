"""What is kept of earlier results (`api/cached.py`), and whether it is still there as it was.

The bytes themselves are not read here: whoever fetches an output verifies its digest, as always. What can be told from
listings is told: that something is gone, has another size, or was written again since (`seal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from fairlead.api import cached, foreign
from fairlead.api.cached import Entry
from fairlead.plan.requests import Cached, FindOutputs, OutputsSeen, ReadCached
from fairlead.store import layout, listing
from fairlead.store.errors import StoreError
from fairlead.store.objects import Object
from fairlead.store.s3 import Bucket, keys_from


def seal(bucket: Bucket, key: str) -> str:
    """A digest of an output's listing: keys, sizes, ETags. Raises StoreError."""
    return listing.digest(lambda: objects(bucket, key)).digest


def objects(bucket: Bucket, key: str) -> Iterator[Object]:
    """An output's objects: those below a folder, or the one."""
    return (one for one in bucket.list(key) if key.endswith("/") or one.key == key)


def entry(request: ReadCached, credentials: Mapping[str, str] | None) -> Cached:
    """The document that counts, and whether it can be used. Raises StoreError."""
    return look_up(Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials)), request.prefix)


def look_up(bucket: Bucket, prefix: str) -> Cached:
    """The same, of a key's folder. Raises StoreError."""
    number, found, trouble = _newest(bucket, prefix)
    if found is None or trouble:
        return Cached(number, None, trouble)
    return Cached(number, found, found.dropped or _changed(bucket, found))


def _newest(bucket: Bucket, prefix: str) -> tuple[int, Entry | None, str]:
    """Number of the last document in a key's folder (0: there is none), the document, and why it is none. Raises
    StoreError."""
    names = (one.key for one in bucket.list(prefix))
    last = max((key for key in names if cached.NUMBERED.fullmatch(key.removeprefix(prefix))), default=None)
    if last is None:
        return 0, None, ""
    number, where = int(last.removeprefix(prefix)[:9]), bucket.uri(last)
    try:
        found = Entry.model_validate(foreign.parse(bucket.read(last, cached.LIMIT), parts=foreign.FEW))
    except (ValueError, ValidationError):
        return number, None, f"{where} is no result of a step"
    except StoreError as error:
        if error.reason not in ("ObjectMissing", "BadTask"):
            raise
        return number, None, error.message
    if found.key != prefix.rstrip("/").rpartition("/")[2]:
        return number, None, f"{where} is of another key"
    return number, found, ""


def _changed(bucket: Bucket, found: Entry) -> str:
    """What of an entry's outputs is not there as it was written; empty: all is."""
    for output in found.result.outputs:
        name, key = layout.split(output.uri)
        if name != bucket.name:
            return f"output {output.name} lies in another bucket: {output.uri}"
        seen = listing.digest(lambda key=key: objects(bucket, key))  # type: ignore[misc]
        if trouble := _trouble(output.name, output.uri, seen.objects, seen.bytes, output.bytes):
            return trouble
        if seen.digest != found.seals.get(output.name):
            return f"output {output.name} was written again since: {output.uri}"
    return ""


def _trouble(name: str, uri: str, there: int, size: int, wanted: int) -> str:
    if not there:
        return f"output {name} is gone: there is nothing at {uri}"
    return f"output {name} has {size} bytes instead of {wanted}: {uri}" if size != wanted else ""


def find(request: FindOutputs, credentials: Mapping[str, str] | None) -> OutputsSeen:
    """What of some outputs is gone, or has another size. Raises StoreError."""
    return missing(Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials)), request.outputs)


def missing(bucket: Bucket, outputs: Iterable[tuple[str, int]]) -> OutputsSeen:
    """The same, of keys with their bytes. Raises StoreError."""
    for key, wanted in outputs:
        seen = listing.digest(lambda key=key: objects(bucket, key))  # type: ignore[misc]
        if trouble := _trouble(key.rstrip("/").rpartition("/")[2], bucket.uri(key), seen.objects, seen.bytes, wanted):
            return OutputsSeen(trouble)
    return OutputsSeen()
