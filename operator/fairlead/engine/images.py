"""What registries say of images."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fairlead.engine.pools import FairPool
from fairlead.engine.seldom import Seldom
from fairlead.plan.requests import Answer, Failed, ReadImage
from fairlead.store import images
from fairlead.store.endpoints import Rules
from fairlead.store.errors import ImageError
from fairlead.store.terms import Terms, under

WORK = 20.0
"""Seconds that a thread may work on one image."""

Secrets = Callable[[str, str], Awaitable[dict[str, str]]]
"""(namespace, name) -> decoded data"""


class Images(Seldom[ReadImage]):
    """Raises what reading a Secret raises."""

    servers = "registry"

    def __init__(self, rules: Rules, secrets: Secrets, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(FairPool("registry", threads=8, share=3, store_share=2), clock)
        self._rules, self._secrets = rules, secrets

    async def _ask(self, request: ReadImage) -> Answer:
        secret = await self._secrets(request.namespace, request.credentials) if request.credentials else None

        def act() -> Answer:
            with under(Terms(WORK)):
                return images.resolve(self._rules, request, secret)

        try:
            return await self._in_turn(request, urlsplit(f"//{request.name}").netloc, act)
        except ImageError as failed:
            return Failed(failed.reason, failed.message)
