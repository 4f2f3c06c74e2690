"""The API server's memory, in one process: what it does to objects, at the level that the engine relies on.

Resource versions, generations, the status split, optimistic concurrency, server-side apply with removal of fields that
are no longer applied, finalizers, owner-based garbage collection, selectors, and a log that watches are fed from. Held
against the real API server by tests/contract.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.cluster import errors as api
from fairlead.engine.cache import controller_of
from fairlead.plan.core import Kind, rfc3339

Json = dict[str, Any]
Path = tuple[str, ...]


def copied(obj: Any) -> Any:
    """A deep copy of JSON, in a tenth of the time of `copy.deepcopy`: worlds are mostly read."""
    return pickle.loads(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL))


@dataclass(frozen=True)
class Change:
    """An entry of the log. `before`: the object until then, None if it is new."""

    version: int
    type: str
    kind: Kind
    obj: Json
    before: Json | None


@dataclass
class ApiServer:
    """All objects. `clock`: epoch seconds. `with_status`: kinds whose status is a subresource."""

    clock: Callable[[], float]
    with_status: set[Kind] = field(default_factory=set)
    absent: set[Kind] = field(default_factory=set)
    admission: Callable[[Kind, Json], str | None] = lambda _kind, _obj: None
    """Says why an object is refused, or None."""
    unknown: set[Kind] = field(default_factory=set)
    """Kinds of an extension's own API server, which is away: it can't be said whether they are there."""
    forbidden: set[Kind] = field(default_factory=set)
    """Kinds that the operator may not list."""
    version: int = 0
    log: list[Change] = field(default_factory=list)
    oldest: int = 0
    """Watches that begin before this version are gone (410)."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by a new one, at each change."""
    _objects: dict[tuple[Kind, str, str], Json] = field(default_factory=dict)
    _applied: dict[str, set[Path]] = field(default_factory=dict)
    """uid → the fields that the last apply set."""
    _edited: dict[str, set[Path]] = field(default_factory=dict)
    """uid → the fields that others have set."""

    # --- reading ---------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """An object, with who has set what of it."""
        found = copied(self._find(kind, namespace, name))
        uid, fields = found["metadata"]["uid"], []
        for manager, operation, sets in (("fairlead", "Apply", self._applied), ("kubectl", "Update", self._edited)):
            if sets.get(uid):
                fields.append({"manager": manager, "operation": operation, "fieldsV1": nested(sets[uid])})
        return {**found, "metadata": {**found["metadata"], "managedFields": fields}}

    def all(self, kind: Kind, namespace: str | None = None, selector: str = "") -> list[Json]:
        """Objects in the order of their names."""
        found = [
            (ns, name, obj)
            for (k, ns, name), obj in self._objects.items()
            if k == kind and namespace in (None, ns) and matches(obj, selector)
        ]
        return [copied(obj) for _, _, obj in sorted(found, key=lambda item: item[:2])]

    def _find(self, kind: Kind, namespace: str, name: str) -> Json:
        self._served(kind)
        found = self._objects.get((kind, namespace, name))
        if found is None:
            raise api.NotFound(f'{kind.plural} "{name}" not found', 404)
        return found

    def _served(self, kind: Kind) -> None:
        if kind in self.absent:
            raise api.NotServed("404 page not found", 404)

    # --- writing ---------------------------------------------------------------------------------------------

    def create(self, kind: Kind, obj: Json) -> Json:
        """Make an object; a status that is sent along is dropped where it is a subresource."""
        self._served(kind)
        meta = obj["metadata"]
        key = (kind, meta.get("namespace", ""), meta["name"])
        if key in self._objects:
            raise api.AlreadyExists(f'{kind.plural} "{meta["name"]}" already exists', 409)
        new = copied(obj)
        if kind in self.with_status:
            new.pop("status", None)
        self._admit(kind, new)
        serial = hashlib.sha256(f"{self.version} {key[1:]} {kind.kind}".encode()).hexdigest()[:32]
        new["metadata"] |= {"uid": str(uuid.UUID(serial)), "creationTimestamp": rfc3339(self.clock())[:19] + "Z"}
        if "spec" in new:
            new["metadata"]["generation"] = 1
        self._edited[new["metadata"]["uid"]] = leaves(obj)
        return self._store("ADDED", kind, new, None)

    def apply(self, kind: Kind, obj: Json) -> Json:
        """Server-side apply by the one manager `fairlead`, with force."""
        self._served(kind)
        meta = obj["metadata"]
        if (kind, meta.get("namespace", ""), meta["name"]) not in self._objects:
            made = self.create(kind, obj)
            self._applied[made["metadata"]["uid"]] = leaves(obj)
            self._edited[made["metadata"]["uid"]] = set()
            return made
        old = self._find(kind, meta.get("namespace", ""), meta["name"])
        new = copied(old)
        wanted = {k: v for k, v in obj.items() if k != "status" or kind not in self.with_status}
        uid = old["metadata"]["uid"]
        for path in self._applied.get(uid, set()) - leaves(wanted):
            prune(new, path)
        merge(new, copied(wanted))
        self._applied[uid] = leaves(wanted)
        self._edited[uid] = self._edited.get(uid, set()) - leaves(wanted)
        return self._update(kind, old, new)

    def replace(self, kind: Kind, obj: Json) -> Json:
        """Replace all but the status."""
        old = self._current(kind, obj)
        new = {**copied(obj), "metadata": {**copied(obj["metadata"]), **_fixed(old)}}
        if kind in self.with_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copied(old["status"])
        return self._update(kind, old, new)

    def replace_status(self, kind: Kind, obj: Json) -> Json:
        """Replace the status only."""
        old = self._current(kind, obj)
        return self._update(kind, old, {**copied(old), "status": copied(obj.get("status", {}))})

    def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None, version: str = "") -> Json:
        """Delete, or mark as being deleted if there are finalizers."""
        old = self._find(kind, namespace, name)
        if version not in ("", old["metadata"]["resourceVersion"]):
            raise api.Conflict("the resource version in the precondition does not match the one in record", 409)
        if uid not in (None, old["metadata"]["uid"]):
            raise api.Conflict("the UID in the precondition does not match the UID in record", 409)
        if old["metadata"].get("finalizers"):
            if "deletionTimestamp" in old["metadata"]:
                return copied(old)
            stamp = {"deletionTimestamp": rfc3339(self.clock())[:19] + "Z", "deletionGracePeriodSeconds": 0}
            return self._update(kind, old, {**old, "metadata": {**old["metadata"], **stamp}})
        self._remove(kind, old)
        return {"kind": "Status", "status": "Success"}

    def collect_garbage(self) -> int:
        """Delete what has owners none of which is there any more. Returns how many that were."""
        uids = {obj["metadata"]["uid"] for obj in self._objects.values()}
        orphans = [
            (kind, obj)
            for (kind, _, _), obj in self._objects.items()
            if (owners := obj["metadata"].get("ownerReferences")) and not any(o["uid"] in uids for o in owners)
        ]
        for kind, obj in orphans:
            self.delete(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        return len(orphans)

    def edit(self, kind: Kind, namespace: str, name: str, change: Callable[[Json], None]) -> Json:
        """Change an object as somebody else would."""
        old = self._find(kind, namespace, name)
        new = copied(old)
        change(new)
        uid, changed = old["metadata"]["uid"], leaves(new) - leaves(old) | different(new, old)
        self._applied[uid] = self._applied.get(uid, set()) - changed
        self._edited[uid] = self._edited.get(uid, set()) | changed
        return self._update(kind, old, new)

    # --- inside ----------------------------------------------------------------------------------------------

    def _current(self, kind: Kind, obj: Json) -> Json:
        meta = obj["metadata"]
        old = self._find(kind, meta.get("namespace", ""), meta["name"])
        version = meta.get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise api.Conflict("the object has been modified; please apply your changes to the latest version", 409)
        if meta.get("uid") not in (None, old["metadata"]["uid"]):
            raise api.Conflict("Precondition failed: UID in precondition does not match", 409)
        return old

    def _update(self, kind: Kind, old: Json, new: Json) -> Json:
        self._admit(kind, new)
        new["metadata"] |= _fixed(old)
        if new == old:
            return copied(old)
        if "spec" in new and new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            self._remove(kind, new)
            return copied(new)
        return self._store("MODIFIED", kind, new, old)

    def _admit(self, kind: Kind, obj: Json) -> None:
        refusal = self.admission(kind, obj)
        if refusal:
            message = f'{kind.kind} "{obj["metadata"]["name"]}" is invalid: {refusal}'
            raise api.from_answer(422, "Invalid", message, None)

    def _store(self, type_: str, kind: Kind, obj: Json, before: Json | None) -> Json:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._objects[kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]] = obj
        self._note(Change(self.version, type_, kind, copied(obj), before))
        return copied(obj)

    def _note(self, change: Change) -> None:
        self.log.append(change)
        self.changed.set()
        self.changed = asyncio.Event()

    def _remove(self, kind: Kind, obj: Json) -> None:
        self.version += 1
        meta = obj["metadata"]
        before = self._objects.pop((kind, meta.get("namespace", ""), meta["name"]))
        last = copied(obj)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._note(Change(self.version, "DELETED", kind, last, before))

    def watch(self, kind: Kind, since: int, selector: str) -> Iterator[Change]:
        """The changes after a version, as a watch with that selector shows them. Raises Gone."""
        if since < self.oldest:
            raise api.Gone("too old resource version", 410)
        # versions are dense: entry i of the log is version i + 1
        for change in self.log[since:]:
            if change.kind != kind:
                continue
            was = change.before is not None and matches(change.before, selector)
            now = change.type != "DELETED" and matches(change.obj, selector)
            if now:
                yield Change(change.version, "MODIFIED" if was else "ADDED", kind, change.obj, None)
            elif was:
                yield Change(change.version, "DELETED", kind, change.obj, None)


def _fixed(old: Json) -> Json:
    kept = ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp")
    return {key: old["metadata"][key] for key in kept if key in old["metadata"]}


def matches(obj: Json, selector: str) -> bool:
    """Whether the labels are as the (equality) selector says."""
    labels = obj["metadata"].get("labels") or {}
    return all(
        labels.get(key) == value for key, _, value in (term.partition("=") for term in selector.split(",") if term)
    )


def leaves(obj: Any, at: Path = ()) -> set[Path]:
    """The paths of an object's fields; a list is one field."""
    if isinstance(obj, dict) and obj:
        return set().union(*(leaves(value, (*at, key)) for key, value in obj.items()))
    return {at}


def different(new: Json, old: Json) -> set[Path]:
    """The fields of both that are not the same."""
    return {path for path in leaves(new) & leaves(old) if value_at(new, path) != value_at(old, path)}


def value_at(obj: Any, path: Path) -> Any:
    """What stands there."""
    for key in path:
        obj = obj[key]
    return obj


def nested(paths: set[Path]) -> Json:
    """Fields as managed fields write them."""
    found: Json = {}
    for path in paths:
        at = found
        for key in path:
            at = at.setdefault(f"f:{key}", {})
    return found


def prune(obj: Json, path: Path) -> None:
    """Take a field out, and the objects that are empty then."""
    head, *rest = path
    if not rest:
        obj.pop(head, None)
    elif isinstance(obj.get(head), dict):
        prune(obj[head], tuple(rest))
        if not obj[head]:
            del obj[head]


def merge(into: Json, new: Json) -> None:
    """Set all fields of `new`."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


__all__ = ["ApiServer", "Change", "controller_of", "matches"]
