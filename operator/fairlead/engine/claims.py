"""Who claims what, over all namespaces: the one thing of other namespaces that a plan gets to see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from fairlead.plan.core import Claim

Json = dict[str, Any]
log = logging.getLogger(__name__)
Reader = Callable[[Json], tuple[Claim, ...]]
Bucket = tuple[str, ...]
"""(place, what its claims have in common, …)."""


class Claims:
    """The claims of one kind's objects. Of thousands at a Gateway each needs to know only a few: they are kept in
    buckets, and what a claim may meet is put together from those that it has to do with.

    - One without a host meets those of its corner, and those without a corner (`WIDE`).
    - One of a host meets those of that host, and of those without a host such as share its path; whoever asks for all
      paths (`/`) only those that clients have been told to reach by that very host.
    - One of a pattern of hosts may meet all.

    What decides who of them stands is among them, too: whether the older one of two stands may depend on a third."""

    def __init__(self, read: Reader | None = None) -> None:
        self._read = read
        self._mine: dict[tuple[str, str], tuple[Claim, ...]] = {}
        self._buckets: dict[Bucket, set[Claim]] = {}
        self._changes: dict[Bucket, int] = {}
        """By bucket, the number of its last change; 0: it is empty, and always was."""
        self._count = 0
        self._chosen: dict[Bucket, tuple[tuple[int, ...], tuple[Bucket, ...]]] = {}
        self._near: dict[tuple[Bucket, ...], tuple[tuple[int, ...], tuple[Claim, ...]]] = {}

    def near(self, one: Claim) -> tuple[Claim, ...]:
        """All that a claim may meet, itself among them; the same tuple until one of them changes."""
        chosen = self._of_host(one.place, one.host) if one.host else self._of_path(one)
        stamps = self._stamps(chosen)
        kept = self._near.get(chosen)
        if kept is None or kept[0] != stamps:
            if len(self._near) > 2 * len(self._mine) + 64:  # most are of claims that are gone
                self._near.clear()
                self._chosen.clear()
            found = set[Claim]().union(*(self._buckets.get(bucket, ()) for bucket in chosen))
            kept = self._near[chosen] = stamps, tuple(sorted(found))
        return kept[1]

    def _stamps(self, buckets: Iterable[Bucket]) -> tuple[int, ...]:
        return tuple(self._changes.get(bucket, 0) for bucket in buckets)

    def _of_path(self, one: Claim) -> tuple[Bucket, ...]:
        """The buckets of one without a host: those without one, and those with a host that may have to yield to it."""
        place = one.place
        if not one.corner:
            return ((place, "all"),)
        hosts = (place, "at", one.corner), (place, "at", ""), (place, "root", one.address)
        return (place, "path", one.corner), (place, "path", ""), *hosts

    def _of_host(self, place: str, host: str) -> tuple[Bucket, ...]:
        """The buckets of those of a host."""
        patterns, wide = (place, "patterns"), (place, "path", "")
        if host.startswith("*") or self._buckets.get(patterns):
            return ((place, "all"),)
        mine, reached = (place, "host", host), (place, "address", host)
        stamps = self._stamps((patterns, wide, mine, reached))
        kept = self._chosen.get(mine)
        if kept is None or kept[0] != stamps:
            kept = self._chosen[mine] = stamps, self._choose(mine, wide, reached)
        return kept[1]

    def _choose(self, mine: Bucket, wide: Bucket, reached: Bucket) -> tuple[Bucket, ...]:
        place = mine[0]
        paths = {one.path for one in self._buckets.get(mine, ())}
        corners = {corner_of(path) for path in paths if path != "/"}
        if "" in corners or (corners and self._buckets.get(wide)) or ("/" in paths and self._buckets.get(reached)):
            return mine, (place, "paths")
        return (mine, *((place, "path", corner) for corner in sorted(corners)))

    def put(self, namespace: str, name: str, obj: Json | None) -> set[Claim]:
        """Take an object's claims in; None: it is gone. Returns those that have come or gone."""
        key = namespace, name
        had, now = self._mine.get(key, ()), self._claims(obj)
        if had == now:
            return set()
        for one in had:
            for bucket in _buckets(one):
                self._change(bucket).discard(one)
        for one in now:
            for bucket in _buckets(one):
                self._change(bucket).add(one)
        self._mine[key] = now
        if not now:
            del self._mine[key]
        self._drop_empty(bucket for one in had for bucket in _buckets(one))
        return set(had) ^ set(now)

    def _change(self, bucket: Bucket) -> set[Claim]:
        """Its claims, which change now."""
        self._count += 1
        self._changes[bucket] = self._count
        return self._buckets.setdefault(bucket, set())

    def _drop_empty(self, buckets: Iterable[Bucket]) -> None:
        """Forget empty buckets; numbers of changes never come again, so that 0 stands for an empty one for ever."""
        for bucket in buckets:
            if not self._buckets.get(bucket, True):
                del self._buckets[bucket], self._changes[bucket]

    def _claims(self, obj: Json | None) -> tuple[Claim, ...]:
        if obj is None or self._read is None:
            return ()
        try:
            return self._read(obj)
        except Exception:
            log.exception("the claims of %s %s can't be read", obj.get("kind"), obj["metadata"].get("name"))
            return ()


def _buckets(one: Claim) -> list[Bucket]:
    """Where a claim belongs."""
    place = one.place
    if not one.host:
        found = [(place, "all"), (place, "paths"), (place, "path", one.corner)]
        return [*found, (place, "address", one.address)] if one.address else found
    kind = (place, "patterns") if one.host.startswith("*") else (place, "host", one.host)
    where = (place, "root", one.host) if one.path == "/" else (place, "at", corner_of(one.path))
    return [(place, "all"), kind, where]


def corner_of(path: str) -> str:
    """The first two parts of a path: it meets none that begins otherwise, but for those that are shorter. Empty: it is
    shorter itself."""
    parts = path.split("/", 3)[1:3]
    return f"/{parts[0]}/{parts[1]}" if len(parts) == 2 and parts[1] else ""
