"""join: which of the kept answers were right? A version of a Dataset of labels is joined with the prediction log
(`matching`), for two versions at once.

Answers were kept with a chance that follows from the request's id alone, the same for all versions
(`spec.record.sample`). So what was kept is a fair sample of the requests for each version alike, and plain counts
compare them; weighing them by 1/chance would change no comparison, and would make counts that no exact test can judge.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from fairlead.api.tasks import JoinResult, JoinTask
from fairlead.store.s3 import Bucket
from fairlead.worker import tables
from fairlead.worker.access import place
from fairlead.worker.counting import Counted, fitting, judge
from fairlead.worker.matching import OF_ANSWERS, Matching, micros
from fairlead.worker.truth import Rule

BINS = 40
"""Stretches of time that answers are divided into, besides where weights change."""
SHORTEST = 60_000_000
"""Microseconds of which a stretch is a multiple."""
ROWS = 10_000
"""Requests that are judged at a time."""
ARMS = ("stable", "candidate")
log = logging.getLogger(__name__)


def join(task: JoinTask) -> JoinResult:
    """Count. Raises TaskFailed or StoreError."""
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder, tables.connect(Path(folder)) as database:
        work = Joining(task, Path(folder), database, place(task.log), place(task.store))
        told = work.labels()
        found = JoinResult(rows=told.rows, changed=told.changed, contradictory=told.contradictory, used=task.used)
        if not work.fresh:
            return found
        work.answers()
        counted = work.counted()
        # a copy's answer alone says nothing: the live version's to the same request is still to come
        work.remove_lonely_copies()
        counted, matched = work.counted(), work.number("SELECT count(DISTINCT id) FROM hits")
        strange = not matched and work.strange()
        used = work.remember() if matched else task.used
        log.info("joined", extra={"labels": found.rows, "fresh": work.fresh, "matched": matched})
        whole = found.model_copy(update={
            "matched": matched, "unmatched": work.fresh - matched, "cells": counted.rows(),
            "pairs": counted.pairs if any(counted.pairs) else [], "unjudgeable": counted.unjudgeable,
            "strange": strange, "used": used, "kept": [work.kept(arm) for arm in (0, 1)],
        })  # fmt: skip
        return fitting(whole, [cut // 1_000_000 for cut in work.cuts()])


class Joining(Matching):
    """A join that is being made."""

    COLUMNS = ("output", "shadow")
    VERSIONS = ARMS

    def __init__(
        self, task: JoinTask, folder: Path, database: duckdb.DuckDBPyConnection, answers: Bucket, store: Bucket
    ) -> None:
        super().__init__(task, folder, database, answers, store)
        self.task = task

    # --- the answers ---------------------------------------------------------------------------------------------

    def answers(self) -> None:
        """Read the log: labelled answers one by one, all others as numbers."""
        self.run("CREATE TABLE hits (arm TINYINT, id VARCHAR, us BIGINT, stretch INTEGER, output VARCHAR, shadow BOOL)")
        self.run("CREATE TABLE answered (arm TINYINT, stretch INTEGER, number BIGINT)")
        self.run("CREATE TABLE kept (arm TINYINT, number BIGINT)")
        self.run("CREATE TABLE stretches AS SELECT unnest($1) AS start", [self.starts()])
        self.read()

    def starts(self) -> list[int]:
        """Where stretches of time begin, in microseconds after `since`."""
        length = max(1, micros(datetime.now(UTC).isoformat()) - self.since)
        width = SHORTEST * -(-length // (BINS * SHORTEST))
        return sorted({*range(0, length, width), *(cut for cut in self.cuts() if 0 < cut < length)})

    def cuts(self) -> list[int]:
        """When the weights changed, in microseconds after `since`."""
        return [micros(cut) - self.since for cut in self.task.cuts]

    def take(self, arm: int, files: Sequence[Path]) -> None:
        answers = self.answered(files)
        placed = f"SELECT * FROM ({answers}) a ASOF JOIN stretches s ON a.us >= s.start"
        self.run(
            f"INSERT INTO hits SELECT {arm}, id, us, start // 1000000, output, coalesce(shadow, false) "
            f"FROM ({placed}) WHERE id IN (SELECT id FROM fresh)", source=OF_ANSWERS,
        )  # fmt: skip
        self.run(f"INSERT INTO kept SELECT {arm}, count(*) FROM ({answers})", source=OF_ANSWERS)
        self.run(
            f"INSERT INTO answered SELECT {arm}, start // 1000000, count(*) FROM ({placed}) "
            f"WHERE NOT coalesce(shadow, false) AND id NOT IN (SELECT id FROM used) GROUP BY start",
            source=OF_ANSWERS,
        )

    def kept(self, arm: int) -> int:
        """Answers of a version, labelled or not."""
        return self.number(f"SELECT coalesce(sum(number), 0) FROM kept WHERE arm = {arm}")

    # --- what came of it -----------------------------------------------------------------------------------------

    def counted(self) -> Counted:
        """Judge each labelled request."""
        counted = Counted()
        rule = Rule(Decimal(self.task.tolerance), self.task.loss, Decimal(self.task.cap), self.text)
        for arm, stretch, number in self.run(
            "SELECT arm, stretch, sum(number) FROM answered "
            "WHERE stretch IN (SELECT stretch FROM hits) GROUP BY arm, stretch"
        ).fetchall():
            counted.cell(stretch, arm).answered = int(number)
        per_arm = ", ".join(
            f"arg_min(output, us) FILTER (arm = {arm}), arg_min(stretch, us) FILTER (arm = {arm} AND NOT shadow)"
            for arm in (0, 1)
        )
        found = self.run(f"SELECT id, any_value(label), {per_arm} FROM hits JOIN fresh USING (id) GROUP BY id")
        while rows := found.fetchmany(ROWS):
            for request_id, label, *answers in rows:
                judge(counted, request_id, label, answers, rule)
        return counted

    def remove_lonely_copies(self) -> None:
        """Take out requests of which only answers to copies are known so far; their labels are not counted yet."""
        self.run("DELETE FROM hits WHERE id NOT IN (SELECT id FROM hits WHERE NOT shadow)")
