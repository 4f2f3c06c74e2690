"""The sources that are read: one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fairlead.api.fetching import Access, Told
from fairlead.plan.requests import Listed, ListSource
from fairlead.store.sources.base import Held, Kind, Source
from fairlead.store.sources.s3 import S3, SourceBucket

KINDS: dict[str, Kind] = {"s3": S3()}
"""By the field of spec.source."""
Origin: TypeAlias = SourceBucket
"""What manifests say: `SourceBucket | …`."""


def list_source(request: ListSource, credentials: Mapping[str, str] | None) -> Listed:
    """List a source. `credentials`: the Secret's decoded data; None: there is none. Raises StoreError."""
    return KINDS[request.source].listed(request, credentials)


def opened(told: Told, exclude: Sequence[str]) -> Source:
    """The source that a Job is told of. Raises StoreError."""
    return _of(told).opened(told, exclude)


def held(origin: Origin, access: Access) -> Held:
    """Where the files of a version are that is pinned by reference. Raises StoreError."""
    return _of(origin).held(origin, access)


def _of(what: object) -> Kind:
    return next(kind for kind in KINDS.values() if isinstance(what, kind.types))
