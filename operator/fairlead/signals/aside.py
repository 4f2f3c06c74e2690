"""Where large answers are read: beside the event loop, a few at a time, and no namespace in the others' way.

What a pod or a query answers is somebody else's. A small answer is read at once, which takes less than a context
switch would. A large one, or one of a namespace whose answers have lately taken long, has to have a place before it is
taken in, so that the memory that all of them take is bounded; and it is read in a thread of its own, within a budget.
A namespace waits with as many as it may have places, so those of all namespaces come in turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from fairlead.signals.errors import SignalError
from fairlead.signals.gate import Gate
from fairlead.signals.labels import Labels

T = TypeVar("T")

SMALL = 64 * 1024
"""Bytes up to which an answer needs no place."""
PLACES, EACH = 6, 2
"""Large answers at a time, of all namespaces and of one."""
QUICK, LONG = 0.005, 0.1
"""Seconds of work that an answer may cost on the event loop, and beside it."""
BEWARE = 60.0
"""Seconds for which a namespace whose answer took longer than QUICK is read beside the loop."""
KNOWN = 64
"""Namespaces of which labels are kept."""


class Aside:
    """One for all signals of a process. `whose`: the namespace of the object that asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gate = Gate(PLACES, EACH)
        self._thread = ThreadPoolExecutor(1, "aside")
        self._slow: dict[str, float] = {}
        self._labels: OrderedDict[str, Labels] = OrderedDict()

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def place(self, whose: str, seconds: float) -> AsyncIterator[None]:
        """Have a place for a large answer. Raises SignalError if there was none for so long."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(seconds):
                    await held.enter_async_context(self._gate.place(whose))
            except TimeoutError:
                raise SignalError(
                    "Timeout",
                    f"for {seconds:g} s there was no turn for an answer of more than {SMALL // 1024} KiB: "
                    "others are being read. Let the servers export fewer series.",
                ) from None
            yield

    async def work(self, read: Callable[[], T]) -> T:
        """What `read` comes to, in the thread. It has to end by itself: it can't be stopped."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def slow(self, whose: str) -> bool:
        """Whether a namespace's answers took long lately."""
        until = self._slow.get(whose)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._slow[whose]
        return False

    def beware(self, whose: str) -> None:
        """A namespace's answer took longer than it may on the event loop."""
        now = self._clock()
        self._slow = {one: until for one, until in self._slow.items() if until > now} | {whose: now + BEWARE}

    def labels(self, whose: str) -> Labels:
        """The labels that a namespace's pages had."""
        found = self._labels.pop(whose, None) or Labels()
        self._labels[whose] = found
        if len(self._labels) > KNOWN:
            self._labels.popitem(last=False)
        return found
