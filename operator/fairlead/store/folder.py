"""A bucket that is a folder of this machine: what runs without a cluster keeps its bytes there, by the same keys."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fairlead.store.errors import StoreError
from fairlead.store.objects import Object, Received
from fairlead.store.s3 import CHUNK, DOCUMENT_LIMIT, Bucket
from fairlead.store.translate import Where


def copied(source: Path, to: Path) -> tuple[str, int]:
    """SHA-256 in hex and bytes of a file, copied. Constant memory. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, to.open("wb") as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            written.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


class Folder(Bucket):
    """See Bucket. Every method raises StoreError, or OSError where the disk fails."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.where = Where(name, str(root))
        self._root = root / name

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise StoreError("BadTask", f"{key} leads out of {self._root}")
        return path

    def list(self, prefix: str) -> Iterator[Object]:
        """See Bucket."""
        found = []
        for above, _, names in os.walk(self._root):
            for name in names:
                path = Path(above, name)
                if (key := path.relative_to(self._root).as_posix()).startswith(prefix):
                    size = path.stat().st_size
                    found.append(Object(key, size, f"{path.stat().st_mtime_ns:x}-{size:x}"))
        yield from sorted(found, key=lambda one: one.key.encode())

    def exists(self, key: str) -> bool:
        """See Bucket."""
        return self._path(key).is_file()

    def versioned(self) -> bool:
        """See Bucket."""
        return False

    def read(self, key: str, limit: int = DOCUMENT_LIMIT) -> bytes:
        """See Bucket."""
        path = self._there(key)
        if path.stat().st_size > limit:
            raise StoreError("BadTask", f"{path} is too large to be a document of Fairlead")
        return path.read_bytes()

    def download(
        self, key: str, to: Path, *, etag: str | None = None, version_id: str | None = None, tries: int = 1
    ) -> Received:
        """See Bucket."""
        del etag, version_id, tries  # nobody asks a folder for versions
        sha256, size = copied(self._there(key), to)
        return Received(sha256, size, None)

    def upload(self, key: str, path: Path, media: str = "") -> None:
        """See Bucket. Nothing is noted of the media type. On one disk it is the same file under a second name: whoever
        changes it afterwards is found out by its digest."""
        del media
        to = self._path(key)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.unlink(missing_ok=True)
        try:
            os.link(path.resolve(), to)
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, to)

    def put(self, key: str, body: bytes) -> None:
        """See Bucket."""
        self._fits(key, body)
        to = self._path(key)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(body)

    def put_if_absent(self, key: str, body: bytes, media: str = "") -> bool:
        """See Bucket."""
        del media
        self._fits(key, body)
        to = self._path(key)
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            with to.open("xb") as file:
                file.write(body)
        except FileExistsError:
            return False
        return True

    def _there(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise StoreError("ObjectMissing", f"{path} is not there any more; run it again")
        return path
