"""join: which of the kept answers were right? A version of a Dataset of labels is joined with the prediction log.

Each label is counted once: the ids that were counted lie in files of the rollout's own, which this task is told of and
adds to; so it does not matter which rows a later version of the Dataset repeats, changes or drops. The first label of
a request counts. A label whose answer is not in the log yet is looked for again in the next version.

The log is read some files at a time, only the days since the rollout began and the columns that are needed, so memory
is bounded by the labels, and DuckDB spills them to disk. Answers were kept with a chance that follows from the
request's id alone, the same for all versions (`spec.record.sample`). So what was kept is a fair sample of the requests
for each version alike, and plain counts compare them; weighing them by 1/chance would change no comparison, and would
make counts that no exact test can judge.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Lock

import duckdb

from fairlead.api.labelled import UsedLabels
from fairlead.api.tasks import FetchTask, JoinResult, JoinTask
from fairlead.store.layout import join as joined_key
from fairlead.store.s3 import Bucket
from fairlead.worker import digests, folders, tables
from fairlead.worker.access import place
from fairlead.worker.counting import Counted, fitting, judge
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch, parallel
from fairlead.worker.formats.words import line
from fairlead.worker.tensors import EXACT, Type
from fairlead.worker.truth import Rule

BINS = 40
"""Stretches of time that answers are divided into, besides where weights change."""
SHORTEST = 60_000_000
"""Microseconds of which a stretch is a multiple."""
FEWEST, LOOKED = 20, 64
"""Labels without any answer after which the rest of the log is looked at, and files of it that are."""
TOGETHER = 64
"""Files of the log that are read at once: to begin with one costs more than most of them have to read."""
ROWS = 10_000
"""Requests that are judged at a time."""
ARMS = ("stable", "candidate")
log = logging.getLogger(__name__)

_OF_LABELS = ("the labels", "publish them anew")
_OF_ANSWERS = ("the log of answers", "see whether its worker has memory and disk enough")
_ANSWERS = (
    "SELECT CAST(request_id AS VARCHAR) AS id, epoch_us(time) - {since} AS us, output, shadow "
    "FROM read_parquet({files}) "
    "WHERE status BETWEEN 200 AND 299 AND output IS NOT NULL AND output <> 'null' AND epoch_us(time) >= {since}"
)


def join(task: JoinTask) -> JoinResult:
    """Count. Raises TaskFailed or StoreError."""
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder, tables.connect(Path(folder)) as database:
        work = Joining(task, Path(folder), database, place(task.log), place(task.store))
        found = work.labels()
        if not work.fresh:
            return found
        work.answers()
        counted = work.counted()
        # a copy's answer alone says nothing: the live version's to the same request is still to come
        work.remove_lonely_copies()
        counted, matched = work.counted(), work.number("SELECT count(DISTINCT id) FROM hits")
        strange = not matched and not task.used and work.fresh >= FEWEST and not work.known_anywhere()
        used = work.remember() if matched else task.used
        log.info("joined", extra={"labels": found.rows, "fresh": work.fresh, "matched": matched})
        whole = found.model_copy(update={
            "matched": matched, "unmatched": work.fresh - matched, "cells": counted.rows(),
            "pairs": counted.pairs if any(counted.pairs) else [], "unjudgeable": counted.unjudgeable,
            "strange": strange, "used": used, "kept": [work.kept(arm) for arm in (0, 1)],
        })  # fmt: skip
        return fitting(whole, [cut // 1_000_000 for cut in work.cuts()])


class Joining:
    """A join that is being made."""

    def __init__(
        self, task: JoinTask, folder: Path, database: duckdb.DuckDBPyConnection, answers: Bucket, store: Bucket
    ) -> None:
        self.task, self.folder, self.database = task, folder, database
        self.answers_in, self.store = answers, store
        self.since = _micros(task.since)
        self.fresh = 0
        self.text = False
        """Whether labels are text by their column's type."""
        self._lock = Lock()
        self._here: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
        """Files of the log that have been fetched and not been read, by version and key."""

    # --- the labels ----------------------------------------------------------------------------------------------

    def labels(self) -> JoinResult:
        """Read them, and set apart those that were not counted before."""
        dest = self.folder / "labels"
        fetch(FetchTask(items=[self.task.labels.model_copy(update={"dest": str(dest)})]))
        # as they are written: "007" is no 7, and "yes" is not true
        rows = folders.rows(self.database, dest, self.task.format, text=(self.task.request_id, self.task.label))
        types = self._types(rows.scan)
        key, label = tables.name(self.task.request_id), f"CAST({tables.name(self.task.label)} AS VARCHAR)"
        known = f"{key} IS NOT NULL AND {label} IS NOT NULL"
        kind = rows.reading.types().get(self.task.label)
        self.text = kind == "string"
        if kind == "float":  # what is not a number is no label
            known += f" AND NOT coalesce(isnan(TRY_CAST({label} AS DOUBLE)), false)"
        self._run(
            f"CREATE TABLE labels AS SELECT {_id(key, types[self.task.request_id])} AS id, min({label}) AS label, "
            f"count(DISTINCT {label}) AS said FROM ({rows.scan}) WHERE {known} GROUP BY id"
        )
        self._used()
        self._run(
            "CREATE TABLE fresh AS SELECT id, label FROM labels WHERE said = 1 AND id NOT IN (SELECT id FROM used)"
        )
        self.fresh = self.number("SELECT count(*) FROM fresh")
        return JoinResult(
            rows=self.number("SELECT count(*) FROM labels"),
            changed=self.number("SELECT count(*) FROM labels JOIN used USING (id) WHERE labels.label <> used.label"),
            contradictory=self.number("SELECT count(*) FROM labels WHERE said > 1"),
            used=self.task.used,
        )

    def _types(self, scan: str) -> dict[str, str]:
        """Of the columns, which are checked."""
        types = {str(row[0]): str(row[1]) for row in self._run(f"DESCRIBE {scan}").fetchall()}
        wanted = {"requestId": self.task.request_id, "label": self.task.label}
        missing = [f"labels.{member} ({column})" for member, column in wanted.items() if column not in types]
        if missing:
            raise TaskFailed(
                "BadData", f"this version has no column for {' and '.join(missing)}; it has {', '.join(types)[:300]}. "
                "Name the right column in the guard, or publish the labels with it",
            )  # fmt: skip
        for column in wanted.values():
            Type.of(types[column]).one(column, "an id or a label")
        return types

    def _used(self) -> None:
        self._run("CREATE TABLE used (id VARCHAR, label VARCHAR)")
        for number, one in enumerate(self.task.used):
            path = self.folder / f"used-{number}.parquet"
            self.store.download(joined_key(self.task.store.prefix, one.key), path)
            self._run(f"INSERT INTO used SELECT id, label FROM read_parquet({tables.text(str(path))})")

    # --- the answers ---------------------------------------------------------------------------------------------

    def answers(self) -> None:
        """Read the log: labelled answers one by one, all others as numbers."""
        self._run(
            "CREATE TABLE hits (arm TINYINT, id VARCHAR, us BIGINT, stretch INTEGER, output VARCHAR, shadow BOOL)"
        )
        self._run("CREATE TABLE answered (arm TINYINT, stretch INTEGER, number BIGINT)")
        self._run("CREATE TABLE kept (arm TINYINT, number BIGINT)")
        self._run("CREATE TABLE stretches AS SELECT unnest($1) AS start", [self.starts()])
        parallel(lambda one: self._fetch(*one), self._keys())
        for arm in (0, 1):
            self._count(arm)

    def starts(self) -> list[int]:
        """Where stretches of time begin, in microseconds after `since`."""
        length = max(1, _micros(datetime.now(UTC).isoformat()) - self.since)
        width = SHORTEST * -(-length // (BINS * SHORTEST))
        return sorted({*range(0, length, width), *(cut for cut in self.cuts() if 0 < cut < length)})

    def cuts(self) -> list[int]:
        """When the weights changed, in microseconds after `since`."""
        return [_micros(cut) - self.since for cut in self.task.cuts]

    def _keys(self) -> Iterator[tuple[int, str]]:
        first = (datetime.fromtimestamp(self.since / 1e6, UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
        for arm, name in enumerate(ARMS):
            folder = joined_key(self.task.log.prefix, f"version={getattr(self.task, name)}") + "/date="
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
        answers = self._answers(files.values())
        placed = f"SELECT * FROM ({answers}) a ASOF JOIN stretches s ON a.us >= s.start"
        try:
            self._run(
                f"INSERT INTO hits SELECT {arm}, id, us, start // 1000000, output, coalesce(shadow, false) "
                f"FROM ({placed}) WHERE id IN (SELECT id FROM fresh)", source=_OF_ANSWERS,
            )  # fmt: skip
            self._run(f"INSERT INTO kept SELECT {arm}, count(*) FROM ({answers})", source=_OF_ANSWERS)
            self._run(
                f"INSERT INTO answered SELECT {arm}, start // 1000000, count(*) FROM ({placed}) "
                f"WHERE NOT coalesce(shadow, false) AND id NOT IN (SELECT id FROM used) GROUP BY start",
                source=_OF_ANSWERS,
            )
        except TaskFailed:
            self._name_corrupt(files)
            raise
        for path in files.values():
            path.unlink()

    def _answers(self, files: Iterable[Path]) -> str:
        """The query of the answers in files of the log."""
        paths = ", ".join(tables.text(str(path)) for path in files)
        return _ANSWERS.format(since=self.since, files=f"[{paths}]")

    def _name_corrupt(self, files: Mapping[str, Path]) -> None:
        """Raise TaskFailed for the first of these files that can't be read alone, if there is one."""
        for key, path in files.items():
            self._run(f"SELECT max(id), max(us), max(output), max(shadow) FROM ({self._answers([path])})",
                      source=(self.answers_in.uri(key), "remove it, or restore it"))  # fmt: skip

    def kept(self, arm: int) -> int:
        """Answers of a version, labelled or not."""
        return self.number(f"SELECT coalesce(sum(number), 0) FROM kept WHERE arm = {arm}")

    def known_anywhere(self) -> bool:
        """Whether any of the labels belongs to an answer in the rest of the log; a part of it, evenly chosen, is read.
        Where nothing was kept at all, nothing is strange."""
        keys = [entry.key for entry in self.answers_in.list(self.task.log.prefix) if entry.key.endswith(".parquet")]
        for number, key in enumerate(keys[:: max(1, len(keys) // LOOKED)]):
            path = self.folder / f"any-{number}.parquet"
            self.answers_in.download(key, path)
            ids = f"SELECT CAST(request_id AS VARCHAR) AS id FROM read_parquet({tables.text(str(path))})"
            if self.number(f"SELECT count(*) FROM ({ids}) WHERE id IN (SELECT id FROM fresh)"):
                return True
            path.unlink()
        return not keys

    # --- what came of it -----------------------------------------------------------------------------------------

    def counted(self) -> Counted:
        """Judge each labelled request."""
        counted = Counted()
        rule = Rule(Decimal(self.task.tolerance), self.task.loss, Decimal(self.task.cap), self.text)
        for arm, stretch, number in self._run(
            "SELECT arm, stretch, sum(number) FROM answered "
            "WHERE stretch IN (SELECT stretch FROM hits) GROUP BY arm, stretch"
        ).fetchall():
            counted.cell(stretch, arm).answered = int(number)
        per_arm = ", ".join(
            f"arg_min(output, us) FILTER (arm = {arm}), arg_min(stretch, us) FILTER (arm = {arm} AND NOT shadow)"
            for arm in (0, 1)
        )
        found = self._run(f"SELECT id, any_value(label), {per_arm} FROM hits JOIN fresh USING (id) GROUP BY id")
        while rows := found.fetchmany(ROWS):
            for request_id, label, *answers in rows:
                judge(counted, request_id, label, answers, rule)
        return counted

    def remove_lonely_copies(self) -> None:
        """Take out requests of which only answers to copies are known so far; their labels are not counted yet."""
        self._run("DELETE FROM hits WHERE id NOT IN (SELECT id FROM hits WHERE NOT shadow)")

    def remember(self) -> list[UsedLabels]:
        """Keep which labels have been counted. Files that are not larger than what comes to them become one with it, so
        there are few; an attempt that nobody hears of leaves one that nobody reads."""
        kept, rows = list(self.task.used), self.number("SELECT count(DISTINCT id) FROM hits")
        merged = []
        while kept and kept[-1].rows <= rows:
            merged.append(self.folder / f"used-{len(kept) - 1}.parquet")
            rows += kept.pop().rows
        parts = ["SELECT id, label FROM fresh WHERE id IN (SELECT id FROM hits)"]
        parts += [f"SELECT id, label FROM read_parquet({tables.text(str(path))})" for path in merged]
        path = self.folder / "counted.parquet"
        self._run(f"COPY ({' UNION ALL '.join(parts)} ORDER BY id) TO {tables.text(str(path))} (FORMAT parquet)")
        key = f"{digests.of_file(path)[:32]}.parquet"
        self.store.upload(joined_key(self.task.store.prefix, key), path)
        return [*kept, UsedLabels(key=key, rows=rows)]

    # --- queries -------------------------------------------------------------------------------------------------

    def number(self, query: str) -> int:
        """The one number that a query gives."""
        row = self._run(query).fetchone()
        return int(row[0]) if row else 0

    def _run(
        self, query: str, values: Sequence[object] = (), source: tuple[str, str] = _OF_LABELS
    ) -> duckdb.DuckDBPyConnection:
        """source: what is read, and what to do when it can't be."""
        try:
            return self.database.execute(query, list(values))
        except duckdb.Error as error:
            what, remedy = source
            raise TaskFailed("CorruptFile", f"{what} can't be read: {line(error)}; {remedy}") from error


def _id(cell: str, type_: str) -> str:
    """SQL: an id as text. Integers with gaps are stored as floats, and no request is called `7.0`."""
    if type_ not in ("FLOAT", "DOUBLE"):
        return f"CAST({cell} AS VARCHAR)"
    whole = f"{cell} = trunc({cell}) AND abs({cell}) < {EXACT}"
    return f"CASE WHEN {whole} THEN {cell}::BIGINT::VARCHAR ELSE {cell}::VARCHAR END"


def _micros(stamp: str) -> int:
    """Microseconds since the epoch."""
    at = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
