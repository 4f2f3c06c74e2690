"""A folder of this machine, or one file there: what a Dataset's steps read where there is no cluster.

No spec can name one: only `fairlead dev run` tells a snapshot of a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from fairlead.api.fetching import Access, FolderPlace
from fairlead.store.errors import StoreError
from fairlead.store.folder import copied
from fairlead.store.keys import Chosen
from fairlead.store.names import impossible, short
from fairlead.store.objects import Object, Received


class FolderSource:
    """See Source. Links are followed, as uploads do."""

    def __init__(self, place: Path, exclude: Sequence[str] = ()) -> None:
        self._place, self._exclude = place, exclude

    @cached_property
    def _root(self) -> Path:
        return self._place.parent if self._place.is_file() else self._place

    @cached_property
    def _chosen(self) -> Chosen:
        return Chosen("", self._exclude)

    @property
    def ignored(self) -> int:
        """See Source."""
        return self._chosen.ignored

    @property
    def part(self) -> str:
        """See Source."""
        return str(self._place)

    def uri(self, path: str | None = None) -> str:
        """See Source."""
        return str(self._place if path is None else self._root / path)

    def list(self) -> Iterator[Object]:
        """See Source. In the order of a store: by the names' bytes."""
        if not self._place.exists():
            raise StoreError("ObjectMissing", f"{self._place} is not there; correct the path")
        files = [self._place] if self._place.is_file() else _below(self._place, frozenset({self._place.resolve()}))
        yield from sorted(self._chosen.among(map(self._object, files)), key=lambda one: one.key.encode())

    def _object(self, path: Path) -> Object:
        key = path.relative_to(self._root).as_posix()
        if why := impossible(key):
            raise StoreError("BadTask", f"no object can be called like {short(str(path))} ({why}); rename it")
        return Object(key, path.stat().st_size, _state(path))

    def path(self, entry: Object) -> str:
        """See Source."""
        return entry.key

    def fleeting(self) -> str:
        """See Source. What has changed by the time it is read again has another digest, and that is said."""
        return ""

    def open(self, entry: Object, to: Path, *, hold: bool) -> Received:
        """See Source."""
        path = self._root / entry.key
        try:
            sha256, size = copied(path, to)
            changed = _state(path) != entry.etag
        except OSError as error:
            raise StoreError("AccessDenied", f"{path} can't be read: {error.strerror}; change its mode") from error
        if changed:
            to.unlink(missing_ok=True)
            raise StoreError("ObjectChanged", f"{path} has changed while it was read; run it again", transient=True)
        return Received(sha256, size, sha256 if hold else None)

    def origin(self) -> FolderPlace:
        """See Source."""
        return FolderPlace(path=str(self._root))


class FolderHeld:
    """Files that stay where they are. See Held."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def uri(self, path: str) -> str:
        """See Held."""
        return str(self._root / path)

    def read(self, path: str, version_id: str | None, to: Path) -> Received:
        """See Held."""
        try:
            sha256, size = copied(self._root / path, to)
        except OSError as error:
            raise StoreError(
                "ObjectMissing", f"{self._root / path} can't be read any more: {error.strerror}"
            ) from error
        return Received(sha256, size, version_id)


class Folders:
    """See Opens."""

    types = (FolderPlace,)

    def opened(self, told: FolderPlace, exclude: Sequence[str]) -> FolderSource:
        """See Opens."""
        return FolderSource(Path(told.path), exclude)

    def held(self, origin: FolderPlace, access: Access) -> FolderHeld:
        """See Opens. A manifest of a store can't name a folder of the pod that reads it."""
        if access.folder is None:
            raise StoreError(
                "BadTask", "the version was made by `fairlead dev run`, on another machine; make a new one"
            )
        return FolderHeld(Path(origin.path))


def _state(path: Path) -> str:
    """What changes when a file does."""
    found = path.stat()
    return f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """All files below a folder. above: folders that it lies in, itself too; a link back to one of them is not gone
    through again."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for one in (folder / name for name in names):
        if one.is_file():
            yield one
        elif one.is_dir() and (there := one.resolve()) not in above:
            yield from _below(one, above | {there})
