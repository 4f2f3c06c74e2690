"""What a rollout would decide on a trace of windows: the operator's own rules and engine, without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fairlead.api.deployment import Guard, Rollout
from fairlead.api.units import seconds, share
from fairlead.plan.rollout.guards import live_rate
from fairlead.plan.rollout.signals import guard_id
from fairlead.verdict import engine
from fairlead.verdict.engine import Conclusion, Metric, Rules, Seen, State
from fairlead.verdict.guards import Arm
from fairlead.verdict.margin import margin
from fairlead.verdict.trace import BadTrace, Line, Prior


@dataclass(frozen=True)
class Judged:
    """What was known and concluded after a window."""

    t: float
    state: State
    conclusion: Conclusion


def names(rollout: Rollout) -> list[str]:
    """The guards' metrics; with its index where a metric is guarded more than once."""
    metrics = [guard.metric for guard in rollout.guard]
    return [
        guard.metric if metrics.count(guard.metric) == 1 else guard_id(index, guard)
        for index, guard in enumerate(rollout.guard)
    ]


def rules(rollout: Rollout, prior: Prior) -> Rules:
    """What a rollout is judged by. Raises BadTrace for a latency margin that nobody has told."""
    return Rules(
        metrics=tuple(_metric(name, guard, prior) for name, guard in zip(names(rollout), rollout.guard, strict=True)),
        false_alarms=min(share(rollout.false_alarms), 0.5),
        missed_harm=min(share(rollout.missed_harm), 0.5),
        patience=seconds(rollout.patience),
        design_effect=float(rollout.design_effect),
    )


def _metric(name: str, guard: Guard, prior: Prior) -> Metric:
    known = prior.metrics.get(name)
    if known is not None:
        return Metric(name, guard.role, known.margin, known.rate, known.worse_by)
    worse_by = share(guard.worse_by)
    if guard.metric == "latency" and worse_by:
        raise BadTrace(
            f"what {name} tolerates follows from the live version's histogram; say it in a first line: "
            f'{{"margins": {{"{name}": {{"odds": 1.3, "floor": 0.05, "rate": 0.01, "worseBy": 0.04}}}}}}'
        )
    live = prior.live or Arm()
    rate = live_rate(live.requests, live.failures)
    return Metric(name, guard.role, margin(rate, worse_by), rate, worse_by)


def judge(rollout: Rollout, trace: Iterable[Line | Prior]) -> Iterator[tuple[Rules, Judged]]:
    """What would have been concluded after each window. A verdict that ends the rollout stands from then on."""
    prior, found, state, weight = Prior(), None, None, float(rollout.steps[0].weight)
    ended: Conclusion | None = None
    for item in trace:
        if isinstance(item, Prior):
            prior = Prior(item.live or prior.live, {**prior.metrics, **item.metrics})
            continue
        if found is None or state is None:
            found = rules(rollout, prior)
            state = engine.begin(found)
        weight = weight if item.weight is None else float(item.weight)
        state = engine.step(found, state, _seen(rollout, item, weight))
        ended = ended or _end(engine.conclude(found, state))
        yield found, Judged(item.t, state, ended or engine.conclude(found, state))


def _seen(rollout: Rollout, line: Line, weight: float) -> Seen:
    known: Mapping[str, str] = {name: guard.metric for name, guard in zip(names(rollout), rollout.guard, strict=True)}
    windows = {
        name: line.windows[told] for name, metric in known.items() for told in (name, metric) if told in line.windows
    }
    return Seen(line.t, windows, line.traffic, weight / 100 if weight else None)


def _end(found: Conclusion) -> Conclusion | None:
    return found if found.verdict in ("harm", "undecided") else None
