"""Relative paths from the outside, kept inside of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fairlead.worker.errors import TaskFailed


def inside(folder: Path, relative: str) -> Path:
    """`folder/relative`. Raises TaskFailed for a path that would lead out of the folder or name no file."""
    parts = PurePosixPath(relative).parts
    bad = not parts or relative.startswith("/") or ".." in parts or "\x00" in relative or relative.endswith("/")
    if bad or PurePosixPath(relative).as_posix() != relative:
        raise TaskFailed("BadTask", f"{relative!r} is not a plain relative path; rename the object")
    return folder.joinpath(*parts)


def files_under(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of all files below, sorted by path. Raises TaskFailed for a link to a folder or out."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(root)):
            raise TaskFailed("BadData", f"{path} links to a folder or out of {folder}; write a copy instead")
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path
