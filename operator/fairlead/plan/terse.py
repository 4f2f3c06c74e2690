"""Statuses with short words, for an API server that finds the whole too large: what is decided stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from fairlead.api.common import StatusBase
from fairlead.api.each import Items
from fairlead.api.pipeline import PipelineStatus
from fairlead.api.pipelinerun import PipelineRunStatus

S = TypeVar("S", bound=StatusBase)

TEXT = 256
"""Characters of a message."""


def terse(status: S) -> S:
    """The status with short messages."""
    conditions = [one.model_copy(update={"message": one.message[:TEXT]}) for one in status.conditions]
    return status.model_copy(update={"message": status.message[:TEXT], "conditions": conditions})


def forms(status: S) -> Iterator[S]:
    """Of any kind."""
    yield terse(status)


def of_pipeline(status: PipelineStatus) -> Iterator[PipelineStatus]:
    """Without old decisions: the newest of each trigger says why it waits."""
    newest = {one.trigger: one for one in reversed(status.decisions)}
    kept = [one for one in status.decisions if newest[one.trigger] is one]
    seen = [one.model_copy(update={"message": one.message[:80]}) for one in status.seen]
    yield terse(status).model_copy(update={"decisions": kept, "seen": seen})


def of_run(status: PipelineRunStatus) -> Iterator[PipelineRunStatus]:
    """With short words about each step, and about few of its items."""
    steps = [one.model_copy(update={"message": one.message[:80], "items": _few(one.items)}) for one in status.steps]
    yield terse(status).model_copy(update={"steps": steps})


def _few(items: Items | None) -> Items | None:
    """Which items have failed stays; why is said of some."""
    if items is None:
        return None
    why = [one.model_copy(update={"message": one.message[:80]}) for one in items.why[:3]]
    return items.model_copy(
        update={"why": why, "live": [one.model_copy(update={"message": None}) for one in items.live]}
    )
