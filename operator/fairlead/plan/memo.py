"""Results that are the same as last time, because all that they follow from is the same object as last time.

Pure functions stay pure: a memo saves work and decides nothing. What is compared by identity is kept alive by the memo,
so that no other object can come to have its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from fairlead.api.config import OperatorConfig
from fairlead.plan.core import Answer, Claim, Json, Kind, Request, World

T = TypeVar("T")


class Recent(Generic[T]):
    """Values that are used: one that nobody has asked for between two calls of `age` is forgotten by the second.

    There is no largest number of them: beyond that each would push out the one that is asked for next, and nothing
    would be found any more. They are bounded by what is looked at meanwhile."""

    def __init__(self) -> None:
        self._young: dict[Hashable, T] = {}
        self._old: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        """A value that is kept, or None."""
        found = self._young.get(key)
        if found is None and (found := self._old.pop(key, None)) is not None:
            self._young[key] = found
        return found

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value."""
        self._old.pop(key, None)
        self._young[key] = value

    def drop(self, key: Hashable) -> None:
        """Forget a value."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def age(self) -> None:
        """Time has passed: to be called every half a minute or so."""
        self._young, self._old = {}, self._young

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Memo(Generic[T]):
    """The last result by key, for keys that are used (see `Recent`)."""

    def __init__(self) -> None:
        self._kept = Recent[tuple[Any, T]]()

    def age(self) -> None:
        """Time has passed: to be called every half a minute or so."""
        self._kept.age()

    def find(self, key: Hashable, same: Callable[[Any], bool], make: Callable[[], tuple[Any, T]]) -> T:
        """The kept result of the key if `same` says so of the grounds that it was made on, else that of `make`, which
        returns grounds and result."""
        kept = self._kept.get(key)
        if kept is None or not same(kept[0]):
            kept = make()
            self._kept.put(key, kept)
        return kept[1]

    def of(self, key: Hashable, ground: object, make: Callable[[], T]) -> T:
        """The kept result of the key if it was made on this very object."""
        return self.find(key, lambda kept: kept is ground, lambda: (ground, make()))


def memo_of(world: World) -> Memo[Any] | None:
    """The memo of the kernel's worlds, whose objects never change in place; others have none."""
    found: Memo[Any] | None = getattr(world, "memo", None)
    return found


def crowd_of(world: World) -> int:
    """How many rollouts are under way in the whole cluster, as far as the kernel knows; 0 in other worlds."""
    return int(getattr(world, "crowd", 0))


class Reads:
    """A world that notes what is read of it, so that it can be told whether another one says the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[tuple[Any, ...], Any] = {}

    @property
    def config(self) -> OperatorConfig:
        """The operator's configuration."""
        return self._note("config", self._world.config)

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
