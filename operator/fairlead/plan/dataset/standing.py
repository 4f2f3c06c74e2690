"""Where a Dataset stands: Ready while the source's present listing is a checked version. `Available`: there is one."""

from __future__ import annotations

from fairlead.api.dataset import DatasetStatus
from fairlead.plan.conditions import AVAILABLE, Conditions
from fairlead.plan.standing import Standing, ready, reconciling, stalled

MAY_PASS = frozenset({
    "Unreachable", "Timeout", "ApiUnavailable", "NoTurn", "NotAsked", "Underway", "ObjectChanged", "BadAnswer",
})  # fmt: skip
"""Reasons for which a source can't be listed that may be over by themselves; for all others somebody must act."""


def available(told: Conditions, status: DatasetStatus) -> None:
    """Whether there is a version that can be used."""
    if status.current is None:
        told.set(AVAILABLE, False, "NoVersion", "no version has been published yet")
    else:
        told.set(AVAILABLE, True, "Published", f"version {status.current.version} can be used")


def standing(status: DatasetStatus, told: Conditions, phase: str, message: str, *, seen: bool) -> Standing:
    """What its phase and its own conditions say. seen: whether the source was looked at, or need not be, since the spec
    has changed."""
    source, valid = told.get("SourceReachable"), told.get("Valid")
    if phase == "Suspended":
        there = status.current is not None
        return ready("Suspended", message) if there else reconciling("Suspended", message)
    if source is not None and source.status == "False":
        word = reconciling if source.reason in MAY_PASS else stalled
        return word(source.reason, source.message)
    if not seen:
        return reconciling("Listing", message or "the source is to be listed")
    if phase == "Ready":
        return ready("Published", message)
    if phase == "Invalid":
        return stalled(valid.reason if valid else phase, message)
    doubt = valid.reason if valid is not None and valid.status == "Unknown" else ""
    return reconciling(doubt if phase == "Checking" and doubt else phase or "Pending", message)
