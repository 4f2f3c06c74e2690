"""Who claims what, over all namespaces: the one thing of other namespaces that a plan gets to see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fairlead.plan.core import Claim

Json = dict[str, Any]
log = logging.getLogger(__name__)
Reader = Callable[[Json], tuple[Claim, ...]]
Corner = tuple[str, str]


class Claims:
    """The claims of one kind's objects, by place and corner: most need to know only those of their own corner."""

    def __init__(self, read: Reader | None = None) -> None:
        self._read = read
        self._mine: dict[tuple[str, str], tuple[Claim, ...]] = {}
        self._corners: dict[Corner, set[Claim]] = {}
        self._places: dict[str, set[str]] = {}
        """The corners of a place."""
        self._near: dict[Corner, tuple[Claim, ...]] = {}

    def near(self, one: Claim) -> tuple[Claim, ...]:
        """All that a claim may meet, itself among them; the same tuple until one of them changes."""
        key = one.place, one.corner
        if key not in self._near:
            corners = {one.corner, ""} if one.corner else self._places.get(one.place, set())
            found = (claim for corner in corners for claim in self._corners.get((one.place, corner), ()))
            self._near[key] = tuple(sorted(found))
        return self._near[key]

    def put(self, namespace: str, name: str, obj: Json | None) -> set[Claim]:
        """Take an object's claims in; None: it is gone. Returns those that have come or gone."""
        key = namespace, name
        had, now = self._mine.get(key, ()), self._claims(obj)
        if had == now:
            return set()
        for one in had:
            self._drop(one)
        for one in now:
            self._corners.setdefault((one.place, one.corner), set()).add(one)
            self._places.setdefault(one.place, set()).add(one.corner)
        for one in (*had, *now):
            self._changed(one)
        self._mine[key] = now
        if not now:
            del self._mine[key]
        return set(had) ^ set(now)

    def _drop(self, one: Claim) -> None:
        left = self._corners[one.place, one.corner]
        left.discard(one)
        if not left:
            del self._corners[one.place, one.corner]
            self._places[one.place].discard(one.corner)

    def _changed(self, one: Claim) -> None:
        """Of a corner: for that one, and for those who have none. Of none: for all."""
        corners = {one.corner, ""} if one.corner else {*self._places.get(one.place, ()), ""}
        for corner in corners:
            self._near.pop((one.place, corner), None)

    def _claims(self, obj: Json | None) -> tuple[Claim, ...]:
        if obj is None or self._read is None:
            return ()
        try:
            return self._read(obj)
        except Exception:
            log.exception("the claims of %s %s can't be read", obj.get("kind"), obj["metadata"].get("name"))
            return ()
