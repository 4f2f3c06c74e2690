"""The work queue: which object is to be looked at when.

It keeps the contract of controller-runtime's: a key waits at most once however often it is added; it is never worked
on twice at a time; what is added while it is worked on is looked at again afterwards. Changes go before relists. A key
that failed comes back later and later, with jitter, so that a thousand broken objects don't come back together.

A worker that only waits for an answer from outside steps aside (`Turn.waiting`), so that a dead store cannot hold up
the objects that don't need it.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass
class Backoff:
    """Seconds before the next try: doubling from `first` to `cap`, each drawn from its upper half."""

    first: float = 0.5
    cap: float = 30.0

    def delay(self, failures: int, rng: random.Random) -> float:
        """The delay after so many failures in a row, counted from 1."""
        full = min(self.cap, self.first * 2.0 ** min(failures - 1, 32))
        return full * rng.uniform(0.5, 1.0)


@dataclass
class Turn(Generic[K]):
    """A key that is being worked on. `waited`: seconds since it was ready."""

    key: K
    waited: float
    queue: WorkQueue[K]
    cost: float = 0.0
    """Seconds of the processor that the work has taken so far."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let another key be worked on meanwhile."""
        self.queue._step_aside(1)
        try:
            yield
        finally:
            self.queue._step_aside(-1)


@dataclass
class WorkQueue(Generic[K]):
    """Keys to be worked on by at most `workers` at a time. Times are the event loop's."""

    work: Callable[[Turn[K]], Awaitable[None]]
    workers: int
    rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready: dict[K, float] = {}
        self._high: deque[K] = deque()
        self._low: deque[K] = deque()
        self._due: dict[K, float] = {}
        self._rests: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0
        self._failures: dict[K, int] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._again: dict[K, bool] = {}
        self._aside = 0
        self._timer: asyncio.TimerHandle | None = None
        self._open = False

    # --- what waits ------------------------------------------------------------------------------------------

    def add(self, key: K, *, low: bool = False) -> None:
        """Look at this as soon as possible; `low`: after all changes."""
        if key in self._running:
            self._again[key] = low and self._again.get(key, True)
            return
        if (until := self._rests.pop(key, 0.0)) > self._loop.time():
            self.rest(key, until)
            if self._due.get(key, inf) > until:
                self.add_at(key, until)
            return
        if key not in self._ready:
            self._ready[key] = self._loop.time()
        elif low:
            return
        (self._low if low else self._high).append(key)
        self._pump()

    def add_at(self, key: K, when: float) -> None:
        """Look at this at that time (the loop's), instead of at the time set before."""
        self._due[key] = when
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, key))
        if len(self._heap) > 2 * len(self._due) + 1024:
            self._heap = [item for item in self._heap if self._due.get(item[2]) == item[0]]
            heapq.heapify(self._heap)
        self._arm()

    def rest(self, key: K, until: float) -> None:
        """Do not look at this before that time (the loop's); what comes meanwhile is looked at then."""
        self._rests[key] = until

    def retry(self, key: K, backoff: Backoff, at_least: float = 0.0) -> float:
        """Look at this again after a failure. Returns the seconds until then."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(at_least, backoff.delay(self._failures[key], self.rng))
        self.add_at(key, self._loop.time() + delay)
        return delay

    def succeeded(self, key: K) -> None:
        """The next failure is the first."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """The object is gone."""
        self._failures.pop(key, None)
        self._due.pop(key, None)
        self._rests.pop(key, None)

    def ready(self) -> Iterator[K]:
        """The keys that wait for a worker."""
        return iter(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing is ready or being worked on."""
        return not self._ready and not self._running

    # --- working ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._open = True
        self._pump()
        self._arm()

    async def stop(self, within: float) -> bool:
        """Begin nothing more; wait for what is being worked on, then cancel it. True if all of it ended by itself."""
        self._open = False
        if self._timer:
            self._timer.cancel()
        tasks = list(self._running.values())
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return not late

    def _step_aside(self, by: int) -> None:
        self._aside += by
        if by > 0:
            self._pump()

    def _pump(self) -> None:
        """Begin to work on what is ready, as far as there are workers."""
        while self._open and self._ready and len(self._running) - self._aside < self.workers:
            key = self._next()
            if key is None:
                return
            waited = self._loop.time() - self._ready.pop(key)
            self._running[key] = self._loop.create_task(self._run(Turn(key, waited, self)))

    def _next(self) -> K | None:
        for line in (self._high, self._low):
            while line:
                key = line.popleft()
                if key in self._ready:  # else it was taken from the other line
                    return key
        return None

    async def _run(self, turn: Turn[K]) -> None:
        try:
            await self.work(turn)
        finally:
            del self._running[turn.key]
            if turn.key in self._again:
                self.add(turn.key, low=self._again.pop(turn.key))
            self._pump()

    # --- time ------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._heap and self._open:
            self._timer = self._loop.call_at(self._heap[0][0], self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                self.add(key)
        self._arm()
