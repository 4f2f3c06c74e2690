"""The metrics that a step's program has logged, read from its file: JSON lines, which anybody may have written.

A line counts if it is one object with a name, a finite number and perhaps a step. All others are counted by what is
wrong with them and told, never guessed at; a value is kept as it was written, to the last digit.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from fairlead.api import logged
from fairlead.api.units import many

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_LAST_STEP = 1 << 53
_TOLD = 12
"""Kinds of refusals that are told one by one."""


@dataclass
class Series:
    """What was read."""

    last: dict[str, str] = field(default_factory=dict)
    """The last value of each metric, in the order of their first."""
    values: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Lines by what is wrong with them."""

    @property
    def shown(self) -> dict[str, str]:
        """Those that a status has room for."""
        return dict(list(self.last.items())[: logged.NAMES])

    def left_out(self) -> list[str]:
        """What is not kept, or not shown, in words."""
        told = [f"{why}: {count} lines" if count > 1 else why for why, count in self.refused.most_common(_TOLD)]
        rest = self.refused.total() - sum(count for _, count in self.refused.most_common(_TOLD))
        if rest:
            told.append(f"{many(rest, 'more line')} of {logged.METRICS}")
        if len(self.last) > logged.NAMES:
            told.append(
                f"{len(self.last) - logged.NAMES} metrics besides the first {logged.NAMES} are in the store only"
            )
        return told


class _Refused(Exception):  # noqa: N818 - a line's end, not a program's error
    """A line that does not count, and why."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Lines:
    """The lines of a file, within bounds; what lies beyond them is counted."""

    def __init__(self, file: BinaryIO, found: Series) -> None:
        self._file, self._found, self._read = file, found, 0

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(logged.LINE + 1):
            self._read += len(line)
            if self._read > logged.BYTES or self._found.values >= logged.VALUES:
                much = f"{logged.VALUES} values" if self._found.values >= logged.VALUES else f"{logged.BYTES >> 20} MiB"
                self._found.refused[f"what comes after {much} in {logged.METRICS}"] += 1
                return
            if len(line) > logged.LINE:
                self._found.refused[f"longer than {logged.LINE} bytes"] += 1
                self._skip(line)
            elif line.strip():
                yield line

    def _skip(self, line: bytes) -> None:
        """Read on to the end of a line that is too long."""
        while line and not line.endswith(b"\n") and self._read <= logged.BYTES:
            line = self._file.readline(logged.LINE)
            self._read += len(line)


def read(folder: Path, to: Path) -> Series:
    """The metrics of a folder, and a file with those that count. Raises OSError for a disk that fails.

    Args:
        folder: `.fairlead` in the outputs; it may be missing, or anything.
        to: Where the series is written: lines of JSON with `name`, `step` (if it was given) and `value`.
    """
    found = Series()
    file = _opened(folder / logged.METRICS, found)
    if file is None:
        return found
    with file, to.open("wb") as out:
        for line in _Lines(file, found):
            try:
                name, step, value = _parsed(line)
                if name not in found.last and len(found.last) >= logged.SERIES:
                    raise _Refused(f"of metrics besides the first {logged.SERIES}")
            except _Refused as why:
                found.refused[str(why)] += 1
                continue
            found.last[name] = value
            found.values += 1
            at = b"" if step is None else b',"step":%d' % step
            out.write(b'{"name":"%s"%s,"value":%s}\n' % (name.encode(), at, value.encode()))
    return found


def _opened(path: Path, found: Series) -> BinaryIO | None:
    """The file, if it is one: a link could lead to what the program itself may not see."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        found.refused[f"{logged.METRICS} is no file that can be read ({error.strerror})"] += 1
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        found.refused[f"{logged.METRICS} is no file"] += 1
        return None
    return os.fdopen(handle, "rb")


def _parsed(line: bytes) -> tuple[str, int | None, str]:
    """(name, step, value) of a line. Raises _Refused."""
    try:
        found = json.loads(
            line.decode(), parse_float=_Number, parse_int=_Number, parse_constant=_not_finite, object_pairs_hook=_object
        )
    except UnicodeDecodeError:
        raise _Refused("not UTF-8") from None
    except (json.JSONDecodeError, RecursionError):
        raise _Refused("no JSON (cut off, or not one object a line)") from None
    if not isinstance(found, dict):
        raise _Refused("no JSON object")
    name = found.get("name")
    if not isinstance(name, str) or isinstance(name, _Number) or not _NAME.fullmatch(name):
        raise _Refused("without a name (letters, digits and _, at most 63)")
    return name, _step(name, found.get("step")), _value(name, found.get("value"))


class _NotFinite:
    """NaN or an infinity, as Python's json writes them."""


def _not_finite(_text: str) -> _NotFinite:
    return _NotFinite()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("with a member twice")
    return found


def _value(name: str, value: Any) -> str:
    if isinstance(value, _NotFinite) or (isinstance(value, _Number) and not isfinite(float(value))):
        raise _Refused(f"{name} that is NaN or infinite")
    if not isinstance(value, _Number):
        raise _Refused(f"{name} without a number as its value")
    if len(value) > 32:
        raise _Refused(f"{name} with a number of more than 32 characters")
    return str(value)


def _step(name: str, step: Any) -> int | None:
    if step is None:
        return None
    if not isinstance(step, _Number) or not re.fullmatch(r"[0-9]{1,16}", step) or int(step) > _LAST_STEP:
        raise _Refused(f"{name} with a step that is no whole number")
    return int(step)
