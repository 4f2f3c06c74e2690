"""What registries say of images: asked seldom, by few threads, and waited for by nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fairlead.engine.pools import CrowdedError, FairPool
from fairlead.plan.requests import NO_TURN, UNDERWAY, Answer, Failed, ReadImage
from fairlead.store import images
from fairlead.store.endpoints import Rules
from fairlead.store.errors import ImageError
from fairlead.store.terms import Terms, under

WORK, TURN = 20.0, 60.0
"""Seconds that a thread may work on one image, and that this waits for its turn."""
PATIENCE = 0.3
"""Seconds that a look waits for a registry."""
FAILURE = 30.0
"""Seconds, at most, that a failure is kept."""
KEPT = 4096
"""Answers, at most; the oldest ones go."""

Secrets = Callable[[str, str], Awaitable[dict[str, str]]]
"""(namespace, name) -> decoded data"""


class Images:
    """An answer is kept for as long as who asks for it wants it: a Pipeline is looked at far more often than its
    images are asked for."""

    def __init__(self, rules: Rules, secrets: Secrets, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules, self._secrets, self._clock = rules, secrets, clock
        self._pool = FairPool("registry", threads=8, share=3, store_share=2)
        self._kept: dict[ReadImage, tuple[float, Answer]] = {}
        self._under_way: dict[ReadImage, asyncio.Future[Answer]] = {}

    def close(self) -> None:
        """Ask no registry for anything more."""
        self._pool.close()

    async def read(self, request: ReadImage) -> Answer:
        """What is known of an image, or that it is not known yet. Raises what reading a Secret raises."""
        at, answer = self._kept.get(request, (0.0, None))
        age = min(request.age, FAILURE) if isinstance(answer, Failed) else request.age
        if answer is not None and self._clock() - at < age:
            return answer
        task = self._under_way.get(request)
        if task is None:
            task = self._under_way[request] = asyncio.ensure_future(self._ask(request))
            task.add_done_callback(lambda done: self._keep(request, done))
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        return task.result() if done else Failed(UNDERWAY, "the registry has not answered yet")

    async def _ask(self, request: ReadImage) -> Answer:
        secret = await self._secrets(request.namespace, request.credentials) if request.credentials else None

        def act() -> Answer:
            with under(Terms(WORK)):
                return images.resolve(self._rules, request, secret)

        host = urlsplit(f"//{request.name}").netloc
        try:
            return await self._pool.run(request.namespace, host, act, TURN)
        except ImageError as failed:
            return Failed(failed.reason, failed.message)
        except CrowdedError:
            return Failed(NO_TURN, "other registries of this namespace were asked all the time; see which ones are "
                          "slow")  # fmt: skip

    def _keep(self, request: ReadImage, done: asyncio.Future[Answer]) -> None:
        self._under_way.pop(request, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._kept.pop(request, None)
        self._kept[request] = (self._clock(), done.result())
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
