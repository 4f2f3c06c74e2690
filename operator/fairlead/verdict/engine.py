"""A rollout's statistics as a whole: windows go in, a verdict comes out. Pure, so every decision can be replayed.

`fairlead replay` and `fairlead verdict` judge by it. The operator reads its metrics at different moments and keeps
their states apart in the status, but steps them by the same functions (`guards`, `proof`, `split`, `common`): a replay
of its ledger gives the same evidence, bit for bit. What follows from the evidence is decided in one place for both:
`decision`. The state is what is kept between two windows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeVar

from fairlead.verdict import ahead, common, decision, difference, gauges, guards, proof
from fairlead.verdict.ahead import Ahead
from fairlead.verdict.common import CommonState
from fairlead.verdict.decision import Conclusion, Known, Said
from fairlead.verdict.failures import log_bound
from fairlead.verdict.gauges import Gauge, GaugeState
from fairlead.verdict.guards import Arm, GuardState, Window
from fairlead.verdict.margin import Margin
from fairlead.verdict.pairs import Pairs
from fairlead.verdict.proof import OfPairs, Proof, Role
from fairlead.verdict.split import SplitState
from fairlead.verdict.split import step as split_step

Shown = Proof | OfPairs
Test = TypeVar("Test", GuardState, GaugeState, OfPairs)


@dataclass(frozen=True)
class Metric:
    """What is compared, and what is tolerated."""

    name: str
    role: Role = "alarm"
    margin: Margin = field(default_factory=Margin)
    """For harm."""
    rate: float = 0.01
    """The live version's rate as it was known at the start, in (0, 1)."""
    worse_by: float = 0.0
    """A guardrail's margin, a difference of rates; with pairs that of harm, too."""
    beyond: float = 0.0
    """For harm by a difference of rates (`verdict.difference`): that difference. 0: the margin is what is tolerated."""
    shadow: bool = False
    """It is read only while the candidate answers copies of the live version's requests."""
    gauge: Gauge | None = None
    """It is a value, not a count: how that is compared."""
    shared: bool = False
    """It is read only while both versions answer requests, or copies of them."""
    paired: bool = False
    """Its counts are of pairs (`GuardState.paired`). They come when somebody judges one: it is never silent."""
    late: bool = False
    """It comes days later: that nothing is known of it now means nothing."""
    comparing: bool = False
    """It needs answers of the live version to compare with."""
    unprovable: bool = False
    """Nothing can be proven of it while the live version gives no answers."""


@dataclass(frozen=True)
class Rules:
    """What a rollout is judged by."""

    metrics: tuple[Metric, ...]
    false_alarms: float
    """Chance in (0, 1) that a version that is no worse is ever taken back, over all metrics."""
    missed_harm: float = 0.05
    """Chance in (0, 1) that a guardrail or a target is called proven though it is not so."""
    design_effect: float = 1.0
    """At least 1: how many requests stand for one independent one."""
    patience: float = inf
    """Seconds."""
    before: Arm = field(default_factory=Arm)
    """What the live version had counted before the rollout, requests and failed ones."""
    fresh: float = 5.0
    """Seconds for which a metric's last window holds, while the windows of others come in. Infinite: who reads them
    tells what could not be read (`State.held`)."""
    fresh_value: float = 300.0
    """The same for the last values of a metric that is no count."""

    @property
    def bound(self) -> float:
        """The log evidence at which one metric shows harm."""
        return log_bound(guards.divide(self.false_alarms, len(self.metrics)))

    @property
    def proof(self) -> float:
        """The log evidence at which a metric is proven."""
        return log_bound(self.missed_harm)


@dataclass(frozen=True)
class Seen:
    """What came in since the last window."""

    t: float
    """Seconds, on any clock that does not go back."""
    windows: Mapping[str, Window]
    """By metric, of those that were read; none, and no values: nothing could be read."""
    traffic: tuple[int, int] | None = None
    """Requests of (live version, candidate), for the split; None: not known."""
    share: float | None = None
    """Share of the requests that the candidate was to get; None: not asked."""
    live: Arm | None = None
    """Requests and failed ones of the live version; None: not known."""
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By metric that is no count: the value of (live version, candidate)."""
    both: Window | None = None
    """Requests and failed ones of both, whether or not a metric is made of them; None: not known."""
    answers: Window | None = None
    """Answers that were kept of both, and those among them that are failures or refusals; None: not known."""
    doubted: Collection[str] = ()
    """Metrics of which nothing follows from what was counted."""


@dataclass(frozen=True)
class State:
    """All that is known."""

    guards: tuple[GuardState | GaugeState, ...]
    """One for each metric, in the order of the rules."""
    proofs: tuple[Shown | None, ...]
    """Likewise; None for an alarm."""
    split: SplitState = field(default_factory=SplitState)
    common: CommonState = field(default_factory=CommonState)
    ahead: Ahead = field(default_factory=Ahead)
    """By requests,"""
    answering: Ahead = field(default_factory=Ahead)
    """and by answers that were kept: whether the candidate is ahead, in this step."""
    harm: tuple[bool, ...] = ()
    """Whether each metric's evidence was at the bound when its last window came in: other rules alone decide
    nothing."""
    last: tuple[float | None, ...] = ()
    """When each metric was last read."""
    silent: tuple[str, ...] = ()
    """Metrics of which nothing is known now."""
    held: str = ""
    """Why else nothing follows from what is known, in a word."""
    began: float | None = None
    t: float = 0.0


def begin(rules: Rules) -> State:
    """Before the first window."""
    return State(
        guards=tuple(_guard(rules, metric) for metric in rules.metrics),
        proofs=tuple(_unshown(rules, m) for m in rules.metrics),
        common=common.begin(rules.before),
        harm=(False,) * len(rules.metrics),
        last=(None,) * len(rules.metrics),
    )


def _unshown(rules: Rules, metric: Metric) -> Shown | None:
    if metric.paired and metric.role != "alarm":
        return OfPairs(metric.worse_by, design_effect=rules.design_effect)
    return proof.start(metric.role, metric.rate, metric.worse_by)


def _shown(kept: Shown, window: Window, design_effect: float) -> Shown:
    if isinstance(kept, OfPairs):
        return _diluted(kept, design_effect).after(window)
    return proof.step(kept, window, design_effect)


def _guard(rules: Rules, metric: Metric) -> GuardState | GaugeState:
    if metric.gauge:
        return GaugeState(metric.gauge, rules.design_effect)
    return GuardState(
        metric.margin.odds, floor=metric.margin.floor, design_effect=rules.design_effect,
        beyond=difference.start("harm", metric.rate, metric.beyond) if metric.beyond else None,
        paired=metric.worse_by if metric.paired else None, worse_by=metric.worse_by,
    )  # fmt: skip


def step(rules: Rules, state: State, seen: Seen) -> State:
    """The state after one more window. Raises ValueError for counts that can't be, or a clock that goes back."""
    if state.began is not None and seen.t < state.t:
        raise ValueError(f"the clock goes back, from {state.t:g} to {seen.t:g}")
    windows = [seen.windows.get(metric.name) for metric in rules.metrics]
    last = tuple(
        seen.t if metric.name in seen.windows or metric.name in seen.values else before
        for metric, before in zip(rules.metrics, state.last, strict=True)
    )
    split = state.split
    if seen.traffic is not None and seen.share is not None:
        split = split_step(split, *seen.traffic, seen.share)
    alone = common.step(state.common, seen.live) if seen.live else state.common
    frozen, effect = alone.worse and not state.common.worse, rules.design_effect
    front = Ahead() if frozen else ahead.step(state.ahead, seen.both, effect) if seen.both else state.ahead
    answering = ahead.step(state.answering, seen.answers, effect) if seen.answers else state.answering
    after = tuple(
        _stepped(guard, effect, seen.windows.get(metric.name), seen.values.get(metric.name))
        for guard, metric in zip(state.guards, rules.metrics, strict=True)
    )
    return State(
        guards=after, harm=_harm(rules, state, after, {*seen.windows, *seen.values}, seen.doubted),
        proofs=tuple(
            kept if window is None or kept is None else _shown(kept, window, rules.design_effect)
            for kept, window in zip(state.proofs, windows, strict=True)
        ),
        split=split, common=alone, ahead=front, answering=answering, last=last, held=state.held, t=seen.t,
        began=seen.t if state.began is None else state.began,
        silent=tuple(
            metric.name for metric, at in zip(rules.metrics, last, strict=True)
            if not (metric.paired or metric.late)
            and (not _anything(seen) or (_read_now(metric, seen) and _old(rules, metric, at, seen.t)))
        ),
    )  # fmt: skip


def _stepped(
    guard: GuardState | GaugeState, effect: float, window: Window | None, values: tuple[float, float] | None
) -> GuardState | GaugeState:  # fmt: skip
    if isinstance(guard, GaugeState):
        return gauges.step(_diluted(guard, effect), *values) if values else guard
    return guards.step(_diluted(guard, effect), window) if window else guard


def _diluted(kept: Test, effect: float) -> Test:
    """By other rules than before."""
    return kept if kept.design_effect == effect else replace(kept, design_effect=effect)


def _harm(
    rules: Rules, state: State, after: tuple[GuardState | GaugeState, ...], read: Collection[str],
    doubted: Collection[str] = (),
) -> tuple[bool, ...]:  # fmt: skip
    """What the metrics say that were read; the others say what they said."""
    bound = rules.bound
    return tuple(
        metric.name not in doubted and guard.log_evidence >= bound if metric.name in read else before
        for metric, guard, before in zip(rules.metrics, after, state.harm, strict=True)
    )


def _anything(seen: Seen) -> bool:
    return bool(seen.windows or seen.values or seen.answers)


def _read_now(metric: Metric, seen: Seen) -> bool:
    if metric.shared:
        return seen.share != 1  # else there is nothing to compare with
    return not metric.shadow or seen.share is None


def _old(rules: Rules, metric: Metric, at: float | None, now: float) -> bool:
    most = rules.fresh_value if metric.gauge else rules.fresh
    return most < inf and (at is None or now - at > most)


def with_pairs(rules: Rules, state: State, t: float, found: Mapping[str, Pairs]) -> State:
    """The state after more pairs, by metric, of metrics that have windows besides (see `verdict.pairs.log_factor`)."""
    after = tuple(
        replace(_diluted(guard, rules.design_effect), pairs=guard.pairs + found[metric.name])
        if isinstance(guard, GuardState) and metric.name in found else guard
        for metric, guard in zip(rules.metrics, state.guards, strict=True)
    )  # fmt: skip
    harm = _harm(rules, state, after, found)
    return replace(state, guards=after, harm=harm, t=max(t, state.t), began=t if state.began is None else state.began)


def known(rules: Rules, state: State) -> Known:
    """All that is known now, for a decision."""
    metrics = tuple(
        Said(
            metric.name, harm, "NothingRead" if metric.name in state.silent else "", wanting=True,
            proof=kept.log_evidence if kept else None, comparing=metric.comparing, unprovable=metric.unprovable,
        )
        for metric, harm, kept in zip(rules.metrics, state.harm, state.proofs, strict=True)
    )  # fmt: skip
    bound, worse = rules.bound, state.common.worse
    return Known(
        metrics, rules.proof, worse, worse and ahead.shown(state.ahead, bound), state.split.wrong,
        any(ahead.alone(one, bound) for one in (state.answering, state.ahead)), begun=state.began is not None,
        held=state.held,
    )  # fmt: skip


def conclude(rules: Rules, state: State) -> Conclusion:
    """What follows from the state."""
    impatient = state.began is not None and state.t - state.began >= rules.patience
    return decision.conclude(known(rules, state), impatient)
