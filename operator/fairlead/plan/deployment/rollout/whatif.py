"""What a rollout decides on a trace of windows: the operator's own rules and engine, without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf

from pydantic import ValidationError

from fairlead.api.deployment import OFF, Rollout
from fairlead.api.guard import Guard
from fairlead.api.units import chance, seconds
from fairlead.plan.deployment.evidence.signals import guard_id
from fairlead.plan.deployment.metrics.registry import all_requests, metric_of
from fairlead.verdict import common, engine
from fairlead.verdict.ahead import Ahead
from fairlead.verdict.decision import Conclusion
from fairlead.verdict.engine import Metric, Rules, Seen, State
from fairlead.verdict.gauges import GaugeState
from fairlead.verdict.guards import Arm, GuardState
from fairlead.verdict.split import SplitState
from fairlead.verdict.trace import (
    ANSWERS,
    ERRORS,
    BadTrace,
    Began,
    Ended,
    Item,
    Line,
    Paired,
    Prior,
    Stepped,
    Told,
    Tolerated,
)

AT_THE_TIME = "AtTheTime"
"""Reason where only the ledger says that there was no evidence: what could not be read has no window."""


@dataclass(frozen=True)
class Judged:
    """What was known and concluded after a window."""

    t: float
    weight: float
    rules: Rules
    state: State
    conclusion: Conclusion
    told: Mapping[str, str]
    """By metric, the log evidence that the trace says was found at the time."""


@dataclass
class Play:
    """A trace that is being played."""

    rollout: Rollout
    prior: Prior = field(default_factory=Prior)
    weight: float = 0.0
    shadow: str = ""
    """Of so many requests it gets copies."""
    edited: float | None = None
    """When the rules were last changed."""
    rules: Rules | None = None
    state: State | None = None
    over: Conclusion | None = None
    ended: Ended | None = None
    """What the trace says of its end."""
    judged: list[Judged] = field(default_factory=list)
    """What was concluded after each window."""
    held: str = ""
    """As the trace says (`State.held`)."""
    by_operator: bool = False
    """Whether it is a ledger, which has its rules: a metric without a window has counted nothing, and what could not be
    read is told. How long it took in all, patience included, is the operator's to know."""

    def take(self, item: Item) -> None:
        """The next item."""
        match item:
            case Began():
                self.by_operator, self.edited = True, item.t
                self._begin_anew(_rollout(item))
            case Prior():
                self._learn(item)
            case Stepped():
                self._step(item)
            case Told():
                self._told(item)
            case Ended():
                self.ended = item
            case Paired():
                self._pair(item)
            case Line():
                self._judge(item)

    def _judge(self, line: Line) -> None:
        rules, state = self._ready()
        if line.weight not in (None, self.weight):
            state = self._anew(line.weight or 0.0) or state
        self.state = engine.step(rules, state, self._seen(line))
        self._conclude(line.t, rules, self.state, line.found)

    def _step(self, item: Stepped) -> None:
        """Where the list of steps was changed just now, the same one may stand at another place in it."""
        moved = (item.weight, item.shadow) != (self.weight, self.shadow) or item.t != self.edited
        self.shadow = item.shadow
        if moved:
            self._anew(item.weight)

    def _anew(self, weight: float) -> State | None:
        """Another share of the requests. How they are divided, and what both do in the step, is counted anew."""
        self.weight = weight
        if self.state:
            self.state = replace(self.state, split=SplitState(), ahead=Ahead(), answering=Ahead())
        return self.state

    def _told(self, item: Told) -> None:
        """What is concluded from the same look's window goes by it. Who writes a trace by hand decides nothing."""
        if not self.by_operator:
            return
        self.held = AT_THE_TIME if item.verdict == "NoEvidence" else ""
        if self.state is not None:
            self.state = replace(self.state, held=self.held)
        if self.judged and self.judged[-1].t == item.t:
            last = self.judged[-1]
            state = replace(last.state, held=self.held)
            self.judged[-1] = replace(last, state=state, conclusion=self._conclusion(last.rules, state))

    def _pair(self, item: Paired) -> None:
        rules, state = self._ready()
        aliases = _aliases(self.rollout)
        pairs = {aliases.get(name, name): told for name, told in item.pairs.items()}
        self.state = engine.with_pairs(rules, state, item.t, pairs)
        self._conclude(item.t, rules, self.state, item.found)

    def _conclude(self, t: float, rules: Rules, state: State, told: Mapping[str, str]) -> None:
        aliases = _aliases(self.rollout)
        then = {aliases.get(name, name): value for name, value in told.items()}
        self.judged.append(Judged(t, self.weight, rules, state, self._conclusion(rules, state), then))

    def _conclusion(self, rules: Rules, state: State) -> Conclusion:
        found = self.over or engine.conclude(rules, state)
        if found.verdict in ("harm", "undecided"):
            self.over = found  # what ends a rollout stands from then on
        return found

    def _ready(self) -> tuple[Rules, State]:
        if self.rules is None or self.state is None:
            self.weight = self.weight or float(self.rollout.steps[0].weight)
            self.rules = self._rules()
            self.state = replace(engine.begin(self.rules), held=self.held)
        return self.rules, self.state

    def _rules(self, begun: bool = False) -> Rules:
        found = rules_of(self.rollout, self.prior, begun)
        return replace(found, fresh=inf, fresh_value=inf, patience=inf) if self.by_operator else found

    def _seen(self, line: Line) -> Seen:
        windows = {}
        for name, guard, index in _named(self.rollout):
            for told in (guard_id(index, guard), name, guard.metric):
                if told in line.windows:
                    windows[name] = line.windows[told]
                    break
        errors = line.windows.get(ERRORS)
        share_ = self.weight / 100 if self.weight else None
        live = errors.stable if errors else None
        answers = line.windows.get(ANSWERS)
        aliases = _aliases(self.rollout)
        doubted = [aliases.get(name, name) for name in line.doubted]
        return Seen(line.t, windows, line.traffic, share_, live, self._values(line), errors, answers, doubted)

    def _values(self, line: Line) -> dict[str, tuple[float, float]]:
        names = {name: (guard_id(index, guard), name, guard.metric) for name, guard, index in _named(self.rollout)}
        found = {name: next((one for one in told if one in line.values), "") for name, told in names.items()}
        return {name: line.values[told] for name, told in found.items() if told}

    def _learn(self, item: Prior) -> None:
        """What is tolerated. A metric that is told of in the middle begins here."""
        aliases = _aliases(self.rollout)
        if item.live and self.state and self.rules:
            self.rules = replace(self.rules, before=item.live)
            self.state = replace(self.state, common=common.begin(item.live))
        metrics = {aliases.get(name, name): told for name, told in item.metrics.items()}
        self.prior = Prior(item.live or self.prior.live, {**self.prior.metrics, **metrics})
        if self.rules is not None and self.state is not None:
            before = self.state.guards
            others = {name: name for name, _, _ in _named(self.rollout) if name not in metrics}
            self._restart(others, self.rules, self.state)
            self._keep_pairs(before)

    def _keep_pairs(self, before: tuple[GuardState | GaugeState, ...]) -> None:
        """Pairs need no margin that is learnt: they may come before it."""
        if self.state is not None:
            both = zip(self.state.guards, before, strict=True)
            self.state = replace(self.state, guards=tuple(_with_pairs_of(*pair) for pair in both))

    def _begin_anew(self, rollout: Rollout) -> None:
        """Other rules. Guards that stay as they were, where they were, keep what they have seen, though a second guard
        of their metric that comes or goes changes their names."""
        was = {index: name for name, _, index in _named(self.rollout)}
        kept = {
            name: was[index]
            for name, guard, index in _named(rollout)
            if guard in self.rollout.guards[index : index + 1]
        }
        known, old, state = _renamed(self.prior.metrics, self.rollout, rollout), self.rules, self.state
        if old is not None:  # what was tolerated of a guard that was there is nothing to the one in its place
            others = {name for name, _, _ in _named(rollout) if name not in kept}
            known = {name: told for name, told in known.items() if name not in others}
        self.prior, self.rollout = replace(self.prior, metrics=known), rollout
        if old is not None and state is not None:
            self._restart(kept, old, state)

    def _restart(self, kept: Mapping[str, str], old: Rules, state: State) -> None:
        """kept: by the name of a metric that goes on, the one that it had."""
        self.rules = self._rules(begun=True)
        fresh, before = engine.begin(self.rules), {metric.name: i for i, metric in enumerate(old.metrics)}
        places = [before.get(kept[metric.name]) if metric.name in kept else None for metric in self.rules.metrics]
        self.state = replace(
            state,
            guards=tuple(new if p is None else state.guards[p] for new, p in zip(fresh.guards, places, strict=True)),
            proofs=tuple(new if p is None else state.proofs[p] for new, p in zip(fresh.proofs, places, strict=True)),
            harm=tuple(p is not None and state.harm[p] for p in places),
            last=tuple(None if p is None else state.last[p] for p in places),
        )


def _with_pairs_of(new: GuardState | GaugeState, old: GuardState | GaugeState) -> GuardState | GaugeState:
    if isinstance(new, GuardState) and isinstance(old, GuardState):
        return replace(new, pairs=old.pairs)
    return new


def _rollout(item: Began) -> Rollout:
    try:
        found = Rollout.model_validate(item.rollout)
    except ValidationError as bad:
        raise BadTrace(f"the trace's rollout can't be read: {bad.errors()[0]['msg']}") from None
    return found if all_requests(found.guard) else _of_old(found)


def _of_old(found: Rollout) -> Rollout:
    """Ledgers say what is guarded word for word. One that does not speak of errors is from the time when a list without
    them guarded none."""
    return found.model_copy(update={"guard": [*found.guard, OFF]})


def _named(rollout: Rollout) -> Iterator[tuple[str, Guard, int]]:
    """(name, guard, index): the guard's metric; with its index where a metric is guarded more than once."""
    metrics = [guard.metric for guard in rollout.guards]
    for index, guard in enumerate(rollout.guards):
        yield guard.metric if metrics.count(guard.metric) == 1 else guard_id(index, guard), guard, index


def _aliases(rollout: Rollout) -> dict[str, str]:
    """Name by the id that status and ledger use."""
    return {guard_id(index, guard): name for name, guard, index in _named(rollout)}


def _renamed(metrics: Mapping[str, Tolerated], old: Rollout, new: Rollout) -> dict[str, Tolerated]:
    """What is tolerated, by the names of other rules. What was told under a name that no guard had stays."""
    ids, aliases = {name: known for known, name in _aliases(old).items()}, _aliases(new)
    return {**metrics, **{aliases.get(ids.get(name, name), name): told for name, told in metrics.items()}}


def rules_of(rollout: Rollout, prior: Prior, begun: bool = False) -> Rules:
    """What a rollout is judged by. Raises BadTrace for a latency margin that nobody has told, unless it has begun: of a
    guard that comes in the middle it is told when its counting begins."""
    return Rules(
        metrics=tuple(_metric(name, guard, prior, begun) for name, guard, _ in _named(rollout)),
        false_alarms=chance(rollout.false_alarms),
        missed_harm=chance(rollout.missed_harm),
        patience=seconds(rollout.patience),
        design_effect=float(rollout.design_effect),
        before=prior.live or Arm(),
    )


def _metric(name: str, guard: Guard, prior: Prior, begun: bool) -> Metric:
    found = metric_of(guard)
    return replace(found.rules(name, guard, prior, begun), comparing=found.comparing, unprovable=found.unprovable)


def judge(rollout: Rollout, trace: Iterable[Item]) -> Play:
    """The trace after its last item. rollout: the rules, until the trace has some of its own."""
    play = Play(rollout)
    for item in trace:
        play.take(item)
    return play
