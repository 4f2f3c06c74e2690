"""What a Deployment must not forget when its status is lost, and how far the store has it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead.api.candidate import ExperimentStatus, RolloutRecord
from fairlead.api.common import Timestamp
from fairlead.api.pinned import Pinned
from fairlead.api.schema import Model, Name, Text
from fairlead.api.watch import WayBack


class Memory(Model):
    """How far the store has what must survive the loss of this status."""

    number: int | None = None
    """Of the newest document in the store; absent: it has to be asked for it."""
    due: bool = False
    """The store does not have yet what this status says."""
    promise: Annotated[str, Field(max_length=63)] = ""
    """The version that goes live as soon as the store has it."""
    tried: Timestamp | None = None
    """When the store refused it last."""
    failing: Annotated[str, Field(max_length=64)] = ""
    """Why, in a word,"""
    message: Text = ""
    """and in a sentence."""


class Recollection(Model):
    """The document in the store: what can't be found out again from the cluster's objects. A newer one has a higher
    number; all are written once."""

    deployment: str
    """`<namespace>/<name>`."""
    live: Name | None = None
    previous: Name | None = None
    way_back: WayBack | None = None
    experiment: ExperimentStatus | None = None
    """One that has ended: else it would begin once more."""
    refused: list[Name] = []
    history: list[RolloutRecord] = []
    """Why they were refused, and where the evidence lies."""
    heeded: str = ""
    retried: str = ""
    versions: list[Pinned] = []
    served: list[Pinned] = []
    older: list[Name] = []
    """Versions of the model that are older than the live one. Objects that are applied again are all equally old."""
