"""The golden rows that an evaluation keeps: some of the held-out rows, as they were sent, with what the challenger
answered.

Each is asked for twice. A model whose answers to the same row differ (it draws, or leaves something to chance) has no
golden rows: its pods would be stopped by chance. An evaluation never fails for want of them: why there are none is
told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from fairlead.api import foreign
from fairlead.api.fetching import Place
from fairlead.api.modelversion import GoldenRef
from fairlead.monitor import golden
from fairlead.store.errors import StoreError
from fairlead.store.layout import golden as key_of
from fairlead.worker import digests, oip
from fairlead.worker.access import place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line
from fairlead.worker.rows import Batch

log = logging.getLogger(__name__)
ROWS = 32
"""Held-out rows that are picked; fewer where they are large."""
SECONDS = 60.0
"""That they may take."""
_LONGEST = 400
Ask = Callable[[Batch], tuple[bytes, bytes]]
"""Sends rows; returns the request and the answer. Raises oip.Refused, TaskFailed."""


class Picked:
    """Rows that lie evenly among all, picked while all of them go by."""

    def __init__(self, total: int) -> None:
        many = min(ROWS, total)
        self._at = [index * total // many for index in range(many)]
        self._seen = 0
        self.rows: list[Batch] = []
        """Each of one row."""

    def add(self, batch: Batch) -> None:
        """The next rows."""
        end = self._seen + batch.num_rows
        self.rows += [batch.take(pa.array([at - self._seen])) for at in self._at if self._seen <= at < end]
        self._seen = end


def _judged(answer: Any) -> golden.Json:
    """Of an answer, the outputs that a model is judged by. Others may say where or when it was answered, and would be
    other ones in each pod."""
    every = answer.get("outputs") if isinstance(answer, dict) else None
    outputs = every if isinstance(every, list) else []
    return {"outputs": [
        one for at, one in enumerate(outputs)
        if at == 0 or (isinstance(one, dict) and one.get("name") == oip.PROBABILITIES)
    ]}  # fmt: skip


def kept(store: Place, picked: Picked, ask: Ask) -> GoldenRef | str:
    """Ask for them, and store them under their digest; or say why there are none: nothing is raised."""
    try:
        return _kept(store, picked, ask)
    except (oip.Refused, TaskFailed, StoreError, golden.BadGolden, foreign.Unreadable) as why:
        log.warning("no golden rows", extra={"problem": str(why)})
        return line(f"they could not be made: {why}", _LONGEST)


def _kept(store: Place, picked: Picked, ask: Ask) -> GoldenRef | str:
    body, until = b"", time.monotonic() + SECONDS
    exchanges: list[tuple[golden.Json, golden.Json]] = []
    for row in picked.rows:
        request, first = ask(row)
        again = ask(row)[1]
        found = foreign.parse(request), _judged(foreign.parse(first))
        if golden.changed(found[1], foreign.parse(again)):
            return "the model does not answer the same row alike: no pod could be told by its answers"
        larger = golden.document([*exchanges, found])
        if len(larger) > golden.SIZE or time.monotonic() > until:
            break
        exchanges, body = [*exchanges, found], larger
    if not exchanges:
        return f"a row and its answer have more than {golden.SIZE >> 10} KiB, or took more than {SECONDS:g} s"
    golden.parse(body)
    bucket, key = place(store), key_of(store.prefix, digests.of_bytes(body))
    bucket.put_if_absent(key, body)
    log.info("golden rows", extra={"golden": bucket.uri(key), "rows": len(exchanges)})
    return GoldenRef(digest=digests.of_bytes(body), uri=bucket.uri(key), rows=len(exchanges))
