"""A version as a Deployment has chosen it: its name may be given to another object later, its bytes stay these."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.common import Timestamp
from fairlead.api.schema import Model, Name

RECORD = 24576
"""Largest record that is kept, in bytes."""
RECORDS = 4 * RECORD
"""All that a Deployment keeps, in bytes: each change of its status writes them."""


class Pinned(Model):
    """A version that is live, on its way, the way back, an arm, or leaving: which object it was, and what its pods
    need. Another object that has its name later is not served in its place."""

    name: Name
    uid: Annotated[str, Field(max_length=36)] = ""
    """Of the ModelVersion when it was chosen. Empty: it could not be told any more which one that was."""
    digest: Annotated[str, Field(max_length=64)] = ""
    """SHA-256 over what its pods are made of: the model's bytes and its server."""
    created: Timestamp | None = None
    """When that ModelVersion was made: versions are ordered by it."""
    evidence: Annotated[str, Field(max_length=64)] = ""
    """Digest of the evidence that it was approved by."""
    record: Annotated[str, Field(max_length=RECORD)] = ""
    """What its pods need, as JSON: the ModelVersion's `spec` without lineage and approvals, and the evaluation's
    `sample`. Empty where that is larger than 24 KiB, of the last ones where all are larger than 96 KiB, and
    of a version that leaves."""
