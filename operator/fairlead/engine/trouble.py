"""The conditions that the kernel itself sets on an object, and how they go away again.

They are laid over the status that the plan wants, and taken out of what the next plan gets to see, so that no plan
carries them along after their cause is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fairlead.engine.errors import Trouble
from fairlead.plan.conditions import RECONCILING, STALLED, problem
from fairlead.plan.core import rfc3339

Json = dict[str, Any]

REASONS = frozenset({
    "Invalid", "NameTaken", "Refused", "Forbidden", "KindMissing", "BeingDeleted", "InternalError", "StatusTooLarge",
})  # fmt: skip
TYPE = "Ready"
STANDING = (TYPE, RECONCILING, STALLED)
"""Conditions that both plans and the kernel set: the kernel's are told by their reason."""
PASSING = frozenset({"BeingDeleted"})
"""Reasons of what is over by itself; of all others somebody has to do something."""
CLOCK, LARGE = "ClockBehind", "StatusTooLarge"
"""Conditions of the kernel's own."""


class Mark(NamedTuple):
    """A condition of the kernel's own, that is true for now."""

    type: str
    message: str


def _is_ours(condition: Json) -> bool:
    if condition.get("type") in (CLOCK, LARGE):
        return True
    bad = "False" if condition.get("type") == TYPE else "True"
    known = condition.get("type") in STANDING and condition.get("reason") in REASONS
    return known and condition.get("status") == bad


def without_ours(raw: Json) -> Json:
    """The object as its plan should see it."""
    status = raw.get("status") or {}
    conditions = status.get("conditions") or []
    ours = [c for c in conditions if _is_ours(c)]
    if not ours:
        return raw
    clean = {**status, "conditions": [c for c in conditions if not _is_ours(c)]}
    if any(c.get("message") == status.get("message") for c in ours):
        clean["message"] = ""
    return {**raw, "status": clean}


def lay_over(status: Json, trouble: Trouble, raw: Json, now: float) -> Json:
    """The status with the trouble's conditions and message."""
    word = RECONCILING if trouble.reason in PASSING else STALLED
    made = [{
        "type": type_, "status": truth, "reason": trouble.reason, "message": trouble.message[:1024],
        "lastTransitionTime": rfc3339(now), "observedGeneration": raw["metadata"].get("generation", 0),
    } for type_, truth in ((TYPE, "False"), (word, "True"))]  # fmt: skip
    others = [c for c in status.get("conditions") or [] if c.get("type") not in STANDING]
    merged = sorted([*others, *made], key=lambda c: str(c["type"]))
    return keep_times({**status, "message": trouble.message[:1024], "conditions": merged}, raw)


def marked(status: Json, marks: Iterable[Mark], raw: Json, now: float) -> Json:
    """The status with these conditions."""
    made = [{
        "type": one.type, "status": "True", "reason": one.type, "message": one.message[:1024],
        "lastTransitionTime": rfc3339(now), "observedGeneration": raw["metadata"].get("generation", 0),
    } for one in marks]  # fmt: skip
    if not made:
        return status
    merged = sorted([*(status.get("conditions") or []), *made], key=lambda c: str(c["type"]))
    return keep_times({**status, "conditions": merged}, raw)


def summed_up(status: Json) -> Json:
    """The status with its worst condition in a few words: the kernel's own ones count."""
    said = [(c["type"], c["status"], c.get("reason", ""), c.get("message", "")) for c in status.get("conditions") or []]
    return {**status, "problem": problem(said)}


def keep_times(status: Json, raw: Json) -> Json:
    """The status with the time of each condition's last transition taken from the object where nothing has changed.

    Needed because plans don't see the kernel's own conditions and would date the same state anew each time."""
    old = {c.get("type"): c for c in (raw.get("status") or {}).get("conditions") or []}
    if not old or "conditions" not in status:
        return status
    kept = []
    for condition in status["conditions"]:
        before = old.get(condition["type"], {})
        same = before.get("status") == condition["status"] and "lastTransitionTime" in before
        kept.append({**condition, "lastTransitionTime": before["lastTransitionTime"]} if same else condition)
    return {**status, "conditions": kept}


def bare(raw: Json, trouble: Trouble) -> Json:
    """The status of an object that could not be planned: as it was, but seen in this generation."""
    status = without_ours(raw).get("status") or {}
    phase = "Invalid" if trouble.word == "Invalid" else status.get("phase") or "Unknown"
    return {**status, "observedGeneration": raw["metadata"].get("generation", 0), "phase": phase}
