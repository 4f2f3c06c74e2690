"""The beginning of a table: columns with their types, a few rows, how many rows there are. Reads a bounded part."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from fairlead.api import foreign

ROWS, COLUMNS, CELL = 20, 40, 120
"""Rows and columns that are shown, and characters of a cell."""
COUNTED = 64 << 20
"""Bytes of a file of text whose rows are counted."""
GROUP = 256 << 20
"""Bytes of a Parquet file's first row group, decompressed, from which rows are shown."""
LINE = 1 << 20
"""Bytes of a line of JSON."""


class Unshown(Exception):  # noqa: N818 - the house's names of errors
    """A file can't be shown; the message says why."""


class Head(NamedTuple):
    """What is shown of a table."""

    columns: list[tuple[str, str]]
    """(name, type)."""
    rows: list[list[str]]
    note: str
    """How much of it that is."""


def of_parquet(path: Path) -> Head:
    """Types and number of rows are the file's own. Raises Unshown."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Unshown("a Parquet table is read with pyarrow, which Python has not here: pip install 'fairlead[worker]'"
                      ) from None  # fmt: skip
    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            return _of_parquet(file)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as bad:
        raise Unshown(f"it can't be read as Parquet: {str(bad)[:200]}") from None


def _of_parquet(file: Any) -> Head:
    schema, total = file.schema_arrow, file.metadata.num_rows
    columns = [(one.name, str(one.type)) for one in list(schema)[:COLUMNS]]
    group = file.metadata.row_group(0).total_byte_size if file.metadata.num_row_groups else 0
    rows: list[list[str]] = []
    if group <= GROUP:
        wanted = [name for name, _ in columns] if len(schema) > COLUMNS else None
        batch = next(file.iter_batches(batch_size=ROWS, columns=wanted, use_threads=False), None)
        cells = (
            [[_cell(value) for value in column.to_pylist()] for column in batch.columns] if batch is not None else []
        )
        rows = [list(row) for row in zip(*cells, strict=True)]
        columns = [(one.name, str(one.type)) for one in batch.schema] if batch is not None else columns
    why = "" if group <= GROUP else f"; its rows are not shown, for the first {group >> 20} MiB belong together"
    return Head(columns, rows, _note(len(rows), total, len(schema)) + why)


def of_csv(path: Path) -> Head:
    """Types are those of the rows that are shown. Raises Unshown."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            found = list(islice(csv.reader(_bounded(file), _dialect(path)), ROWS + 1))
        total = _counted(path)
    except csv.Error as bad:
        raise Unshown(f"it can't be read as CSV: {bad}") from None
    width = max(map(len, found), default=0)
    padded = [[*row, *[""] * (width - len(row))] for row in found]
    names, rows = (padded[0], padded[1:]) if padded else ([], [])
    columns = [(name, _type(row[at] for row in rows)) for at, name in enumerate(names[:COLUMNS])]
    return _of_text(columns, [row[:COLUMNS] for row in rows], None if total is None else max(0, total - 1), width)


class _Tabs(csv.excel):
    delimiter = "\t"


class _Semicolons(csv.excel):
    delimiter = ";"


def _dialect(path: Path) -> type[csv.Dialect]:
    """By what its first line has most of."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(LINE)
    return max((csv.excel, _Semicolons, _Tabs), key=lambda one: first.count(one.delimiter))


def _bounded(file: TextIO) -> Iterable[str]:
    """Lines; one that doesn't end is an error of its own."""
    while line := file.readline(LINE + 1):
        if len(line) > LINE:
            raise csv.Error(f"it has a line of more than {LINE >> 20} MiB")
        yield line


def of_jsonl(path: Path) -> Head:
    """The union of the shown objects' names, in their order. Raises Unshown."""
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        while len(rows) < ROWS and (line := file.readline(LINE + 1)):
            if line.strip():
                rows.append(_object(line, len(rows) + 1))
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [(one, _json_type([row[one] for row in rows if one in row])) for one in names[:COLUMNS]]
    cells = [[_cell(row[name]) if name in row else "" for name, _ in columns] for row in rows]
    return _of_text(columns, cells, _counted(path), len(names))


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = foreign.parse(line, length=LINE, finite=False)
    except foreign.Unreadable as bad:
        raise Unshown(f"it can't be read as JSON lines: row {number}: {bad}") from None
    if not isinstance(found, dict):
        raise Unshown(f"it can't be read as JSON lines: row {number} is no object")
    return found


def _of_text(columns: list[tuple[str, str]], rows: Sequence[Sequence[str]], total: int | None, width: int) -> Head:
    cells = [[_cell(one) for one in row] for row in rows]
    return Head(columns, cells, f"{_note(len(cells), total, width)}; types are those of the rows that are shown")


def _note(shown: int, total: int | None, width: int) -> str:
    """total: None: not counted."""
    rows = f"{total:,} rows" if total == shown else f"its first {shown} of {total:,} rows" if total is not None else ""
    rows = rows or f"its first {shown} rows; they are not counted, for it is larger than {COUNTED >> 20} MiB"
    return f"{rows}, {width} columns{f', of which {COLUMNS} are shown' if width > COLUMNS else ''}"


def _counted(path: Path) -> int | None:
    """Lines that are not empty; None for a file that is too large to be read."""
    if path.stat().st_size > COUNTED:
        return None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        with path.open("rb") as file:
            return sum(bool(line.strip()) for line in iter(lambda: file.readline(LINE), b""))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        return sum(bool(row) for row in csv.reader(_bounded(text), _dialect(path)))


def _cell(value: object) -> str:
    text = "" if value is None else value[: CELL + 1] if isinstance(value, str) else str(value)[: CELL + 1]
    return text if len(text) <= CELL else f"{text[:CELL]}…"


_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


def _type(cells: Iterable[str]) -> str:
    found = [one for one in cells if one]
    if not found:
        return "empty"
    if all(_WHOLE.fullmatch(one) for one in found):
        return "integer"
    if all(_NUMBER.fullmatch(one) for one in found):
        return "number"
    return "boolean" if all(one.lower() in ("true", "false") for one in found) else "text"


def _json_type(values: Sequence[object]) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "object"}
    found = sorted({names[type(one)] for one in values if one is not None})
    return " or ".join(found) or "null"
