"""Who claims what, over all namespaces: the one thing of other namespaces that a plan gets to see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fairlead.plan.core import Claim

Json = dict[str, Any]
log = logging.getLogger(__name__)
Reader = Callable[[Json], tuple[Claim, ...]]


class Claims:
    """The claims of one kind's objects, by place."""

    def __init__(self, read: Reader | None = None) -> None:
        self._read = read
        self._mine: dict[tuple[str, str], tuple[Claim, ...]] = {}
        self._places: dict[str, dict[tuple[str, str], tuple[Claim, ...]]] = {}
        self._listed: dict[str, tuple[Claim, ...]] = {}

    def at(self, place: str) -> tuple[Claim, ...]:
        """All of a place; the same tuple until one of them changes."""
        if place not in self._places:
            return ()
        if place not in self._listed:
            found = (one for claims in self._places[place].values() for one in claims)
            self._listed[place] = tuple(one for one in found if one.place == place)
        return self._listed[place]

    def put(self, namespace: str, name: str, obj: Json | None) -> set[Claim]:
        """Take an object's claims in; None: it is gone. Returns those that have come or gone."""
        key = namespace, name
        had, now = self._mine.get(key, ()), self._claims(obj)
        if had == now:
            return set()
        for one in had:
            self._places.get(one.place, {}).pop(key, None)
            if not self._places.get(one.place):
                self._places.pop(one.place, None)
        for one in now:
            self._places.setdefault(one.place, {})[key] = now
        for one in (*had, *now):
            self._listed.pop(one.place, None)
        if now:
            self._mine[key] = now
        else:
            self._mine.pop(key, None)
        return set(had) ^ set(now)

    def _claims(self, obj: Json | None) -> tuple[Claim, ...]:
        if obj is None or self._read is None:
            return ()
        try:
            return self._read(obj)
        except Exception:
            log.exception("the claims of %s %s can't be read", obj.get("kind"), obj["metadata"].get("name"))
            return ()
