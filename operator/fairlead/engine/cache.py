"""What was last seen of every watched object.

- The newest resource version wins, whoever brings it: the watch, a list, or the answer to our own write ("read
  your writes"). Resource versions are compared as numbers, as Kubernetes allows since 1.35 and as etcd always
  made them.
- What was deleted leaves a tombstone, so that a late event cannot bring it back.
- An object that nobody has looked at for a minute is kept as compressed JSON only: 5,000 finished runs must cost
  little.
"""

from __future__ import annotations

import json
import logging
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fairlead.engine.claims import Claims, Reader
from fairlead.plan.core import LABEL_PREFIX, Gauge, Kind

Json = dict[str, Any]
Index = Callable[[Json], Iterable[str]]
log = logging.getLogger(__name__)

COOL_AFTER = 60.0
"""Seconds without a look after which only the compressed form is kept."""
TOMBSTONES = 20_000
_NOISE = ("kubectl.kubernetes.io/last-applied-configuration",)


def version_of(obj: Json) -> int:
    """An object's resource version as a number; 0 when it has none."""
    found = obj.get("metadata", {}).get("resourceVersion", "")
    return int(found) if found.isdigit() else 0


def controller_of(obj: Json) -> str:
    """The uid of the controlling owner, or an empty string."""
    for reference in obj.get("metadata", {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference.get("uid", ""))
    return ""


def compact(value: Any) -> Any:
    """The same JSON with equal short strings shared: most of an object's memory is its keys, equal in thousands."""
    if isinstance(value, dict):
        return {sys.intern(key): compact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [compact(item) for item in value]
    if isinstance(value, str) and len(value) <= 64:
        return sys.intern(value)
    return value


def strip(obj: Json) -> Json:
    """The object without what no decision needs: managed fields, and what somebody has applied last; that somebody has
    is kept."""
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    annotations = meta.get("annotations")
    if annotations and any(key in annotations for key in _NOISE):
        meta["annotations"] = {k: "" if k in _NOISE else v for k, v in annotations.items()}
    return {**obj, "metadata": meta}


class Entry:
    """An object, warm (parsed) or cold (compressed)."""

    __slots__ = ("_cold", "_gauges", "_hot", "keys", "labels", "owner", "uid", "used", "version")

    def __init__(self, obj: Json, now: float, keys: tuple[str, ...] = ()) -> None:
        """keys: its place in the kind's index."""
        meta = obj["metadata"]
        self.uid: str = meta.get("uid", "")
        self.version = version_of(obj)
        self.labels: dict[str, str] = compact(meta.get("labels") or {})
        self.owner = controller_of(obj)
        self.keys = keys
        self.used = now
        self._hot: Json | None = obj
        self._cold: bytes | None = None
        self._gauges: tuple[Gauge, ...] | None = None

    @property
    def warm(self) -> bool:
        """Whether it is parsed."""
        return self._hot is not None

    def read(self, now: float) -> Json:
        """The object; it stays warm for a while."""
        self.used = now
        if self._hot is None:
            self._hot = self.peek()
        return self._hot

    def peek(self) -> Json:
        """The object, without warming it."""
        if self._hot is not None:
            return self._hot
        assert self._cold is not None
        found: Json = compact(json.loads(zlib.decompress(self._cold)))
        return found

    def cool(self) -> None:
        """Keep the compressed form only."""
        if self._hot is None:
            return
        if self._cold is None:
            self._cold = zlib.compress(json.dumps(self._hot, separators=(",", ":")).encode(), 1)
        self._hot = None

    def gauges(self, read: Callable[[Json], Iterable[Gauge]]) -> tuple[Gauge, ...]:
        """What `read` says of this version of the object; computed once."""
        if self._gauges is None:
            self._gauges = tuple(read(self.peek()))
        return self._gauges


class Store:
    """The objects of one kind."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Entry]] = {}
        self._owned: dict[str, set[tuple[str, str]]] = {}
        self._labelled: dict[tuple[str, str, str], set[str]] = {}
        self._keyed: dict[tuple[str, str], set[str]] = {}
        self._buried: dict[tuple[str, str], tuple[str, int]] = {}

    def find(self, namespace: str, name: str) -> Entry | None:
        """An entry, or None."""
        found = self.entries.get(namespace)
        return found.get(name) if found else None

    def put(self, namespace: str, name: str, entry: Entry) -> bool:
        """Take an entry in. False if it is not newer than what is known."""
        old = self.find(namespace, name)
        if old is not None and entry.version <= old.version:
            return False
        uid, version = self._buried.get((namespace, name), ("", 0))
        if old is None and (entry.version <= version or (entry.uid and entry.uid == uid)):
            return False
        if old is not None:
            self._unlink(namespace, name, old)
        self.entries.setdefault(namespace, {})[name] = entry
        if entry.owner:
            self._owned.setdefault(entry.owner, set()).add((namespace, name))
        for label in _indexed(namespace, entry.labels):
            self._labelled.setdefault(label, set()).add(name)
        for key in entry.keys:
            self._keyed.setdefault((namespace, key), set()).add(name)
        return True

    def bury(self, namespace: str, name: str, uid: str, version: int) -> Entry | None:
        """Forget an object that was deleted, or can't be seen any more, since `version` (0: unknown). Returns what was
        known of it.

        A newer object of the same name stays."""
        old = self.find(namespace, name)
        if old is not None and old.uid != uid and (version == 0 or old.version > version):
            return None
        if len(self._buried) >= TOMBSTONES:
            for key in list(self._buried)[: TOMBSTONES // 2]:
                del self._buried[key]
        # where the deletion's version is known, whatever is newer is there again: one that had lost the label by which
        # it is watched
        rests = "" if version else uid
        version = version or (old.version if old is not None else 0)
        if version >= self._buried.get((namespace, name), ("", 0))[1]:
            self._buried[(namespace, name)] = (rests, version)
        if old is not None:
            self._unlink(namespace, name, old)
            del self.entries[namespace][name]
        return old

    def _unlink(self, namespace: str, name: str, entry: Entry) -> None:
        if entry.owner:
            _discard(self._owned, entry.owner, (namespace, name))
        for label in _indexed(namespace, entry.labels):
            _discard(self._labelled, label, name)
        for key in entry.keys:
            _discard(self._keyed, (namespace, key), name)

    def keyed(self, namespace: str, key: str) -> list[str]:
        """Names of the objects with this key in the index, sorted."""
        return sorted(self._keyed.get((namespace, key), ()))

    def owned(self, namespace: str, uid: str) -> list[str]:
        """Names of the objects in the namespace whose controller has this uid, sorted."""
        return sorted(name for ns, name in self._owned.get(uid, ()) if ns == namespace)

    def named(self, namespace: str, labels: Mapping[str, str]) -> list[str]:
        """Names of the objects with these labels, sorted."""
        entries = self.entries.get(namespace, {})
        indexed = [self._labelled.get(label, set()) for label in _indexed(namespace, labels)]
        names: Iterable[str] = set.intersection(*indexed) if indexed else entries
        wanted = labels.items()
        return sorted(name for name in names if wanted <= entries[name].labels.items())

    def namespaces(self) -> list[str]:
        """The namespaces that have any."""
        return [namespace for namespace, entries in self.entries.items() if entries]

    def __iter__(self) -> Iterator[tuple[str, str, Entry]]:
        for namespace, entries in self.entries.items():
            for name, entry in entries.items():
                yield namespace, name, entry

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))


def _indexed(namespace: str, labels: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(namespace, key, value) for key, value in labels.items() if key.startswith(LABEL_PREFIX)]


def _discard(index: dict[Any, set[Any]], key: Any, member: Any) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(member)
        if not members:
            del index[key]


class Cache:
    """Everything that is watched. `clock`: seconds, monotonic."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        clock: Callable[[], float],
        claims: Mapping[Kind, Reader] | None = None,
        index: Mapping[Kind, Index] | None = None,
    ) -> None:
        """claims: how those of a kind's objects are read; index: the same of the keys by which they are found."""
        self._stores = {kind: Store() for kind in kinds}
        self._claims = {kind: Claims(read) for kind, read in (claims or {}).items()}
        self._index = dict(index or {})
        self._clock = clock

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that are kept."""
        return tuple(self._stores)

    def store(self, kind: Kind) -> Store:
        """The objects of a kind. Raises KeyError for a kind that is not watched."""
        return self._stores[kind]

    def put(self, kind: Kind, obj: Json, *, cold: bool = False) -> bool:
        """Take in what was seen or written; False if something as new or newer was known. `cold`: nobody will look at
        it soon."""
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        store = self._stores[kind]
        old = store.find(namespace, name)
        if old is not None and version_of(obj) <= old.version:
            return False  # before any copying: most of a relist is known
        # an object that changes all the time is not kept for long: to share its strings costs more than it saves
        bare = cold or (old is not None and old.warm)
        entry = Entry(strip(obj) if bare else compact(strip(obj)), self._clock(), self._keys(kind, obj))
        if cold:
            entry.cool()
        return store.put(namespace, name, entry)

    def _keys(self, kind: Kind, obj: Json) -> tuple[str, ...]:
        """Its place in the index; a strange object has none."""
        read = self._index.get(kind)
        if read is None:
            return ()
        try:
            return tuple(sys.intern(key) for key in read(obj))
        except Exception:
            log.exception("the keys of %s %s can't be read", kind.kind, obj["metadata"].get("name"))
            return ()

    def claims(self, kind: Kind) -> Claims:
        """The claims of a kind's objects; none, where nobody has said how they are read."""
        return self._claims.get(kind) or Claims()

    def clear(self, kind: Kind) -> None:
        """Forget all objects of a kind that is not served any more."""
        for namespace, name, _ in self._stores[kind]:
            self.claims(kind).put(namespace, name, None)
        self._stores[kind] = Store()

    def remove(self, kind: Kind, namespace: str, name: str, uid: str, version: int = 0) -> Json | None:
        """Forget a deleted object. Returns what was known of it."""
        entry = self._stores[kind].bury(namespace, name, uid, version)
        return entry.peek() if entry else None

    def peek(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """An object, or None; it does not become warm by that."""
        entry = self._stores[kind].find(namespace, name)
        return entry.peek() if entry else None

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """An object, or None."""
        entry = self._stores[kind].find(namespace, name)
        return entry.read(self._clock()) if entry else None

    def select(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> list[Json]:
        """Objects of a namespace with these labels, sorted by name."""
        store, now = self._stores[kind], self._clock()
        entries = store.entries.get(namespace, {})
        return [entries[name].read(now) for name in store.named(namespace, labels or {})]

    def each(self, kind: Kind, namespace: str) -> Iterator[Json]:
        """Objects of a namespace, one by one as they are asked for, in no order."""
        now = self._clock()
        return (entry.read(now) for entry in list(self._stores[kind].entries.get(namespace, {}).values()))

    def indexed(self, kind: Kind, namespace: str, key: str) -> list[Json]:
        """Objects of a namespace with this key in the kind's index, sorted by name."""
        store, now = self._stores[kind], self._clock()
        entries = store.entries.get(namespace, {})
        return [entries[name].read(now) for name in store.keyed(namespace, key)]

    def owned(self, kind: Kind, namespace: str, uid: str) -> list[Json]:
        """Objects of a namespace whose controller has this uid, sorted by name."""
        store, now = self._stores[kind], self._clock()
        entries = store.entries.get(namespace, {})
        return [entries[name].read(now) for name in store.owned(namespace, uid)]

    def cool(self) -> None:
        """Compress what nobody has looked at for a while."""
        before = self._clock() - COOL_AFTER
        for store in self._stores.values():
            for _, _, entry in store:
                if entry.used <= before:
                    entry.cool()
