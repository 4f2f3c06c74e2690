"""`python -m fairlead.worker.record.process`: the recorder. Its task is in the environment, found to be valid."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from fairlead.worker.logs import configure
from fairlead.worker.record import http
from fairlead.worker.record.bins import Bins
from fairlead.worker.record.choice import Choice
from fairlead.worker.record.keeper import Keeper
from fairlead.worker.record.processor import Processor, serve
from fairlead.worker.record.profiles import getter
from fairlead.worker.record.runtime import Runtime
from fairlead.worker.record.settings import Settings, from_environment
from fairlead.worker.record.shipper import Shipper

GRACE = 1.0
"""Seconds that answers under way have to become whole."""
LOOK = 1.0
"""Seconds between two looks at the rate of what is chosen."""
LAST_WRITE = 8.0
"""Seconds for what is left to get into the store."""


async def record(settings: Settings) -> None:
    """Record until SIGTERM; then write what is left."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keeper, bins = Keeper(settings), _bins(settings)
    runtime = Runtime(settings.steer) if settings.steer else None
    choice = Choice(settings.probability, *((runtime.steer, runtime.chance) if runtime else ()))
    with suppress(FileNotFoundError):
        os.unlink(settings.socket)  # left by one that was killed
    processor = Processor(keeper.keep, settings.path, settings.probability, choice, bins, settings.sparing)
    server = await serve(processor, settings.socket)
    answers = http.start(settings.port, keeper.ring, lambda since: bins.page(choice.chance, since))
    bins.start()
    choosing = asyncio.create_task(_choose(choice))
    shipper = Shipper(keeper.spool, settings.pod, settings.every) if keeper.spool else None
    writing = asyncio.create_task(shipper.run()) if shipper else None
    await _until(stop, writing)
    await server.stop(GRACE)
    answers.shutdown()
    choosing.cancel()
    bins.stop()
    if shipper and writing:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        with suppress(TimeoutError):
            await asyncio.wait_for(shipper.ship(), LAST_WRITE)


def _bins(settings: Settings) -> Bins:
    told = settings.profile
    return Bins(settings.boot, told["sha256"] if told else "", getter(told, settings.spool) if told else None)


async def _choose(choice: Choice) -> None:
    """For ever: a chance that was set in a rush is raised when it is over."""
    while True:
        await asyncio.sleep(LOOK)
        choice.look()


async def _until(stop: asyncio.Event, writing: asyncio.Task[None] | None) -> None:
    """Until it is told to stop. Raises what ended the writing, which does not end by itself."""
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({told, writing} if writing else {told}, return_when=asyncio.FIRST_COMPLETED)
    if writing and writing.done():
        writing.result()


def main() -> int:
    """Run."""
    configure()
    asyncio.run(record(from_environment(os.environ)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
