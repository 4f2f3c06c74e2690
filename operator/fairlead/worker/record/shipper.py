"""Takes the spool's files to the store, by a child process that ends: pyarrow and the S3 client are large."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys

from fairlead.worker.record.counts import FAILURES, WAITING, WRITTEN
from fairlead.worker.record.spool import Segment, Spool

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
AT_ONCE = 8
"""Files that one child takes."""
FLUSH = 1.0
"""Seconds of answers that a kill of the recorder may cost."""
log = logging.getLogger(__name__)


class Shipper:
    """Writes each `every` seconds, and earlier when a file is large; after a failure it waits longer each time."""

    def __init__(self, spool: Spool, pod: str, every: float) -> None:
        self._spool, self._pod, self._every = spool, pod, every

    async def run(self) -> None:
        """For ever."""
        failures, loop = 0, asyncio.get_running_loop()
        due = loop.time() + self._every
        while True:
            await asyncio.sleep(FLUSH)
            self._flush()
            if loop.time() < due and not (self._spool.full and not failures):
                continue
            failures = 0 if await self.ship() else failures + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)) * random.uniform(0.5, 1) if failures else 0.0
            due = loop.time() + (pause or self._every)

    def _flush(self) -> None:
        try:
            self._spool.flush()
        except OSError as error:
            log.warning("not spooled", extra={"error": str(error)})

    async def ship(self) -> bool:
        """Write all that is there; False after a failure: the files stay."""
        try:
            self._spool.close()
        except OSError as error:
            log.warning("not spooled", extra={"error": str(error)})
        while waiting := self._spool.waiting()[:AT_ONCE]:
            if not await self._child(waiting):
                FAILURES.inc()
                WAITING.set(self._spool.size())
                return False
        WAITING.set(0)
        return True

    async def _child(self, segments: list[Segment]) -> bool:
        files = [part for segment in segments for part in (str(segment.path), segment.key(self._pod))]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fairlead.worker.record.ship", *files,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said, complaint = await child.communicate()
        except asyncio.CancelledError:
            child.kill()
            raise
        WRITTEN.inc(sum(json.loads(line)["rows"] for line in said.splitlines()))
        if child.returncode:
            log.warning("not written", extra={"error": complaint.decode(errors="replace")[-500:].strip()})
        return child.returncode == 0
