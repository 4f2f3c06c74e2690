"""Where each answer goes: to the ring, and to the spool."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from fairlead.worker.record.counts import DROPPED, KEPT
from fairlead.worker.record.exchange import Answer
from fairlead.worker.record.ring import Ring
from fairlead.worker.record.settings import Settings
from fairlead.worker.record.spool import Spool

SHOWN = 4096
"""Characters of an output's JSON that the ring holds; the store has all."""
log = logging.getLogger(__name__)


class Keeper:
    """Ring and spool of a process. Without a store there is no spool."""

    def __init__(self, settings: Settings) -> None:
        self._inputs = settings.inputs
        self.ring = Ring(settings.boot)
        dropped = DROPPED.labels("spool").inc
        self.spool = Spool(Path(settings.spool), settings.boot, dropped) if settings.store else None

    def keep(self, answer: Answer) -> None:
        """Take an answer."""
        KEPT.inc()
        row = answer.row()
        shown = row if len(answer.output) <= SHOWN else answer.row(SHOWN)
        given = answer.input if self._inputs else None
        self.ring.add(answer.request_id, shown, given)
        if self.spool is None:
            return
        day = datetime.fromtimestamp(answer.time, UTC).strftime("%Y-%m-%d")
        line = f"[{row},{json.dumps(given)},{json.dumps(answer.truncated)}]\n".encode()
        try:
            self.spool.add(line, day, answer.failed)
        except OSError as error:
            DROPPED.labels("disk").inc()
            log.warning("not spooled", extra={"error": str(error)})
