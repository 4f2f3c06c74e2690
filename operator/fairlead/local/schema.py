"""What the API server would refuse."""

from __future__ import annotations

from fairlead.plan.core import Json


def problems(found: Json) -> list[str]:
    """What is wrong with an object, each with its field."""
    del found
    return []
