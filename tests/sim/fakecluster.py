"""FakeCluster: the `Kube` port and the watch over an `ApiServer` in memory, with what goes wrong.

Latency, refused connections, 429, answers that are lost after the write was done, watches that
lag, repeat, break, and begin again after deletions were forgotten; and a process that dies between any two writes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.cluster import errors as api
from fairlead.cluster.port import Log, Page
from fairlead.plan.core import POD, Kind
from tests.sim.apiserver import ApiServer

Json = dict[str, Any]
Deliver = Callable[[Kind, str | None, Json], None]


@dataclass
class Faults:
    """Probabilities of what goes wrong, and the longest delays in seconds."""

    latency: float = 0.005
    unavailable: float = 0.0
    too_many: float = 0.0
    lost_answer: float = 0.0
    """The write was done, but the answer does not arrive."""
    watch_lag: float = 0.02
    duplicate: float = 0.0
    broken_watch: float = 0.0
    """After an event the watch breaks; it goes on from there,"""
    gone: float = 0.0
    """… or this often begins again by a list: deletions in between are not reported."""


class Crash:
    """Kills a process at its n-th write: before it reaches the API server, or after, when the answer gets lost."""

    def __init__(self, at: int, after: bool = False) -> None:
        self.at, self.after = at, after
        self.writes = 0
        self.dead = asyncio.Event()

    async def die(self) -> None:
        """End the process: no code of it runs any further."""
        self.dead.set()
        await asyncio.Event().wait()


@dataclass
class FakeKube:
    """`cluster.port.Kube`: one process's connection."""

    server: ApiServer
    rng: random.Random
    faults: Faults = field(default_factory=Faults)
    crash: Crash | None = None
    guard: Callable[[], None] = lambda: None
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """(verb, plural, name) of all requests."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object."""
        await self._way("get", kind, name)
        return self.server.get(kind, namespace, name)

    async def pages(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """All objects, two at a time."""
        await self._way("list", kind, "")
        self.server._served(kind)
        if kind in self.server.forbidden:
            raise api.Forbidden(f'{kind.plural} is forbidden: User "fairlead" cannot list resource', 403)
        found, version = self.server.all(kind, namespace, selector), str(self.server.version)
        if metadata_only:
            found = [{"metadata": obj["metadata"]} for obj in found]
        for start in range(0, max(1, len(found)), 2):
            await asyncio.sleep(self.rng.uniform(0, self.faults.latency))
            yield Page(found[start : start + 2], version)

    async def create(self, kind: Kind, obj: Json) -> Json:
        """Make an object."""
        return await self._write("create", kind, obj["metadata"]["name"], lambda: self.server.create(kind, obj))

    async def apply(self, kind: Kind, obj: Json) -> Json:
        """Server-side apply."""
        return await self._write("apply", kind, obj["metadata"]["name"], lambda: self.server.apply(kind, obj))

    async def replace(self, kind: Kind, obj: Json) -> Json:
        """Replace an object."""
        return await self._write("replace", kind, obj["metadata"]["name"], lambda: self.server.replace(kind, obj))

    async def replace_status(self, kind: Kind, obj: Json) -> Json:
        """Replace the status."""
        name = obj["metadata"]["name"]
        return await self._write("status", kind, name, lambda: self.server.replace_status(kind, obj))

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, propagation: str = "Background", version: str = ""
    ) -> Json:
        """Delete an object."""
        del propagation
        return await self._write("delete", kind, name, lambda: self.server.delete(kind, namespace, name, uid, version))

    async def served(self, kind: Kind) -> bool:
        """Whether the kind is there."""
        await self._way("discover", kind, "")
        if kind in self.server.unknown:
            raise api.Unavailable("the server is currently unable to handle the request", 503)
        return kind not in self.server.absent

    async def log(self, namespace: str, pod: str, container: str, limit: int) -> Log:
        """What the pod's annotation has, as the log of each of its containers."""
        del container
        await self._way("log", POD, pod)
        found = self.server.get(POD, namespace, pod)["metadata"].get("annotations", {}).get("log", "").encode()
        return Log(found[-limit:], len(found) > limit)

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def writes(self) -> list[tuple[str, str, str]]:
        """The writes among the requests, but for events."""
        reads = ("get", "list", "discover", "log")
        return [call for call in self.calls if call[0] not in reads and call[1] != "events"]

    async def _way(self, verb: str, kind: Kind, name: str) -> None:
        """The way to the API server."""
        if self.crash and self.crash.dead.is_set():
            await asyncio.Event().wait()
        self.calls.append((verb, kind.plural, name))
        await asyncio.sleep(self.rng.uniform(0, self.faults.latency))
        if self.rng.random() < self.faults.unavailable:
            raise api.Unavailable("connection refused")
        if self.rng.random() < self.faults.too_many:
            raise api.TooManyRequests("too many requests", 429, retry_after=1.0)

    async def _write(self, verb: str, kind: Kind, name: str, act: Callable[[], Json]) -> Json:
        self.guard()
        await self._way(verb, kind, name)
        crash = self.crash
        if crash:
            crash.writes += 1
        if crash and crash.writes == crash.at and not crash.after:
            await crash.die()
        done = act()
        if crash and crash.writes == crash.at:
            await crash.die()
        await asyncio.sleep(self.rng.uniform(0, self.faults.latency))
        if self.rng.random() < self.faults.lost_answer:
            raise api.Unavailable("timeout")
        return done


@dataclass
class FakeSource:
    """`engine.source.Source`: watches with lags and faults, each kind's stream in order."""

    server: ApiServer
    rng: random.Random
    faults: Faults = field(default_factory=Faults)

    async def run(self, kinds: Mapping[Kind, str], deliver: Deliver) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind, selector in kinds.items():
                group.create_task(self._kind(kind, selector, deliver))

    async def _kind(self, kind: Kind, selector: str, deliver: Deliver) -> None:
        while True:
            since = self.server.version
            for obj in self.server.all(kind, None, selector):
                deliver(kind, None, obj)
                await self._lag()
            try:
                await self._stream(kind, since, selector, deliver)
            except api.Gone:
                await self._lag()

    async def _stream(self, kind: Kind, since: int, selector: str, deliver: Deliver) -> None:
        while True:
            upto = self.server.version
            for change in self.server.watch(kind, since, selector):
                await self._lag()
                deliver(kind, change.type, change.obj)
                if self.rng.random() < self.faults.duplicate:
                    deliver(kind, change.type, change.obj)
                since = change.version
                if self.rng.random() < self.faults.gone:
                    await asyncio.sleep(1.0)
                    raise api.Gone("too old resource version", 410)
                if self.rng.random() < self.faults.broken_watch:
                    break
            else:
                since = max(since, upto)
            if self.server.version == since:
                await self.server.changed.wait()

    async def _lag(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, self.faults.watch_lag))
