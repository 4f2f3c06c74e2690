"""Rows that can be gone over again and again, and which of their columns can be profiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from fairlead.monitor.profile import CATEGORIES, KNOWN, LONGEST
from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line
from fairlead.worker.tensors import NUMBERS, Type

Batch: TypeAlias = pa.RecordBatch
TOGETHER = 1 << 13
"""Rows of a batch: a column of them stays in the processor's cache, and no library takes more threads for it."""
_UNFIT = {"date": "a date", "time": "a time of day", "timestamp": "a point in time", "bytes": "bytes"}


@dataclass(frozen=True)
class Rows:
    """A query over them."""

    database: duckdb.DuckDBPyConnection
    query: str
    types: Mapping[str, Type]
    digest: str = ""

    def batches(self, numbers: Sequence[str], names: Sequence[str]) -> Iterator[Batch]:
        """Numbers as floats, names as texts. Raises TaskFailed (BadData)."""
        cells = [f"CAST({tables.name(c)} AS DOUBLE) AS {tables.name(c)}" for c in numbers]
        cells += [f"CAST({tables.name(c)} AS VARCHAR) AS {tables.name(c)}" for c in names]
        if not cells:
            cells = ["1 AS one"]
        yield from self._run(f"SELECT {', '.join(cells)} FROM ({self.query})", TOGETHER)

    def plain(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Columns as they are, but for types that Arrow has not. Raises TaskFailed (BadData)."""
        cells = []
        for column in columns:
            cell = tables.name(column)
            said = self.types[column].said
            if "HUGEINT" in said:
                cell = f"CAST({cell} AS DOUBLE) AS {cell}"
            elif self.types[column].kind == "text" and said != "VARCHAR":
                cell = f"CAST({cell} AS VARCHAR) AS {cell}"
            cells.append(cell)
        if not cells:
            cells = ["1 AS one"]
        yield from self._run(f"SELECT {', '.join(cells)} FROM ({self.query})", TOGETHER)

    def frequent(self, column: str) -> list[str] | None:
        """The most frequent names of a column that has too many to be held: DuckDB counts them, and spills to disk.
        None: not even so."""
        cell = f"left(CAST({tables.name(column)} AS VARCHAR), {LONGEST})"
        query = (
            f"SELECT {cell} AS name FROM ({self.query}) WHERE {tables.name(column)} IS NOT NULL "
            f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {CATEGORIES + KNOWN}"
        )
        try:
            return [str(row[0]) for row in self.database.cursor().execute(query).fetchall()]
        except duckdb.OutOfMemoryException:
            return None

    def _run(self, query: str, size: int) -> Iterator[Any]:
        try:
            yield from self.database.cursor().execute(query).to_arrow_reader(size)
        except (duckdb.Error, pa.ArrowException) as error:
            raise TaskFailed("BadData", f"the rows can't be read: {line(error)}") from error


@dataclass(frozen=True)
class Columns:
    """What becomes of each column that was asked for."""

    numbers: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Those that can't be profiled, and why."""


def columns(types: Mapping[str, Type], wanted: Sequence[str]) -> Columns:
    """By their types, never by what a value looks like. True and false are numbers, as they are sent."""
    found = Columns()
    for name in dict.fromkeys(wanted):
        known = types[name]
        if len(name) > LONGEST:
            found.left_out[name] = f"its name has more than {LONGEST} characters"
        elif known.depth or known.kind is None or known.said == "JSON":
            found.left_out[name] = f"{_short(known.said)}, neither a number nor a text"
        elif known.kind in _UNFIT:
            found.left_out[name] = f"{_UNFIT[known.kind]}, neither a number nor a text"
        elif known.kind in NUMBERS or known.kind == "boolean":
            found.numbers.append(name)
        else:
            found.names.append(name)
    return found


def _short(said: str) -> str:
    return said if len(said) <= 60 else f"{said[:59]}…"
