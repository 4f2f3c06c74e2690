"""Carrying out a plan. Nothing is written that already is as it should be; what was written goes into the cache.

Every method says whether it changed anything.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from fairlead.cluster import errors as api
from fairlead.cluster.port import EVENT, Kube
from fairlead.engine.cache import Cache, version_of
from fairlead.engine.compare import as_wanted, covers, digest, says, stamped, without_none
from fairlead.engine.errors import BeingDeleted, ChildError, NameTaken
from fairlead.engine.owners import Taken, is_of, lost_by
from fairlead.manifests.meta import MANAGED_BY, short_hash
from fairlead.plan.core import MANAGER, Delete, Event, Kind, Meta, rfc3339
from fairlead.plan.memo import Recent

Json = dict[str, Any]
log = logging.getLogger(__name__)

EVENT_BUCKET = 600.0
"""Seconds in which the same event is told once."""


@dataclass
class Freshness:
    """Makes sure, before the first write of a look, that the subject is still as it was planned on.

    Where the status has just been written that is known already: its resource version was the precondition. Elsewhere
    the subject is read again, so that neither a stale cache nor a second leader makes, changes or deletes a child on
    the grounds of what was true once."""

    kube: Kube
    kind: Kind
    subject: Meta
    known: bool

    async def check(self) -> None:
        """Raises Conflict if the subject has changed."""
        if self.known:
            return
        live = await self.kube.get(self.kind, self.subject.namespace, self.subject.name)
        meta = live["metadata"]
        if (meta["uid"], meta["resourceVersion"]) != (self.subject.uid, self.subject.resource_version):
            raise api.Conflict(f"{self.kind.kind} {self.subject.name} has changed meanwhile", 409)
        self.known = True


@dataclass
class Writer:
    """Writes for subjects, through the cache."""

    kube: Kube
    cache: Cache
    kinds: dict[tuple[str, str], Kind]
    """Kinds by (apiVersion, kind)."""
    instance: str = "fairlead"
    take: Callable[[Kind, Json, str], object] | None = None
    """Takes in what was written, and wakes whom it concerns besides the subject (its uid): when the watch brings it,
    it is no news any more. None: the cache takes it in, and nobody is woken."""
    drop: Callable[[Kind, Json, str], object] | None = None
    """The same for what was deleted."""
    hold: Callable[[str], AbstractContextManager[None]] = lambda _uid: nullcontext()
    """Holds back what the watch brings of an object (its uid) while its status is written."""
    _altered: dict[str, tuple[str, str]] = field(default_factory=dict)
    """uid → (hash of what we wrote, hash of what the API server made of it), where these differ: an older CRD
    prunes fields, for example. Without this the same write would be tried for ever."""

    _right: Recent[tuple[Json, Json]] = field(default_factory=Recent)
    """uid → (object as it was wanted, as it was there): what has been compared and found right."""

    def taken(self, kind: Kind, obj: Json, subject: str) -> None:
        """An object is as given: we wrote it for this subject (its uid), or asked for it."""
        if self.take is not None:
            self.take(kind, obj, subject)
        else:
            self.cache.put(kind, obj)

    def gone(self, kind: Kind, obj: Json, subject: str) -> None:
        """An object is not there any more."""
        meta = {k: obj["metadata"].get(k, "") for k in ("name", "namespace", "uid")}
        if self.drop is not None:
            self.drop(kind, {"metadata": meta}, subject)
        else:
            self.cache.remove(kind, meta["namespace"], meta["name"], meta["uid"])

    # --- status ----------------------------------------------------------------------------------------------

    async def status(self, kind: Kind, raw: Json, wanted: Json) -> Json:
        """Make the status as wanted. Returns the object as it is then (`raw` itself if nothing was written)."""
        uid, now = raw["metadata"]["uid"], raw.get("status") or {}
        if says(now, wanted):
            return raw
        if uid in self._altered and self._altered[uid] == (digest(wanted), digest(now)):
            return raw
        meta = {k: raw["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "status": wanted}
        with self.hold(uid):
            written = await self.kube.replace_status(kind, body)
            self._remember(uid, wanted, written.get("status") or {})
            self.taken(kind, written, uid)
        return raw if version_of(written) == version_of(raw) else written

    def _remember(self, uid: str, wanted: Json, got: Json) -> None:
        self._altered.pop(uid, None)
        if got != wanted and not says(got, wanted):
            self._altered[uid] = (digest(wanted), digest(got))
            log.warning("the API server keeps a status other than what was written; are the CRDs up to date?")

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._altered.pop(uid, None)
        self._right.drop(uid)

    def age(self) -> None:
        """Time has passed: comparisons that nobody has asked for are forgotten."""
        self._right.age()

    # --- children --------------------------------------------------------------------------------------------

    def kind_of(self, obj: Json) -> Kind:
        """The watched kind of a manifest. Raises LookupError: a plan may only make what its KindSpec lists."""
        found = self.kinds.get((obj["apiVersion"], obj["kind"]))
        if found is None:
            raise LookupError(f"{obj['kind']} ({obj['apiVersion']}) is not among the children of any KindSpec")
        return found

    async def apply(self, subject: Meta, obj: Json, fresh: Freshness) -> bool:
        """Make an object as wanted, whoever has changed it."""
        kind, name = self.kind_of(obj), obj["metadata"]["name"]
        live = self.cache.get(kind, subject.namespace, name)
        if live is not None and self._seen_right(live, obj):
            return False
        wanted = stamped(without_none(_placed(obj, subject)))
        live = live or await self._live(kind, subject.namespace, name)
        given_back: Json = {}
        if live is not None and not is_of(subject, live):
            live = await self._lost(kind, subject, wanted)
            given_back = _as_seen(live) if live else {}
        if live is not None and (
            as_wanted(wanted, live) or self._altered.get(live["metadata"]["uid"]) == _pair(wanted, live)
        ):
            _check_stays(kind, live)
            self._right.put(live["metadata"]["uid"], (obj, live))
            return False
        await fresh.check()
        asked = {**wanted, "metadata": {**wanted["metadata"], **given_back}}
        written = await _told(kind, name, self.kube.apply(kind, asked))
        self.taken(kind, written, subject.uid)
        _check_stays(kind, written)
        if not covers(written, wanted):
            self._altered[written["metadata"]["uid"]] = _pair(wanted, written)
        return live is None or version_of(written) != version_of(live)

    async def _lost(self, kind: Kind, subject: Meta, wanted: Json) -> Json | None:
        """An object of ours that has lost its owner, as it is now; None: it is gone. Raises NameTaken."""
        name = wanted["metadata"]["name"]
        live = await self._live(kind, subject.namespace, name)
        if live is None or is_of(subject, live):
            return live
        try:
            return lost_by(subject, wanted, live)
        except Taken as why:
            raise NameTaken(why.told(kind, subject, wanted)) from why

    def _seen_right(self, live: Json, obj: Json) -> bool:
        """Whether this very wish has been found fulfilled by this very object: rollouts wish the same each second."""
        kept = self._right.get(live["metadata"]["uid"])
        return kept is not None and kept[0] is obj and kept[1] is live

    async def create(self, subject: Meta, obj: Json, fresh: Freshness) -> bool:
        """Make an object once; one of ours that is there is left as it is."""
        kind, wanted = self.kind_of(obj), without_none(_placed(obj, subject))
        name = wanted["metadata"]["name"]
        known = self.cache.get(kind, subject.namespace, name)
        if known is not None:
            self._check_owner(kind, subject, known)
            return False
        await fresh.check()
        try:
            written = await _told(kind, name, self.kube.create(kind, wanted))
        except ChildError as failed:
            if not isinstance(failed.cause, api.AlreadyExists):
                raise
            return await self._adopt(kind, subject, wanted)
        self.taken(kind, written, subject.uid)
        return True

    async def _adopt(self, kind: Kind, subject: Meta, wanted: Json) -> bool:
        """The name is there, but was not seen: made by us a moment ago, or by us without its labels, or not by us."""
        name = wanted["metadata"]["name"]
        live = await self._live(kind, subject.namespace, name)
        if live is None:
            return True  # gone again: the next look makes it
        self._check_owner(kind, subject, live)
        if (live["metadata"].get("labels") or {}).get(MANAGED_BY) != MANAGER:
            labels = {"name": name, "namespace": subject.namespace, "labels": wanted["metadata"].get("labels", {})}
            bare = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": labels}
            live = await _told(kind, name, self.kube.apply(kind, bare))
        self.taken(kind, live, subject.uid)
        return True

    async def delete(self, subject: Meta, gone: Delete, fresh: Freshness) -> bool:
        """Delete exactly this object, unless it is going or gone."""
        known = self.cache.get(gone.kind, subject.namespace, gone.name)
        if known is None or known["metadata"]["uid"] != gone.uid or known["metadata"].get("deletionTimestamp"):
            return False
        await fresh.check()
        call = self.kube.delete(
            gone.kind, subject.namespace, gone.name, gone.uid, gone.propagation, gone.resource_version
        )
        try:
            left = await _told(gone.kind, gone.name, call)
        except ChildError as failed:
            if gone.resource_version and isinstance(failed.cause, api.Conflict):
                live = await self._live(gone.kind, subject.namespace, gone.name)
                if live is not None and live["metadata"]["uid"] == gone.uid:
                    self.taken(gone.kind, live, "")  # it has changed: whether it shall go is asked anew, by a new look
                    return False
            if not isinstance(failed.cause, (api.NotFound, api.NotServed, api.Conflict)):
                raise
            left = {}
        meta = left.get("metadata") or {}
        # pods end later, and so does what has finalizers: those are seen to go by the watch
        if meta.get("uid") == gone.uid and meta.get("deletionTimestamp"):
            self.taken(gone.kind, left, subject.uid)
        else:
            self.gone(gone.kind, known, subject.uid)
        return True

    async def _live(self, kind: Kind, namespace: str, name: str) -> Json | None:
        try:
            return await _told(kind, name, self.kube.get(kind, namespace, name))
        except ChildError as failed:
            if isinstance(failed.cause, api.NotFound):
                return None
            raise

    @staticmethod
    def _check_owner(kind: Kind, subject: Meta, live: Json) -> None:
        """Of what is made once: it can't be told whether somebody else's is as ours would be, so it is never taken
        over."""
        if not is_of(subject, live):
            raise NameTaken(
                f"{kind.kind} {live['metadata']['name']} is there already and was not made for {subject.name}, or has "
                f"lost its owner; delete it if it isn't needed, or rename {subject.name}"
            )

    # --- events ----------------------------------------------------------------------------------------------

    async def event(self, kind: Kind, subject: Meta, event: Event, now: float) -> None:
        """Tell an event, once in ten minutes. A lost event is logged and harms nothing."""
        unique = short_hash(subject.uid, event.reason, event.message, str(int(now // EVENT_BUCKET)), length=16)
        name = f"{subject.name[:200].rstrip('-.')}.{unique}"
        about = {
            "apiVersion": kind.api_version, "kind": kind.kind, "name": subject.name, "namespace": subject.namespace,
            "uid": subject.uid, "resourceVersion": subject.resource_version,
        }  # fmt: skip
        body = {
            "apiVersion": EVENT.api_version, "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": subject.namespace},
            "eventTime": rfc3339(now), "type": "Warning" if event.warning else "Normal", "reason": event.reason,
            "action": event.reason, "note": event.message[:1024], "regarding": about,
            "reportingController": "fairlead.dev/operator", "reportingInstance": self.instance[:128],
        }  # fmt: skip
        try:
            await self.kube.create(EVENT, body)
        except api.AlreadyExists:
            return
        except api.ApiError as failed:
            log.warning("event %s on %s %s was lost: %s", event.reason, kind.kind, subject.name, failed.message)


def _placed(obj: Json, subject: Meta) -> Json:
    """The object in the subject's namespace: children never leave it."""
    return {**obj, "metadata": {**obj["metadata"], "namespace": subject.namespace}}


def _as_seen(live: Json) -> Json:
    """For an apply that is refused if the object has changed since."""
    return {key: live["metadata"][key] for key in ("uid", "resourceVersion")}


def _check_stays(kind: Kind, live: Json) -> None:
    """An object that is on its way out is as wanted, but won't be for long. Raises BeingDeleted."""
    meta = live["metadata"]
    if meta.get("deletionTimestamp"):
        held = ", ".join(meta.get("finalizers") or []) or "its own end"
        raise BeingDeleted(
            f"{kind.kind} {meta['name']} is being deleted, and waits for {held}; it is made again when it is gone"
        )


def _pair(wanted: Json, live: Json) -> tuple[str, str]:
    """What identifies a known difference between what we want and what the API server makes of it."""
    kept = {key: live.get(key) for key in wanted if key not in ("metadata", "status")}
    return digest(wanted), digest(kept)


async def _told(kind: Kind, name: str, call: Awaitable[Json]) -> Json:
    """The call's answer; its errors name the child."""
    try:
        return await call
    except api.ApiError as failed:
        raise ChildError(kind, name, failed) from failed
