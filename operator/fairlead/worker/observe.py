"""observe: how right was one version? A version of a Dataset of labels is joined with the answers that it gave
(`matching`), and counted by its profile as the monitors take it in (`monitor.labelled`).

Which answers are kept follows from the request's id, and from a chance that may follow the traffic: never from the
answer, nor from its loss. So, whatever the chances are, the mean loss of a kept answer is that of the requests at that
time, and plain counts of one version's own losses are valid evidence. Weighing them by 1/chance would make losses that
have no bound, and so no test. What plain counts do not give is the mean over all requests where the chance differs: a
quiet hour then counts as much as a busy one.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from fairlead.api.tasks import ObserveResult, ObserveTask, ProfileAt
from fairlead.monitor import profile as profiles
from fairlead.monitor.profile import BadProfile, Profile
from fairlead.store.s3 import Bucket
from fairlead.worker import tables
from fairlead.worker import truth as truths
from fairlead.worker.access import located, place
from fairlead.worker.comparing import Comparing
from fairlead.worker.errors import TaskFailed
from fairlead.worker.matching import OF_ANSWERS, Matching
from fairlead.worker.past import truth
from fairlead.worker.past.labels import Labelled
from fairlead.worker.past.truth import Counts
from fairlead.worker.record.rows import Wanted
from fairlead.worker.said import Said, said

_WHOLE = re.compile("-?[0-9]{1,18}")
ROWS = 1_000
"""Answers that are counted at a time, with their requests."""
log = logging.getLogger(__name__)


def observe(task: ObserveTask) -> ObserveResult:
    """Count. Raises TaskFailed or StoreError."""
    learnt = profile(task.profile)
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder, tables.connect(Path(folder)) as database:
        work = Observing(task, learnt, Path(folder), database, place(task.log), place(task.store))
        told = work.labels([one.by for one in learnt.slices])
        found = ObserveResult(rows=told.rows, changed=told.changed, contradictory=told.contradictory, used=task.used)
        if not work.fresh:
            return found
        work.answers()
        matched = work.number("SELECT count(DISTINCT id) FROM hits")
        log.info("joined", extra={"labels": told.rows, "fresh": work.fresh, "matched": matched})
        if not matched:
            return found.model_copy(update={"unmatched": work.fresh, "strange": work.strange()})
        counts = work.counted(matched)
        return found.model_copy(update={
            "matched": matched, "unmatched": work.fresh - matched, "unread": counts.unread + work.unread,
            "without_rows": work.sliceless, "window": counts.window().dumped(), "used": work.remember(),
            "compared": work.against.compared() if work.against else None,
        })  # fmt: skip


def profile(at: ProfileAt) -> Profile:
    """The one that the answers are counted by. Raises TaskFailed or StoreError."""
    bucket, key = located(at.uri, at.access)
    body = bucket.read(key, profiles.SIZE)
    found = hashlib.sha256(body).hexdigest()
    if found != at.sha256:
        raise TaskFailed("DigestMismatch", f"{at.uri} has digest {found}, not {at.sha256}: it was changed")
    try:
        return profiles.parse(body)
    except BadProfile as bad:
        raise TaskFailed("BadData", f"{at.uri}: {bad}") from bad


class Observing(Matching):
    """A join that is being made."""

    COLUMNS = ("output", "input", "shadow")
    VERSIONS = ("version",)
    ASKER = "spec.monitors.labels"

    def __init__(
        self, task: ObserveTask, learnt: Profile, folder: Path, database: duckdb.DuckDBPyConnection, answers: Bucket,
        store: Bucket,
    ) -> None:  # fmt: skip
        super().__init__(task, folder, database, answers, store)
        self.profile, self.wanted = learnt, Wanted.of(learnt)
        self.against = Comparing(task, learnt, self.labelled) if task.against else None
        self.unread = 0
        """Labelled answers that say nothing, or are to several rows."""
        self.sliceless = 0
        """Those of which no slice is known: neither their request nor the labels say it."""

    def answers(self) -> None:
        """Read the log: labelled answers, with their requests."""
        self.run("CREATE TABLE hits (id VARCHAR, us BIGINT, output VARCHAR, input VARCHAR)")
        self.read()

    def take(self, arm: int, files: Sequence[Path]) -> None:  # noqa: ARG002
        """Copies of requests are left out: nobody has got their answers."""
        self.run(
            f"INSERT INTO hits SELECT id, us, output, input FROM ({self.answered(files)}) "
            "WHERE NOT coalesce(shadow, false) AND id IN (SELECT id FROM fresh)", source=OF_ANSWERS,
        )  # fmt: skip

    def rows(self) -> Iterator[list[Said]]:
        """The labelled answers, some at a time: of a request that was answered several times, the first one."""
        more = "".join(f", any_value({tables.name(column)})" for column in self.beside.values())
        found = self.run(
            f"SELECT id, any_value(label), arg_min({{'output': output, 'input': input}}, us){more} "
            "FROM hits JOIN fresh USING (id) GROUP BY id"
        )
        while rows := found.fetchmany(ROWS):
            yield [self._said(*row) for row in rows]

    def _said(self, id_: str, label: str, kept: dict[str, Any], *beside: Any) -> Said:
        return said(self.profile, self.wanted, id_, label, kept, dict(zip(self.beside, beside, strict=True)))

    def counted(self, matched: int) -> Counts:
        """All of them, by the profile. matched: how many there are."""
        counts = Counts()
        for rows in self.rows():
            read = [one for one in rows if one.read]
            self.unread += len(rows) - len(read)
            self.sliceless += sum(self._is_sliceless(one) for one in read)
            counts += truth.count(self.profile, self.labelled(read))
            if self.against is not None:
                self.against.take(read, matched)
        return counts

    def labelled(self, rows: Sequence[Said]) -> Labelled:
        """As the engine takes them, on files too."""
        scores = np.array([np.nan if one.score is None else one.score for one in rows], dtype=np.float64)
        true = [self._truth(one.label) for one in rows]
        slices: dict[str, Any] = {by.by: [one.slices.get(by.by) for one in rows] for by in self.profile.slices}
        known = np.zeros(len(rows), dtype=np.int64)
        return Labelled(known, true, [one.answer for one in rows], scores, slices)

    def _truth(self, label: str) -> object:
        """A label's value by its column's type. Of a regression it is a number, however it is written."""
        if self.text and self.profile.task == "classification":
            return label
        if _WHOLE.fullmatch(label):
            return int(label)
        number = truths.number(label)
        return label if number is None else float(number)

    def _is_sliceless(self, one: Said) -> bool:
        return any(one.slices.get(by.by) is None for by in self.profile.slices)
