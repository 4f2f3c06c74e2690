"""Answers on their way to the store, as files of the pod: bounded, and kept over a restart of the recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LIMIT = 128 << 20
SEGMENT = 4 << 20
_OPEN, _DONE = ".open", ".ndjson"


@dataclass(frozen=True)
class Segment:
    """Answers of one day and kind. `name`: `<boot>_<seq>_<date>_<ok|failed>`."""

    path: Path

    @property
    def failed(self) -> bool:
        """Whether these are failures."""
        return self.path.stem.endswith("_failed")

    def key(self, pod: str) -> str:
        """Where it goes below the version's folder."""
        boot, number, date, _ = self.path.stem.split("_")
        return f"date={date}/{pod}-{boot}-{number}.parquet"


class Spool:
    """Files of lines, none larger than about `segment` bytes. Failures have files of their own and are dropped last.

    dropped: is told how many answers were dropped because the files were more than `limit` bytes.
    """

    def __init__(
        self, folder: Path, boot: str, dropped: Callable[[int], None], limit: int = LIMIT, segment: int = SEGMENT
    ) -> None:
        self._folder, self._boot, self._dropped, self._limit, self._segment = folder, boot, dropped, limit, segment
        self._open: dict[tuple[str, bool], BinaryIO] = {}
        self._number = 0
        self.full = False
        """Whether there is a file large enough to be written to the store at once."""
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"*{_OPEN}"):  # by a process that was killed
            left.rename(left.with_suffix(_DONE))

    def add(self, line: bytes, date: str, failed: bool) -> None:
        """Take an answer of a day (`YYYY-MM-DD`, UTC). Raises OSError when the disk is full."""
        file = self._open.get((date, failed))
        if file is None:
            file = self._open[date, failed] = self._new(date, failed)
        file.write(line)
        if file.tell() >= self._segment:
            self._close((date, failed))
            self._bound()
            self.full = True

    def _new(self, date: str, failed: bool) -> BinaryIO:
        self._number += 1
        name = f"{self._boot}_{self._number:06}_{date}_{'failed' if failed else 'ok'}{_OPEN}"
        return (self._folder / name).open("wb", buffering=1 << 16)

    def flush(self) -> None:
        """What was taken survives the process from here on. Raises OSError when the disk is full."""
        for file in self._open.values():
            file.flush()

    def close(self) -> None:
        """Close all files: they can be written to the store. Raises OSError when the disk is full."""
        for which in list(self._open):
            self._close(which)
        self.full = False
        self._bound()

    def _close(self, which: tuple[str, bool]) -> None:
        file = self._open.pop(which)
        path = Path(file.name)
        try:
            file.close()
        finally:
            path.rename(path.with_suffix(_DONE))

    def waiting(self) -> list[Segment]:
        """Closed files, oldest first."""
        return [Segment(path) for path in sorted(self._folder.glob(f"*{_DONE}"), key=_age)]

    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self._sizes())

    def _sizes(self) -> Iterator[tuple[int, Segment]]:
        for segment in self.waiting():
            try:
                yield segment.path.stat().st_size, segment
            except FileNotFoundError:
                continue  # its child has just written it to the store

    def _bound(self) -> None:
        found = list(self._sizes())
        over = sum(size for size, _ in found) - self._limit
        for size, segment in sorted(found, key=lambda one: one[1].failed):
            if over <= 0:
                return
            self._dropped(_count(segment.path))
            segment.path.unlink(missing_ok=True)
            over -= size


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:
        return 0, path.name


def _count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0
