"""Files of rows that a person names, on this machine, read as those of a Dataset are: types are the files' own, or what
follows from all cells of all files; of a folder with a Dataset's version as that is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from fairlead.api.formats import self_describing
from fairlead.api.reading import Reading
from fairlead.worker import folders, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable
from fairlead.worker.formats.registry import FORMATS
from fairlead.worker.formats.words import line
from fairlead.worker.tensors import Type

ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Formats by the ends of files' names, whatever their case; `.gz` and `.zst` may follow."""
_COMPRESSED = (".gz", ".zst")
_WANTED = "Parquet, CSV or JSON lines"


class BadFiles(ValueError):  # noqa: N818 - the house's names of errors
    """Files can't be read, or have not what is asked for. The message says what to do."""


class Source:
    """All rows of some files, in their order. Raises BadFiles."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, paths: Sequence[Path], text: Collection[str] = (), *,
        ordered: bool = True,
    ) -> None:  # fmt: skip
        """text: columns whose cells are wanted as they are written, where cells are text; ordered: whether the order of
        files, and of rows within them, matters (it is that of time)."""
        self._database, self._ordered = database, ordered
        self.said = ", ".join(str(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")
        self.files = [LocalFile(one.path.resolve(), one.name) for one in _found(paths)]
        try:
            kept = folders.reading_of(paths[0]) if len(paths) == 1 and paths[0].is_dir() else None
            self.form = kept.format if kept else _form(self.files)
            if kept:
                self.reading = folders.there(database, self.files, kept)
            else:
                self.reading = FORMATS[self.form].infer(database, self.files, Declared(), None)
                self._check_lost()
            self.scan = self._scan(folders.as_text(self.reading, text))
        except Unreadable as error:
            raise BadFiles(f"{self.said} can't be read: {error}") from error
        except TaskFailed as failed:
            raise BadFiles(failed.error.message) from failed
        except duckdb.Error as error:
            raise BadFiles(f"{self.said} make no table: {line(error)}") from error
        self.types = {str(row[0]): Type.of(str(row[1])) for row in self._described()}

    def _described(self) -> list[tuple[object, ...]]:
        try:
            return self._database.execute(f"DESCRIBE {self.scan}").fetchall()
        except duckdb.Error as error:
            raise BadFiles(f"{self.said} make no table: {line(error)}") from error

    def _scan(self, reading: Reading) -> str:
        """Files that describe themselves are read together by their types, where their order does not matter."""
        form = FORMATS[self.form]
        if not self_describing(self.form) or not self._ordered:
            return form.scan(self._database, self.files, reading)
        return " UNION ALL ".join(f"({form.scan(self._database, [file], reading)})" for file in self.files)

    def _check_lost(self) -> None:
        form = FORMATS[self.form]
        if self_describing(self.form):
            return
        wanted = sum(form.count(file, self.reading) for file in self.files)
        row = self._database.execute(
            f"SELECT count(*) FROM ({form.raw(self._database, self.files, self.reading)})"
        ).fetchone()
        if not row or row[0] != wanted:
            raise BadFiles(f"{self.said}: {wanted} records by their grammar, and {row and row[0]} were read; write "
                           "them anew, or as Parquet")  # fmt: skip

    def require(self, column: str, use: str) -> Type:
        """A column's type. Raises BadFiles with what there is, if it is not there."""
        if column not in self.types:
            there = line(", ".join(sorted(self.types)), 200)
            raise BadFiles(f"{self.said} has no column {column[:60]!r} for {use}; it has {there}")
        return self.types[column]

    def batches(self, query: str, size: int) -> Iterator[pa.RecordBatch]:
        """A query's rows, in batches of at most `size`. Raises BadFiles."""
        return batches(self._database, query, size, self.said)


def batches(database: duckdb.DuckDBPyConnection, query: str, size: int, said: str) -> Iterator[pa.RecordBatch]:
    """A query's rows. said: what is read, in words. Raises BadFiles."""
    try:
        yield from database.cursor().execute(query).to_arrow_reader(size)
    except (duckdb.Error, pa.ArrowException) as error:
        raise BadFiles(f"{said} can't be read: {line(error)}") from error


def connect(scratch: Path, paths: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A database that may read these files and folders, and spill below `scratch`."""
    return tables.connect(scratch, *{path.resolve() if path.is_dir() else path.resolve().parent for path in paths})


def _found(paths: Sequence[Path]) -> Iterator[LocalFile]:
    """Files, and those in folders, sorted there. Raises BadFiles if there are none."""
    for path in paths:
        if path.is_file():
            yield LocalFile(path, str(path))
            continue
        if not path.is_dir():
            raise BadFiles(f"{path} is not there; name a file of {_WANTED}, or a folder with such")
        inside = folders.data_files(path)
        if not inside:
            raise BadFiles(f"{path} has no file in it; name a file of {_WANTED}, or a folder with such")
        yield from (LocalFile(one.path, str(path / one.name)) for one in inside)


def _form(files: Sequence[LocalFile]) -> str:
    found = {_ending(file.path): file.name for file in files}
    if len(found) > 1:
        listed = " and ".join(f"{name} is {form}" for form, name in found.items())
        raise BadFiles(f"{listed}: give files of one format, or run it once for each")
    return next(iter(found))


def _ending(path: Path) -> str:
    name = path.name.lower()
    for compressed in _COMPRESSED:
        name = name.removesuffix(compressed)
    for end, form in ENDINGS.items():
        if name.endswith(end):
            return form
    raise BadFiles(f"{path}: what is in it doesn't follow from its name; rename it to end with {', '.join(ENDINGS)}")
