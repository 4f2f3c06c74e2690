"""Which answers were right: the labels of some rows, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from fairlead.monitor import labelled
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Number, Profile, category_name
from fairlead.monitor.quality import Calibrated
from fairlead.monitor.realised import Errors
from fairlead.monitor.risk import Pairs
from fairlead.verdict.bounded import Sums
from fairlead.worker import places
from fairlead.worker.past.cells import Values
from fairlead.worker.past.labels import Labelled
from fairlead.worker.places import Numbers

_ALIKE = {"true": "1", "false": "0", "1": "true", "0": "false"}
"""Files and servers differ in how they write what is true."""
_LARGEST = 1e70
"""Of an error: its fourth power, and the sum of many of them, are still finite."""


@dataclass(frozen=True)
class Counts:
    """Of labelled rows. What can't be told is left empty."""

    n: int = 0
    """Rows whose answer and label were understood."""
    unread: int = 0
    """Others."""
    wrong: int = 0
    """Of a classifier."""
    confusion: Confusion | None = None
    """With two classes."""
    slices: dict[tuple[str, str], Confusion] = field(default_factory=dict)
    """By column and value."""
    positives: tuple[int, ...] = ()
    negatives: tuple[int, ...] = ()
    """Rows by bin of their score; empty without scores."""
    errors: Errors | None = None
    """Of a regression."""
    losses: Sums = field(default_factory=Sums)
    """In [0, 1], as `monitor.labelled` has them."""
    pairs: Pairs = field(default_factory=Pairs)
    """Losses with their expected ones, of rows that have both."""

    def window(self) -> LabelledWindow:
        """As monitors take them in."""
        slices: dict[str, dict[str, Confusion]] = {}
        for (by, value), one in self.slices.items():
            slices.setdefault(by, {})[value] = one
        return LabelledWindow(
            self.losses, self.confusion, self.positives, self.negatives, self.errors, slices, self.pairs
        )

    def __add__(self, other: Counts) -> Counts:
        both = None
        if self.confusion or other.confusion:
            both = (self.confusion or Confusion()) + (other.confusion or Confusion())
        slices = {
            key: self.slices.get(key, Confusion()) + other.slices.get(key, Confusion())
            for key in dict.fromkeys((*self.slices, *other.slices))
        }
        return Counts(
            self.n + other.n, self.unread + other.unread, self.wrong + other.wrong, both, slices,
            _sum(self.positives, other.positives), _sum(self.negatives, other.negatives),
            (self.errors or Errors()) + (other.errors or Errors()) if self.errors or other.errors else None,
            _added(self.losses, other.losses), self.pairs + other.pairs,
        )  # fmt: skip


def _sum(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(sum, zip(one, other, strict=True))) if one and other else one or other


def _added(one: Sums, other: Sums) -> Sums:
    return Sums(one.n + other.n, one.total + other.total, one.squares + other.squares)


def count(profile: Profile, rows: Labelled) -> Counts:
    """The labels of these rows."""
    return _regression(profile, rows) if profile.task == "regression" else _classification(profile, rows)


def losses(profile: Profile, rows: Labelled) -> np.ndarray:
    """Of each row, in [0, 1], as `count` adds them up; NaN where there is none."""
    if profile.task == "regression":
        most = labelled.cap(profile)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            size, _, fits = _sizes(places.numbers(rows.answers), places.numbers(rows.truths))
            return np.where(fits, np.minimum(1.0, size / most), np.nan) if most else np.full(len(size), np.nan)
    known = _classes(profile)
    both = zip(names(rows.answers, known), names(rows.truths, known), strict=True)
    return np.array([np.nan if a is None or t is None else float(a != t) for a, t in both], dtype=np.float64)


# --- classes -------------------------------------------------------------------------------------------------------


def _classification(profile: Profile, rows: Labelled) -> Counts:
    known = _classes(profile)
    answers, truths = names(rows.answers, known), names(rows.truths, known)
    read = np.array([a is not None and t is not None for a, t in zip(answers, truths, strict=True)], dtype=np.bool_)
    right = np.array([a == t for a, t in zip(answers, truths, strict=True)], dtype=np.bool_)
    n = int(read.sum())
    wrong = n - int((right & read).sum())
    whole = np.ones(len(read), dtype=np.bool_)
    two = bool(profile.positive)
    said = np.array([one == profile.positive for one in answers], dtype=np.bool_) if two else whole
    expected = _expected(profile, rows.scores, said, read, ~right)
    found = Counts(n, len(read) - n, wrong, losses=Sums(n, wrong, wrong), pairs=expected)
    if not two:  # of errors no class is positive
        return replace(found, slices=dict(_slices(profile, rows, whole, right, read)))
    true = np.array([one == profile.positive for one in truths], dtype=np.bool_)
    positives, negatives = _scored(profile, rows.scores, true, read)
    slices = dict(_slices(profile, rows, said, true, read))
    return replace(
        found, confusion=_confusion(said, true, read), slices=slices, positives=positives, negatives=negatives
    )


def _expected(
    profile: Profile, scores: np.ndarray | None, said: np.ndarray, read: np.ndarray, wrong: np.ndarray
) -> Pairs:  # fmt: skip
    """Wrong answers with how probable that was by their scores."""
    if scores is None or profile.scores is None or (profile.positive and not profile.scores.predicted):
        return Pairs()
    sure = read & (scores >= 0) & (scores <= 1)
    where = np.searchsorted(np.array(profile.scores.edges), scores[sure], side="right")
    known = Calibrated(profile)
    table = [[known.expected_loss(at, yes) or 0.0 for yes in (False, True)] for at in range(len(profile.scores.counts))]
    return _paired(wrong[sure].astype(np.float64), np.array(table)[where, said[sure].astype(np.intp)])


def _paired(losses: np.ndarray, expected: np.ndarray) -> Pairs:
    sums = (losses, losses**2, expected, expected**2, losses * expected)
    return Pairs(len(losses), *(float(one.sum()) for one in sums))


def _slices(
    profile: Profile, rows: Labelled, said: np.ndarray, true: np.ndarray, read: np.ndarray
) -> Iterator[tuple[tuple[str, str], Confusion]]:
    for one in profile.slices:
        if one.by in rows.slices:
            which = names(rows.slices[one.by], frozenset(one.values))
            for value in one.values:
                inside = np.array([name == value for name in which], dtype=np.bool_)
                yield (one.by, value), _confusion(said, true, read & inside)


def _confusion(said: np.ndarray, true: np.ndarray, among: np.ndarray) -> Confusion:
    return Confusion(*(int((a & b & among).sum()) for a, b in
                       ((said, true), (said, ~true), (~said, true), (~said, ~true))))  # fmt: skip


def _scored(
    profile: Profile, scores: np.ndarray | None, true: np.ndarray, read: np.ndarray
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if scores is None or profile.scores is None:
        return (), ()
    sure = read & (scores >= 0) & (scores <= 1)  # false for NaN
    where = np.searchsorted(np.array(profile.scores.edges), scores[sure], side="right")
    bins = len(profile.scores.counts)
    both = [np.bincount(where[true[sure] == side], minlength=bins).tolist() for side in (True, False)]
    return tuple(both[0]), tuple(both[1])


def _classes(profile: Profile) -> frozenset[str]:
    of = profile.prediction
    listed = [*of.values, *of.known] if of is not None and of.kind == "category" else []
    return frozenset([*listed, *([profile.positive] if profile.positive else [])])


def names(values: Values, known: frozenset[str]) -> Sequence[str | None]:
    """What each value is called, and as the known ones are where truths are written differently; None: nothing."""
    if isinstance(values, pa.Array):
        encoded = values.dictionary_encode()
        table = [_name(one, known) for one in encoded.dictionary.to_pylist()]
        return [None if at is None else table[at] for at in encoded.indices.to_pylist()]
    return [_name(one, known) for one in values]


def _name(value: object, known: frozenset[str]) -> str | None:
    if value is None or value != value:  # only NaN differs from itself
        return None
    found = category_name(value)
    if found is None or found in known:
        return found
    alike = _ALIKE.get(found.lower(), found)
    return alike if alike in known else found


# --- numbers -------------------------------------------------------------------------------------------------------


def _regression(profile: Profile, rows: Labelled) -> Counts:
    most = labelled.cap(profile)  # the error whose loss is 1; None: the profile doesn't say
    answers, truths = places.numbers(rows.answers), places.numbers(rows.truths)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        size, relative, fits = _sizes(answers, truths)
        zero = truths == 0
        size, relative, zero = size[fits], relative[fits], zero[fits]
        square, n = size**2, int(fits.sum())
        found = Errors(
            n, float(size.sum()), float(square.sum()), float((square**2).sum()), n - int(zero.sum()),
            float(relative.sum()), float((relative**2).sum()), float(square[zero].sum()),
            float((square[zero] ** 2).sum()), len(fits) - n,
        )  # fmt: skip
    loss = np.minimum(1.0, size / most) if most else size[:0]
    losses = Sums(len(loss), float(loss.sum()), float((loss**2).sum()))
    pairs = _by_answer(profile, answers[fits], loss) if most else Pairs()
    return Counts(n, len(fits) - n, errors=found, losses=losses, pairs=pairs)


def _sizes(answers: np.ndarray, truths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, the same in parts of the truth (0 where that is 0), and which of them can be reckoned with."""
    size = np.abs(answers - truths)
    relative = np.where(truths == 0, 0.0, size / np.abs(truths))
    return size, relative, (np.abs(truths) < _LARGEST) & (size < _LARGEST) & (relative < _LARGEST)  # false for NaN


def _by_answer(profile: Profile, answers: np.ndarray, losses: np.ndarray) -> Pairs:
    """Losses with what is expected of such answers: those within what the reference's were."""
    if not isinstance(profile.prediction, Number):
        return Pairs()
    table = np.array(Calibrated(profile).losses)
    where, _ = Numbers(profile.prediction).read(answers)
    inside = where < len(table)
    return _paired(losses[inside], table[where[inside]])
