"""A version of a Dataset of labels, and the answers that were kept: which labels are of which answers, each once.

Each label is counted once: the ids that were counted lie in files of their own, which the task is told of and adds to;
so it does not matter which rows a later version of the Dataset repeats, changes or drops. The first label of a request
counts. A label whose answer is not in the log yet is looked for again in the next version.

The log is read some files at a time, only the days that are wanted and the columns that are needed, so memory is
bounded by the labels, and DuckDB spills them to disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

import duckdb

from fairlead.api.labelled import UsedLabels
from fairlead.api.tasks import FetchTask, JoinTask, ObserveTask
from fairlead.store.layout import join as joined_key
from fairlead.store.s3 import Bucket
from fairlead.worker import digests, folders, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch, parallel
from fairlead.worker.folders import Rows
from fairlead.worker.formats.words import line
from fairlead.worker.tensors import Type, identity

FEWEST, LOOKED = 20, 64
"""Labels without any answer after which the rest of the log is looked at, and files of it that are."""
TOGETHER = 64
"""Files of the log that are read at once: to begin with one costs more than most of them have to read."""

OF_LABELS = ("the labels", "publish them anew")
OF_ANSWERS = ("the log of answers", "see whether its worker has memory and disk enough")
_ANSWERS = (
    "SELECT CAST(request_id AS VARCHAR) AS id, epoch_us(time) - {since} AS us, {columns} "
    "FROM read_parquet({files}) "
    "WHERE status BETWEEN 200 AND 299 AND output IS NOT NULL AND output <> 'null' AND epoch_us(time) >= {since}"
)


@dataclass(frozen=True)
class Found:
    """What the labels are like."""

    rows: int
    """Requests with a label."""
    changed: int
    contradictory: int


class Matching(ABC):
    """Labels and answers that are being brought together."""

    COLUMNS: Sequence[str]
    """Of the log, which are read."""
    VERSIONS: Sequence[str]
    """Members of the task that name the versions whose answers are read."""
    ASKER = "the guard"
    """Who names the columns, in messages."""
    beside: Mapping[str, str] = {}
    """By column of the Dataset, how the tables `labels` and `fresh` call it."""

    def __init__(
        self, task: JoinTask | ObserveTask, folder: Path, database: duckdb.DuckDBPyConnection, answers: Bucket,
        store: Bucket,
    ) -> None:  # fmt: skip
        self.asked, self.folder, self.database = task, folder, database
        self.answers_in, self.store = answers, store
        self.since = micros(task.since)
        self.fresh = 0
        self.text = False
        """Whether labels are text by their column's type."""
        self._lock = Lock()
        self._here: tuple[dict[str, Path], ...] = tuple({} for _ in self.VERSIONS)
        """Files of the log that have been fetched and not been read, by version and key."""

    @abstractmethod
    def take(self, arm: int, files: Sequence[Path]) -> None:
        """Read some files of a version's answers (`answered` is their query). Raises TaskFailed."""

    # --- the labels ----------------------------------------------------------------------------------------------

    def labels(self, also: Iterable[str] = ()) -> Found:
        """Read them, and set apart those that were not counted before. also: columns that are kept with a label,
        where there are such (`beside`)."""
        dest, task = self.folder / "labels", self.asked
        fetch(FetchTask(items=[task.labels.model_copy(update={"dest": str(dest)})]))
        # as they are written: "007" is no 7, and "yes" is not true
        rows = folders.rows(self.database, dest, task.format, text=(task.request_id, task.label))
        types = self._types(rows.scan)
        self._make(rows, types, [one for one in also if one in types and _plain(types[one])])
        self._used()
        more = "".join(f", {tables.name(_beside(number))}" for number in range(len(self.beside)))
        self.run(
            f"CREATE TABLE fresh AS SELECT id, label{more} FROM labels "
            "WHERE said = 1 AND id NOT IN (SELECT id FROM used)"
        )
        self.fresh = self.number("SELECT count(*) FROM fresh")
        return Found(
            self.number("SELECT count(*) FROM labels"),
            self.number("SELECT count(*) FROM labels JOIN used USING (id) WHERE labels.label <> used.label"),
            self.number("SELECT count(*) FROM labels WHERE said > 1"),
        )

    def _make(self, rows: Rows, types: dict[str, str], also: list[str]) -> None:
        """The table of all labels."""
        key, label = tables.name(self.asked.request_id), f"CAST({tables.name(self.asked.label)} AS VARCHAR)"
        known = f"{key} IS NOT NULL AND {label} IS NOT NULL"
        kind = rows.reading.types().get(self.asked.label)
        self.text = kind == "string"
        if kind == "float":  # what is not a number is no label
            known += f" AND NOT coalesce(isnan(TRY_CAST({label} AS DOUBLE)), false)"
        self.beside = {name: _beside(number) for number, name in enumerate(also)}
        more = "".join(f", min({tables.name(name)}) AS {tables.name(column)}" for name, column in self.beside.items())
        one = identity(self.asked.request_id, types[self.asked.request_id])
        self.run(
            f"CREATE TABLE labels AS SELECT {one} AS id, min({label}) AS label, "
            f"count(DISTINCT {label}) AS said{more} FROM ({rows.scan}) WHERE {known} GROUP BY id"
        )

    def _types(self, scan: str) -> dict[str, str]:
        """Of the columns, which are checked."""
        types = {str(row[0]): str(row[1]) for row in self.run(f"DESCRIBE {scan}").fetchall()}
        wanted = {"requestId": self.asked.request_id, "label": self.asked.label}
        missing = [f"labels.{member} ({column})" for member, column in wanted.items() if column not in types]
        if missing:
            raise TaskFailed(
                "BadData", f"this version has no column for {' and '.join(missing)}; it has {', '.join(types)[:300]}. "
                f"Name the right column in {self.ASKER}, or publish the labels with it",
            )  # fmt: skip
        for column in wanted.values():
            Type.of(types[column]).one(column, "an id or a label")
        return types

    def _used(self) -> None:
        self.run("CREATE TABLE used (id VARCHAR, label VARCHAR)")
        for number, one in enumerate(self.asked.used):
            path = self.folder / f"used-{number}.parquet"
            self.store.download(joined_key(self.asked.store.prefix, one.key), path)
            self.run(f"INSERT INTO used SELECT id, label FROM read_parquet({tables.text(str(path))})")

    def remember(self) -> list[UsedLabels]:
        """Keep which labels have been counted (the table `hits`). Files that are not larger than what comes to them
        become one with it, so there are few; an attempt that nobody hears of leaves one that nobody reads."""
        kept, rows = list(self.asked.used), self.number("SELECT count(DISTINCT id) FROM hits")
        merged = []
        while kept and kept[-1].rows <= rows:
            merged.append(self.folder / f"used-{len(kept) - 1}.parquet")
            rows += kept.pop().rows
        parts = ["SELECT id, label FROM fresh WHERE id IN (SELECT id FROM hits)"]
        parts += [f"SELECT id, label FROM read_parquet({tables.text(str(path))})" for path in merged]
        path = self.folder / "counted.parquet"
        self.run(f"COPY ({' UNION ALL '.join(parts)} ORDER BY id) TO {tables.text(str(path))} (FORMAT parquet)")
        key = f"{digests.of_file(path)[:32]}.parquet"
        self.store.upload(joined_key(self.asked.store.prefix, key), path)
        return [*kept, UsedLabels(key=key, rows=rows)]

    # --- the answers ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read the log, some files at a time."""
        parallel(lambda one: self._fetch(*one), self._keys())
        for arm in range(len(self.VERSIONS)):
            self._count(arm)

    def _keys(self) -> Iterator[tuple[int, str]]:
        first = (datetime.fromtimestamp(self.since / 1e6, UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
        for arm, name in enumerate(self.VERSIONS):
            folder = joined_key(self.asked.log.prefix, f"version={getattr(self.asked, name)}") + "/date="
            for entry in self.answers_in.list(folder):
                if entry.key.removeprefix(folder)[:10] >= first and entry.key.endswith(".parquet"):
                    yield arm, entry.key

    def _fetch(self, arm: int, key: str) -> None:
        """Fetch a file of the log, and count those of its version that have come when they are enough."""
        path = self.folder / f"{digests.of_bytes(key.encode())}.parquet"
        self.answers_in.download(key, path)
        with self._lock:
            self._here[arm][key] = path
            if len(self._here[arm]) >= TOGETHER:
                self._count(arm)

    def _count(self, arm: int) -> None:
        """Count the answers of a version in the files that are here, and take these away."""
        files = dict(self._here[arm])
        self._here[arm].clear()
        if not files:
            return
        try:
            self.take(arm, list(files.values()))
        except TaskFailed:
            self._name_corrupt(files)
            raise
        for path in files.values():
            path.unlink()

    def answered(self, files: Iterable[Path]) -> str:
        """The query of the answers in files of the log."""
        paths = ", ".join(tables.text(str(path)) for path in files)
        return _ANSWERS.format(since=self.since, columns=", ".join(self.COLUMNS), files=f"[{paths}]")

    def _name_corrupt(self, files: Mapping[str, Path]) -> None:
        """Raise TaskFailed for the first of these files that can't be read alone, if there is one."""
        for key, path in files.items():
            columns = ", ".join(f"max({one})" for one in ("id", "us", *self.COLUMNS))
            self.run(f"SELECT {columns} FROM ({self.answered([path])})",
                     source=(self.answers_in.uri(key), "remove it, or restore it"))  # fmt: skip

    def strange(self) -> bool:
        """Whether there are labels enough, and none of them belongs to an answer in the rest of the log; a part of it,
        evenly chosen, is read. Where nothing was kept at all, nothing is strange."""
        if self.asked.used or self.fresh < FEWEST:
            return False
        keys = [entry.key for entry in self.answers_in.list(self.asked.log.prefix) if entry.key.endswith(".parquet")]
        for number, key in enumerate(keys[:: max(1, len(keys) // LOOKED)]):
            path = self.folder / f"any-{number}.parquet"
            self.answers_in.download(key, path)
            ids = f"SELECT CAST(request_id AS VARCHAR) AS id FROM read_parquet({tables.text(str(path))})"
            if self.number(f"SELECT count(*) FROM ({ids}) WHERE id IN (SELECT id FROM fresh)"):
                return False
            path.unlink()
        return bool(keys)

    # --- queries -------------------------------------------------------------------------------------------------

    def number(self, query: str) -> int:
        """The one number that a query gives."""
        row = self.run(query).fetchone()
        return int(row[0]) if row else 0

    def run(
        self, query: str, values: Sequence[object] = (), source: tuple[str, str] = OF_LABELS
    ) -> duckdb.DuckDBPyConnection:
        """source: what is read, and what to do when it can't be."""
        try:
            return self.database.execute(query, list(values))
        except duckdb.Error as error:
            what, remedy = source
            raise TaskFailed("CorruptFile", f"{what} can't be read: {line(error)}; {remedy}") from error


def _plain(type_: str) -> bool:
    """Whether a column has one value a row."""
    found = Type.of(type_)
    return not found.depth and found.kind not in (None, "bytes")


def _beside(number: int) -> str:
    return f"beside_{number}"


def micros(stamp: str) -> int:
    """Microseconds since the epoch."""
    at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
