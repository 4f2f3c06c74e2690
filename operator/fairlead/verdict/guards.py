"""The state of one guard through a rollout: what is counted, and how much it says. What follows, `decision` says.

The state is all that is kept between two windows: the log likelihood ratio per odds ratio of the grid, and the counts
for people. The tolerated odds ratio is fixed when the rollout begins. A design effect d > 1 (d requests stand for one
independent one: retries, bursts) raises each window's likelihood ratio to the power 1/d: by Jensen's inequality its
expectation stays at most 1, so this never raises the chance of a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from fairlead.verdict import difference, failures
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.margin import log_excess
from fairlead.verdict.pairs import Pairs, log_e_harm, log_factor

__all__ = [
    "Arm", "GuardState", "Window", "decode", "decode_all", "divide", "encode", "encode_all", "pairs_of", "replay",
    "step",
]  # fmt: skip


@dataclass(frozen=True)
class GuardState:
    """Everything a guard knows."""

    odds: float = 1.0
    """The tolerated odds ratio, frozen at the start. Infinite: any, so the candidate's own rate alone is judged."""
    log_lr: tuple[float, ...] = (0.0,) * len(failures.GRID)
    stable: Arm = field(default_factory=Arm)
    candidate: Arm = field(default_factory=Arm)
    windows: int = 0
    floor: float = 0.0
    """The candidate's own rate up to which nothing is harm, frozen at the start (see `verdict.margin`)."""
    design_effect: float = 1.0
    """At least 1, fixed at the start."""
    beyond: DifferenceState | None = None
    """With a margin that is a difference of rates: the evidence that counts. None: that of `odds` and `floor` does."""
    paired: float | None = None
    """The same requests went to both versions: `requests` of either one are the pairs, `failures` those in which it
    alone was wrong. The margin on the difference, in [0, 1), judged by `verdict.pairs`; None: not pairs."""
    pairs: Pairs = field(default_factory=Pairs)
    """Besides the windows: requests that both versions answered, where it is known which answers were right."""
    worse_by: float = 0.0
    """With pairs: the margin as a difference of rates, fixed at the start."""

    @property
    def log_excess(self) -> float:
        """Log of the evidence that the candidate's own rate lies above `floor`; infinite without a floor."""
        return log_excess(self.candidate.failures, self.candidate.requests, self.floor, self.design_effect)

    @property
    def log_evidence(self) -> float:
        """Log of the evidence that the candidate is worse by more than the margin."""
        if self.paired is not None:
            return log_e_harm(pairs_of(self.stable, self.candidate), self.paired) / self.design_effect
        if self.beyond is not None:
            return self.beyond.log_evidence
        found = self.log_excess
        if self.odds != inf:
            found = min(failures.log_mean(self.log_lr), found)
        return found + log_factor(self.pairs, self.worse_by, self.design_effect)


def step(state: GuardState, window: Window) -> GuardState:
    """The state after one more window. Raises ValueError if an arm failed more often than it was asked."""
    stable, candidate = window.stable, window.candidate
    if state.paired is not None:
        whole = replace(state, stable=state.stable + stable, candidate=state.candidate + candidate)
        pairs_of(whole.stable, whole.candidate)
        return replace(whole, windows=state.windows + 1)
    log_lr = state.log_lr
    if state.odds < inf:
        gained = failures.log_lr(
            candidate.failures, candidate.requests, stable.requests, candidate.failures + stable.failures, state.odds
        )
        log_lr = tuple(have + new / state.design_effect for have, new in zip(log_lr, gained, strict=True))
    return replace(
        state,
        beyond=difference.step(state.beyond, window, state.design_effect) if state.beyond else None,
        log_lr=log_lr,
        stable=state.stable + stable,
        candidate=state.candidate + candidate,
        windows=state.windows + 1,
    )


def pairs_of(stable: Arm, candidate: Arm) -> Pairs:
    """Counts of pairs. Raises ValueError if both versions have not answered the same ones."""
    pairs = stable.requests
    alike = pairs - stable.failures - candidate.failures
    if candidate.requests != pairs or alike < 0:
        raise ValueError(f"not pairs: {stable} and {candidate}")
    return Pairs(alike, candidate.failures, stable.failures)


def replay(odds: float, windows: Iterable[Window]) -> GuardState:
    """The state after these windows, from the beginning."""
    state = GuardState(odds=odds)
    for window in windows:
        state = step(state, window)
    return state


def divide(alpha: float, guards: int) -> float:
    """The part of each of `guards` guards, so that all together raise a false alarm with at most `alpha`
    (Bonferroni)."""
    if guards < 1:
        raise ValueError("a rollout needs at least one guard")
    return alpha / guards


def encode(value: float) -> str:
    """A float as a string that gives the same bits back; Kubernetes objects carry no floats."""
    return repr(float(value))


def decode(text: str) -> float:
    """The float that `encode` wrote."""
    return float(text)


def encode_all(values: Sequence[float]) -> list[str]:
    """Each float as a string."""
    return [encode(value) for value in values]


def decode_all(texts: Sequence[str]) -> tuple[float, ...]:
    """The floats that `encode_all` wrote; of nothing, the start of a test."""
    return tuple(decode(text) for text in texts) if texts else (0.0,) * len(failures.GRID)
