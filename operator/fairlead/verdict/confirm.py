"""A question after a promotion: is it the version, or the world? Both versions answer at the same time.

An alarm of a watch compares with the past, and the past is another world: season, bursts and a dependency that fails
make it ring. So the version before gets a share of the requests again, drawn by the gateway at random, and a fresh
test is begun. Here a window's `stable` is the version before, `candidate` the live one.

Why neither season nor bursts matter. Take what would become of each request of a window at either version as given,
whatever it depends on: its neighbours, the hour, a dependency. Chance is only which version it is sent to. If the live
version is no worse (what fails there would have failed at the other one too), then, given how many failed in all, the
failures at the live version are at most those of a hypergeometric draw (stochastically: where all that fails would
fail at both they are such a draw; a request that fails at the other version only is one failure less to be drawn, or
one place less to draw it into). A likelihood ratio of test A rises with them, and its mean over that draw is 1 for an
odds ratio of 1, and at most 1 for a larger one that is tolerated. Drawn anew in each window, the product is a
supermartingale; it ever reaches 1/alpha with a probability of at most alpha. No word of independence was needed.

With a margin that is a difference of rates, `verdict.difference` says whether it is exceeded, if requests are
independent. The evidence is the smaller one of both: under any null under which one of them is an e-value, so is the
smaller. So a version that is no worse stays whatever the bursts, and one that is worse by less than the margin stays
where requests are independent.

Many questions. The k-th one of a watch has the part 1/(k(k+1)) of a guard's alpha. The parts add up to 1, so a version
that is no worse is ever taken back with a probability of at most alpha, however often the world makes somebody ask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from fairlead.verdict import difference, failures, guards, safe
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.guards import GuardState

Answer = Literal["worse", "not worse", "go on"]

ENOUGH = 50
"""Requests that either version must have answered before "nothing was found" says anything."""
GUESSED = 20.0
"""Requests that the rate stands for with which the test for "not worse" begins: the world may have changed since."""


@dataclass(frozen=True)
class Asked:
    """All that one guard knows of a question."""

    worse: GuardState
    better: DifferenceState | None = None
    """With a margin that is a difference of rates: the evidence that the live version lies within it."""
    log_safe: tuple[float, ...] | None = None
    """With a margin that is an odds ratio: the same, per alternative."""

    @property
    def live(self) -> Arm:
        """What the live version has answered."""
        return self.worse.candidate

    @property
    def previous(self) -> Arm:
        """What the version before has answered."""
        return self.worse.stable

    @property
    def log_worse(self) -> float:
        """Log evidence that the live version is worse by more than the margin."""
        found = self.worse.log_evidence
        return min(found, failures.log_mean(self.worse.log_lr)) if self.worse.beyond else found

    @property
    def log_not_worse(self) -> float:
        """Log evidence that it is not; 0 where no margin makes that a question."""
        if self.better is not None:
            return self.better.log_evidence
        return failures.log_mean(self.log_safe) if self.log_safe else 0.0

    @property
    def enough(self) -> bool:
        """Whether both have answered so many requests that finding nothing says something."""
        return min(self.live.requests, self.previous.requests) >= ENOUGH


def begin(
    worse_by: float = 0.0, rate: float = 0.01, odds: float = 1.0, floor: float = 0.0, design_effect: float = 1.0
) -> Asked:  # fmt: skip
    """A question of which nothing is known yet.

    worse_by: the margin as a difference of rates, in [0, 1); rate: the version before's as it was last known, in
    (0, 1): a guess that no guarantee rests on. odds, floor: the margin where it is an odds ratio instead, as in
    `verdict.margin`. Raises ValueError for what can't be.
    """
    if worse_by:
        harm, fine = difference.start("harm", rate, worse_by), difference.start("safe", rate, worse_by)
        return Asked(GuardState(beyond=harm, design_effect=design_effect), replace(fine, weight=GUESSED))
    test = GuardState(odds=odds, floor=floor, design_effect=design_effect)
    return Asked(test, log_safe=(0.0,) * len(safe.grid_below(odds)) if 1 < odds < inf else None)


def step(state: Asked, window: Window) -> Asked:
    """The question after one more window. Raises ValueError for counts that can't be."""
    effect = state.worse.design_effect
    log_safe = state.log_safe
    if log_safe is not None:
        live, old = window.candidate, window.stable
        gained = safe.log_lr_safe(
            live.failures, live.requests, old.requests, live.failures + old.failures, state.worse.odds
        )
        log_safe = tuple(have + new / effect for have, new in zip(log_safe, gained, strict=True))
    return Asked(
        guards.step(state.worse, window),
        difference.step(state.better, window, effect) if state.better else None,
        log_safe,
    )


def decide(state: Asked, alpha: float, missed: float = 0.05) -> Answer:
    """What has been shown. alpha: the question's part of the chance of a false rollback (`part`); missed: the chance
    that a version that is worse by the margin is called not worse."""
    if state.log_worse >= failures.log_bound(alpha):
        return "worse"
    return "not worse" if state.log_not_worse >= failures.log_bound(missed) else "go on"


def part(false_alarms: float, watched: int, question: int) -> float:
    """The alpha of one of the `watched` guards in the `question`-th question of a watch, counted from 1: over all
    guards and questions they add up to `false_alarms`."""
    if question < 1:
        raise ValueError(f"questions are counted from 1, not {question}")
    return guards.divide(false_alarms, watched) / (question * (question + 1))
