"""Rows that can be gone over again and again, and which of their columns can be profiled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from threading import Timer
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from fairlead.monitor.profile import CATEGORIES, KNOWN, LONGEST
from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line
from fairlead.worker.tensors import NUMBERS, Type

Batch: TypeAlias = pa.RecordBatch
TOGETHER, LEAST, CELLS = 1 << 13, 1 << 9, 1 << 18
"""Rows of a batch: a column of them stays in the processor's cache, and no library takes more threads for it. Fewer of
many columns, so that a batch has no more than CELLS, but at least LEAST rows."""
_UNFIT = {"date": "a date", "time": "a time of day", "timestamp": "a point in time", "bytes": "bytes"}


class TooLong(Exception):  # noqa: N818 - the house's names of errors
    """There is no more time to go over the rows."""


@dataclass(frozen=True)
class Rows:
    """A query over them."""

    database: duckdb.DuckDBPyConnection
    query: str
    types: Mapping[str, Type]
    digest: str = ""
    until: float = inf
    """When to give up, by the monotonic clock: then all that is below raises TooLong."""

    def batches(self, numbers: Sequence[str], names: Sequence[str]) -> Iterator[Batch]:
        """Numbers as floats, names as texts, cut as they are counted. Raises TaskFailed (BadData)."""
        cells = [f"CAST({tables.name(c)} AS DOUBLE) AS {tables.name(c)}" for c in numbers]
        cells += [f"{_text(c)} AS {tables.name(c)}" for c in names]
        if not cells:
            cells = ["1 AS one"]
        yield from self._run(f"SELECT {', '.join(cells)} FROM ({self.query})", len(cells))

    def plain(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Columns as they are, but for types that Arrow has not, and texts, which are cut as they are counted. Raises
        TaskFailed (BadData)."""
        cells = []
        for column in columns:
            cell = tables.name(column)
            said = self.types[column].said
            if "HUGEINT" in said:
                cell = f"CAST({cell} AS DOUBLE) AS {cell}"
            elif self.types[column].kind == "text":
                cell = f"{_text(column)} AS {cell}"
            cells.append(cell)
        if not cells:
            cells = ["1 AS one"]
        yield from self._run(f"SELECT {', '.join(cells)} FROM ({self.query})", len(cells))

    def frequent(self, column: str) -> list[str] | None:
        """The most frequent names of a column that has too many to be held: DuckDB counts them, and spills to disk.
        None: not even so."""
        query = (
            f"SELECT {_text(column)} AS name FROM ({self.query}) WHERE {tables.name(column)} IS NOT NULL "
            f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {CATEGORIES + KNOWN}"
        )
        cursor = self.database.cursor()
        alarm = Timer(self._left(), cursor.interrupt) if self.until < inf else None
        if alarm:
            alarm.daemon = True
            alarm.start()
        try:
            return [str(row[0]) for row in cursor.execute(query).fetchall()]
        except duckdb.OutOfMemoryException:
            return None
        except duckdb.InterruptException:
            raise TooLong from None
        finally:
            if alarm:
                alarm.cancel()

    def _run(self, query: str, cells: int) -> Iterator[Any]:
        """cells: of a row."""
        size = max(LEAST, min(TOGETHER, CELLS // cells))
        try:
            for batch in self.database.cursor().execute(query).to_arrow_reader(size):
                self._left()
                yield batch
        except (duckdb.Error, pa.ArrowException) as error:
            raise TaskFailed("BadData", f"the rows can't be read: {line(error)}") from error

    def _left(self) -> float:
        """Seconds until it is to be given up. Raises TooLong if there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TooLong
        return left


def _text(column: str) -> str:
    """SQL of a name. Of texts as long as documents, a batch would have more bytes than there is memory."""
    return f"left(CAST({tables.name(column)} AS VARCHAR), {LONGEST})"


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
