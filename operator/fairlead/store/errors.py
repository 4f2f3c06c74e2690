"""What can go wrong with a store, with a reason that conditions carry and a message that says what to do."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "BucketMissing", "AccessDenied", "Unreachable", "ObjectMissing", "ObjectChanged", "DigestMismatch", "BadTask",
    "EndpointRefused", "CredentialsMissing", "ListingTooLarge", "ListingTooSlow", "RepositoryMissing", "RefMissing",
    "CommitMissing", "PathMissing", "TooLarge",
]  # fmt: skip


class StoreError(Exception):
    """The store could not do it. `transient`: trying again without any change may help."""

    def __init__(self, reason: Reason, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
        self.transient = transient


class ImageError(Exception):
    """A registry can't be asked, or does not tell. `reason` and `message` go into a condition."""

    def __init__(
        self,
        reason: Literal[
            "ImageMissing",
            "ImageDenied",
            "TooManyRequests",
            "NotARegistry",
            "EndpointRefused",
            "Unreachable",
            "BadName",
        ],
        message: str,
    ) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class SpentError(Exception):
    """What the terms of the work give is used up."""

    def __init__(self, of: Literal["time", "bytes", "pages", "objects", "memory"]) -> None:
        super().__init__(f"no more {of}")
        self.of = of


class ForeignAnswerError(Exception):
    """What was answered is not what an S3 store answers."""
