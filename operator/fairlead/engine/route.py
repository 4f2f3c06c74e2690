"""From an event to the objects that are to be looked at again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fairlead.engine.cache import Cache, controller_of, version_of
from fairlead.engine.queue import WorkQueue
from fairlead.engine.reconcile import Key
from fairlead.plan.core import Claim, Kind, KindSpec, Mapper, never_stale

Json = dict[str, Any]
T = TypeVar("T")
Heeds = Callable[[Json], Any]
log = logging.getLogger(__name__)


class Router:
    """Takes in what was seen, and wakes whom it concerns. `gone` is told the uids of objects that are no more."""

    def __init__(
        self,
        specs: Mapping[Kind, KindSpec[Any]],
        cache: Cache,
        queue: WorkQueue[Key],
        gone: Callable[[str], None],
    ) -> None:
        self._specs, self._cache, self._queue, self._gone = specs, cache, queue, gone
        self._kinds = {(kind.api_version, kind.kind): kind for kind in specs}
        self._anywhere = {(spec.kind, other) for spec in specs.values() for other in spec.anywhere}
        self._heeded = {other for spec in specs.values() for other in spec.heeds}
        self._mappers: dict[Kind, list[tuple[Kind, Mapper, Heeds | None]]] = {}
        self._held: dict[str, list[tuple[Kind, Json, bool]]] = {}
        for spec in specs.values():
            for other, mapper in spec.mappers.items():
                self._mappers.setdefault(other, []).append((spec.kind, mapper, spec.heeds.get(other)))

    def listed(self, kind: Kind, obj: Json) -> None:
        """An object of the first list: nobody needs waking but itself, since all are looked at. A settled one only if
        what it speaks of may be gone."""
        spec = self._specs.get(kind)
        settled = spec is not None and bool(_guarded(spec.settled, obj))
        if not self._cache.put(kind, obj, cold=settled):
            return
        self._cache.claims(kind).put(*_name(obj), obj)
        if spec is not None and (not settled or _guarded(spec.speaks, obj)):
            self._queue.add(_key(kind, obj), low=True)

    def caught_up(self) -> None:
        """All is listed: wake settled objects, too, that may say what is not so any more, since others have changed
        while nobody was there to see it."""
        for spec in self._specs.values():
            if spec.stale is never_stale:
                continue
            for other, mapper in spec.mappers.items():
                for namespace, _, entry in list(self._cache.store(other)):
                    found = _guarded(partial(self._mapped, mapper, spec.kind, namespace), entry.peek())
                    for name in found or ():
                        self._queue.add(Key(spec.kind, namespace, name), low=True)

    def seen(self, kind: Kind, obj: Json, *, low: bool = False) -> None:
        """An object was made or changed."""
        held = self._held.get(obj["metadata"].get("uid", ""))
        if held is not None:
            held.append((kind, obj, low))
        else:
            self._take(kind, obj, low)

    @contextmanager
    def writing(self, uid: str) -> Iterator[None]:
        """While this holds, we write this object's status. What the watch brings of it is taken in afterwards: nearly
        always it is what we write, faster than the API server's answer, and no reason for another look."""
        held = self._held.setdefault(uid, [])
        try:
            yield
        finally:
            self._held.pop(uid, None)
            for kind, obj, low in held:
                self.seen(kind, obj, low=low)

    def written(self, kind: Kind, obj: Json, by: str) -> None:
        """We have written an object, for a subject (its uid) that is looked at again anyway."""
        self._take(kind, obj, low=False, but=by)

    def _take(self, kind: Kind, obj: Json, low: bool, but: str = "") -> None:
        meta = obj["metadata"]
        heeded = kind in self._heeded
        known = self._cache.store(kind).find(meta.get("namespace", ""), meta["name"])
        strays = known is not None and bool(known.owner) and known.owner != controller_of(obj)
        before = known.peek() if known is not None and (heeded or strays) else None
        if self._cache.put(kind, obj):
            self._claimed(kind, self._cache.claims(kind).put(*_name(obj), obj))
            self._wake(kind, obj, low, but, before if heeded else None)
            if strays and before is not None:  # it has lost its owner, who alone can take it back
                self._wake_owner(kind, before, low, but)

    def deleted(self, kind: Kind, obj: Json, by: str = "") -> None:
        """An object was deleted; its resource version is the deletion's. `by`: as for `written`."""
        meta = obj["metadata"]
        version = version_of(obj)
        known = self._cache.remove(kind, meta.get("namespace", ""), meta["name"], meta.get("uid", ""), version)
        self._gone(meta.get("uid", ""))
        if known is not None:
            self._claimed(kind, self._cache.claims(kind).put(*_name(known), None))
            self._wake(kind, known, low=False, but=by)

    def wake_all(self, kind: Kind) -> None:
        """Look at all objects of a kind, after everything else."""
        for namespace, name, _ in self._cache.store(kind):
            self._queue.add(Key(kind, namespace, name), low=True)

    def _wake(self, kind: Kind, obj: Json, low: bool, but: str = "", before: Json | None = None) -> None:
        """before: the same object until now, where it is known."""
        if kind in self._specs and obj["metadata"].get("uid") != but:
            self._queue.add(_key(kind, obj), low=low)
        namespace = obj["metadata"].get("namespace", "")
        self._wake_owner(kind, obj, low, but, before)
        for mapped, mapper, heeds in self._mappers.get(kind, ()):
            if heeds and before and _guarded(partial(_same, heeds, before), obj):
                continue
            for place in self._cache.store(mapped).namespaces() if (mapped, kind) in self._anywhere else (namespace,):
                for name in _guarded(partial(self._mapped, mapper, mapped, place), obj) or ():
                    self._queue.add(Key(mapped, place, name), low=low)

    def _wake_owner(self, kind: Kind, obj: Json, low: bool, but: str, before: Json | None = None) -> None:
        namespace = obj["metadata"].get("namespace", "")
        for reference in obj["metadata"].get("ownerReferences") or ():
            owner = self._kinds.get((reference.get("apiVersion", ""), reference.get("kind", "")))
            if owner is None or not reference.get("controller") or reference.get("uid") == but:
                continue
            heeds = self._specs[owner].heeds.get(kind)
            if not (heeds and before and _guarded(partial(_same, heeds, before), obj)):
                self._queue.add(Key(owner, namespace, reference["name"]), low=low)

    def _claimed(self, kind: Kind, changed: set[Claim]) -> None:
        """Wake those to whom it matters that claims have come or gone."""
        for one in changed:
            for other in self._cache.claims(kind).near(one):
                if (other.namespace, other.name) != (one.namespace, one.name) and self._specs[kind].meet(one, other):
                    self._queue.add(Key(kind, other.namespace, other.name), low=True)

    def _mapped(self, mapper: Mapper, kind: Kind, namespace: str, obj: Json) -> list[str]:
        return list(mapper(obj, _Peers(self._cache, kind, namespace)))


@dataclass(frozen=True)
class _Peers:
    """`plan.core.Peers` over the cache. What is read stays warm: the next event asks again."""

    cache: Cache
    kind: Kind
    namespace: str

    def __iter__(self) -> Iterator[Json]:
        return self.cache.each(self.kind, self.namespace)

    def get(self, name: str) -> Json | None:
        """One by name, or None."""
        return self.cache.get(self.kind, self.namespace, name)

    def indexed(self, key: str) -> list[Json]:
        """Those with this key in their kind's index, sorted by name."""
        return self.cache.indexed(self.kind, self.namespace, key)


def _guarded(read: Callable[[Json], T], obj: Json) -> T | None:
    """What a kind's own function says of an object; None if it fails: a strange object must not stop the watch."""
    try:
        return read(obj)
    except Exception:
        log.exception("%s %s can't be read", obj.get("kind"), obj["metadata"].get("name"))
        return None


def _same(heeds: Heeds, before: Json, after: Json) -> bool:
    return bool(heeds(before) == heeds(after))


def _name(obj: Json) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _key(kind: Kind, obj: Json) -> Key:
    return Key(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
