"""What an input of a report holds, within bounds: its files, each as people look at it. Nothing of it runs, and what is
left out is counted and told."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.api import foreign
from fairlead.api.items import said
from fairlead.api.logged import media_of
from fairlead.store import names
from fairlead.worker import html
from fairlead.worker.reporting import files
from fairlead.worker.reporting.heads import Unshown

LOOKED_AT = 10_000
"""Files and folders of an input that are looked at at all."""
FILES, TABLES = 12, 3
"""Files of an input that are shown, and tables among them: parts of a dataset are all alike."""
PAGE = 12 << 20
"""Characters of all that is shown of inputs: `open --browser` puts the whole page into a frame."""
INDEX = "items.json"
"""Which item's each file is, beside what a step with `each` has left."""
_INDEX_BYTES = 4 << 20
_HEAD = 512


@dataclass
class Room:
    """How much of a page is left."""

    left: int = PAGE

    def take(self, part: str) -> bool:
        """Whether a part has room; then it is taken."""
        if len(part) > self.left:
            return False
        self.left -= len(part)
        return True


@dataclass
class Found:
    """What there is in an input."""

    files: list[tuple[str, Path]] = field(default_factory=list)
    """(path in it, file), sorted."""
    passed: Counter[str] = field(default_factory=Counter)
    """What is no file that is shown, in words."""


def shown(folder: Path, room: Room) -> Iterator[str]:
    """An input, part by part. folder: where it was brought to."""
    found = _found(folder)
    index = _index(folder) if any(name == INDEX for name, _ in found.files) else {}
    listed = [one for one in found.files if not (index and one[0] == INDEX)]
    if not listed:
        yield "<p>There is no file in it.</p>"
    seen: Counter[str] = Counter()
    for name, path in listed:
        kind, part = _file(name, path, index.get(name) or index.get(name.partition("/")[0], ""), seen)
        if part and not room.take(part):
            kind, part = "for which the page has no room", ""
        if not part:
            found.passed[kind] += 1
            continue
        seen[kind] += 1
        yield part
    if told := _passed(found.passed):
        yield f"<p><small>Not shown: {told}</small></p>"


def _file(name: str, path: Path, item: str, seen: Counter[str]) -> tuple[str, str]:
    """(its media type, how it is shown); or (why it is not shown, nothing)."""
    if sum(seen.values()) >= FILES:
        return "after the first of them", ""
    title = f"<h4>{html.text(name)}{f' <small>{html.text(item)}</small>' if item else ''}</h4>"
    try:
        media = _media(path)
        if media in files.TABLES and sum(seen[one] for one in files.TABLES) >= TABLES:
            return "that are tables, after the first ones", ""
        return media, title + files.shown(path, media)
    except (Unshown, OSError) as why:
        return "not understood", f"{title}<p class=missing>{html.text(str(why))}</p>"


def _media(path: Path) -> str:
    with path.open("rb") as file:
        return media_of(path.name, file.read(_HEAD))


def _passed(passed: Counter[str]) -> str:
    return html.text("; ".join(f"{count:,} {'file' if count == 1 else 'files'} {why}"
                               for why, count in passed.most_common()))  # fmt: skip


def _found(root: Path) -> Found:
    """All of a folder but links, pipes and the like, and what begins with a dot."""
    found, waiting, looked = Found(), [str(root)], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    looked += 1
                    if looked > LOOKED_AT:
                        found.passed[f"or more, after the first {LOOKED_AT:,}"] += 1
                        found.files.sort()
                        return found
                    _entry(root, entry, found, waiting)
        except OSError as error:
            found.passed[f"in a folder that can't be listed ({error.strerror})"] += 1
    found.files.sort()
    return found


def _entry(root: Path, entry: os.DirEntry[str], found: Found, waiting: list[str]) -> None:
    if entry.is_symlink():
        found.passed["that are links, which are not followed"] += 1
    elif entry.is_dir(follow_symlinks=False):
        waiting.append(entry.path)
    elif not entry.is_file(follow_symlinks=False):
        found.passed["that are pipes, sockets or devices"] += 1
    elif entry.name.startswith("."):
        found.passed["whose names begin with a dot"] += 1
    else:
        path = Path(entry.path)
        found.files.append((path.relative_to(root).as_posix(), path))


def _index(folder: Path) -> dict[str, str]:
    """The items' values in words, by path; empty for a file of this name that is something else."""
    try:
        with (folder / INDEX).open("rb") as file:
            listed = foreign.parse(file.read(_INDEX_BYTES + 1), length=_INDEX_BYTES)
        return {names.shown(str(one["path"])): said(one["item"]) for one in listed}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
