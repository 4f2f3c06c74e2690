"""Why a task can't be done."""

from __future__ import annotations

from typing import Literal

from fairlead.api.fetching import TaskError

Reason = Literal[
    "BucketMissing", "AccessDenied", "Unreachable", "ObjectMissing", "ObjectChanged", "CorruptFile",
    "DigestMismatch", "OutputMissing", "ServerFailed", "OutOfMemory", "BadData", "BadTask", "Bug",
]  # fmt: skip


class TaskFailed(Exception):  # noqa: N818 - the house's names of errors
    """The task can't be done; the message names the object or field and says what to do."""

    def __init__(self, reason: Reason, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.error = TaskError(reason=reason, message=message, transient=transient)
