"""What a reader of files is. One module a format implements it; siblings do not import each other.

A file is read in three ways that must agree: `count` finds its records by the format's grammar alone, `raw` gives its
cells as they are written, `scan` gives them in the types of the reading. What can't be read so is Unreadable, with the
whole reason; nothing becomes null, or is left out, in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb

from fairlead.api.dataset import Column
from fairlead.api.reading import Csv, Reading
from fairlead.worker.formats.words import line


class Unreadable(Exception):  # noqa: N818 - the house's names of errors
    """Files aren't what their format, or their reading, says. The message: where, what was found, what was wanted, what
    to do."""

    def __init__(self, text: object) -> None:
        super().__init__(line(text))


def unreadable(error: duckdb.Error) -> Unreadable:
    """Of a reader's error; but memory that does not do is no fault of the files, and raised as it is."""
    if isinstance(error, duckdb.OutOfMemoryException):
        raise error
    return Unreadable(str(error).split("\nLINE ")[0])  # what follows is the query


class Misfit(Unreadable):
    """Columns of some files are not what they are in the others, or were before."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = {column: line(problem) for column, problem in problems.items()}
        """By column: file, what was found, what was wanted, what to do."""
        super().__init__("; ".join(f"column {column}: {problem}" for column, problem in self.problems.items()))


@dataclass(frozen=True)
class LocalFile:
    """A file on the pod's disk."""

    path: Path
    name: str
    """What people know it by: its key below the Dataset's prefix."""


@dataclass(frozen=True)
class Declared:
    """What the Dataset's spec says of its files."""

    columns: Sequence[Column] = ()
    csv: Csv = field(default_factory=Csv)


class Format(Protocol):
    """How one format is read. All raise Unreadable."""

    def infer(
        self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], declared: Declared,
        fixed: Reading | None,
    ) -> Reading:  # fmt: skip
        """How these files are read: what is declared; else what `fixed`, the last version's reading, says; else what
        follows from all files, never from a sample."""
        ...

    def columns(self, database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading) -> Sequence[str]:
        """The columns that are in a file."""
        ...

    def count(self, file: LocalFile, reading: Reading) -> int:
        """Records, by an independent pass of the format's grammar."""
        ...

    def raw(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """SQL of a query over the cells as they are written: of CSV all are VARCHAR, null where the reading says so."""
        ...

    def scan(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """SQL of a query over all rows, with exactly the reading's columns in its types; order is kept. A cell that
        does not fit its type is an error of the query, which names column and text (see typed.value)."""
        ...


def distinct(names: Iterable[str]) -> None:
    """Raises Unreadable if names differ in case only: SQL can't tell them apart; or if SQL can't say one at all."""
    seen: dict[str, str] = {}
    for name in names:
        if "\0" in name:
            raise Unreadable(f"column {name} has a NUL character in its name; rename it")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise Unreadable(f"columns {other} and {name} differ in case only; rename one")
