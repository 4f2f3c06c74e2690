"""What can go wrong with a store, with a reason that conditions carry and a message that says what to do."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "BucketMissing", "AccessDenied", "Unreachable", "ObjectMissing", "ObjectChanged", "DigestMismatch", "BadTask"
]


class StoreError(Exception):
    """The store could not do it. `transient`: trying again without any change may help."""

    def __init__(self, reason: Reason, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
        self.transient = transient
