"""Threads for what blocks, shared so that no namespace and no store can take them from the others.

A namespace has at most a share of the threads, and one more than it has only where more than that are free: so there
is a place for who comes new, however many namespaces hang. A store has at most a share of its namespace's. Who waits is
taken in turn, by namespace and then by store. A place is free again only when its thread has ended, whoever has stopped
waiting for it: what hangs, hangs in its own namespace's places.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class CrowdedError(Exception):
    """There was no place in time: the namespace's own work holds all that it may have, or the pool is full."""

    def __init__(self, running: int) -> None:
        super().__init__(f"{running} others of the namespace were under way all the time")
        self.running = running


@dataclass(eq=False)
class _Job:
    namespace: str
    store: Hashable
    work: Callable[[], Any]
    done: asyncio.Future[Any]
    begun: bool = False


class FairPool:
    """At most `threads` at a time, `share` of them for one namespace, `store_share` for one store of it."""

    def __init__(self, name: str, threads: int, share: int, store_share: int) -> None:
        self._name, self._threads, self._share, self._store_share = name, threads, share, store_share
        self._running: Counter[Hashable] = Counter()
        self._lines: dict[str, dict[Hashable, deque[_Job]]] = {}
        self._closed = False

    def close(self) -> None:
        """Begin nothing more. Threads that are at work end with their work; the process does not wait for them."""
        self._closed = True

    async def run(self, namespace: str, store: Hashable, work: Callable[[], T], within: float) -> T:
        """The result of `work`, done in a thread. Raises what it raises; CrowdedError if it could not begin `within`
        seconds."""
        loop = asyncio.get_running_loop()
        job = _Job(namespace, store, work, loop.create_future())
        self._lines.setdefault(namespace, {}).setdefault(store, deque()).append(job)
        self._pump()
        timer = loop.call_later(within, self._give_up, job)
        try:
            result: T = await job.done
        finally:
            timer.cancel()
            job.done.cancel()
        return result

    def _give_up(self, job: _Job) -> None:
        if not job.begun and not job.done.done():
            job.done.set_exception(CrowdedError(self._running[job.namespace]))

    def _pump(self) -> None:
        while not self._closed and self._running[None] < self._threads:
            job = self._next()
            if job is None:
                return
            self._begin(job)

    def _next(self) -> _Job | None:
        """Who is next: the namespace that was served longest ago, and of it the store that was."""
        most = min(self._share, self._threads - self._running[None])
        for namespace, stores in list(self._lines.items()):
            if self._running[namespace] >= most:
                continue
            for store, line in list(stores.items()):
                while line and line[0].done.done():  # nobody waits for it any more
                    line.popleft()
                if line and self._running[namespace, store] >= self._store_share:
                    continue
                del stores[store]
                if not line:
                    continue
                job = line.popleft()
                if line:
                    stores[store] = line
                del self._lines[namespace]
                if stores:
                    self._lines[namespace] = stores
                return job
            if not stores:
                del self._lines[namespace]
        return None

    def _begin(self, job: _Job) -> None:
        job.begun = True
        self._running.update(_places(job))
        loop = job.done.get_loop()

        def act() -> None:
            result, error = None, None
            try:
                result = job.work()
            except BaseException as raised:  # noqa: BLE001 - handed to who waits
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits, and nothing is begun any more
                loop.call_soon_threadsafe(self._ended, job, result, error)

        threading.Thread(target=act, name=self._name, daemon=True).start()

    def _ended(self, job: _Job, result: Any, error: BaseException | None) -> None:
        for place in _places(job):
            self._running[place] -= 1
            if not self._running[place]:
                del self._running[place]
        if not job.done.done():
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)
        self._pump()


def _places(job: _Job) -> tuple[Hashable, ...]:
    """Where it is counted: in all, in its namespace, in its store."""
    return None, job.namespace, (job.namespace, job.store)
