"""What a plan has read of its world, so that the same plan need not be made again of the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fairlead.api.config import OperatorConfig
from fairlead.plan.core import Claim, Json, Kind, World
from fairlead.plan.requests import Answer, Request

T = TypeVar("T")


class Reads:
    """A world that notes what is read of it, so that it can be told whether another one says the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[tuple[Any, ...], Any] = {}

    @property
    def config(self) -> OperatorConfig:
        """The operator's configuration."""
        return self._note("config", self._world.config)

    memo = None
    shared = None
    crowd = 0

    def get(self, kind: Kind, name: str) -> Json | None:
        """An object by name, or None."""
        return self._note("get", self._world.get(kind, name), kind, name)

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Json]:
        """Objects with these labels, sorted by name."""
        return self._note("select", self._world.select(kind, labels), kind, tuple(sorted((labels or {}).items())))

    def indexed(self, kind: Kind, key: str) -> list[Json]:
        """Objects that have this key in their kind's index, sorted by name."""
        return self._note("indexed", self._world.indexed(kind, key), kind, key)

    def owned(self, kind: Kind) -> list[Json]:
        """Objects whose controller is the subject, sorted by name."""
        return self._note("owned", self._world.owned(kind), kind)

    def served(self, kind: Kind) -> bool:
        """Whether the API server has this kind."""
        return self._note("served", self._world.served(kind), kind)

    def claims(self, kind: Kind, near: Claim) -> tuple[Claim, ...]:
        """What objects claim that a claim may meet."""
        return self._note("claims", self._world.claims(kind, near), kind, near)

    def elsewhere(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """An object of any namespace, or None."""
        return self._note("elsewhere", self._world.elsewhere(kind, namespace, name), kind, namespace, name)

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        return self._note("answer", self._world.answer(request), request)

    def _note(self, how: str, found: T, *what: Any) -> T:
        self._read[how, *what] = found
        return found

    def same(self, world: World) -> bool:
        """Whether the other world has the very same objects where this one was read."""
        return all(_same(found, _again(world, *read)) for read, found in self._read.items())


def _again(world: World, how: str, *what: Any) -> Any:
    if how == "config":
        return world.config
    if how == "select":
        kind, labels = what
        return world.select(kind, dict(labels))
    return getattr(world, how)(*what)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one is other or (isinstance(one, bool) and one == other)
