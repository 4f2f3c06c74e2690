"""The profile that an evaluation makes by the way: of the baseline's reference rows, which usually are what the model
learnt from, and of the challenger's answers.

Where there are no such rows, or they lack a feature, the held-out rows stand for them: then the profile's `reference`
and `data` are one digest. An evaluation never fails for want of a profile, nor does it wait long for one: why there is
none is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np

from fairlead.api.modelversion import ProfileRef
from fairlead.api.tasks import EvaluateTask
from fairlead.monitor.profile import SLICES, VALUES, Category, Number, category_name
from fairlead.store.layout import profile as key_of
from fairlead.worker import scoring
from fairlead.worker.access import place
from fairlead.worker.formats.words import line
from fairlead.worker.metrics import Predictions
from fairlead.worker.profiling import answers, build
from fairlead.worker.profiling.source import Rows, TooLong
from fairlead.worker.rows import Table

log = logging.getLogger(__name__)
LEAST, MOST = 60.0, 600.0
"""Seconds that it may take: as many as the evaluation took before, but so many at least, and at most. All of them are
within the evaluation's timeout."""
_LONGEST = 400
_TOO_LONG = "the rows are too many for it: make it with `fairlead profile`, and name it in spec.profile"


@dataclass(frozen=True)
class Proof:
    """What an evaluation knows when all have answered."""

    held_out: Table
    reference: Table | None
    rows: scoring.Rows
    challenger: scoring.Answers
    seconds: float = 0.0
    """That it took to know it."""


def kept(task: EvaluateTask, database: duckdb.DuckDBPyConnection, proof: Proof) -> ProfileRef | str:
    """Make it and store it under its digest; or say why there is none: nothing is raised."""
    try:
        return _kept(task, database, proof)
    except TooLong:
        log.warning("no profile: it took too long")
        return _TOO_LONG
    except Exception as error:
        log.exception("no profile")
        return line(f"it could not be made: {error}", _LONGEST)


def _kept(task: EvaluateTask, database: duckdb.DuckDBPyConnection, proof: Proof) -> ProfileRef:
    features, until = _features(task), time.monotonic() + min(MOST, max(LEAST, proof.seconds))
    source, notes = _source(task, database, proof, features)
    learnt = build.reference(replace(source, until=until), features)
    notes += [f"not profiled: {name} is {why}" for name, why in learnt.left_out.items()]
    held_out = Rows(database, proof.held_out.query, proof.held_out.types, task.data_sha256, until)
    answered = _answered(task, proof, held_out, slices(learnt.features))
    if isinstance(answered, str):
        notes.append(f"no answers: {answered}")
    else:
        notes += answered.notes
    found = build.profile(task.task, learnt, None if isinstance(answered, str) else answered, held_out.digest)
    bucket, key = place(task.store), key_of(task.store.prefix, found.digest)
    bucket.put_if_absent(key, found.dumped())
    log.info("profiled", extra={"profile": bucket.uri(key), "rows": found.rows, "features": len(found.features)})
    return ProfileRef(digest=found.digest, uri=bucket.uri(key), rows=found.rows, features=len(found.features),
                      message=line("; ".join(notes), _LONGEST) if notes else "")  # fmt: skip


def _features(task: EvaluateTask) -> Sequence[str]:
    """Those that the challenger is asked with."""
    own = next((one.features for one in task.subjects if one.subject == "challenger"), [])
    return own or task.features


def _source(
    task: EvaluateTask, database: duckdb.DuckDBPyConnection, proof: Proof, features: Sequence[str]
) -> tuple[Rows, list[str]]:
    """The rows that the model learnt from, as far as anybody says which they are."""
    other, mine = proof.reference, proof.held_out
    lacks = [name for name in features if other is not None and name not in other.types]
    if other is not None and not lacks:
        return Rows(database, other.query, other.types, task.reference_sha256), []
    notes = ["of the held-out rows, for the evaluation has no baseline.reference"]
    if lacks:
        notes = [f"of the held-out rows, for the baseline's reference lacks {', '.join(lacks[:5])}"]
    return Rows(database, mine.query, mine.types, task.data_sha256), notes


def slices(features: Sequence[Number | Category]) -> list[str]:
    """Features whose few names tell groups apart: requests and answers are counted by them."""
    few = [one.name for one in features
           if isinstance(one, Category) and one.complete and 2 <= len(one.values) <= VALUES]  # fmt: skip
    return few[:SLICES]


def _answered(task: EvaluateTask, proof: Proof, rows: Rows, by: Sequence[str]) -> answers.HeldOut | str:
    classes = scoring.classes_of(task, proof.rows, proof.reference)
    told = scoring.joined(proof.challenger, classes)
    if isinstance(told, str):
        return told
    two = len(classes) == 2 and task.task == "classification"
    positive = category_name(classes.tolist()[1]) if two else None
    scores = _scores(told, two)

    def batches() -> Iterator[answers.Answered]:
        at = 0
        for batch in rows.plain(by):
            end = at + batch.num_rows
            yield answers.Answered(
                told.labels[at:end], proof.rows.truth[at:end], None if scores is None else scores[at:end],
                {name: batch.column(name) for name in by},
            )  # fmt: skip
            at = end

    return answers.held_out(batches, task.task, positive or "")


def _scores(told: Predictions, two: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Of two classes that of the later one, of more that of the answer."""
    table = told.probabilities
    if table is None:
        return None
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = table[:, 1] if two else table.max(axis=1)
    return found
