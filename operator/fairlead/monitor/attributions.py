"""Do features contribute to answers as they did to the reference's? A sequential test of mean shares.

A version does not change while it is live, so its contributions only change with its requests: this says which of
their changes the model heeds. Of an explained row two numbers a feature are compared, both within [0, 1] whatever the
answer is: the *share* |phi_j| / sum |phi|, and the *way* (1 + phi_j / sum |phi|) / 2, which is above one half where the
feature raises the answer. Of a row whose contributions are all 0 they are 0 and one half.

**Why they are comparable.** Contributions are estimates, and |estimate| is larger in the mean than |contribution|. But
the reference's rows were explained with the same background, as many orders and the same code: what was estimated has
the same distribution as long as the rows have.

**The test** is `verdict.bounded`'s by betting, above and below. H0: given the past, the mean of a number lies within
`tolerance` of the reference's. What is known of the reference's mean is an interval (`interval`, by the same bets, for
all features together wrong with a chance of LUCK), and the tolerance is added at both of its ends. The four bets' mean
is an e-value of the feature, as a mean of e-values is one; `standing` makes a detector of it whose false alarms add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite, log, log1p
from typing import Any

from fairlead.monitor import standing
from fairlead.monitor.standing import Standing
from fairlead.monitor.watched import YEAR
from fairlead.verdict import bounded
from fairlead.verdict.bounded import Sums
from fairlead.verdict.failures import GRID, log_mean

PART = 0.05
"""Of the budget of false alarms, where explanations are asked for: the others share the rest."""
LUCK = 0.0005
"""Chance that any of the reference's intervals is wrong."""
WATCHED = 10
"""Features that are watched: those that contribute most to the reference's rows."""
LEAST = 10
"""Rows of a window; of fewer nothing is said."""
BETS = 4 * len(GRID)
_HALVINGS = 30


@dataclass(frozen=True)
class Interval:
    """Where the reference's mean lies."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Learnt:
    """Of a feature, from the reference's rows."""

    name: str
    share: Interval
    way: Interval


@dataclass(frozen=True)
class Seen:
    """Of a feature, from a window's rows."""

    share: Sums
    way: Sums


@dataclass(frozen=True)
class Rules:
    """What the test goes by."""

    every: float
    """Seconds of a window."""
    false_alarms_per_year: float
    tolerance: float
    """Of mean shares, in [0, 1)."""
    design_effect: float = 1.0
    part: float = 1.0
    """Of a window's budget, which may be spent (`monitor.standing`)."""


@dataclass(frozen=True)
class Found:
    """What a window made of a feature."""

    name: str
    before: Interval
    share: float
    """The window's mean."""
    raises: float
    """The window's mean of phi_j / sum |phi|, and"""
    raised: float
    """the reference's."""
    standing: Standing
    log_evidence: float
    bound: float
    within: bool


def interval(values: Sequence[float], beta: float) -> Interval:
    """Where the mean of what these values in [0, 1] are a sample of lies: wrong with a chance of at most beta.

    Both ends by betting, with the bets of `verdict.bounded.bets`: their factors are (1 + (psi-1)·x)/(1 + (psi-1)·m),
    which fall as m grows, so the means that are not refuted are an interval.
    """
    mean = sum(values) / len(values)
    low = _end(values, mean, beta / 2)
    return Interval(low, mean, 1 - _end([1 - value for value in values], 1 - mean, beta / 2))


def _end(values: Sequence[float], mean: float, beta: float) -> float:
    """The largest m below the mean that is refuted."""
    won = [fsum(log1p((psi - 1) * value) for value in values) for psi in GRID]
    bound, low, high = -log(beta), 0.0, mean
    for _ in range(_HALVINGS):
        m = (low + high) / 2
        capital = [one - len(values) * log1p((psi - 1) * m) for one, psi in zip(won, GRID, strict=True)]
        if log_mean(capital) >= bound:
            low = m
        else:
            high = m
    return low


def beta(features: int) -> float:
    """The chance with which one interval may be wrong, of so many features with two each."""
    return LUCK / (2 * max(1, features))


def judged(
    learnt: Sequence[Learnt], seen: Mapping[str, Seen], before: Mapping[str, Standing], rules: Rules
) -> list[Found]:
    """One more window. Features that it says nothing of are left out."""
    bound = standing.bound(YEAR / rules.every, len(learnt), rules.false_alarms_per_year * PART)
    found = []
    for one in learnt:
        now = seen.get(one.name)
        if now is None or not now.share.n:
            continue
        within = _within(now.share, one.share, rules) and _within(now.way, one.way, rules)
        log_es = (*_log_es(now.share, one.share, rules), *_log_es(now.way, one.way, rules))
        after = standing.judged(before.get(one.name, Standing()), log_es, bound, within, part=rules.part)
        found.append(Found(
            one.name, one.share, now.share.total / now.share.n, _raises(now.way.total / now.way.n),
            _raises(one.way.mean), after.standing, after.log_evidence, bound, within,
        ))  # fmt: skip
    return found


def _raises(way: float) -> float:
    return 2 * way - 1


def _within(now: Sums, learnt: Interval, rules: Rules) -> bool:
    return learnt.low - rules.tolerance <= now.total / now.n <= learnt.high + rules.tolerance


def _log_es(now: Sums, learnt: Interval, rules: Rules) -> tuple[float, ...]:
    """The log e-value of each bet: that the mean has grown, and that it has fallen. Rows that depend on each other
    count as fewer."""
    above, below = learnt.high + rules.tolerance, 1 - learnt.low + rules.tolerance
    return (*_bets(now, above, rules.design_effect), *_bets(bounded.turned(now), below, rules.design_effect))


def _bets(now: Sums, m: float, design_effect: float) -> tuple[float, ...]:
    if m >= 1:
        return (0.0,) * len(GRID)
    return tuple(value / design_effect for value in bounded.log_bets(now, m))


def dumped(standings: Mapping[str, Standing]) -> dict[str, Any]:
    """As JSON has it."""
    return {
        name: [int(one.alarmed), one.calm, *(value if isfinite(value) else None for value in one.log_r)]
        for name, one in standings.items() if one != Standing()
    }  # fmt: skip


def parsed(given: Mapping[str, Any]) -> dict[str, Standing]:
    """What `dumped` gave. Raises ValueError for what is none."""
    try:
        found = {str(name): _standing(one) for name, one in given.items()}
    except (TypeError, AttributeError, OverflowError) as bad:
        raise ValueError(f"not a state of contributions: {type(bad).__name__}") from None
    return found


def _standing(given: Any) -> Standing:
    alarmed, calm, *log_r = given
    if len(log_r) not in (0, BETS) or not isinstance(calm, int):
        raise ValueError("not the bets of this release")
    return Standing(tuple(-inf if value is None else float(value) for value in log_r), bool(alarmed), calm)
