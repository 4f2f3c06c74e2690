"""Results that are the same as last time, because all that they follow from is the same object as last time.

Pure functions stay pure: a memo saves work and decides nothing. What is compared by identity is kept alive by the memo,
so that no other object can come to have its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

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
