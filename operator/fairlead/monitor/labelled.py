"""Rows of a window whose labels are known, as sums that merge by addition; and what they are held against.

The loss of a row lies in [0, 1]: 1 for a wrong class; of a number, |error| over CAPS times the held-out rows' mean
absolute error, at most 1. So the held-out rows have a mean loss of at most 1/CAPS, whatever their errors are like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields
from math import isfinite, log, sqrt
from typing import Any

from fairlead.monitor import bounds
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.profile import LONGEST, SCORES, SLICES, VALUES, Profile
from fairlead.monitor.realised import Errors
from fairlead.monitor.risk import Pairs
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import detector
from fairlead.verdict.bounded import Sums, log_bets

CAPS = 4.0
_REMEDY = "make the profile of held-out rows with their labels"


@dataclass(frozen=True)
class LabelledWindow:
    """Of one window's rows, those with a label."""

    losses: Sums = field(default_factory=Sums)
    """Of their losses in [0, 1]."""
    confusion: Confusion | None = None
    """With two classes."""
    positives: tuple[int, ...] = ()
    """By score bin (`Profile.scores`), those whose label is positive,"""
    negatives: tuple[int, ...] = ()
    """and the others."""
    errors: Errors | None = None
    """Of a regression."""
    slices: Mapping[str, Mapping[str, Confusion]] = field(default_factory=dict)
    """By column and the slice's name."""
    pairs: Pairs = field(default_factory=Pairs)
    """Sums of the losses with their expected ones (`risk.pairs`), for few labels."""

    def dumped(self) -> dict[str, Any]:
        """As JSON has it, without what is not there. At most 4 KiB, whatever the labels are like."""
        found: dict[str, Any] = {"losses": list(astuple(self.losses))}
        if self.confusion is not None:
            found["confusion"] = list(astuple(self.confusion))
        if self.positives:
            found |= {"positives": list(self.positives), "negatives": list(self.negatives)}
        if self.errors is not None:
            found["errors"] = list(astuple(self.errors))
        if self.slices:
            found["slices"] = {
                by: {name: list(astuple(one)) for name, one in values.items()} for by, values in self.slices.items()
            }
        if self.pairs != Pairs():
            found["pairs"] = list(astuple(self.pairs))
        return found

    @classmethod
    def parsed(cls, given: Any) -> LabelledWindow:
        """What `dumped` gave, whoever says so. Raises ValueError for what it can't have given."""
        if not isinstance(given, dict) or set(given) - {one.name for one in fields(cls)}:
            raise ValueError("not the counts of labels: they have other members")
        try:
            positives, negatives = _bins(given.get("positives", [])), _bins(given.get("negatives", []))
            if len(positives) != len(negatives):
                raise ValueError("not the counts of labels: the bins of their scores don't fit each other")
            return cls(
                _losses(given["losses"]),
                Confusion(*_counts(given["confusion"], 4)) if "confusion" in given else None, positives, negatives,
                _errors(given["errors"]) if "errors" in given else None, _slices(given.get("slices", {})),
                _pairs(given["pairs"]) if "pairs" in given else Pairs(),
            )  # fmt: skip
        except (LookupError, TypeError, OverflowError) as bad:
            raise ValueError(f"not the counts of labels: {type(bad).__name__}") from None


def _counts(given: Any, length: int) -> list[int]:
    if not isinstance(given, list) or len(given) != length:
        raise ValueError(f"not the counts of labels: {length} numbers are wanted")
    return [_count(one) for one in given]


def _count(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= bounds.LARGEST:
        raise ValueError("not the counts of labels: a count can't be")
    return given


def _sums(given: Any, length: int) -> list[float]:
    if not isinstance(given, list) or len(given) != length:
        raise ValueError(f"not the counts of labels: {length} sums are wanted")
    found = [float(one) for one in given]
    if not all(isfinite(one) and one >= 0 for one in found):
        raise ValueError("not the counts of labels: a sum can't be")
    return found


def _bins(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or len(given) > SCORES:
        raise ValueError(f"not the counts of labels: scores have at most {SCORES} bins")
    return tuple(map(_count, given))


def _losses(given: Any) -> Sums:
    n, *rest = given
    found = Sums(_count(n), *_sums(rest, 2))
    log_bets(found, 0.5)  # raises ValueError for sums that no losses in [0, 1] have
    return found


def _errors(given: Any) -> Errors:
    _sums(given, len(fields(Errors)))
    n, absolute, squared, fourth, nonzero, relative, relative_squares, zero, zero_fourth, unread = given
    found = Errors(
        _count(n), float(absolute), float(squared), float(fourth), _count(nonzero), float(relative),
        float(relative_squares), float(zero), float(zero_fourth), _count(unread),
    )  # fmt: skip
    if found.nonzero > found.n:
        raise ValueError("not the counts of labels: more rows are not 0 than there are")
    return found


def _slices(given: Any) -> dict[str, dict[str, Confusion]]:
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise ValueError("not the counts of labels: slices are told apart by column and name")
    names = [given, *given.values()]
    if len(given) > SLICES or any(len(one) > VALUES for one in given.values()):
        raise ValueError(f"not the counts of labels: more than {SLICES} columns, or {VALUES} slices of one")
    if any(len(name) > LONGEST for one in names for name in one):
        raise ValueError("not the counts of labels: a slice's name is too long")
    return {
        by: {name: Confusion(*_counts(one, 4)) for name, one in values.items()} for by, values in given.items()
    }  # fmt: skip


def _pairs(given: Any) -> Pairs:
    n, *rest = given
    found = Pairs(_count(n), *_sums(rest, 5))
    for total, squares in ((found.loss, found.loss_squares), (found.estimate, found.estimate_squares)):
        log_bets(Sums(found.n, total, squares), 0.5)
    return found


def cap(profile: Profile) -> float | None:
    """The absolute error whose loss is 1; None: the profile has no losses."""
    losses = profile.losses
    if losses is None or not sum(losses.counts):
        return None
    mean = sum(losses.absolute) / sum(losses.counts)
    return CAPS * mean if mean > 0 else None


def tolerated(profile: Profile, worse_by: float, beta: float) -> float | Unknown:
    """The mean loss that is tolerated: that of the held-out rows, as its upper bound, plus a margin.

    beta: the probability that the held-out rows were easier by chance.
    """
    rows = profile.held_out
    if profile.task == "classification":
        accuracy = profile.quality.get("accuracy")
        if accuracy is None or not 0 <= accuracy <= 1 or not rows:
            return Unknown("the profile doesn't say how often the model was right", _REMEDY)
        wrong = min(rows, round((1 - accuracy) * rows))
        try:
            return detector.tolerated(wrong, rows, worse_by, beta)
        except ValueError:
            return Unknown(f"the profile has only {rows} held-out rows", "make the profile of more rows")
    if profile.losses is None or cap(profile) is None:
        return Unknown("the profile has no losses of held-out rows", _REMEDY)
    error = sampling(sum(profile.losses.counts), beta)
    m = 1 / CAPS + error + worse_by
    return m if m < 1 else Unknown(f"the profile has only {rows} held-out rows", "make the profile of more rows")


def sampling(rows: int, beta: float) -> float:
    """How far a mean in [0, 1] of so many rows may lie below the truth, but for a chance of beta (Hoeffding)."""
    return sqrt(-log(beta) / (2 * rows)) if rows else 1.0
