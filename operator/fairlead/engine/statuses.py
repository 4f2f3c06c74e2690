"""Writing statuses: the plan's, with what the kernel itself has to say laid over it.

One that the API server finds too large is written without what can be done without, so that what is decided is still
recorded, and carried out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.api import halves
from fairlead.api.schema import Model
from fairlead.cluster import errors as api
from fairlead.engine import trouble as kernel
from fairlead.engine.clocks import MOST
from fairlead.engine.errors import StatusRefused, Trouble
from fairlead.engine.logs import fields
from fairlead.engine.metrics import Metrics
from fairlead.engine.write import Writer
from fairlead.plan.core import Event, Kind, KindSpec, Plan

Json = dict[str, Any]
log = logging.getLogger(__name__)

SAID = 600.0
"""Seconds for which it is said that a status was too large: the next one may fit."""


@dataclass
class Statuses:
    """Writes statuses. `steady`: the event loop's clock."""

    writer: Writer
    metrics: Metrics
    steady: Callable[[], float]
    _troubles: dict[str, Trouble] = field(default_factory=dict)
    """uid → what kept the last plan from being carried out."""
    _behind: dict[str, str] = field(default_factory=dict)
    """uid → what is said of a clock that is behind the times of its status."""
    _large: dict[str, tuple[float, str]] = field(default_factory=dict)
    """uid → until when it is said that its status was too large, and in which words."""

    async def write(self, spec: KindSpec[Any], raw: Json, plan: Plan, now: float) -> tuple[Json, Json, list[Event]]:
        """Write the status that the plan wants, or the largest of its smaller forms that the API server takes. Returns
        the object, the status without what is laid over it, and what people are told. Raises StatusRefused."""
        told, first = list[Event](), None
        for one in _forms(spec, plan.status):
            status = kernel.keep_times(halves.written(one), raw)
            try:
                return await self.writer.status(spec.kind, raw, self._laid_over(status, raw, now)), status, told
            except api.TooLarge as large:
                first = first or large
                told = [self._too_large(spec.kind, raw, first)]
            except api.Refused as refused:
                raise StatusRefused(refused) from refused
        assert first is not None
        raise StatusRefused(first) from first

    async def say(self, kind: Kind, raw: Json, status: Json, trouble: Trouble, now: float) -> None:
        """Write the status with what keeps the plan from being carried out, until it has `healed`."""
        self._troubles[raw["metadata"]["uid"]] = trouble
        await self._try(kind, raw, self._laid_over(status, raw, now))

    async def unplanned(self, kind: Kind, raw: Json, trouble: Trouble, now: float) -> None:
        """Say what keeps an object from being planned; else its status stays as it is."""
        laid = kernel.lay_over(kernel.bare(raw, trouble), trouble, raw, now)
        await self._try(kind, raw, kernel.summed_up(kernel.marked(laid, self._marks(raw), raw, now)))

    def healed(self, uid: str) -> bool:
        """The plan could be carried out. Whether that is news."""
        return self._troubles.pop(uid, None) is not None

    def note_clock(self, kind: Kind, raw: Json, behind: float) -> None:
        """Say by how many seconds the clock is behind what the status says, once, until it has caught up."""
        uid, words = raw["metadata"]["uid"], self._behind.get(raw["metadata"]["uid"], "")
        if not behind:
            self._behind.pop(uid, None)
        elif not words or (behind > MOST) != _waits(words):
            words = self._behind[uid] = _clock(behind)
            meta = raw["metadata"]
            about = fields(kind=kind.kind, namespace=meta.get("namespace", ""), name=meta["name"])
            log.warning("%s", words, extra=about)
        self.metrics.clock_behind.set(len(self._behind))

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._troubles.pop(uid, None)
        self._behind.pop(uid, None)
        self._large.pop(uid, None)

    def _laid_over(self, status: Json, raw: Json, now: float) -> Json:
        known = self._troubles.get(raw["metadata"]["uid"])
        wanted = kernel.lay_over(status, known, raw, now) if known else status
        return kernel.summed_up(kernel.marked(wanted, self._marks(raw), raw, now))

    def _marks(self, raw: Json) -> Iterator[kernel.Mark]:
        uid = raw["metadata"]["uid"]
        if uid in self._behind:
            yield kernel.Mark(kernel.CLOCK, self._behind[uid])
        until, words = self._large.get(uid, (0.0, ""))
        if words and until > self.steady():
            yield kernel.Mark(kernel.LARGE, words)

    def _too_large(self, kind: Kind, raw: Json, why: api.TooLarge) -> Event:
        words = f"the API server took the status only without some of its records: {why.message[:700]}"
        self._large[raw["metadata"]["uid"]] = self.steady() + SAID, words
        self.metrics.errors.labels(kind.kind, kernel.LARGE).inc()
        return Event(kernel.LARGE, words, warning=True)

    async def _try(self, kind: Kind, raw: Json, status: Json) -> None:
        """Write the status if that is possible; the error at hand matters more than one of this write."""
        try:
            await self.writer.status(kind, raw, status)
        except (api.ApiError, api.NotLeading) as failed:
            log.warning("a condition could not be written: %s", failed)


def _forms(spec: KindSpec[Any], status: Model) -> Iterable[Model]:
    """The whole status, and then its smaller forms."""
    yield status
    yield from spec.smaller(status)


_WAITS = (
    "no window closes until no more than an hour is left, so no evidence takes anything back; set the clock of the "
    "operator's node"
)


def _clock(behind: float) -> str:
    """What people are told of a clock that is behind."""
    words = f"the operator's clock is {behind:.0f} s behind the times in this status, which were written by another one"
    if behind > MOST:
        return f"{words}: {_WAITS}"
    return f"{words}: time goes on from there until it has caught up; compare the clocks of the nodes"


def _waits(words: str) -> bool:
    return words.endswith(_WAITS)
