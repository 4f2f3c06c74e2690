"""Artifacts that a step's program has logged: files that are kept in the store beside its outputs, within bounds.

What can't be kept fails no step, for it is no output that anything waits for; it is left out, counted and told.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.api import logged
from fairlead.api.logged import ArtifactRecord
from fairlead.store import names
from fairlead.store.layout import join
from fairlead.store.names import LONGEST_KEY
from fairlead.store.s3 import Bucket
from fairlead.worker import digests
from fairlead.worker.fetch import parallel
from fairlead.worker.paths import unfit

HEAD = 512
"""Bytes by which the type of a file without a suffix is told."""
_LOOKED_AT = 10_000
"""Files and folders that are looked at at all."""
_NAMED = 3
_NAME_LIMIT = 512


@dataclass
class Left:
    """What is left out."""

    why: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)

    def out(self, why: str, name: str) -> None:
        """One more."""
        self.why[why] += 1
        first = self.named.setdefault(why, [])
        if len(first) < _NAMED:
            first.append(names.short(name))

    def told(self) -> list[str]:
        """In words, the most frequent first."""
        found = []
        for why, count in self.why.most_common(8):
            shown = ", ".join(self.named[why])
            more = f" and {count - len(self.named[why])} more" if count > len(self.named[why]) else ""
            found.append(f"artifacts/{shown}{more}: {why}"[:512])
        return found


def media(path: Path) -> str:
    """The media type of a file."""
    with path.open("rb") as file:
        return logged.media_of(path.name, file.read(HEAD))


def keep(store: Bucket, attempt: str, folder: Path) -> tuple[list[ArtifactRecord], list[str]]:
    """What was kept, sorted by name, and in words what was not. Raises StoreError.

    Args:
        attempt: Key of the attempt's folder.
        folder: `.fairlead` in the outputs; it may be missing, or anything.
    """
    left = Left()
    chosen = _chosen(folder / logged.ARTIFACTS, left)
    records = [record for name, path in chosen if (record := _record(store, attempt, name, path, left))]
    paths = dict(chosen)
    parallel(lambda one: store.upload(_key(attempt, one), paths[one.name], one.media), records)
    return records, left.told()


def _chosen(root: Path, left: Left) -> list[tuple[str, Path]]:
    """(name, file) of what can be kept, in the order of names: the first ones, where there are too many."""
    if root.is_symlink() or not root.is_dir():
        if root.is_symlink() or root.exists():
            left.out("it is no folder", "")
        return []
    found, total = list[tuple[str, Path]](), 0
    for name, path in sorted(_below(root, left)):
        why = names.problem(name) or ("" if len(name) <= _NAME_LIMIT else f"its name is longer than {_NAME_LIMIT}")
        why = why or unfit(path, root.resolve())
        size = 0 if why else path.stat().st_size
        if why:
            left.out(why, name)
        elif size > logged.FILE_BYTES:
            left.out(f"larger than {logged.FILE_BYTES >> 20} MiB; make it an output", name)
        elif len(found) >= logged.FILES:
            left.out(f"a step keeps {logged.FILES} artifacts", name)
        elif total + size > logged.ALL_BYTES:
            left.out(f"artifacts of a step have {logged.ALL_BYTES >> 30} GiB together", name)
        else:
            found.append((name, path))
            total += size
    return found


def _below(root: Path, left: Left) -> Iterator[tuple[str, Path]]:
    """All that is no folder, and links to folders; so many entries at most."""
    waiting, looked = [str(root)], 0
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    looked += 1
                    if looked > _LOOKED_AT:
                        left.out(f"there are more than {_LOOKED_AT} files and folders", "")
                        return
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield Path(entry.path).relative_to(root).as_posix(), Path(entry.path)
        except OSError as error:
            left.out(f"it can't be listed ({error.strerror})", os.path.relpath(at, root))


def _record(store: Bucket, attempt: str, name: str, path: Path, left: Left) -> ArtifactRecord | None:
    record = ArtifactRecord(
        name=name, uri="", sha256=digests.of_file(path), bytes=path.stat().st_size, media=media(path)
    )  # fmt: skip
    if len(_key(attempt, record).encode()) > LONGEST_KEY:
        left.out(f"its key would be longer than S3's {LONGEST_KEY} bytes", name)
        return None
    return record.model_copy(update={"uri": store.uri(_key(attempt, record))})


def _key(attempt: str, record: ArtifactRecord) -> str:
    """Content is in the key, as it is in outputs': a pod that was started twice overwrites nothing."""
    return join(attempt, logged.FOLDER, record.sha256[:16], record.name)
