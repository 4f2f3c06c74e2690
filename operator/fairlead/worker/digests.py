"""Digests that name content: of files, of folders, of versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairlead.api.reading import Reading

CHUNK = 1 << 20


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same value has the same bytes. Refuses NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def of_bytes(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file, in hex; constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def of_folder(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of a folder from its files' (path, sha256): of the sorted lines `sha256  path`."""
    return of_bytes("".join(sorted(f"{sha256}  {path}\n" for path, sha256 in files)).encode())


def of_version(files: Iterable[tuple[str, int, str]], reading: Reading | None = None) -> str:
    """SHA-256 of a Dataset version from its files' (path, size, sha256): of canonical JSON, sorted by path; and from
    how they are read, if they don't say so themselves. Whether a type was declared or inferred makes no difference."""
    listed = [list(f) for f in sorted(files)]
    if reading is None:
        return of_bytes(canonical(listed))
    written = reading.model_dump(mode="json", exclude_none=True, exclude={"columns": {"__all__": {"declared"}}})
    return of_bytes(canonical({"files": listed, "reading": written}))
