"""Documents that are written once, and what is still there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from fairlead.plan.requests import (
    Document,
    FindObject,
    KeepLog,
    Newest,
    Presence,
    ReadDocument,
    ReadNewest,
    Saved,
    SaveDocument,
)
from fairlead.store.errors import StoreError
from fairlead.store.s3 import Bucket, keys_from


def save(request: SaveDocument, credentials: Mapping[str, str] | None) -> Saved:
    """Write a document unless it is there. `credentials`: the Secret's decoded data; None: the pod's own identity.

    Raises StoreError; one with the reason ObjectChanged if something else is there under its name.
    """
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    body = request.body.encode()
    if not bucket.put_if_absent(request.key, body) and not _is(bucket, request.key, body):
        what = bucket.uri(request.key)
        raise StoreError("ObjectChanged", f"{what} was written by somebody else; move it away, then it is written anew")
    return Saved()


def _is(bucket: Bucket, key: str, body: bytes) -> bool:
    """Whether this is what stands there; of what is longer only so much is read."""
    try:
        return bucket.read(key, len(body)) == body
    except StoreError as error:
        if error.reason == "BadTask":
            return False
        raise


def keep_log(request: KeepLog, credentials: Mapping[str, str] | None, body: bytes) -> None:
    """Write a log unless it is there: what was kept first stays. Raises StoreError."""
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    bucket.put_if_absent(request.key, body, "text/plain; charset=utf-8")


def find(request: FindObject, credentials: Mapping[str, str] | None) -> Presence:
    """Whether an object is there, or anything below a folder. Raises StoreError."""
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    if not request.key.endswith("/"):
        return Presence(bucket.exists(request.key))
    return Presence(next(iter(bucket.list(request.key)), None) is not None)


def read(request: ReadDocument, credentials: Mapping[str, str] | None) -> Document:
    """A document, verified. Raises StoreError: with the reason DigestMismatch if its bytes are others, or too many."""
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    body = bucket.read(request.key, request.limit)
    if hashlib.sha256(body).hexdigest() != request.sha256:
        raise StoreError("DigestMismatch", f"{bucket.uri(request.key)} has other bytes than those that were written")
    try:
        return Document(body.decode())
    except UnicodeDecodeError as error:
        raise StoreError("DigestMismatch", f"{bucket.uri(request.key)} is no text: {error}") from error


NEWEST_LIMIT = 1 << 20
"""Bytes that a document may have that is read whole into the operator's memory."""


_NUMBERED = re.compile(r"[0-9]{9}\.json")


def newest(request: ReadNewest, credentials: Mapping[str, str] | None) -> Newest:
    """The numbered document with the highest number in a folder; what else somebody has put there (a copy, a note) is
    none. Raises StoreError, also for one that is no text."""
    bucket = Bucket(request.bucket, request.endpoint, request.region, keys_from(credentials))
    found = (one for one in bucket.list(request.prefix) if _NUMBERED.fullmatch(one.key.removeprefix(request.prefix)))
    last = max(found, key=lambda entry: entry.key, default=None)
    if last is None:
        return Newest("", "")
    where = bucket.uri(last.key)
    if last.size > NEWEST_LIMIT:
        raise StoreError("BadTask", f"{where} is too large to be a document of Fairlead; move it away")
    try:
        return Newest(last.key, bucket.read(last.key, NEWEST_LIMIT).decode())
    except UnicodeDecodeError as error:
        raise StoreError("BadTask", f"{where} is no text ({error}); move it away") from error
