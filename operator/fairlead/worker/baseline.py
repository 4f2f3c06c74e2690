"""The model that needs no training: the average of the target in the reference rows, by group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from fairlead.worker import tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.metrics import Floats, Labels, Predictions
from fairlead.worker.rows import Table, labels

Group = tuple[Any, ...]


def averages(reference: Table, by: Sequence[str], groups: Sequence[Group]) -> Predictions:
    """Regression: each row's group average; groups that the reference lacks get the overall one."""
    target = f"{tables.name(reference.target)}::DOUBLE"
    (overall,) = reference.totals((), f"avg({target})")[0]
    if overall is None:
        raise TaskFailed("BadData", "the baseline's reference has no rows with a target; give it some")
    known = {row[:-1]: float(row[-1]) for row in reference.totals(by, f"avg({target})")} if by else {}
    return Predictions(np.asarray([known.get(group, overall) for group in groups], dtype=np.float64))


def frequencies(reference: Table, by: Sequence[str], groups: Sequence[Group], classes: Labels) -> Predictions:
    """Classification: how frequent each class is in each row's group, and the most frequent one."""
    counted = reference.totals((*by, reference.target), "count(*)")
    index = {c: i for i, c in enumerate(classes.tolist())}
    known: dict[Group, Floats] = defaultdict(lambda: np.zeros(len(classes)))
    overall = np.zeros(len(classes))
    for row in counted:
        at = index[labels([row[-2]], reference.numeric).tolist()[0]]
        known[row[:-2]][at] += row[-1]
        overall[at] += row[-1]
    if not overall.any():
        raise TaskFailed("BadData", "the baseline's reference has no rows with a target; give it some")
    counts = np.asarray([known[group] if by and group in known else overall for group in groups])
    shares = counts / counts.sum(axis=1, keepdims=True)
    return Predictions(classes[np.argmax(shares, axis=1)], shares)


def classes_of(reference: Table) -> Labels:
    """The distinct targets of the reference rows."""
    found = [row[0] for row in reference.totals((reference.target,), "count(*)")]
    return labels(found, reference.numeric)
