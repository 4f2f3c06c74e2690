"""What a reader of a source is. One module a source implements it; siblings do not import each other.

A source is listed twice: by the operator, which wants the digest only, and by the Job, which must find what the digest
is of. In a listing each object has a pointer to its version (`Object.etag`): what is opened has the same one, or the
source has changed. What is published must be readable for ever: its bytes are copied, or the source keeps them, and
gives a second pointer (`Received.version_id`) by which they are read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fairlead.api.fetching import Access
from fairlead.api.schema import Model
from fairlead.plan.requests import Listed
from fairlead.store.objects import Object, Received


class Source(Protocol):
    """A source that is open. Every method raises StoreError."""

    @property
    def ignored(self) -> int:
        """Objects that the last listing has left out, for they are no data (see store.keys)."""

    @property
    def part(self) -> str:
        """The part of a server that is read, as it is written: answers are of this part."""

    def uri(self, path: str | None = None) -> str:
        """What people know a file by; without a path the whole, as the spec names it."""

    def list(self) -> Iterator[Object]:
        """The objects that are data, in the source's own order."""

    def path(self, entry: Object) -> str:
        """What its file is called in a version."""

    def fleeting(self) -> str:
        """Why what is opened may not be readable again, and what to do about it; empty if it is."""

    def open(self, entry: Object, to: Path, *, hold: bool) -> Received:
        """Bring the bytes of this version, whole. ObjectChanged if they are others by now, and then there is no file.
        hold: they will be read again by `version_id`; BadTask if there is none."""

    def origin(self) -> Model:
        """What a manifest says of where its files came from: enough for `held`."""


class Held(Protocol):
    """Where a version's files are that were pinned by reference. Every method raises StoreError."""

    def uri(self, path: str) -> str:
        """What people know a file by."""

    def read(self, path: str, version_id: str | None, to: Path) -> Received:
        """Bring the bytes that were there when the version was published."""


class Opens(Protocol):
    """What is read of a source."""

    @property
    def types(self) -> tuple[type, ...]:
        """Of what Jobs are told of it, and of what manifests say of it."""

    def opened(self, told: Any, exclude: Sequence[str]) -> Source:
        """From inside a pod. Raises StoreError."""

    def held(self, origin: Any, access: Access) -> Held:
        """From inside a pod. Raises StoreError."""


class Kind(Opens, Protocol):
    """One kind of source."""

    def listed(self, request: Any, credentials: Mapping[str, str] | None) -> Listed:
        """List it. `credentials`: the Secret's decoded data. Raises StoreError."""
