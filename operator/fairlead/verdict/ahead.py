"""Is the candidate shown to fail less than the live version? Test A with the versions exchanged, without a margin.

Failures of the live version are no evidence against the candidate. Where it is shown to be ahead, a common cause is no
reason to wait (`verdict.common`); and where besides most of the live version's answers are failures, nothing is missed
by not comparing answers: there are none. The evidence is about the windows since the step, or the freeze, began. If the
live version fails no more than the candidate in them, the chance that the evidence ever reaches 1/alpha is at most
alpha (`verdict.failures`, Ville's inequality); it begins anew at a time that depends on the past only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.verdict import failures
from fairlead.verdict.counted import Arm, Window


@dataclass(frozen=True)
class Ahead:
    """All that is kept between two windows."""

    log_lr: tuple[float, ...] = (0.0,) * len(failures.GRID)
    stable: Arm = field(default_factory=Arm)
    candidate: Arm = field(default_factory=Arm)

    @property
    def log_evidence(self) -> float:
        """Log of the evidence that the live version fails more than the candidate."""
        return failures.log_mean(self.log_lr)


def step(state: Ahead, window: Window, design_effect: float = 1.0) -> Ahead:
    """The state after one more window. Raises ValueError for counts that can't be."""
    live, own = window.stable, window.candidate
    gained = failures.log_lr(live.failures, live.requests, own.requests, live.failures + own.failures)
    return Ahead(
        tuple(have + new / design_effect for have, new in zip(state.log_lr, gained, strict=True)),
        state.stable + live, state.candidate + own,
    )  # fmt: skip


def shown(state: Ahead, bound: float) -> bool:
    """Whether the candidate is ahead. bound: the log evidence that is asked for."""
    return state.log_evidence >= bound


def alone(state: Ahead, bound: float) -> bool:
    """Whether besides the candidate is the only one that mostly answers: there is hardly an answer to compare with."""
    live = state.stable
    return 2 * live.failures > live.requests and shown(state, bound)
