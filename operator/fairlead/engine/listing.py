"""Lists: the first one, after which the cache is complete, and the regular one, which finds what a watch has missed.

A watch that was interrupted for too long begins again with a list, and what was deleted meanwhile is never reported.
So the metadata of all objects are compared with the cache from time to time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairlead.cluster import errors as api
from fairlead.cluster.port import Kube
from fairlead.engine.cache import Cache, version_of
from fairlead.engine.queue import Backoff
from fairlead.engine.route import Router
from fairlead.plan.core import Kind

Json = dict[str, Any]
log = logging.getLogger(__name__)

PAUSES = Backoff(first=0.5, cap=30.0)
TRIES = 3
"""Times that a kind is listed that can be done without."""


@dataclass
class Lister:
    """Lists of the kinds' objects in the watched namespaces (none named: all)."""

    kube: Kube
    cache: Cache
    router: Router
    selectors: dict[Kind, str]
    namespaces: Iterable[str]
    rng: random.Random

    async def fill(self, kind: Kind) -> None:
        """Take in all objects of a kind. Tries until it succeeds."""
        failures = 0
        while True:
            try:
                await self._fill(kind)
                return
            except api.ApiError as failed:
                failures += 1
                pause = max(PAUSES.delay(failures, self.rng), failed.retry_after or 0.0)
                what = f"{kind.plural} ({kind.api_version})"
                log.warning("%s can't be listed, trying again in %.1f s: %s", what, pause, failed.message)
                await asyncio.sleep(pause)

    async def fill_if_possible(self, kind: Kind) -> str:
        """Take in all objects of a kind that can be done without. Tries a few times, but not what is forbidden. Returns
        why that can't be; empty: it is done."""
        for failures in range(1, TRIES + 1):
            try:
                await self._fill(kind)
                return ""
            except api.ApiError as failed:
                if isinstance(failed, api.Forbidden) or failures == TRIES:
                    return failed.message
                await asyncio.sleep(max(PAUSES.delay(failures, self.rng), min(failed.retry_after or 0.0, 5.0)))
        raise AssertionError("there is at least one try")

    async def _fill(self, kind: Kind) -> None:
        for namespace in tuple(self.namespaces) or (None,):
            async for page in self.kube.pages(kind, namespace, selector=self.selectors[kind]):
                for obj in page.items:
                    self.router.listed(kind, obj)
                await asyncio.sleep(0)  # a long list must not stop the clock of a rollout

    async def compare(self, kind: Kind) -> int:
        """Find what the watch has missed. Returns how many objects that were. Raises ApiError."""
        missed = 0
        for namespace in tuple(self.namespaces) or (None,):
            missed += await self._compare(kind, namespace)
        if missed:
            log.warning("%d events of %s were missed and made up for", missed, kind.plural)
        return missed

    async def _compare(self, kind: Kind, namespace: str | None) -> int:
        seen: dict[tuple[str, str], str] = {}
        newer: list[tuple[str, str]] = []
        listed_at = 0
        async for page in self.kube.pages(kind, namespace, selector=self.selectors[kind], metadata_only=True):
            listed_at = int(page.resource_version or 0)
            for item in page.items:
                meta = item["metadata"]
                where = (meta.get("namespace", ""), meta["name"])
                seen[where] = meta.get("uid", "")
                known = self.cache.store(kind).find(*where)
                if known is None or known.version < version_of(item):
                    newer.append(where)
            await asyncio.sleep(0)
        return self._bury(kind, namespace, seen, listed_at) + await self._fetch(kind, newer)

    def _bury(self, kind: Kind, namespace: str | None, seen: dict[tuple[str, str], str], listed_at: int) -> int:
        vanished = [
            (ns, name, entry.uid)
            for ns, name, entry in self.cache.store(kind)
            if (namespace is None or ns == namespace)
            and entry.version <= listed_at
            and seen.get((ns, name)) != entry.uid
        ]
        for ns, name, uid in vanished:
            meta = {"namespace": ns, "name": name, "uid": uid, "resourceVersion": str(listed_at)}
            self.router.deleted(kind, {"metadata": meta})
        return len(vanished)

    async def _fetch(self, kind: Kind, newer: list[tuple[str, str]]) -> int:
        fetched = 0
        for ns, name in newer:
            known, before = self.cache.store(kind).find(ns, name), -1
            before = known.version if known else -1
            try:
                obj = await self.kube.get(kind, ns, name)
            except api.NotFound:
                continue
            self.router.seen(kind, obj, low=True)
            found = self.cache.store(kind).find(ns, name)
            fetched += found is not None and found.version > before
        return fetched
