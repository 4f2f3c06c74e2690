"""Paths from the outside: what can be a file in a folder, and what of a folder can be stored."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fairlead.store import names
from fairlead.worker.errors import TaskFailed

SHOWN = 3
"""Names that a message has."""
ROOM = 300
"""Characters for all of them: a message has 600 bytes, and must still say what to do."""


def inside(folder: Path, relative: str) -> Path:
    """`folder/relative`. Raises TaskFailed for a path that would lead out of the folder or name no file."""
    parts = PurePosixPath(relative).parts
    bad = not parts or relative.startswith("/") or ".." in parts or "\x00" in relative or relative.endswith("/")
    if bad or PurePosixPath(relative).as_posix() != relative:
        raise TaskFailed("BadTask", f"{relative!r} is not a plain relative path; rename the object")
    return folder.joinpath(*parts)


def few(wrong: Sequence[str]) -> str:
    """The first of several complaints, as many as there is room for, and how many more there are."""
    told = wrong[:1]
    while len(told) < min(SHOWN, len(wrong)) and sum(map(len, told)) + len(wrong[len(told)]) <= ROOM:
        told = wrong[: len(told) + 1]
    more = f"; and {len(wrong) - len(told)} more" if len(wrong) > len(told) else ""
    return "; ".join(told) + more


def fetchable(paths: Sequence[str], where: str, remedy: str, *, strict: bool) -> None:
    """Raises TaskFailed for paths that can't all be files in one folder.

    Args:
        paths: With slashes.
        where: The folder that they are in, for the message.
        remedy: What to do about it.
        strict: Names are refused, too, that could be a file's and nobody wants in a message or a list.
    """
    judge = names.problem if strict else names.impossible
    wrong = [f"{names.short(path)} ({why})" for path in paths if (why := judge(path))]
    wrong += [
        f"{names.short(one)} (it would have to be a file and, for {names.short(other)}, a folder)"
        for one, other in names.clashes(set(paths))
    ]
    if wrong:
        raise TaskFailed("BadData", f"under {where} there are names that can't be files': {few(wrong)}. {remedy}")


def files_under(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of all files below, sorted by path. Folders without files are not kept: a store has none.
    Raises TaskFailed that names what can't be stored: nothing is left out without a word."""
    root, files = folder.resolve(), []
    wrong: list[str] = []
    for relative, path in sorted(_below(folder)):
        unnamed = names.problem(relative)
        if why := f"{unnamed}; rename it" if unnamed else unfit(path, root):
            wrong.append(f"{names.short(relative)}: {why}")
        files.append((relative, path))
    if wrong:
        raise TaskFailed("BadData", f"not everything in {folder} can be stored: {few(wrong)}")
    yield from files


def unfit(path: Path, root: Path) -> str:
    """Why what stands at a path can't be stored, and what to do about it; empty for a file that can.

    `root`: the folder, resolved, that nothing may lead out of."""
    if path.is_symlink():
        if not path.exists():
            return "it is a link to nothing; remove it, or write what it should lead to"
        if path.is_dir() or not path.resolve().is_relative_to(root):
            return f"it links to a folder or out of {root.name}; write a copy instead"
    if not stat.S_ISREG(path.stat().st_mode):
        return "it is no file but a pipe, a socket or a device; remove it"
    return "" if os.access(path, os.R_OK) else "it can't be read; change its mode"


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    """All that is no folder, and links to folders."""
    waiting = [str(folder)]
    while waiting:  # os.walk calls itself for each folder in another, and a program may nest more than Python allows
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                found = list(entries)
        except OSError as error:
            remedy = "nest fewer folders" if error.errno == errno.ENAMETOOLONG else "change its mode"
            raise TaskFailed("BadData", f"{names.short(at)} can't be listed; {remedy}") from error
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                path = Path(entry.path)
                yield path.relative_to(folder).as_posix(), path
