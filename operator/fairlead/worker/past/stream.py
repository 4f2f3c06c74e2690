"""The rows of a stream, in the order of their time, cut where windows end. One batch is in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa

from fairlead.monitor.profile import Profile
from fairlead.worker import places, tables
from fairlead.worker.formats import typed
from fairlead.worker.formats.words import line
from fairlead.worker.past import cells
from fairlead.worker.past.cells import Cells, Values
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.past.windows import FIRST, LAST, MOST, SECOND, Grid, Length
from fairlead.worker.tensors import NUMBERS, Type

BATCH = 16_384
"""Rows in memory at a time."""


@dataclass(frozen=True)
class Names:
    """Columns of the rows; empty: there is none."""

    time: str = ""
    prediction: str = ""
    score: str = ""


@dataclass(frozen=True)
class Times:
    """What the rows' times are like."""

    rows: int
    """All, with a time or without."""
    unread: int
    """Rows whose time is missing or can't be read: they are in no window."""
    first: int
    last: int
    sorted: bool


@dataclass(frozen=True)
class Piece:
    """Rows that follow on each other, all of one window."""

    window: int
    """From 0."""
    at: int
    """When its first row came: microseconds since 1970, or the row's number where rows have no times."""
    to: int
    """The same of its last row."""
    rows: int
    columns: Mapping[str, Values]
    """Those of the profile's features and of its slices that the rows have."""
    answers: Values | None
    scores: np.ndarray | None


class Stream:
    """Rows of one stream. Raises BadFiles."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, source: Source, profile: Profile, names: Names, length: Length
    ) -> None:
        self._source, self._names, self._length, self._database = source, names, length, database
        self.profile = profile
        self._row = tables.name(unlike("row", source.types))
        self.absent = [one.name for one in profile.features if one.name not in source.types]
        """Features of the profile that the rows lack."""
        wanted = [*(one.name for one in profile.features), *(one.by for one in profile.slices)]
        self._cells: dict[str, Cells] = {
            name: cells.of(source, name, profile.feature(name))
            for name in dict.fromkeys(wanted)
            if name in source.types
        }
        self._outputs = self.output(names.prediction, "prediction"), self.output(names.score, "score")
        self.clock = self._moment()
        """SQL of a row's time in microseconds, null if it has none; empty if rows have no times."""
        self.times = self._times()
        self.grid = Grid(length, self.times.first) if length.timed else None
        if self.count() > MOST:
            raise BadFiles(f"that makes {self.count():,} windows, and {MOST:,} are judged at most: choose longer ones"
                           " with --window, or see whether some times are wrong")  # fmt: skip

    # --- what is there -----------------------------------------------------------------------------------------------

    def count(self) -> int:
        """Windows."""
        rows = self.times.rows - self.times.unread
        if not rows:
            return 0
        if self.grid is not None:
            return int(self.grid.numbers(np.array([self.times.last], dtype=np.int64))[0]) + 1
        return -(-rows // self._length.rows)

    def notes(self) -> list[str]:
        """How columns are read, where that is not as the profile has them."""
        found = [cells.said(self._source, one, self.profile.feature(name)) for name, one in self._cells.items()]
        return [one for one in found if one]

    def _moment(self) -> str:
        if not self._names.time:
            if self._length.timed:
                raise BadFiles("windows of time need the rows' times: name their column with --time, or give --window "
                               "a number of rows")  # fmt: skip
            return ""
        column = tables.name(self._names.time)
        type_ = self._source.require(self._names.time, "the time (--time)")
        micros = _micros(column, type_)
        if not micros:
            raise BadFiles(f"column {self._names.time[:60]} is {line(type_.said, 60)}: that is no time; name another "
                           "column with --time")  # fmt: skip
        return f"CASE WHEN {micros} BETWEEN {FIRST} AND {LAST - 1} THEN {micros} END"

    def _times(self) -> Times:
        if not self.clock:
            rows = self._number(f"SELECT count(*) FROM ({self._source.scan})")[0]
            return Times(rows, 0, 0, max(0, rows - 1), True)
        moments = f"SELECT {self.clock} AS t FROM ({self._source.scan})"
        rows, known = self._number(f"SELECT count(*), count(t) FROM ({moments})")
        lags = f"SELECT t, lag(t) OVER () AS before FROM ({moments}) WHERE t IS NOT NULL"
        first, last, back = self._number(f"SELECT min(t), max(t), count_if(t < before) FROM ({lags})")
        if rows and not known:
            raise BadFiles(f"no row has a time in column {self._names.time[:60]} that can be read; write times as in "
                           "2026-03-01T12:00:00Z, or as seconds since 1970")  # fmt: skip
        return Times(rows, rows - known, first, last, not back)

    def _number(self, query: str) -> tuple[int, ...]:
        try:
            row = self._database.execute(query).fetchone() or ()
        except duckdb.Error as error:
            raise BadFiles(f"{self._source.said} can't be read: {line(error)}") from error
        return tuple(int(value or 0) for value in row)

    # --- rows --------------------------------------------------------------------------------------------------------

    def query(self, selected: Sequence[str], joined: str = "", where: str = "true", *, numbered: bool = False) -> str:
        """SQL of a query for these expressions, in the order of time; first `at`.

        Args:
            selected: SQL over the rows' columns.
            joined: What the rows are joined with, and how.
            where: Which rows.
            numbered: Whether `at` is a row's number, from 0, where rows have no times. Else it is 0 then.
        """
        known = f"{where} AND {self.clock} IS NOT NULL" if self.clock else where
        listed = "".join(f", {one} AS c{number}" for number, one in enumerate(selected))
        if self.times.sorted and not joined and (self.clock or not numbered):
            return f"SELECT {self.clock or '0'} AS at{listed} FROM ({self._source.scan}) WHERE {known}"
        # Times may be alike: only the rows' numbers say then in which order they came.
        rows = f"SELECT *, row_number() OVER () - 1 AS {self._row} FROM ({self._source.scan})"
        at = self.clock or f"CAST({self._row} AS BIGINT)"
        # A join comes in any order; rows that are only numbered stay in theirs.
        order = f" ORDER BY {at}, {self._row}" if joined or not self.times.sorted else ""
        return f"SELECT {at} AS at{listed} FROM ({rows}) {joined} WHERE {known}{order}"

    def pieces(self) -> Iterator[Piece]:
        """All rows that have a time."""
        answer, score = self._outputs
        wanted = [*self._cells.values(), *(one for one in (answer, score) if one)]
        selected = [sql for one in wanted for sql in one.sql()]
        before = 0
        for batch in self._source.batches(self.query(selected), BATCH):
            numbers = np.arange(before, before + batch.num_rows, dtype=np.int64)
            at = np.asarray(batch.column(0)) if self.clock else numbers
            windows = numbers // self._length.rows if self.grid is None else self.grid.numbers(at)
            for start, end in cuts(windows):
                found = Found(batch.slice(start, end - start), first=1)
                columns = {name: found.next(one) for name, one in self._cells.items()}
                answers = found.next(answer) if answer else None
                scores = places.numbers(found.next(score)) if score else None
                window, began, ended = int(windows[start]), int(at[start]), int(at[end - 1])
                yield Piece(window, began, ended, end - start, columns, answers, scores)
            before += batch.num_rows

    def output(self, column: str, use: str) -> Cells | None:
        """How a column of the model's answers is read; None if none was named."""
        if not column:
            return None
        type_ = self._source.require(column, f"the {use} (--{use})")
        if use == "score" and type_.kind not in NUMBERS:
            raise BadFiles(f"column {column[:60]} is {line(type_.said, 60)}: a score is a number from 0 to 1; name "
                           "another column with --score")  # fmt: skip
        return cells.of(self._source, column, self.profile.prediction if use == "prediction" else None)


class Found:
    """The columns of a batch, one after the other. first: the number of the first that is wanted."""

    def __init__(self, batch: pa.RecordBatch, first: int) -> None:
        self._columns = iter(batch.columns[first:])

    def next(self, wanted: Cells) -> Values:
        """The values of the next column that was selected."""
        return wanted.read([next(self._columns) for _ in wanted.sql()])


def cuts(windows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where each window's rows begin and end, of rows whose windows never go back."""
    if len(windows):
        borders = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), len(windows)]
        yield from pairwise(borders)


def unlike(found: str, names: Collection[str]) -> str:
    """A name that no column has: this one, or a longer one."""
    taken = {name.lower() for name in names}
    while found in taken:
        found += "_"
    return found


def _micros(column: str, type_: Type) -> str:
    """SQL of a time in microseconds since 1970; null for what is none; empty if the type has no times. Numbers are
    seconds since 1970."""
    if type_.depth:
        return ""
    if type_.kind in ("timestamp", "date"):
        return f"CASE WHEN isfinite({column}::TIMESTAMP) THEN epoch_us({column}::TIMESTAMP) END"
    if type_.kind in NUMBERS:
        seconds = f"TRY_CAST({column} AS DOUBLE)"
        far = LAST // SECOND
        return (
            f"CASE WHEN isfinite({seconds}) AND abs({seconds}) < {far} THEN CAST(round({seconds} * 1e6) AS BIGINT) END"
        )
    if type_.kind == "text":
        text = f"CAST({column} AS VARCHAR)"
        moment = typed.maybe(typed.TIMESTAMP, text)
        return f"CASE WHEN {typed.fits(typed.TIMESTAMP, text)} THEN epoch_us({moment}) END"
    return ""
