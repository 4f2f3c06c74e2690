"""What a model answered to held-out rows: bins of its answers and scores, how right they were, and slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fairlead.monitor.profile import SCORES, SLICES, VALUES, Category, Losses, Number, Scores, Slice
from fairlead.worker import truth as said
from fairlead.worker.binning import SLACK
from fairlead.worker.places import Column, Floats, Names, Numbers, numbers
from fairlead.worker.profiling import quality
from fairlead.worker.profiling.columns import Named, Real, kept, names_of
from fairlead.worker.profiling.edges import edges
from fairlead.worker.profiling.sample import Sample

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Answered:
    """Some rows, by column; all of one length."""

    answers: Column
    truth: Column | None = None
    scores: Column | None = None
    """Of two classes the probability of the positive one; of more, of the answered one."""
    slices: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldOut:
    """The part of a profile that is of answers."""

    rows: int
    prediction: Number | Category
    positive: str = ""
    scores: Scores | None = None
    losses: Losses | None = None
    slices: Sequence[Slice] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """What is not known, and why."""


Batches = Callable[[], Iterator[Answered]]


def held_out(batches: Batches, task: Task, positive: str = "") -> HeldOut:
    """Goes over them twice. positive: the class that scores are of; default: of two the one that comes later, as
    numbers or letters do."""
    seen = _Seen(task)
    for batch in batches():
        seen.add(batch)
    slices = [_slice(by, column) for by, column in sorted(seen.slices.items())[:SLICES]]
    if task == "regression":
        return _regression(batches, seen, slices)
    return _classification(batches, seen, slices, positive)


class _Seen:
    """The first time."""

    def __init__(self, task: Task) -> None:
        self.rows = 0
        self._classes = task == "classification"
        self.real, self.names, self.truth = Real(), Named(), Named()
        self.slices: dict[str, Named] = {}
        self.sample = Sample(1)
        self.scored = self.has_truth = False

    def add(self, batch: Answered) -> None:
        rows = len(batch.answers)
        self.rows += rows
        self.scored |= batch.scores is not None
        self.has_truth |= batch.truth is not None
        if self._classes:
            self.sample.add([_probabilities(batch.scores, rows)])
            self.names.add(batch.answers)
            if batch.truth is not None:
                self.truth.add(batch.truth)
        else:
            values = numbers(batch.answers)
            self.real.add(values)
            self.sample.add([values])
        for by, column in batch.slices.items():
            self.slices.setdefault(by, Named()).add(column)


def _probabilities(scores: Column | None, rows: int) -> Floats:
    """NaN where there is none."""
    if scores is None:
        return np.full(rows, np.nan)
    given = numbers(scores)
    return np.where((given >= -SLACK) & (given <= 1 + SLACK), np.clip(given, 0.0, 1.0), np.nan)


def _slice(by: str, column: Named) -> Slice:
    values = column.most(VALUES)
    return Slice(by=by, values=values, counts=[column.counts[value] for value in values])


# --- numbers -------------------------------------------------------------------------------------------------------


def _regression(batches: Batches, seen: _Seen, slices: Sequence[Slice]) -> HeldOut:
    rows, weights = seen.sample.rows()
    low, high = seen.real.ends
    bounds = edges(rows[:, 0], weights)
    bins = len(bounds) + 1
    bare = Number(kind="number", name="prediction", edges=bounds, counts=[0] * bins, low=low, high=high)
    reader, counts = Numbers(bare), np.zeros(bare.length, dtype=np.int64)
    errors = quality.Errors(bins)
    for batch in batches():
        places, values = reader.read(batch.answers)
        counts += np.bincount(places, minlength=bare.length)
        if batch.truth is not None:
            errors.add(places, values, numbers(batch.truth))
    found = bare.model_copy(update={
        "counts": counts[:bins].tolist(), "mean": seen.real.mean, "sd": seen.real.sd, "missing": int(counts[bins + 2]),
        "unusable": int(counts[bins + 3]), "wrong": int(counts[bins + 4]),
    })  # fmt: skip
    notes = [] if errors.rows else ["no row has a number as its target and one as its answer: no losses"]
    losses = errors.losses() if errors.rows else None
    return HeldOut(seen.rows, found, losses=losses, slices=slices, quality=errors.metrics(), notes=notes)


# --- classes -------------------------------------------------------------------------------------------------------


def _classification(batches: Batches, seen: _Seen, slices: Sequence[Slice], asked: str) -> HeldOut:
    values, known, complete = kept(seen.names)
    bare = Category(kind="category", name="prediction", values=values, counts=[0] * len(values), known=known,
                    complete=complete)  # fmt: skip
    positive, notes = _positive(seen, asked)
    scored = seen.scored and seen.has_truth and (positive is not None)
    two = bool(positive)
    rows, weights = seen.sample.rows()
    calibration = quality.Calibration(edges(rows[:, 0], weights, SCORES), two)
    reader, counts = Names(bare), np.zeros(bare.length, dtype=np.int64)
    hits = quality.Hits(positive or "")
    for batch in batches():
        counts += np.bincount(reader.read(batch.answers), minlength=bare.length)
        if batch.truth is None:
            continue
        answers, wanted = names_of(batch.answers), names_of(batch.truth)
        hits.add(answers, wanted)
        if scored:
            right = wanted == positive if two else wanted == answers
            there = np.array([one is not None for one in wanted], dtype=np.bool_)
            calibration.add(_probabilities(batch.scores, len(answers)), there, right, answers == positive)
    if seen.scored and not seen.has_truth:
        notes.append("no target is known: how right the scores were is not known either")
    if scored and not calibration.rows:
        notes.append("no score is a probability: they are left out")
    elif calibration.strange:
        notes.append(f"{calibration.strange} scores are no probabilities, and were left out")
    end = len(values)
    found = bare.model_copy(update={
        "counts": counts[:end].tolist(), "other": int(counts[end]), "missing": int(counts[end + 2]),
        "wrong": int(counts[end + 3]),
    })  # fmt: skip
    metrics = {**hits.metrics(), **(calibration.metrics() if scored and calibration.rows else {})}
    return HeldOut(
        seen.rows, found, positive or "", calibration.scores() if scored and calibration.rows else None, None, slices,
        metrics, notes,
    )  # fmt: skip


def _positive(seen: _Seen, asked: str) -> tuple[str | None, list[str]]:
    """The class that scores are of; empty: there are more than two; None: nobody can say."""
    classes = sorted({*seen.names.counts, *seen.truth.counts}, key=_order)
    many = seen.names.too_many or seen.truth.too_many or len({*classes, *([asked] if asked else [])}) > 2
    if many:
        text = f"there are more than two classes, {', '.join(classes[:4])} …: the positive class {asked} is not used"
        return "", [text] if asked else []
    if asked:
        return asked, []
    if len(classes) == 2:
        return classes[1], []
    text = f"all rows are of one class, {classes[0] if classes else 'none'}: say whose probability the score is"
    return None, [text] if seen.scored else []


def _order(name: str) -> tuple[bool, float, str]:
    number = said.number(name)
    return number is None, float(number) if number is not None else 0.0, name
