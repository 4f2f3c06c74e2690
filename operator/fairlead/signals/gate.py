"""Places that namespaces share: so many at a time, of which one namespace has so many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Gate:
    """Whoever waits is let in in the order of coming. A namespace waits here with as many as it may have places (its
    others wait before the gate), so that nobody waits behind all that another one wants."""

    def __init__(self, places: int, each: int) -> None:
        self._places, self._each = asyncio.Semaphore(places), each
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, whose: str) -> AsyncIterator[None]:
        """Wait for a place, and have it. whose: a namespace."""
        own = self._own.get(whose)
        if own is None:
            own = self._own[whose] = asyncio.Semaphore(self._each)
        async with own, self._places:
            yield
