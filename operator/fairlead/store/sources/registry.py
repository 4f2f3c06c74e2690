"""The sources that are read: one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fairlead.api.fetching import Access, FolderPlace, Told
from fairlead.plan.requests import Listed, ListSource
from fairlead.store.sources.base import Held, Kind, Opens, Source
from fairlead.store.sources.folder import Folders
from fairlead.store.sources.s3 import S3, SourceBucket

KINDS: dict[str, Kind] = {"s3": S3()}
"""By the field of spec.source."""
HERE: Opens = Folders()
"""What no spec can name."""
Origin: TypeAlias = SourceBucket | FolderPlace
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


def _of(what: object) -> Opens:
    return next(kind for kind in (*KINDS.values(), HERE) if isinstance(what, kind.types))
