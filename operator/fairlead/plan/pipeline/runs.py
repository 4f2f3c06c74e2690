"""The runs of a Pipeline as other Pipelines see them: which one is the newest that has completed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fairlead.plan.core import PIPELINE_RUN, Json, World

_NUMBER = re.compile(r"([0-9]{1,18})$")


def keys(run: Json) -> Iterable[str]:
    """By which a run is found: its Pipeline's name, whoever has made it."""
    name = (run.get("spec") or {}).get("pipeline")
    return [name] if isinstance(name, str) else []


def order(created: str, name: str) -> tuple[str, int, str]:
    """By which of two runs was made later; the API server tells seconds only, so numbers in names decide then."""
    number = _NUMBER.search(name)
    return created, int(number[1]) if number else 0, name


def made(run: Json) -> tuple[str, int, str]:
    """The same of a run."""
    return order(str(run["metadata"].get("creationTimestamp", "")), str(run["metadata"]["name"]))


def newest_completed(world: World, pipeline: str) -> Json | None:
    """The run that was made last of those that have completed: one that has taken longer than a later one is older all
    the same, and so is what it has read."""
    found = (run for run in world.indexed(PIPELINE_RUN, pipeline) if completed(run))
    return max(found, key=made, default=None)


def completed(run: Json) -> bool:
    """Whether it has succeeded."""
    return (run.get("status") or {}).get("phase") == "Completed"
