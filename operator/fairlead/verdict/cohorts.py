"""Test G: labels that come late. Only predictions that have all had the same time to be labelled are compared.

A label tells whether a prediction was wrong, and comes when it comes. Bad news may well travel faster than good, and a
candidate is always younger than the live version; so comparing whatever labels are there compares ages. Here
predictions are counted per arm and bucket of time, labels with the bucket of *their prediction*, and a bucket is judged
once, when it is due: when the deadline `within` has passed for the last of its predictions, in both arms alike. A label
that took longer than the deadline is counted as late and changes nothing, also if its bucket has not been judged yet.
So the evidence depends on which labels came in time, and not on the order in which they came or were read.

What each bucket gives is a window for test A (`Cohort.window`). That is sound as long as it doesn't depend on the arm
which predictions are labelled in time. That can be tested in part: the shares of predictions that were labelled must
be alike. Given how many labels came, their division over the arms is again Fisher's non-central
hypergeometric, whatever the shares of traffic were, so `coverage` is test A to both sides; test B, which takes the
shares of traffic as fixed and labels as drawn with replacement, would be blunt where nearly everything is labelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import floor
from typing import Literal

from fairlead.verdict import checks
from fairlead.verdict.failures import GRID, log_lr, log_mean
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.safe import log_lr_safe

Side = Literal["stable", "candidate"]


@dataclass(frozen=True)
class Cell:
    """Predictions of one arm in one bucket, and the labels that came for them in time."""

    predictions: int = 0
    labels: int = 0
    wrong: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.predictions + other.predictions, self.labels + other.labels, self.wrong + other.wrong)


@dataclass(frozen=True)
class Bucket:
    """Both arms' predictions in a stretch of time."""

    stable: Cell = field(default_factory=Cell)
    candidate: Cell = field(default_factory=Cell)


@dataclass(frozen=True)
class Cohort:
    """A bucket that was due."""

    start: float
    """Its beginning, in seconds."""
    bucket: Bucket

    @property
    def window(self) -> Window:
        """Labels and wrong predictions, for test A: a request is a labelled prediction, a failure a wrong one."""
        stable, candidate = self.bucket.stable, self.bucket.candidate
        return Window(Arm(stable.labels, stable.wrong), Arm(candidate.labels, candidate.wrong))


@dataclass(frozen=True)
class Ledger:
    """All that is kept. Times are in seconds since any fixed moment; bucket i begins at i·width."""

    width: float
    within: float
    """A label's deadline, in seconds after its prediction."""
    open: tuple[tuple[int, Bucket], ...] = ()
    """Buckets that are not judged yet, by index."""
    judged: int | None = None
    """The cursor: buckets before this one have been judged, and none is ever judged again."""
    late: Bucket = field(default_factory=Bucket)
    """Labels that missed their deadline, and whatever was read after its bucket had been judged."""
    refused: int = 0
    """Buckets with more labels than predictions, which were not judged: a label was counted twice."""
    log_coverage: tuple[float, ...] = (0.0,) * (2 * len(GRID))
    """Evidence that one arm's labels come more often, see `coverage`."""


def ledger(width: float, within: float) -> Ledger:
    """Nothing counted yet. width: of a bucket, in seconds; within: a label's deadline, in seconds."""
    checks.finite(width=width, within=within)
    if width <= 0 or within < 0:
        raise ValueError(f"need buckets of some width and a deadline of at least 0, not {width} and {within}")
    return Ledger(width, within)


def predicted(state: Ledger, side: Side, at: float, count: int = 1) -> Ledger:
    """The ledger after predictions made at a time. Raises ValueError for a count that can't be."""
    checks.counts(count=count)
    return _add(state, _index(state, at), side, Cell(predictions=count))


def labelled(state: Ledger, side: Side, made: float, arrived: float, labels: int = 1, wrong: int = 0) -> Ledger:
    """The ledger after labels for predictions made at one time, that arrived at another.

    labels: how many; wrong: how many of them say that the prediction was wrong. Raises ValueError for counts that
    can't be, or a label before its prediction.
    """
    checks.counts(labels=labels, wrong=wrong)
    checks.finite(made=made, arrived=arrived)
    if wrong > labels or arrived < made:
        raise ValueError(
            f"impossible labels: {wrong} wrong of {labels}, for predictions of {made:g} s at {arrived:g} s"
        )
    cell = Cell(labels=labels, wrong=wrong)
    return _add(state, _index(state, made), side, cell, late=arrived - made > state.within)


def compare(state: Ledger, now: float, tolerated: float = 1.0) -> tuple[Ledger, tuple[Cohort, ...]]:
    """The ledger after judging what is due at a time, and the cohorts that were, oldest first. Each comes once.

    now: no earlier than any event read so far; tolerated: odds ratio of being labelled up to which coverage is taken
    as alike, >= 1. Raises ValueError where one of them can't be.
    """
    checks.finite(now=now)
    if not 1 <= tolerated < float("inf"):
        raise ValueError(f"a tolerated odds ratio is a finite number of at least 1, not {tolerated}")
    due = floor((now - state.within) / state.width)
    found = [Cohort(index * state.width, bucket) for index, bucket in state.open if index < due]
    cohorts = tuple(cohort for cohort in found if _possible(cohort.bucket))
    log_coverage = state.log_coverage
    for cohort in cohorts:
        gained = log_coverage_of(cohort.bucket, tolerated)
        log_coverage = tuple(have + new for have, new in zip(log_coverage, gained, strict=True))
    after = replace(
        state,
        open=tuple((index, bucket) for index, bucket in state.open if index >= due),
        judged=due if state.judged is None else max(due, state.judged),
        refused=state.refused + len(found) - len(cohorts),
        log_coverage=log_coverage,
    )
    return after, cohorts


def coverage(state: Ledger) -> float:
    """Log evidence that the arms are not labelled alike: then their labels can't be compared.

    The mean of test A to both sides over all judged buckets; reaches `failures.log_bound(alpha)` with probability at
    most alpha while the odds ratio of being labelled stays between 1/tolerated and tolerated.
    """
    return log_mean(state.log_coverage)


def _possible(bucket: Bucket) -> bool:
    return all(cell.labels <= cell.predictions for cell in (bucket.stable, bucket.candidate))


def log_coverage_of(bucket: Bucket, tolerated: float = 1.0) -> tuple[float, ...]:
    """A bucket's part of the evidence that one arm's labels come more often: add it up over buckets, `log_mean` last.

    Raises ValueError for more labels than predictions."""
    stable, candidate = bucket.stable, bucket.candidate
    counts = (candidate.labels, candidate.predictions, stable.predictions, candidate.labels + stable.labels)
    more = log_lr(*counts, tolerated)
    fewer = log_lr_safe(*counts, 1 / tolerated, [1 / (psi * tolerated) for psi in GRID])
    return (*more, *fewer)


def _index(state: Ledger, at: float) -> int:
    checks.finite(at=at)
    return floor(at / state.width)


def _add(state: Ledger, index: int, side: Side, cell: Cell, late: bool = False) -> Ledger:
    if late or (state.judged is not None and index < state.judged):
        return replace(state, late=_grown(state.late, side, cell))
    buckets = dict(state.open)
    buckets[index] = _grown(buckets.get(index, Bucket()), side, cell)
    return replace(state, open=tuple(sorted(buckets.items(), key=lambda item: item[0])))


def _grown(bucket: Bucket, side: Side, cell: Cell) -> Bucket:
    if side == "stable":
        return replace(bucket, stable=bucket.stable + cell)
    if side == "candidate":
        return replace(bucket, candidate=bucket.candidate + cell)
    raise ValueError(f"an arm is stable or candidate, not {side}")
