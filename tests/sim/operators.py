"""Operator processes of a simulated world."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from typing import Any

from fairlead.engine.kernel import Kernel
from fairlead.plan.core import KindSpec, Plan, no_requests
from tests.sim.fakecluster import Crash


def alone(spec: KindSpec[Any]) -> KindSpec[Any]:
    """The kind is there, and nothing follows from its objects."""
    return dataclasses.replace(spec, plan=lambda one, _world, _now: Plan(one.body.status), observe=no_requests)


async def died_before(end: Awaitable[None], crash: Crash) -> bool:
    """Wait for an end or the crash, whichever comes first; whether it was the crash."""
    ended, died = asyncio.ensure_future(end), asyncio.create_task(crash.dead.wait())
    await asyncio.wait({ended, died}, return_when=asyncio.FIRST_COMPLETED)
    crashed = died.done()
    ended.cancel()
    died.cancel()
    return crashed


class Operators:
    """Those that run, and the controllers of the world beside them."""

    def __init__(self) -> None:
        self._operators: list[tuple[Kernel, asyncio.Task[None]]] = []
        self._controllers: asyncio.Task[None]

    def started(self, kernel: Kernel) -> None:
        """One more."""
        self._operators.append((kernel, asyncio.create_task(kernel.run())))

    async def kill(self) -> None:
        """All operator processes end at once."""
        for kernel, task in self._operators:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await kernel.drain(0.0)
        self._operators.clear()

    async def close(self) -> None:
        """End everything."""
        await self.kill()
        self._controllers.cancel()
        await asyncio.gather(self._controllers, return_exceptions=True)
