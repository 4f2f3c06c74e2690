"""Held-out and reference rows: read in batches, in a fixed order, from local files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.metrics import Labels

Row = tuple[Any, ...]
Named = dict[str, Any]
"""A row, by column."""
_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE",
}  # fmt: skip
_FLOATS = {"FLOAT", "DOUBLE"}


@dataclass(frozen=True)
class Feature:
    """A column as it is sent."""

    name: str
    datatype: str
    """Of the Open Inference Protocol: BOOL, INT64, FP64 or BYTES."""


class Table:
    """Rows of a folder that have a target. Raises TaskFailed (BadData) if they don't make a table with the columns."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, folder: Path, form: str, target: str, needed: Sequence[str]
    ) -> None:
        files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
        if not files:
            raise TaskFailed("BadData", f"there are no files in {folder}; the evaluation needs rows")
        self._database, self._scan = database, tables.scan(form, files)
        self.types = self._query_types(folder)
        self.target = target
        missing = [c for c in (*needed, target) if c not in self.types]
        if missing:
            raise TaskFailed(
                "BadData",
                f"the rows lack {', '.join(missing)}; they have {', '.join(sorted(self.types))[:300]}",
            )
        self.numeric = self.types[target] in _NUMBERS or self.types[target].startswith("DECIMAL")
        known = f"{tables.name(target)} IS NOT NULL"
        if self.types[target] in _FLOATS:
            known += f" AND NOT isnan({tables.name(target)})"
        self._known = known
        self._columns = sorted({*needed, target})
        self.known, self.left_out = self._counts()

    def _query_types(self, folder: Path) -> dict[str, str]:
        try:
            found = self._database.execute(f"DESCRIBE {self._scan}").fetchall()
        except duckdb.Error as error:
            text = str(error).splitlines()[0]
            raise TaskFailed("BadData", f"the files in {folder} don't make one table: {text}") from error
        return {str(row[0]): str(row[1]) for row in found}

    def _counts(self) -> tuple[int, int]:
        """Rows with a target, and without."""
        found = self._run(f"SELECT count(*) FILTER (WHERE {self._known}), count(*) FROM ({self._scan})").fetchone()
        known, total = found or (0, 0)
        return int(known), int(total - known)

    def features(self, names: Sequence[str]) -> dict[str, Feature]:
        """How each column is sent. Integers with gaps go as floats: there is no integer that means nothing."""
        empty = ", ".join(f"bool_or({tables.name(n)} IS NULL)" for n in names)
        gaps = self._run(f"SELECT {empty} FROM ({self._scan}) WHERE {self._known}").fetchone() or ()
        return {n: Feature(n, _datatype(self.types[n], bool(gap))) for n, gap in zip(names, gaps, strict=True)}

    def batches(self, size: int) -> Iterator[list[Named]]:
        """Rows with a target, in the files' order: the columns that were asked for."""
        listed = ", ".join(tables.name(c) for c in self._columns)
        found = self._run(f"SELECT {listed} FROM ({self._scan}) WHERE {self._known}")
        while batch := found.fetchmany(size):
            yield [dict(zip(self._columns, row, strict=True)) for row in batch]

    def totals(self, by: Sequence[str], value: str) -> list[Row]:
        """(group columns, value) for each group of rows with a target."""
        groups = "".join(f"{tables.name(c)}, " for c in by)
        grouped = f"GROUP BY {', '.join(tables.name(c) for c in by)}" if by else ""
        return self._run(f"SELECT {groups}{value} FROM ({self._scan}) WHERE {self._known} {grouped}").fetchall()

    def _run(self, query: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._database.cursor().execute(query)
        except duckdb.Error as error:
            raise TaskFailed("BadData", f"the rows can't be read: {str(error).splitlines()[0]}") from error


def labels(values: Sequence[Any], numeric: bool) -> Labels:
    """Targets or predictions as an array: floats if they are numbers or booleans, else strings."""
    if numeric or all(isinstance(v, bool) for v in values):
        return np.asarray([float("nan") if v is None else float(v) for v in values], dtype=np.float64)
    return np.asarray([str(v) for v in values], dtype=np.str_)


def _datatype(sql_type: str, gaps: bool) -> str:
    if sql_type == "BOOLEAN":
        return "FP64" if gaps else "BOOL"
    if sql_type in _FLOATS or sql_type.startswith("DECIMAL"):
        return "FP64"
    if sql_type in _NUMBERS:
        return "FP64" if gaps else "INT64"
    return "BYTES"
