"""The gauge guard: a value by version from Prometheus. Both versions' values at the same moment are a pair.

Prometheus answers every second, but its data change with every scrape only, and what a `[5m]` has in common with the
one a second later is almost everything. So a pair counts when none of its data can have been in the pair before: after
the longest range in the expression, and when both values have changed; or after a minute, which is the longest usual
interval of a scrape, for a value may well stay as it is. What is alike besides is up to the test (`verdict.gauges`).
"""

from __future__ import annotations

import re

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence, Values
from fairlead.api.guard import Guard
from fairlead.api.units import many
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, guards, promcounters, steps
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.signals import ARMS, queries, query_due, stale, version_of
from fairlead.plan.deployment.metrics.base import Metric, Row, evidence_of
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Failed, PromQuery, Vector
from fairlead.verdict import engine, gauges
from fairlead.verdict.gauges import FEWEST, LARGEST, Gauge, GaugeState
from fairlead.verdict.guards import decode, encode, encode_all
from fairlead.verdict.trace import Prior

SCRAPE = 60.0
"""Seconds after which a value that has not changed is a new observation of the same."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_RANGE = re.compile(r"\[\s*([0-9][0-9a-z]*)")
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


class _Gauge(Metric):
    name = "gauge"
    reason = "GaugeWorse"
    source = "Value"
    comparing = True

    def expressions(self, guard: Guard) -> dict[str, str]:
        return {"value": guard.gauge.value} if guard.gauge else {}

    def asked(self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, book: Book) -> GuardEvidence:
        """After what Prometheus says now. Where nothing can be compared, nothing is missed."""
        if candidate.step < 0:
            return state
        over = steps.over(steps.step_of(look, candidate), candidate)  # then it does nothing that could be measured
        if not steps.compared(candidate) or over or ahead.alone(look, candidate) is not None:
            return guards.watching(state)
        due = candidate.routed_at and query_due(look, candidate, index, look.spec.rollout.guards[index])
        return _one(look, candidate, index, state) if due else state

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        return f"{_means(candidate, state)}; {evidence_of(state)}"

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        """Without a pair in the step, and at the end without enough of them for a judgement, the guard would have been
        passed unseen."""
        if not steps.compared(candidate):
            return None
        last = candidate.step + 1 >= len(look.spec.rollout.steps)
        over = steps.over(steps.step_of(look, candidate), candidate)
        for _, state in self.states(look, candidate):
            if not state.step_events and not over:
                return f"values of {state.guard}"
            if last and state.windows < FEWEST:
                return f"{many(FEWEST - state.windows, 'more pair')} of values of {state.guard}"
            if old := stale(look, state):
                return old
        return None

    def shortened(self, state: GuardEvidence) -> GuardEvidence:
        values = state.values.model_copy(update={"means": []}) if state.values else None
        return super().shortened(state).model_copy(update={"values": values})

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        return engine.Metric(name, guard.role, gauge=told(guard), shared=True)

    def rows(self, candidate: Candidate, state: GuardEvidence) -> list[Row]:
        """Means of a value."""
        values, names = state.values, (candidate.version, candidate.against)
        if values is None or not values.pairs or len(values.sums) < 2:
            return [Row(name, 0, rate="-") for name in names]
        means = [f"mean {float(total) / values.pairs:.6g}" for total in reversed(values.sums)]
        return [Row(name, values.pairs, rate=mean) for name, mean in zip(names, means, strict=True)]


def _one(look: Look, candidate: Candidate, index: int, state: GuardEvidence) -> GuardEvidence:
    guard = look.spec.rollout.guards[index]
    pair = _pair(look, candidate, index, queries(look, candidate, METRIC.expressions(guard)))
    if isinstance(pair, Problem):
        return guards.silent(state, pair.reason, pair.message)
    answered = guards.watching(state, since=look.stamp)
    began = epoch(candidate.routed_at or look.stamp)
    if not _is_new(answered.values, pair, look.now, began, longest_range(guard)):
        return answered
    return _seen(look, guard, answered, pair)


def _pair(
    look: Look, candidate: Candidate, index: int, asked: dict[tuple[str, str], PromQuery]
) -> tuple[float, float] | Problem:  # fmt: skip
    """(live version's, candidate's) value, or why there is none."""
    if not asked:
        return promcounters.NO_PROMETHEUS
    found = [_value(look, version_of(candidate, arm), index, asked[arm, "value"]) for arm in ARMS]
    stable, own = found
    if isinstance(stable, Problem):
        return stable
    return own if isinstance(own, Problem) else (stable, own)


def _value(look: Look, version: str, index: int, query: PromQuery) -> float | Problem:
    where, answer = promcounters.field(index, "gauge.value"), look.world.answer(query)
    if isinstance(answer, Failed):
        return promcounters.unanswered(index, "gauge.value", answer)
    if not isinstance(answer, Vector) or answer.unusable or any(abs(value) > LARGEST for _, value in answer.series):
        return Problem("UnusableValue", f"{where}: the value of {version} is not a finite number. A mean of nothing is "
                       "NaN: take a longer [range], or wait for requests")  # fmt: skip
    if not answer.series:
        return Problem("NoSeries", f"{where}: Prometheus has no series for {query.expression}: is {version} scraped, "
                       "and does the metric name the version?")  # fmt: skip
    if len(answer.series) > 1:
        return Problem("SeveralSeries", f"{where}: there are {len(answer.series)} series for {query.expression}, and "
                       "a version has one value: put them together with avg(), sum() or max()")  # fmt: skip
    return answer.series[0][1]


def _is_new(kept: Values | None, pair: tuple[float, float], now: float, began: float, apart: float) -> bool:
    """Whether none of a pair's data was in the pair before, nor came before the step's traffic. apart: seconds."""
    if now - began < apart:
        return False
    if kept is None:
        return True
    since = now - epoch(kept.at)
    if since < apart:
        return False
    return since >= SCRAPE or all(value != decode(old) for value, old in zip(pair, kept.last, strict=True))


def longest_range(guard: Guard) -> float:
    """Seconds of data that a value may be made of."""
    text = _QUOTED.sub("", guard.gauge.value if guard.gauge else "")
    return max((_seconds(found) for found in _RANGE.findall(text)), default=0.0)


def _seconds(duration: str) -> float:
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(duration))


def _seen(look: Look, guard: Guard, state: GuardEvidence, pair: tuple[float, float]) -> GuardEvidence:
    after = gauges.step(read(guard, state.values, float(look.spec.rollout.design_effect)), *pair)
    evidence, bound = after.log_evidence, guards.bound(look)
    return state.model_copy(update={
        "values": written(after, look.stamp, pair), "windows": after.windows, "log_evidence": encode(evidence),
        "bound": encode(bound), "state": "Harm" if evidence >= bound else "Watching",
        "step_events": state.step_events + 1,
    })  # fmt: skip


def told(guard: Guard) -> Gauge:
    """What is compared, as the statistics use it."""
    return Gauge(guard.gauge.better, float(guard.gauge.tolerance)) if guard.gauge else Gauge()


def read(guard: Guard, kept: Values | None, design_effect: float) -> GaugeState:
    """The state that status keeps."""
    if kept is None:
        return GaugeState(told(guard), design_effect)
    stable, candidate = map(decode, kept.sums)
    return GaugeState(
        told(guard), design_effect, kept.pairs, (stable, candidate), kept.length, tuple(map(decode, kept.means)),
        (kept.open, decode(kept.rest)),
    )  # fmt: skip


def written(state: GaugeState, at: str, last: tuple[float, float]) -> Values:
    """As status keeps it."""
    return Values(
        pairs=state.windows, sums=encode_all(state.sums), length=state.length, means=encode_all(state.means),
        open=state.rest[0], rest=encode(state.rest[1]), at=at, last=encode_all(last),
    )  # fmt: skip


def _means(candidate: Candidate, guard: GuardEvidence) -> str:
    """What was found, in words."""
    kept = guard.values
    if kept is None:
        return ""
    stable, own = (decode(total) / kept.pairs for total in kept.sums)
    return (
        f"the value of {candidate.version} was {own:.4g} on average of {kept.pairs} readings, that of "
        f"{candidate.against} {stable:.4g}"
    )


METRIC = _Gauge()
