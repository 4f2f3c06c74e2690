"""What must be proven before a version is promoted, besides that no harm was seen.

A guardrail: the candidate is not worse by its margin (`verdict.difference`, the claim `safe`). A target: the candidate
is better; test A with the arms exchanged. Both are valid whenever one looks: a version of which it is not true is ever
called proven with at most the probability that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from fairlead.verdict import difference, failures, pairs
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.guards import Arm, Window, pairs_of

Role = Literal["alarm", "guardrail", "target"]
"""alarm: must not be shown to be worse; guardrail: must besides be proven not to be worse; target: must besides be
proven to be better."""


@dataclass(frozen=True)
class Better:
    """Evidence that the candidate fails less often than the live version."""

    log_lr: tuple[float, ...] = (0.0,) * len(failures.GRID)

    @property
    def log_evidence(self) -> float:
        """Log of the evidence."""
        return failures.log_mean(self.log_lr)


@dataclass(frozen=True)
class OfPairs:
    """The same from pairs (`verdict.guards.GuardState.paired`)."""

    worse_by: float
    """A guardrail's margin, in (0, 1); 0: a target."""
    stable: Arm = field(default_factory=Arm)
    candidate: Arm = field(default_factory=Arm)
    design_effect: float = 1.0

    @property
    def log_evidence(self) -> float:
        """Log of the evidence."""
        seen = pairs_of(self.stable, self.candidate)
        found = pairs.log_e_safe(seen, self.worse_by) if self.worse_by else pairs.log_e_better(seen)
        return found / self.design_effect

    def after(self, window: Window) -> OfPairs:
        """With more pairs."""
        return replace(self, stable=self.stable + window.stable, candidate=self.candidate + window.candidate)


Proof = DifferenceState | Better


def start(role: Role, rate: float, worse_by: float) -> Proof | None:
    """Nothing proven yet; None for an alarm, which needs none. rate: the live version's, in (0, 1); worse_by: a
    guardrail's margin, in (0, 1). Raises ValueError for values that can't be."""
    match role:
        case "alarm":
            return None
        case "guardrail":
            return difference.start("safe", rate, worse_by)
        case "target":
            return Better()


def step(proof: Proof, window: Window, design_effect: float = 1.0) -> Proof:
    """The proof after one more window. Raises ValueError for counts that can't be."""
    if isinstance(proof, DifferenceState):
        after = difference.step(proof, window)
        before = proof.log_e or (0.0,) * len(after.log_e)
        return replace(after, log_e=_diluted(before, after.log_e, design_effect))
    stable, candidate = window.stable, window.candidate
    gained = failures.log_lr(stable.failures, stable.requests, candidate.requests, candidate.failures + stable.failures)
    whole = tuple(have + new for have, new in zip(proof.log_lr, gained, strict=True))
    return Better(_diluted(proof.log_lr, whole, design_effect))


def _diluted(before: tuple[float, ...], after: tuple[float, ...], design_effect: float) -> tuple[float, ...]:
    if design_effect == 1.0:
        return after
    return tuple(old + (new - old) / design_effect for old, new in zip(before, after, strict=True))
