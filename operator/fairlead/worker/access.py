"""Buckets as a pod reaches them."""

from __future__ import annotations

from pathlib import Path

from fairlead.api.fetching import Access, Place
from fairlead.store import layout
from fairlead.store.folder import Folder
from fairlead.store.s3 import Bucket, mounted
from fairlead.worker.errors import TaskFailed


def place(where: Place) -> Bucket:
    """The bucket of a place."""
    return _reached(where.bucket, where)


def located(uri: str, access: Access) -> tuple[Bucket, str]:
    """Bucket and key of `s3://bucket/key`."""
    try:
        name, key = layout.split(uri)
    except ValueError as error:
        raise TaskFailed("BadTask", str(error)) from error
    return _reached(name, access), key


def _reached(name: str, access: Access) -> Bucket:
    return Folder(Path(access.folder), name) if access.folder is not None else mounted(name, access)
