"""What a Component is that comes with Fairlead."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.api.component import ComponentSpec
from fairlead.plan.core import Json


@dataclass(frozen=True)
class Builtin:
    """A Component that comes with Fairlead."""

    name: str
    """`builtin: NAME` of a step."""
    said: Json = field(hash=False)
    """The `spec` of a Component as people write it, without `image`. What is changed gets another version: `1` becomes
    `1.1` when it can do more, `2` when it does otherwise what it could."""
    trains: bool = False
    """Its image is the installation's `images.trainer`; else `images.worker`."""

    def spec(self, image: str) -> ComponentSpec:
        """The Component, with its image."""
        return ComponentSpec.model_validate(self.said | {"image": image})
