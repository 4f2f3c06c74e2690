"""Operator processes of a simulated world."""

from __future__ import annotations

import asyncio

from fairlead.engine.kernel import Kernel


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
