"""The manifest of a Dataset version: which files it has, and where their bytes lie."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import ValidationError

from fairlead.api.formats import FormatName, self_describing
from fairlead.api.reading import Reading
from fairlead.api.schema import Model
from fairlead.store.sources.registry import Origin
from fairlead.worker import digests
from fairlead.worker.errors import TaskFailed

READING = ".fairlead-reading.json"
"""Beside a version's files in a pod: how they are read."""
ALL = ".fairlead-all"
"""Beside the files of a version that has some whose names begin with `_` or `.`, as older releases made them: all are
data."""


class File(Model):
    """A file of a version. Path, size and sha256 are its identity; the rest says where it came from."""

    path: str
    """Relative to the source's prefix."""
    size: int
    sha256: str
    rows: int
    etag: str
    version_id: str | None = None
    """With `pin: reference`: the object version in the source."""


class Manifest(Model):
    """A published version. Its digest is of (path, size, sha256) alone, so the same bytes give the same version; of
    text (CSV, JSON lines) also of how it is read, for the same bytes read in another way are other data."""

    dataset: str
    format: FormatName
    pin: Literal["copy", "reference"]
    source: Origin
    schema_digest: str
    """Of the schema that each file was checked by."""
    files: list[File]
    reading: Reading | None = None
    """None: written by a release that knew of none."""

    @property
    def digest(self) -> str:
        """What names this version (64 hex digits)."""
        files = ((f.path, f.size, f.sha256) for f in self.files)
        return digests.of_version(files, None if self_describing(self.format) else self.reading)

    @property
    def version(self) -> str:
        """The first 16 digits of the digest."""
        return self.digest[:16]

    def encoded(self) -> bytes:
        """Canonical JSON."""
        return digests.canonical(self.model_dump(by_alias=True, exclude_none=True))


def parse(body: bytes, uri: str) -> Manifest:
    """Read a manifest. Raises TaskFailed if it isn't one."""
    try:
        return Manifest.model_validate(json.loads(body))
    except (ValueError, ValidationError) as error:
        raise TaskFailed("CorruptFile", f"{uri} is not a manifest: {error}; restore it or publish again") from error
