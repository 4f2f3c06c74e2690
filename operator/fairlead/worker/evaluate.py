"""evaluate: score challenger, champion and baseline on the same rows with the same code, and judge the gates."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import duckdb
import numpy as np

from fairlead.api.modelversion import SAMPLE_LIMIT, GateResult
from fairlead.api.tasks import EvaluateResult, EvaluateTask, ScoringTask, Subject
from fairlead.worker import gaps, gates, golden, oip, refusals, report, scoring, tables
from fairlead.worker.baseline import Group
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line
from fairlead.worker.metrics import Labels
from fairlead.worker.profiling import evaluated
from fairlead.worker.rows import Batch, Table, labels
from fairlead.worker.slices import Slices
from fairlead.worker.tensors import Feature

log = logging.getLogger(__name__)


class Asked(scoring.Answers):
    """A subject under evaluation: what its server has answered so far, or why it is out."""

    def __init__(
        self, subject: Subject, task: ScoringTask, features: Mapping[str, Feature], where: str = ""
    ) -> None:  # fmt: skip
        """where: see oip.Server."""
        super().__init__()
        self.subject = subject
        self._server = oip.Server(subject.subject, subject.url, subject.name, task.ready_timeout, subject.ready, where)
        self._features = [features[name] for name in subject.features or task.features]
        self._probabilities = "log_loss" in task.metrics
        self._answered: Batch | None = None

    def request(self, rows: Batch) -> bytes:
        """The request for these rows."""
        found = oip.request(self._features, rows, self._probabilities)
        return json.dumps(found, separators=(",", ":"), allow_nan=False).encode()

    def wait(self, rows: Batch) -> None:
        """Wait until the server can answer. Raises TaskFailed (ServerFailed)."""
        self._server.wait(self.request(rows))

    def ask(self, rows: Batch) -> None:
        """Send the next rows. After a refusal nothing more is asked. Raises TaskFailed (ServerFailed)."""
        if self.problem:
            return
        first, body = sum(len(part) for part in self.labels), self.request(rows)
        try:
            self.add(*self._server.infer(body, rows.num_rows))
            self._answered = rows.slice(0, 1)
        except TaskFailed as gone:
            where = f"it was asked for rows {first} to {first + rows.num_rows - 1}"
            raise TaskFailed("ServerFailed", f"{gone}; {where}") from gone
        except oip.Refused as error:
            names = [one.name for one in self._features]
            self.problem = line(refusals.Search(self._try, names, self._answered).told(rows, first, error))
            log.warning("refused", extra={"subject": self.subject.subject, "problem": self.problem})

    def golden(self, rows: Batch) -> tuple[bytes, bytes]:
        """A request for these rows, and the answer as it comes. Raises oip.Refused, TaskFailed (ServerFailed)."""
        body = self.request(rows)
        return body, self._server.answer(body)

    def _try(self, rows: Batch) -> None:
        self._server.infer(self.request(rows), rows.num_rows)


def evaluate(task: EvaluateTask) -> EvaluateResult:
    """Score, judge, and store the report. Raises TaskFailed or StoreError."""
    began = time.monotonic()
    folders = [Path(p) for p in (task.data, task.reference) if p]
    with tempfile.TemporaryDirectory(prefix="fairlead-") as spill, tables.connect(Path(spill), *folders) as database:
        table = table_of(task, database)
        reference = _reference(task, database, table)
        features = table.features(_features(task))
        asked = [Asked(subject, task, features) for subject in task.subjects]
        picked = golden.Picked(table.known)
        rows, sample = ask(task, table, asked, picked.add)
        scored = scoring.score(task, rows, {a.subject.subject: a for a in asked}, reference)
        challenger = next(a for a in asked if a.subject.subject == "challenger")
        proof = evaluated.Proof(table, reference, rows, challenger, time.monotonic() - began)
        profile = evaluated.kept(task, database, proof)
        kept = challenger.problem or golden.kept(task.store, picked, challenger.golden)
        classes = scoring.classes_of(task, rows, reference)
    answered = gaps.Answered(rows.truth, scoring.joined(challenger, classes), classes, rows.slices)
    fair = {at: gaps.judge(gate, answered) for at, gate in enumerate(task.gates) if gate.by is not None}
    judged = _judge(task, asked, scored, fair)
    return report.store(task, rows, scored, judged, sample, profile, [one.report for one in fair.values()], kept)


def table_of(task: ScoringTask, database: duckdb.DuckDBPyConnection) -> Table:
    """The rows that models are asked for. Raises TaskFailed (BadData) for such as can't be scored."""
    needed = [*_features(task), *task.by, *_compared(task)]
    table = Table(database, Path(task.data), task.data_format, task.target, needed)
    if not table.known:
        raise TaskFailed("BadData", f"no row has a {task.target}; the evaluation needs rows with the truth")
    if task.task == "classification":
        table.check_classes()
    return table


def _features(task: ScoringTask) -> list[str]:
    """Columns that are sent to any of the models."""
    return sorted({*task.features, *(f for subject in task.subjects for f in subject.features)})


def _compared(task: ScoringTask) -> list[str]:
    """Columns whose values are slices."""
    return sorted({gate.by for gate in task.gates if gate.by is not None})


def _reference(task: EvaluateTask, database: duckdb.DuckDBPyConnection, rows: Table) -> Table | None:
    if task.reference is None:
        return None
    found = Table(database, Path(task.reference), task.reference_format, task.target, task.by)
    rows.check_alike(found, [*task.by, task.target])
    return found


def ask(
    task: ScoringTask, table: Table, asked: Sequence[Asked], seen: Callable[[Batch], None] = lambda _: None
) -> tuple[scoring.Rows, str]:  # fmt: skip
    """Send all rows to all servers, batch by batch; returns what is known of the rows, and one request. seen: gets to
    see all of them. Raises TaskFailed."""
    truth: list[Labels] = []
    groups: list[Group] = []
    slices = {name: Slices() for name in _compared(task)}
    for name in slices:
        table.types[name].scalar(name, "what slices are made by")
    sample = b""
    with ThreadPoolExecutor(len(asked)) as pool:
        for batch in table.batches(task.batch):
            if not sample:
                sample = asked[0].request(batch.slice(0, 1))
                list(pool.map(Asked.wait, asked, repeat(batch.slice(0, 1))))
            list(pool.map(Asked.ask, asked, repeat(batch)))
            seen(batch)
            truth.append(labels(table.values(batch, task.target), table.numeric))
            by = [table.values(batch, name) for name in task.by]
            groups += zip(*by, strict=True) if by else [()] * batch.num_rows
            for name, one in slices.items():
                one.add(table.values(batch, name))
    log.info("answered", extra={"rows": table.known, "left_out": table.left_out})
    text = sample.decode() if len(sample) <= SAMPLE_LIMIT else ""
    return scoring.Rows(np.concatenate(truth), groups, table.left_out, table.reading(), slices), text


def _judge(
    task: EvaluateTask, asked: Sequence[Asked], scored: Mapping[str, gates.Scored], fair: Mapping[int, gaps.Judged]
) -> list[GateResult]:
    """fair: the verdicts on gaps, by their gate's place."""
    judged = [fair[at].result if at in fair else gates.judge(gate, scored) for at, gate in enumerate(task.gates)]
    problems = [a.problem for a in asked if a.problem and a.subject.subject == "challenger"]
    if problems:
        # Also without a gate on a metric: a model that can't answer the rows is no candidate.
        judged.insert(0, GateResult(gate="answers every row", verdict="Failed", message=problems[0][:1024]))
    return judged[:32]
