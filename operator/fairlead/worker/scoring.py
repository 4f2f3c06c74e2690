"""From answers to metrics: every subject on the same rows and the same resamples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairlead.api.modelversion import Metric
from fairlead.api.tasks import ScoringTask
from fairlead.worker import baseline, bootstrap, digests, gates, metrics
from fairlead.worker.errors import TaskFailed
from fairlead.worker.metrics import Floats, Labels, Predictions
from fairlead.worker.rows import Table
from fairlead.worker.slices import Slices


@dataclass
class Answers:
    """What a server has answered, batch by batch; or why it can't be scored."""

    labels: list[Labels] = field(default_factory=list)
    probabilities: list[Floats | None] = field(default_factory=list)
    problem: str = ""

    def add(self, labels: Labels, probabilities: Floats | None) -> None:
        """The next batch."""
        self.labels.append(labels)
        self.probabilities.append(probabilities)


@dataclass(frozen=True)
class Rows:
    """What the rows say, besides their features."""

    truth: Labels
    """Shape (n,)."""
    groups: list[baseline.Group]
    """The baseline's group of each row."""
    left_out: int
    """Rows without a target."""
    reading: dict[str, Any] = field(default_factory=dict)
    """How they were read, as the report says it."""
    slices: Mapping[str, Slices] = field(default_factory=dict)
    """Of the columns that gates compare."""


def score(
    task: ScoringTask, rows: Rows, answers: Mapping[str, Answers], reference: Table | None
) -> dict[str, gates.Scored]:
    """Metrics of each subject and, with a reference, of the baseline. Raises TaskFailed (BadData)."""
    classes = classes_of(task, rows, reference)
    if task.task == "regression" and rows.truth.dtype.kind != "f":
        raise TaskFailed("BadData", f"{task.target} has no numbers; regression needs them")
    predictions = {subject: joined(given, classes) for subject, given in answers.items()}
    if reference is not None and task.task == "regression":
        predictions["baseline"] = baseline.averages(reference, task.by, rows.groups)
    elif reference is not None:
        predictions["baseline"] = baseline.frequencies(reference, task.by, rows.groups, classes)
    return _metrics(task, rows, predictions, classes)


def classes_of(task: ScoringTask, rows: Rows, reference: Table | None) -> Labels:
    """All targets that there are, sorted."""
    found = np.unique(rows.truth)
    if task.task == "classification" and reference is not None:
        found = np.union1d(found, baseline.classes_of(reference))
    return found


def joined(given: Answers, classes: Labels) -> Predictions | str:
    """One array from all batches, or what is wrong with them."""
    if given.problem:
        return given.problem
    parts = [p for p in given.probabilities if p is not None]
    if not parts and len({part.dtype.kind for part in given.labels}) != 1:
        return "it answers strings to some rows and numbers to others"
    if not parts:
        return Predictions(np.concatenate(given.labels))
    if len(parts) != len(given.probabilities) or len({p.shape[1] for p in parts}) != 1:
        return "its answers have different shapes"
    table = np.concatenate(parts)
    if table.shape[1] == 1 and len(classes) == 2:
        table = np.hstack([1.0 - table, table])
    if table.shape[1] != len(classes):
        return f"it answers {table.shape[1]} values a row, but there are {len(classes)} classes"
    return Predictions(classes[np.argmax(table, axis=1)], table)


def _metrics(
    task: ScoringTask, rows: Rows, predictions: Mapping[str, Predictions | str], classes: Labels
) -> dict[str, gates.Scored]:
    losses: dict[tuple[str, Metric], metrics.Loss] = {}
    problems: dict[str, dict[str, str]] = {subject: {} for subject in predictions}
    for subject, predicted in predictions.items():
        for metric in task.metrics:
            try:
                losses[subject, metric] = _loss(task, metric, rows, predicted, classes)
            except metrics.Unusable as error:
                problems[subject][metric] = str(error)
    values, samples = _resampled(losses, seed(task))
    return {
        subject: gates.Scored(
            {m: v for (s, m), v in values.items() if s == subject},
            {m: v for (s, m), v in samples.items() if s == subject},
            problems[subject],
        )
        for subject in predictions
    }


def _loss(task: ScoringTask, metric: Metric, rows: Rows, predicted: Predictions | str, classes: Labels) -> metrics.Loss:
    if isinstance(predicted, str):
        raise metrics.Unusable(predicted)
    if (metric in metrics.REGRESSION) != (task.task == "regression"):
        raise metrics.Unusable(f"{metric} does not go with {task.task}; name other metrics")
    found = metrics.loss(metric, rows.truth, predicted, classes)
    if not found.weights.any():
        raise metrics.Unusable(f"no row counts for {metric}: all targets are 0")
    if not np.isfinite(found.values).all():
        raise metrics.Unusable("some losses are too large to be numbers")
    return found


def _resampled(
    losses: Mapping[tuple[str, Metric], metrics.Loss], seed: int
) -> tuple[dict[tuple[str, Metric], float], dict[tuple[str, Metric], Floats]]:
    """By (subject, metric): the metric on all rows, and on each resample."""
    if not losses:
        return {}, {}
    columns = np.stack([part for found in losses.values() for part in (found.values, found.weights)])
    sums, totals = bootstrap.resampled_sums(columns, seed), columns.sum(axis=1)
    values, samples = {}, {}
    for index, key in enumerate(losses):
        top, weight = 2 * index, 2 * index + 1
        with np.errstate(invalid="ignore"):
            samples[key] = metrics.value(key[1], sums[:, top] / sums[:, weight])
        values[key] = float(metrics.value(key[1], np.asarray(totals[top] / totals[weight])))
    return values, samples


def seed(task: ScoringTask) -> int:
    """The same rows are resampled in the same way."""
    return int(digests.of_bytes(task.data_sha256.encode())[:16], 16)
