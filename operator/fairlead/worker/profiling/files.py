"""Files that a person names as rows: of a Dataset's version as that is read, else as follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from fairlead.worker import digests, folders
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable
from fairlead.worker.formats.registry import FORMATS
from fairlead.worker.formats.words import line
from fairlead.worker.profiling.source import Rows
from fairlead.worker.tables import name
from fairlead.worker.tensors import Type

ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Formats by the ends of names, also before `.gz` and `.zst`."""
_PACKED = (".gz", ".zst")


def rows(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Rows:
    """All rows of files and folders, whose order does not matter. Raises TaskFailed (BadData)."""
    if len(paths) == 1 and paths[0].is_dir() and folders.reading_of(paths[0]) is not None:
        query = folders.rows(database, paths[0], "parquet").scan
        found = folders.data_files(paths[0])
    else:
        found = [file for path in paths for file in _files(path)]
        query = _scan(database, found)
    try:
        described = database.execute(f"DESCRIBE {query}").fetchall()
    except duckdb.Error as error:
        raise TaskFailed("BadData", f"the files don't make one table: {line(error)}") from error
    types = {str(row[0]): Type.of(str(row[1])) for row in described}
    return Rows(database, query, types, _digest(file.path for file in found))


def _files(path: Path) -> list[LocalFile]:
    if path.is_dir():
        return folders.data_files(path)
    if not path.is_file():
        raise TaskFailed("BadData", f"there is no file {path}")
    return [LocalFile(path, str(path))]


def _scan(database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile]) -> str:
    forms = {_form(file) for file in files}
    if len(forms) != 1:
        told = ", ".join(sorted(forms)) or "no files"
        raise TaskFailed("BadData", f"rows are files of one format, not {told}")
    form = FORMATS[forms.pop()]
    try:
        reading = form.infer(database, files, Declared(), None)
        return form.scan(database, files, reading)
    except Unreadable as error:
        raise TaskFailed("BadData", f"the rows can't be read: {error}") from error
    except duckdb.Error as error:
        raise TaskFailed("BadData", f"the files don't make one table: {line(error)}") from error


def _form(file: LocalFile) -> str:
    ends = [end for end in file.path.suffixes if end not in _PACKED]
    form = ENDINGS.get(ends[-1].lower()) if ends else None
    if form is None:
        raise TaskFailed("BadData", f"{file.name}: rows are files that end in {', '.join(ENDINGS)}")
    return form


def _digest(paths: Iterable[Path]) -> str:
    """Of the files' bytes, whatever they are called."""
    return digests.of_bytes("\n".join(sorted(map(digests.of_file, paths))).encode())


def check(rows: Rows, columns: Iterable[str]) -> None:
    """Raises TaskFailed (BadData) for those that there are not."""
    missing = [column for column in columns if column not in rows.types]
    if missing:
        there = ", ".join(sorted(rows.types))[:300]
        raise TaskFailed("BadData", f"the rows lack {', '.join(map(name, missing))}; they have {there}")
