"""Where an object stands, in the conditions that every tool for Kubernetes understands (kstatus): exactly one of

- Ready: what the spec of this generation declares is there;
- Reconciling: it is worked towards, or something is waited for that may come by itself or from a person;
- Stalled: it does not get there by itself. `Ready` is False in the last two.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from fairlead.plan.conditions import RECONCILING, STALLED, Conditions
from fairlead.plan.core import Json

Word = Literal["Ready", "Reconciling", "Stalled"]


class Standing(NamedTuple):
    """One of the three, why, and what to do about it."""

    word: Word
    reason: str
    message: str


def ready(reason: str, message: str) -> Standing:
    """All that is declared is there."""
    return Standing("Ready", reason, message)


def reconciling(reason: str, message: str) -> Standing:
    """It is on its way, or waits."""
    return Standing("Reconciling", reason, message)


def stalled(reason: str, message: str) -> Standing:
    """Somebody must do something."""
    return Standing("Stalled", reason, message)


def tell(told: Conditions, found: Standing) -> None:
    """Set the conditions; those that are not the case are dropped, as kstatus wants it."""
    told.set("Ready", found.word == "Ready", found.reason, found.message)
    for type_ in (RECONCILING, STALLED):
        if found.word == type_:
            told.set(type_, True, found.reason, found.message)
        else:
            told.drop(type_)


def has_standing(status: Json) -> bool:
    """Whether it is said where the object stands. A release of Fairlead that said nothing of the kind may have written
    the status last: such an object is looked at once more."""
    return any(one.get("type") == "Ready" for one in status.get("conditions") or ())
