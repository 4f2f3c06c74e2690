"""Rows of a window whose labels are known, as sums that merge by addition; and what they are held against.

The loss of a row lies in [0, 1]: 1 for a wrong class; of a number, |error| over CAPS times the held-out rows' mean
absolute error, at most 1. So the held-out rows have a mean loss of at most 1/CAPS, whatever their errors are like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, sqrt

from fairlead.monitor.confusion import Confusion
from fairlead.monitor.profile import Profile
from fairlead.monitor.realised import Errors
from fairlead.monitor.risk import Pairs
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import detector
from fairlead.verdict.bounded import Sums

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
