"""What is found in a store or in a source, and what has been brought from there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Object:
    """An object of a listing. `etag` points to its version: another one is other bytes. It means nothing else; without
    quotes."""

    key: str
    size: int
    """Bytes."""
    etag: str


@dataclass(frozen=True)
class Received:
    """A file that was downloaded."""

    sha256: str
    size: int
    version_id: str | None
    """By which the same bytes can be read again, whatever becomes of the object; None: nobody keeps them."""
