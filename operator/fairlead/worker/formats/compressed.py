"""Files that may be compressed: gzip and Zstandard are known by their first bytes, whatever the file is called."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, Protocol, cast

import pyarrow as pa

from fairlead.worker.formats.base import LocalFile, Unreadable

Compression = Literal["none", "gzip", "zstd"]
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# Known by name, so that nobody has to guess what the strange bytes are.
_OTHERS = {
    b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "Snappy", b"PAR1": "Parquet", b"Obj\x01": "Avro", b"ORC": "ORC",
}  # fmt: skip


class Stream(Protocol):
    """Bytes, read to their end."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def compression(file: LocalFile) -> Compression:
    """How a file is compressed. Raises Unreadable if by what is not read here."""
    with file.path.open("rb") as opened:
        start = opened.read(16)
    for magic, found in _MAGIC.items():
        if start.startswith(magic):
            return found
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            raise Unreadable(
                f"{file.name}: its first bytes are those of {name}, which is not read here; write it plain, or "
                "compressed by gzip or Zstandard"
            )
    return "none"


@contextmanager
def opened(file: LocalFile) -> Iterator[Stream]:
    """The file's bytes, decompressed on the way: all members of an archive, its check sums verified, and no more of
    them than the disk has room for (so that a small file can't stand for an endless one). `read` raises Unreadable."""
    kind = compression(file)
    with file.path.open("rb") as source:
        yield source if kind == "none" else _Decompressed(file, source, kind)


class _Decompressed:
    def __init__(self, file: LocalFile, source: IO[bytes], kind: Compression) -> None:
        self._stream = pa.CompressedInputStream(source, kind)
        self._file, self._kind, self._read = file, kind, 0
        self._room = room(file.path.parent)

    def read(self, size: int) -> bytes:
        try:
            found = cast(bytes, self._stream.read(size))
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(
                f"{self._file.name}: the {self._kind} archive is damaged after {self._read} bytes of what is in it: "
                f"{error}; write it anew"
            ) from error
        self._read += len(found)
        if self._read > self._room:
            raise Unreadable(
                f"{self._file.name}: more than {self._room} bytes when decompressed, which is what the Job's disk has "
                f"room for (the file has {self._file.path.stat().st_size}); give the Job more scratch space, or write "
                "smaller files"
            )
        return found


def room(folder: Path) -> int:
    """Bytes that are free on the disk of a folder."""
    return shutil.disk_usage(folder).free
