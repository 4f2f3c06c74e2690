"""Leader election by a Lease: at most one replica writes.

Times are the event loop's own (monotonic): a wall clock that jumps changes nothing. A follower takes over when the
record has not changed for `duration` seconds by its own clock. The leader renews every `retry` seconds and stops
writing `renew` seconds after the last renewal that it *began* and that succeeded: before anybody can take over.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fairlead.cluster import errors as api
from fairlead.cluster.port import LEASE, Kube

Json = dict[str, Any]
log = logging.getLogger(__name__)


class LeaseLost(Exception):  # noqa: N818 - the house's names of errors
    """Another replica leads, or the lease could not be renewed in time."""


@dataclass
class Lease:
    """The right to write. `kube` must not be guarded by this lease."""

    kube: Kube
    namespace: str
    name: str
    identity: str
    duration: float = 12.0
    renew: float = 8.0
    retry: float = 1.6
    _held: Json | None = None
    _renewed: float = field(default=float("-inf"))
    _seen: tuple[str, float] = ("", 0.0)

    def assert_held(self) -> None:
        """Raises NotLeading unless the lease is surely held at this moment."""
        if not self.held:
            raise api.NotLeading("this replica does not hold the lease")

    @property
    def held(self) -> bool:
        """Whether the lease is surely held at this moment."""
        return self._held is not None and asyncio.get_running_loop().time() - self._renewed < self.renew

    async def acquire(self) -> None:
        """Wait until this replica leads."""
        while True:
            if await self._try():
                break
            await asyncio.sleep(self.retry)
        log.info("this replica leads now")

    async def keep(self) -> None:
        """Renew for ever. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self.retry)
            kept = await self._try()
            if not kept and not self.held:
                self._held = None
                raise LeaseLost("the lease is lost")

    async def release(self) -> None:
        """Let another replica take over at once."""
        if self._held is None:
            return
        self._held = None
        try:
            # read anew: a renewal may have been under way when it was cut off
            record = await self.kube.get(LEASE, self.namespace, self.name)
            if (record.get("spec") or {}).get("holderIdentity") == self.identity:
                await self._put(record, "", 1)
        except api.ApiError as failed:
            log.warning("the lease could not be released; it expires by itself: %s", failed)

    async def _try(self) -> bool:
        """One try to take or renew. False if somebody else leads or the API server does not answer."""
        begun = asyncio.get_running_loop().time()
        try:
            record = await asyncio.wait_for(self._claim(begun), self.renew / 2)
        except (api.ApiError, TimeoutError) as failed:
            log.warning("no lease: %s", str(failed) or "no answer from the API server in time")
            return False
        if record is None:
            self._held = None
            return False
        self._held, self._renewed = record, begun
        return True

    async def _claim(self, now: float) -> Json | None:
        """The record with us as holder, or None."""
        if self._held is not None:
            try:
                return await self._put(self._held, self.identity, self.duration)
            except api.Conflict:
                pass  # somebody wrote it: see who below
        try:
            record = await self.kube.get(LEASE, self.namespace, self.name)
        except api.NotFound:
            return await self._make()
        spec = record.get("spec") or {}
        holder, version = spec.get("holderIdentity") or "", record["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, now)
        expired = now - self._seen[1] >= float(spec.get("leaseDurationSeconds") or self.duration)
        if holder in ("", self.identity) or expired:
            return await self._put(record, self.identity, self.duration)
        return None

    async def _make(self) -> Json:
        meta = {"name": self.name, "namespace": self.namespace}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta}
        return await self.kube.create(LEASE, {**body, "spec": self._spec({}, self.identity, self.duration)})

    async def _put(self, record: Json, holder: str, duration: float) -> Json:
        """Write the record; its resource version is the precondition (compare and swap)."""
        spec = self._spec(record.get("spec") or {}, holder, duration)
        return await self.kube.replace(LEASE, {**record, "spec": spec})

    def _spec(self, old: Json, holder: str, duration: float) -> Json:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == holder
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(duration)),
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if same else now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if same else 1),
        }
