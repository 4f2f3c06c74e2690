"""Buckets as a pod reaches them."""

from __future__ import annotations

from fairlead.api.fetching import Access, Place
from fairlead.store import layout
from fairlead.store.s3 import Bucket, keys_in
from fairlead.worker.errors import TaskFailed


def bucket(name: str, access: Access) -> Bucket:
    """A bucket, with the credentials that are mounted in this pod. Raises StoreError."""
    return Bucket(name, access.endpoint, access.region, keys_in(access.credentials))


def place(where: Place) -> Bucket:
    """The bucket of a place."""
    return bucket(where.bucket, where)


def located(uri: str, access: Access) -> tuple[Bucket, str]:
    """Bucket and key of `s3://bucket/key`."""
    try:
        name, key = layout.split(uri)
    except ValueError as error:
        raise TaskFailed("BadTask", str(error)) from error
    return bucket(name, access), key
