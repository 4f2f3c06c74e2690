"""Rows of a folder in the pod, read as their Dataset's version is: by the reading that came with its files. Rows that
are of no Dataset have none: then it follows from all of them, by the same code, and is said in the report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pydantic import ValidationError

from fairlead.api.formats import self_describing
from fairlead.api.reading import Reading
from fairlead.store.keys import hidden
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.base import Declared, LocalFile, Unreadable
from fairlead.worker.formats.registry import FORMATS
from fairlead.worker.formats.words import line
from fairlead.worker.manifest import ALL, READING


@dataclass(frozen=True)
class Rows:
    """All rows of a folder."""

    scan: str
    """SQL of a query over them."""
    reading: Reading
    declared: bool
    """By the Dataset's version; else the reading follows from the rows."""


def rows(database: duckdb.DuckDBPyConnection, folder: Path, form: str, text: Collection[str] = ()) -> Rows:
    """How to read them. Raises TaskFailed (BadData).

    Args:
        database: May read in the folder.
        folder: With the files.
        form: Of files without a reading.
        text: Columns whose cells are wanted as they are written, whatever their type.
    """
    files = data_files(folder)
    if not files:
        raise TaskFailed("BadData", f"there are no files in {folder}; rows are needed")
    try:
        kept = reading_of(folder)
        reading = there(database, files, kept) if kept else FORMATS[form].infer(database, files, Declared(), None)
        lost = None if kept else _lost(database, files, reading)
        scan = FORMATS[reading.format].scan(database, files, as_text(reading, text))
    except Unreadable as error:
        raise TaskFailed("BadData", f"the files in {folder} can't be read: {error}") from error
    except duckdb.OutOfMemoryException:
        raise  # no fault of the files
    except duckdb.Error as error:
        raise TaskFailed("BadData", f"the files in {folder} don't make one table: {line(error)}") from error
    if lost:
        raise TaskFailed("BadData", f"the files in {folder} have {lost}; write them anew")
    return Rows(scan, reading, kept is not None)


def data_files(folder: Path) -> list[LocalFile]:
    """The files that are data, sorted by path: what a version's manifest names is, whatever its name."""
    found = [(path.relative_to(folder), path) for path in folder.rglob("*") if path.is_file()]
    if (folder / ALL).is_file():
        shown = [(name, path) for name, path in found if name.as_posix() not in (ALL, READING)]
    else:
        shown = [(name, path) for name, path in found if not hidden(name.as_posix())]
    return [LocalFile(path, str(name)) for name, path in sorted(shown)]


def reading_of(folder: Path) -> Reading | None:
    """How the version's files that were fetched into a folder are read; None if they are of no version, or one of a
    release that did not say. Raises TaskFailed (BadData)."""
    path = folder / READING
    if not path.is_file():
        return None
    try:
        return Reading.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        text = f"{path} does not say how the rows are read; fetch them anew: {line(error)}"
        raise TaskFailed("BadData", text) from error


def as_text(reading: Reading, columns: Collection[str]) -> Reading:
    """The reading by which these columns are strings, where cells are written as text."""
    changed = [c.model_copy(update={"type": "string"}) if c.name in columns else c for c in reading.columns]
    return reading if self_describing(reading.format) else reading.model_copy(update={"columns": changed})


def there(database: duckdb.DuckDBPyConnection, files: list[LocalFile], reading: Reading) -> Reading:
    """The reading of the columns that some file has: a version's reading also has those of files that are gone. Where
    a record may leave columns out, one that none has is a column of nulls."""
    form = FORMATS[reading.format]
    if form.sparse:
        return reading
    there = {name for file in files for name in form.columns(database, file, reading)}
    return reading.model_copy(update={"columns": [c for c in reading.columns if c.name in there]})


def _lost(database: duckdb.DuckDBPyConnection, files: list[LocalFile], reading: Reading) -> str:
    """How many records the reader missed, or has too many; empty if it has all. A file that
    describes itself says their number."""
    if self_describing(reading.format):
        return ""
    form = FORMATS[reading.format]
    records = sum(form.count(file, reading) for file in files)
    found = database.cursor().execute(f"SELECT count(*) FROM ({form.raw(database, files, reading)})").fetchone()
    read = int(found[0]) if found else 0
    return "" if read == records else f"{records} records by their grammar, and {read} were read"
