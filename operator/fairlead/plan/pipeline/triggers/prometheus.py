"""A run when a value in Prometheus is above or below a number for some time.

How long it has been so is counted over looks: the time between two looks in a row that both saw it so. What is counted
is written down at most some twenty times for a `for`, and an operator that is killed goes on from there."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairlead.api.pipeline import Pipeline, PrometheusTrigger
from fairlead.api.units import seconds
from fairlead.plan.core import Context, Invalid, epoch
from fairlead.plan.pipeline.triggers.base import Sight, Standing, unknown
from fairlead.plan.requests import NOT_YET, Failed, PromQuery, Request, Vector

FASTEST = 5.0
"""Seconds between two looks, at least: Prometheus is not asked by us more often than it scrapes."""
WRITES = 20
"""So many times what is counted is written down, in a `for`."""
_REMEDIES = {
    "BadQuery": "correct query",
    "NotPrometheus": "check prometheus.url in the installation's values",
}


class OnValue(Standing[PrometheusTrigger]):
    """The key is when the value was first seen to be so."""

    field = "prometheus"

    def label(self) -> str:
        """The query and the bound."""
        return f"{self.spec.query} {self._side} {self._bound}"

    def check(self, path: str) -> None:
        """The pace."""
        if seconds(self.spec.every) < FASTEST:
            raise Invalid(f"{path}.every", f"Prometheus is asked every {FASTEST:.0f}s at most; write 5s or more")

    def outlook(self, _now: float) -> str:
        """What the value must be."""
        long = "" if self.spec.for_ == "0s" else f" for {self.spec.for_}"
        return f"the value is {self._side} {self._bound}{long}; it is asked for every {self.spec.every}"

    def requests(self, context: Context[Pipeline]) -> Iterable[Request]:
        """The query, where there is a Prometheus."""
        asked = self._query(context)
        return () if asked is None else (asked,)

    def sight(self, context: Context[Pipeline]) -> Sight | None:
        """What Prometheus says now, after what was counted so far."""
        every, asked = seconds(self.spec.every), self._query(context)
        if asked is None:
            return unknown("NoPrometheus", "it needs Prometheus: set prometheus.url in the installation's values")
        answer = context.world.answer(asked)
        if isinstance(answer, Failed) and answer.reason in NOT_YET:
            return None
        value = _value(answer)
        if isinstance(value, Sight):
            return self._counted_before(value, context, every)
        bound = Decimal(self._bound)
        told = f"the value is {float(value):.6g}"
        if not (value > bound if self.spec.above is not None else value < bound):
            return Sight("Quiet", f"{told}, which is not {self._side} {self._bound}", again=every)
        return self._so(f"{told}, which is {self._side} {self._bound}", context, every)

    @property
    def _side(self) -> str:
        return "above" if self.spec.above is not None else "below"

    @property
    def _bound(self) -> str:
        return self.spec.above or self.spec.below or "0"

    def _query(self, context: Context[Pipeline]) -> PromQuery | None:
        url = context.world.config.prometheus.url
        text = self.spec.query.replace("{{namespace}}", context.namespace)
        return PromQuery(url, text, signed=True, namespace=context.namespace) if url else None

    def _so(self, told: str, context: Context[Pipeline], every: float) -> Sight:
        """It is so. A longer gap than what is waited for anyway begins anew."""
        need, known = seconds(self.spec.for_), self.before(context)
        step = max(every, need / WRITES)
        if known is None or not known.begun:
            return self._sight(told, context.stamp, context.stamp, 0.0, need, every)
        if known.held >= need:  # it has asked, and goes on
            return self._sight(told, known.begun, known.at, known.held, need, every)
        gap = epoch(context.stamp) - epoch(known.at)  # both as they are written: what is cut off does not add up
        if gap < 0 or gap > max(need, 2 * step):
            return self._sight(told, context.stamp, context.stamp, 0.0, need, every)
        seen = gap <= 2 * step and known.state != "Unknown"
        held = known.held + (gap if seen else 0.0)
        if seen and gap < step and held < need:  # counted, and not written down yet
            left = min(every, need - held)
            return Sight("Holding", told, begun=known.begun, again=left, at=known.at, held=known.held)
        return self._sight(told, known.begun, context.stamp, held, need, every)

    @staticmethod
    def _sight(told: str, begun: str, at: str, held: float, need: float, every: float) -> Sight:
        if held >= need:
            return Sight("Asks", f"{told} since {begun}", key=begun, begun=begun, again=every, at=at, held=int(held))
        again = max(1.0, min(every, need - held))
        return Sight("Holding", f"{told} since {begun}", begun=begun, again=again, at=at, held=int(held))

    def _counted_before(self, found: Sight, context: Context[Pipeline], every: float) -> Sight:
        """Nobody knows now: what was counted stays for a while, and the time until the next answer does not count."""
        known = self.before(context)
        begun, at, held = (known.begun, known.at, known.held) if known else ("", "", 0)
        return Sight(found.state, found.message, found.reason, begun=begun, again=every, at=at, held=held)


def _value(answer: object) -> Decimal | Sight:
    """The one value, or why there is none."""
    if isinstance(answer, Failed):
        remedy = _REMEDIES.get(answer.reason, "it is asked again")
        return unknown(answer.reason, f"no answer of Prometheus: {answer.message} ({remedy})")
    if not isinstance(answer, Vector) or answer.unusable:
        return unknown("UnusableValue", "the value is not a finite number: a mean of nothing is NaN; take a longer "
                       "[range], or wait for data")  # fmt: skip
    if not answer.series:
        return unknown("NoSeries", "Prometheus has no series for query: is the metric scraped, and is it spelt so?")
    if len(answer.series) > 1:
        return unknown("SeveralSeries", f"there are {len(answer.series)} series, and one value is needed: put them "
                       "together with sum(), avg(), min() or max()")  # fmt: skip
    return Decimal(repr(answer.series[0][1]))
