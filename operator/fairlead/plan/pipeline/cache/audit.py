"""Whether a result that would be taken is made once more, and whether it is the same.

Which ones, follows from the run and the step: a look that is repeated decides the same. `publish` compares too, and
drops the entry in the same breath as it commits (`api/cached.py`); here it is told.
"""

from __future__ import annotations

import hashlib

from fairlead.api.cached import Entry
from fairlead.api.pipelinerun import StepCache, StepStatus

MISMATCH = "CacheMismatch"
_WHOLE = 1 << 64


def chosen(share: str, run_uid: str, step: str) -> bool:
    """Whether it is one of the share (`1%`)."""
    drawn = int.from_bytes(hashlib.sha256(f"{run_uid}/{step}".encode()).digest()[:8])
    return drawn < float(share.rstrip("%")) / 100 * _WHOLE


def begun(found: Entry, number: int) -> StepCache:
    """The record of a step that runs to be compared. number: of the document that takes the entry's place if it
    differs."""
    return StepCache(
        outcome="Audit", run=found.run, run_uid=found.run_uid, attempt=found.result.attempt, entry=number,
        message=f"there are outputs of run {found.run}; it runs all the same, and they are compared",
        expected={one.name: one.sha256 for one in found.result.outputs},
    )  # fmt: skip


def compared(status: StepStatus) -> StepStatus:
    """A completed step, and if it was an audit, what has come of it."""
    cache = status.cache
    if cache is None or cache.outcome != "Audit":
        return status
    made = {one.name: one.sha256 for one in status.outputs}
    other = difference(cache.expected, made)
    if other is None:
        said = {"outcome": "Agreed", "message": f"it ran, and has the same outputs as run {cache.run}"}
    else:
        said = {"outcome": "Mismatch", "message": mismatch(other, cache.run, status.key)[:512]}
    return status.model_copy(update={"cache": cache.model_copy(update=said | {"expected": {}})})


def difference(expected: dict[str, str], made: dict[str, str]) -> tuple[str, str, str] | None:
    """The first output that differs: its name, the digest that was expected, and the one that there is."""
    for name in sorted(expected.keys() | made.keys()):
        if expected.get(name) != made.get(name):
            return name, expected.get(name, "none"), made.get(name, "none")
    return None


def mismatch(other: tuple[str, str, str], run: str, key: str) -> str:
    """What people are told of it."""
    name, there, here = other
    return (
        f"key {key}: output {name} of run {run} was {there}, and is now {here}. What was kept is dropped: the same "
        "inputs give other outputs, so set a seed, or turn cache off"
    )
