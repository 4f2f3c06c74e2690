"""What a reader of files is. One module a format implements it; siblings do not import each other.

A file is read in three ways that must agree: `count` finds its records by the format's grammar alone, `raw` gives its
cells as they are written, `scan` gives them in the types of the reading. What can't be read so is Unreadable, with the
whole reason; nothing becomes null, or is left out, in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import duckdb

from fairlead.api.dataset import Column
from fairlead.api.reading import Reading
from fairlead.api.schema import Model
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
    options: Model | None = None
    """How files of this format are written, where writers differ (see api.formats.options)."""


@dataclass(frozen=True)
class Stored:
    """The type that a file itself says a column has."""

    kind: str
    """As a Reading says it."""
    exact: str
    """As Arrow calls it."""


class Format(Protocol):
    """How one format is read. All raise Unreadable. What is the same for all formats of text, is said here."""

    sparse: ClassVar[bool] = False
    """Whether a record may leave a column out: then it is null there."""
    lazy: ClassVar[bool] = False
    """Whether a query looks at the cells only that it names: who wants all of them looked at must name all."""

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

    def stored(self, file: LocalFile) -> Mapping[str, Stored]:
        """The types that a file itself says of its columns; none if its cells are texts."""
        del file
        return {}

    def shrink(self, file: LocalFile) -> None:
        """Drop the rows of a local file, which have been read; what its columns are stays. Of formats that describe
        themselves."""
        del file

    def explained(self, files: Sequence[LocalFile], error: duckdb.Error) -> Unreadable:
        """What is wrong with files that DuckDB can't read."""
        del files
        return unreadable(error)


def distinct(names: Iterable[str]) -> None:
    """Raises Unreadable if names differ in case only: SQL can't tell them apart; or if SQL can't say one at all."""
    seen: dict[str, str] = {}
    for name in names:
        if "\0" in name:
            raise Unreadable(f"column {name} has a NUL character in its name; rename it")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise Unreadable(f"columns {other} and {name} differ in case only; rename one")
