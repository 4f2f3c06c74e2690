"""The index of a kind over a plain list of objects, as the kernel's cache keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fairlead.plan.core import Json, Kind
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import run

INDEXES: dict[Kind, Callable[[Json], Iterable[str]]] = {
    spec.kind: spec.index for spec in (modelversion.SPEC, deployment.SPEC, run.SPEC)
}


def indexed(kind: Kind, objects: Iterable[Json], key: str) -> list[Json]:
    """Those of a kind's objects that have this key."""
    return [one for one in objects if key in INDEXES[kind](one)]


@dataclass(frozen=True)
class Others:
    """`plan.core.Peers` over a list."""

    kind: Kind
    objects: list[Any]

    def __iter__(self) -> Iterator[Json]:
        return iter(self.objects)

    def get(self, name: str) -> Json | None:
        """One by name, or None."""
        return next((one for one in self.objects if one["metadata"]["name"] == name), None)

    def indexed(self, key: str) -> list[Json]:
        """Those with this key."""
        return indexed(self.kind, self.objects, key)
