"""What came true of a stream's rows: from a file of labels, or from a column of the rows themselves.

A label of a row is known from the row's time plus a delay on, not before. As in the cluster, a label is told by its
row's key; one key with different labels is contradictory, and is not counted; the same label told twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa

from fairlead.monitor.profile import Profile
from fairlead.worker import places, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line
from fairlead.worker.past import cells
from fairlead.worker.past.cells import Cells, Values
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.past.stream import BATCH, Found, Names, Stream, unlike
from fairlead.worker.tensors import identity


@dataclass(frozen=True)
class Told:
    """What the labels are like."""

    labels: int = 0
    """Keys that have a label, or rows that have one."""
    contradictory: int = 0
    """Keys with different labels: none of them counts."""
    repeated: int = 0
    """Labels that say again what was said."""
    empty: int = 0
    """Labels without a key, or without a value."""
    unmatched: int = 0
    """Keys of which there is no row."""
    shared: int = 0
    """Rows whose key another row has too: each of them has the label."""


@dataclass(frozen=True)
class Labelled:
    """Rows with their labels, in the order in which the labels became known."""

    known: np.ndarray
    """When (int64): microseconds since 1970; the row's number where rows have no times."""
    truths: Values
    answers: Values
    scores: np.ndarray | None
    slices: dict[str, Values]

    def part(self, start: int, end: int) -> Labelled:
        """Some of the rows."""
        scores = None if self.scores is None else self.scores[start:end]
        slices = {name: values[start:end] for name, values in self.slices.items()}
        return Labelled(self.known[start:end], self.truths[start:end], self.answers[start:end], scores, slices)


class Labels:
    """Of one stream. Raises BadFiles."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, stream: Stream, rows: Source, names: Names, target: str,
        delay: int = 0, file: Source | None = None, key: str = "",
    ) -> None:  # fmt: skip
        """target: the labels' column, in `file` or else in the rows; delay: in microseconds."""
        self._database, self._stream, self._rows, self._file, self._key = database, stream, rows, file, key
        if delay and not stream.clock:
            raise BadFiles("a delay of labels (--delay) needs the rows' times: name their column with --time")
        if not names.prediction:
            raise BadFiles("labels say what the answers should have been: name the answers' column with --prediction")
        self.delay = delay
        for one in (file, rows) if file else ():
            _fit(one, key, "the key (--key)", "a key")
        self.target = target or self._only()
        _fit(file or rows, self.target, "the labels (--target)", "a label")
        profile = stream.profile
        self._truth = cells.of(file or rows, self.target, profile.prediction)
        self._as = {one: unlike(f"label {one}", rows.types) for one in ("key", "said", "times", "label")}
        answer, self._score = stream.output(names.prediction, "prediction"), stream.output(names.score, "score")
        assert answer is not None
        self._answer = answer
        self._slices = dict(self._told_apart(profile))
        self.told = self._joined() if file is not None else self._own()

    def _only(self) -> str:
        """The one column of the labels' file that is not the key."""
        others = [] if self._file is None else [name for name in self._file.types if name != self._key]
        if len(others) != 1:
            there = line(", ".join(others), 200) or "no other"
            raise BadFiles(f"which column of the labels is what came true? Name it with --target; there is {there}")
        return others[0]

    def _told_apart(self, profile: Profile) -> Iterator[tuple[str, Cells]]:
        """Columns of slices, in the rows or else in the file of labels."""
        for one in profile.slices:
            if one.by in self._rows.types:
                yield one.by, cells.of(self._rows, one.by, None)
            elif self._file is not None and one.by in self._file.types:
                found = cells.of(self._file, one.by, None)
                yield one.by, replace(found, column=unlike(f"label of {one.by}", self._rows.types))

    # --- what is there -----------------------------------------------------------------------------------------------

    def _own(self) -> Told:
        known = _known(self._rows, self.target)
        row = self._run(f"SELECT count(*) FILTER ({known}), count(*) FILTER (NOT {known}) FROM ({self._rows.scan})")
        return Told(labels=row[0], empty=row[1])

    def _joined(self) -> Told:
        """Make the table of labels by key, and see what matches."""
        file = self._file
        assert file is not None
        id_, mine = (identity(self._key, one.types[self._key].said) for one in (file, self._rows))
        target, known = tables.name(self.target), _known(file, self.target)
        key, said, times, label = (tables.name(self._as[one]) for one in ("key", "said", "times", "label"))
        extra = "".join(
            f", min({tables.name(by)}) AS {tables.name(one.column)}"
            for by, one in self._slices.items() if by not in self._rows.types
        )  # fmt: skip
        self._run(
            f"CREATE TABLE labels AS SELECT {id_} AS {key}, min({target}) AS {label}, count(*) AS {times}, "
            f"count(DISTINCT {target}) AS {said}{extra} FROM ({file.scan}) WHERE {known} AND {id_} IS NOT NULL "
            "GROUP BY 1"
        )
        self._truth = replace(self._truth, column=self._as["label"])
        (rows,) = self._run(f"SELECT count(*) FROM ({file.scan})")
        labels, all_, bad, again = self._run(
            f"SELECT count(*), coalesce(sum({times}), 0), count_if({said} > 1), "
            f"coalesce(sum({times} - 1) FILTER ({said} = 1), 0) FROM labels"
        )
        self._run(f"CREATE TABLE keys AS SELECT {mine} AS key, count(*) AS rows FROM ({self._rows.scan}) GROUP BY 1")
        matched, shared = self._run(
            f"SELECT count(rows), coalesce(sum(rows) FILTER (rows > 1 AND {said} = 1), 0) "
            f"FROM labels LEFT JOIN keys ON keys.key = labels.{key}"
        )
        self._run("DROP TABLE keys")
        return Told(labels, bad, again, rows - all_, labels - matched, shared)

    def _run(self, query: str) -> tuple[int, ...]:
        try:
            row = self._database.execute(query).fetchone() or ()
        except duckdb.Error as error:
            raise BadFiles(f"the labels can't be read: {line(error)}") from error
        return tuple(int(value or 0) for value in row)

    # --- labelled rows -----------------------------------------------------------------------------------------------

    def batches(self) -> Iterator[Labelled]:
        """All rows that have a label and a time."""
        wanted = [self._truth, self._answer, *([self._score] if self._score else []), *self._slices.values()]
        for batch in self._rows.batches(self._query(wanted), BATCH):
            yield self._read(batch)

    def _query(self, wanted: Sequence[Cells]) -> str:
        selected = [sql for one in wanted for sql in one.sql()]
        if self._file is None:
            return self._stream.query(selected, where=_known(self._rows, self.target), numbered=True)
        key, said = (tables.name(self._as[one]) for one in ("key", "said"))
        mine = identity(self._key, self._rows.types[self._key].said)
        return self._stream.query(selected, joined=f"JOIN labels ON {key} = {mine} AND {said} = 1", numbered=True)

    def _read(self, batch: pa.RecordBatch) -> Labelled:
        found = Found(batch, first=1)
        truths, answers = found.next(self._truth), found.next(self._answer)
        scores = places.numbers(found.next(self._score)) if self._score else None
        slices = {by: found.next(one) for by, one in self._slices.items()}
        return Labelled(np.asarray(batch.column(0)) + self.delay, truths, answers, scores, slices)


def _fit(source: Source, column: str, use: str, word: str) -> None:
    """Raises BadFiles unless a column is there, and of one value a row."""
    try:
        source.require(column, use).scalar(column, word)
    except TaskFailed as failed:
        raise BadFiles(f"{source.said}: {failed}") from failed


def _known(source: Source, column: str) -> str:
    """SQL: whether a label says something."""
    cell = tables.name(column)
    real = source.types[column].said in ("FLOAT", "DOUBLE")
    return f"({cell} IS NOT NULL AND NOT isnan({cell}))" if real else f"({cell} IS NOT NULL)"
