"""What git servers say of refs."""

from __future__ import annotations

import time
from collections.abc import Callable

from fairlead.engine.pools import FairPool
from fairlead.engine.seldom import Seldom
from fairlead.plan.requests import Answer, Failed, ReadGit
from fairlead.store.endpoints import Rules
from fairlead.store.errors import StoreError
from fairlead.store.git.see import host_of, see

WORK = 20.0
"""Seconds that a thread may work on one ref."""


class Repositories(Seldom[ReadGit]):
    """Public ones: the operator reads no Secret for them."""

    servers = "git server"

    def __init__(self, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(FairPool("git", threads=8, share=3, store_share=2), clock)
        self._rules = rules

    async def _ask(self, request: ReadGit) -> Answer:
        try:
            return await self._in_turn(request, host_of(request.url), lambda: see(self._rules, request, WORK))
        except StoreError as failed:
            return Failed(failed.reason, failed.message)
