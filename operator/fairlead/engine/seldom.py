"""What is asked of others' servers now and then: by few threads, and waited for by nobody.

An answer is kept for as long as who asks for it wants it: a Pipeline is looked at far more often than its images and
its repository are asked for."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from fairlead.engine.pools import CrowdedError, FairPool
from fairlead.plan.requests import NO_TURN, UNDERWAY, Answer, Failed, GitSeen, ImageSeen

TURN = 60.0
"""Seconds that a request waits for its turn."""
PATIENCE = 0.3
"""Seconds that a look waits for a server."""
FAILURE = 30.0
"""Seconds, at most, that a failure is kept."""
KEPT = 4096
"""Answers, at most; the oldest ones go."""


class _Aged(Hashable, Protocol):
    @property
    def age(self) -> float:
        """Seconds that an answer may be old."""

    @property
    def namespace(self) -> str:
        """Whose request it is."""


def _good_for(answer: Answer, left: float) -> Answer:
    return replace(answer, left=left) if isinstance(answer, (GitSeen, ImageSeen)) else answer


R = TypeVar("R", bound=_Aged)


class Seldom(ABC, Generic[R]):
    """Requests of one type."""

    servers: str
    """What answers, in a word for people."""

    def __init__(self, pool: FairPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock = pool, clock
        self._kept: dict[R, tuple[float, Answer]] = {}
        self._under_way: dict[R, asyncio.Future[Answer]] = {}

    def close(self) -> None:
        """Ask nobody for anything more."""
        self._pool.close()

    async def read(self, request: R) -> Answer:
        """What is known, or that it is not known yet. Raises what asking raises."""
        at, answer = self._kept.get(request, (0.0, None))
        age = min(request.age, FAILURE) if isinstance(answer, Failed) else request.age
        left = at + age - self._clock()
        if answer is not None and left > 0:
            return _good_for(answer, left)
        task = self._under_way.get(request)
        if task is None:
            task = self._under_way[request] = asyncio.ensure_future(self._ask(request))
            task.add_done_callback(lambda done: self._keep(request, done))
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        if not done:
            return Failed(UNDERWAY, f"the {self.servers} has not answered yet")
        return _good_for(task.result(), request.age)

    @abstractmethod
    async def _ask(self, request: R) -> Answer:
        """The answer."""

    async def _in_turn(self, request: R, host: Hashable, act: Callable[[], Answer]) -> Answer:
        """What `act` answers, in a thread."""
        try:
            return await self._pool.run(request.namespace, host, act, TURN)
        except CrowdedError:
            text = f"requests of this namespace to a {self.servers} were under way all the time; see which one is slow"
            return Failed(NO_TURN, text)

    def _keep(self, request: R, done: asyncio.Future[Answer]) -> None:
        self._under_way.pop(request, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._kept.pop(request, None)
        self._kept[request] = (self._clock(), done.result())
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
