"""Held-out and reference rows: read in batches, in a fixed order, from local files, as their version is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa

from fairlead.api.formats import self_describing
from fairlead.api.reading import Reading
from fairlead.worker import folders, tables, tensors
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats import typed
from fairlead.worker.formats.words import line
from fairlead.worker.metrics import Labels
from fairlead.worker.tensors import EXACT, NUMBERS, Feature, Lists, Type

Batch: TypeAlias = pa.RecordBatch
"""Rows, by column."""
Row = tuple[Any, ...]
PROFILED = 10_000
"""Rows that are looked at together for the shape of their lists."""


class Table:
    """Rows of a folder that have a target. Raises TaskFailed (BadData) if they don't make a table with the columns."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, folder: Path, form: str, target: str, needed: Sequence[str]
    ) -> None:
        self._database = database
        self.rows = folders.rows(database, folder, form)
        self._scan = self.rows.scan
        read = self.rows.reading.types()
        self.types = {name: _type(self.rows.reading, read.get(name), said) for name, said in self._said(folder).items()}
        self.target = target
        missing = [c for c in (*needed, target) if c not in self.types]
        if missing:
            raise TaskFailed(
                "BadData",
                f"the rows lack {', '.join(missing)}; they have {', '.join(sorted(self.types))[:300]}",
            )
        self.kind = self.types[target].scalar(target, "a target")
        known = f"{tables.name(target)} IS NOT NULL"
        if self.types[target].said in ("FLOAT", "DOUBLE"):
            known += f" AND NOT isnan({tables.name(target)})"
        self._known = known
        self._columns = sorted({*needed, target})
        self.known, self.left_out = self._counts()

    @property
    def query(self) -> str:
        """SQL of the rows with a target."""
        return f"SELECT * FROM ({self._scan}) WHERE {self._known}"

    @property
    def numeric(self) -> bool:
        """Whether the target is a number, or true and false; else it is text."""
        return self.kind in NUMBERS or self.kind == "boolean"

    def reading(self) -> dict[str, Any]:
        """How the rows were read, of the columns that were asked for: by their Dataset's version, or inferred."""
        found = self.rows.reading
        asked = [c for c in found.columns if c.name in self._columns]
        said = found.model_copy(update={"columns": asked}).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {**said, "of": "dataset" if self.rows.declared else "rows"}

    def _said(self, folder: Path) -> dict[str, str]:
        try:
            found = self._database.execute(f"DESCRIBE {self._scan}").fetchall()
        except duckdb.Error as error:
            text = line(error)
            raise TaskFailed("BadData", f"the files in {folder} don't make one table: {text}") from error
        return {str(row[0]): str(row[1]) for row in found}

    def _counts(self) -> tuple[int, int]:
        """Rows with a target, and without."""
        (found,) = self._all(
            f"SELECT count(*) FILTER (WHERE {self._known}) AS known, count(*) AS n FROM ({self._scan})"
        )
        return int(found["known"]), int(found["n"] - found["known"])

    def features(self, names: Sequence[str]) -> dict[str, Feature]:
        """How each column is sent. Raises TaskFailed (BadData) for those that a request can't carry."""
        kinds = {n: self.types[n].sent(n) for n in names}
        gaps = self._gaps([n for n in names if not self.types[n].depth])
        lists = self._lists([n for n in names if self.types[n].depth])
        shapes = {n: one.shape for n, one in lists.items()}
        gaps |= {n: one.gaps for n, one in lists.items()}
        return {n: tensors.feature(n, kinds[n], gaps[n], shapes.get(n, ())) for n in names}

    def _gaps(self, names: Sequence[str]) -> dict[str, bool]:
        if not names:
            return {}
        empty = ", ".join(f"bool_or({tables.name(n)} IS NULL) AS gap_{at}" for at, n in enumerate(names))
        (found,) = self._all(f"SELECT {empty} FROM ({self._scan}) WHERE {self._known}")
        return {n: bool(found[f"gap_{at}"]) for at, n in enumerate(names)}

    def _lists(self, names: Sequence[str]) -> dict[str, Lists]:
        found = {n: Lists(n, self.types[n].depth) for n in names}
        for batch in self._batches(names, PROFILED) if names else ():
            for name, one in found.items():
                one.add(batch.column(name))
        return found

    def batches(self, size: int) -> Iterator[Batch]:
        """Rows with a target, in the files' order: the columns that were asked for."""
        return self._batches(self._columns, size)

    def _batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        listed = ", ".join(tensors.selected(c, self.types[c]) for c in columns)
        return self._run(f"SELECT {listed} FROM ({self._scan}) WHERE {self._known}", size)

    def values(self, batch: Batch, column: str) -> list[Any]:
        """The values of a target or group: numbers, truths, and text (also of dates and times)."""
        return tensors.plain(column, self.types[column].scalar(column, "a group"), batch.column(column))

    def totals(self, by: Sequence[str], value: str) -> list[Row]:
        """(group columns, value) for each group of rows with a target."""
        listed = "".join(f"{tensors.selected(c, self.types[c])}, " for c in by)
        grouped = "GROUP BY ALL" if by else ""
        query = f"SELECT {listed}{value} AS total FROM ({self._scan}) WHERE {self._known} {grouped}"
        found: list[Row] = []
        for batch in self._run(query, PROFILED):
            columns = [self.values(batch, c) for c in by]
            found += zip(*columns, batch.column(len(by)).to_pylist(), strict=True)
        return found

    def check_classes(self) -> None:
        """Raises TaskFailed (BadData) if integers that name classes can't be told apart as floats."""
        if self.kind not in ("integer", "unsigned"):
            return
        cell = f"{tables.name(self.target)}::HUGEINT"
        (found,) = self._all(f"SELECT max(abs({cell})) > {EXACT} AS far FROM ({self._scan}) WHERE {self._known}")
        if found["far"]:
            raise TaskFailed(
                "BadData", f"{self.target} has integers beyond 2^53, which can't be told apart as numbers; as names of "
                "classes declare them as strings, and let the server answer strings",
            )  # fmt: skip

    def check_alike(self, other: Table, columns: Sequence[str]) -> None:
        """Raises TaskFailed (BadData) if a column is text in one and a number in the other: nothing would be equal."""
        for column in columns:
            mine, theirs = (t.types[column].scalar(column, "a group or target") for t in (self, other))
            if (mine in NUMBERS or mine == "boolean") != (theirs in NUMBERS or theirs == "boolean"):
                raise TaskFailed(
                    "BadData", f"column {column} is {self.types[column].said} in the rows and "
                    f"{other.types[column].said} in the baseline's reference; declare it alike in both Datasets",
                )  # fmt: skip

    def _all(self, query: str) -> list[dict[str, Any]]:
        return [row for batch in self._run(query, PROFILED) for row in batch.to_pylist()]

    def _run(self, query: str, size: int) -> Iterator[Batch]:
        """Through Arrow: DuckDB's own way to Python's objects wants more modules, and says less of types."""
        try:
            yield from self._database.cursor().execute(query).to_arrow_reader(size)
        except (duckdb.Error, pa.ArrowException) as error:
            raise TaskFailed("BadData", f"the rows can't be read: {line(error)}") from error


def _type(reading: Reading, read: str | None, said: str) -> Type:
    """read: the column's type by the reading; said: by DuckDB, to which some are text that are none."""
    if read == typed.NULL:
        return Type("float", 0, "null")
    if read == typed.JSON and not self_describing(reading.format):
        return Type(None, 0, "JSON objects, or values of several types")
    if read is not None and "duration" in read:  # stored as integers, of whatever unit
        return Type(None, 0, f"a {read}")
    return Type.of(said)


def labels(values: Sequence[Any], numeric: bool) -> Labels:
    """Targets as an array: floats if they are numbers or booleans, else strings."""
    if numeric:
        return np.asarray([float(v) for v in values], dtype=np.float64)
    return np.asarray(values, dtype=np.object_)
