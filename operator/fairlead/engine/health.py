"""The operator's HTTP site: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

LAG_LIMIT = 5.0
"""Seconds that the event loop may be late."""


@dataclass
class Health:
    """What the probes are told. `ready` says None when ready, else why not; `alive` None when alive, else why not."""

    registry: CollectorRegistry
    ready: Callable[[], str | None]
    alive: Callable[[], str | None]
    lag: float = 0.0
    _runner: web.AppRunner | None = field(default=None)
    _ticker: asyncio.Task[None] | None = field(default=None)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError if the port is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening."""
        if self._ticker:
            self._ticker.cancel()
        if self._runner:
            await self._runner.cleanup()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 1.0
            await asyncio.sleep(1.0)
            self.lag = loop.time() - due

    async def _healthz(self, _request: web.Request) -> web.Response:
        late = f"the event loop is {self.lag:.1f} s late" if self.lag > LAG_LIMIT else None
        return _verdict(late or self.alive())

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _verdict(self.ready())

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _verdict(problem: str | None) -> web.Response:
    return web.Response(text=f"{problem}\n", status=503) if problem else web.Response(text="ok\n")
