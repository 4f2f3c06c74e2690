"""Test B: was the traffic divided as asked? (Sample-ratio mismatch.)

A mixture of multinomials against the asked shares, valid whenever one looks: Lindon & Malek, "Anytime-Valid Inference
for Multinomial Count Data", NeurIPS 2022. With S the counts, theta the shares, and a prior a0 = 100·theta centred on
them,

    E = B(a0 + S) / B(a0) · prod_i theta_i^(-S_i),    B the multivariate beta function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, lgamma, log

CONCENTRATION = 100.0
"""How strongly the alternative is centred on the asked shares."""
BOUND = log(1e4)
"""The log evidence at which a split is wrong."""
AGAIN = 100
"""Requests after which a split that was wrong may be found to be right again."""


def log_e(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Log evidence against the shares, from the counts by arm since these shares have been asked for.

    counts: requests by arm, each >= 0; shares: of the same length, each > 0, with sum 1. Raises ValueError otherwise.
    """
    if len(counts) != len(shares) or min(counts) < 0 or min(shares) <= 0 or abs(fsum(shares) - 1) > 1e-9:
        raise ValueError(f"need counts and positive shares that add up to 1, not {counts} and {shares}")
    total = sum(counts)
    gained = fsum(
        lgamma(CONCENTRATION * share + count) - lgamma(CONCENTRATION * share) - count * log(share)
        for count, share in zip(counts, shares, strict=True)
    )
    return gained - (lgamma(CONCENTRATION + total) - lgamma(CONCENTRATION))


@dataclass(frozen=True)
class SplitState:
    """The test since the shares were last changed, or since it was last found to be wrong."""

    stable: int = 0
    candidate: int = 0
    log_evidence: float = 0.0
    wrong: bool = False
    """It was not divided as asked; it is counted anew, to see when it is again."""


def step(state: SplitState, stable: int, candidate: int, share: float) -> SplitState:
    """The state after one more window in which the arms answered so many requests. share: the candidate's, in (0, 1].

    At a share of 1 there is nothing to test. A wrong split heals when, counted anew, it speaks for the shares.
    """
    if share >= 1 or not stable + candidate:
        return state
    counts = (state.candidate + candidate, state.stable + stable)
    evidence = log_e(counts, (share, 1 - share))
    if evidence >= BOUND:
        return SplitState(0, 0, evidence, wrong=True)
    healed = state.wrong and sum(counts) >= AGAIN and evidence < 0
    return SplitState(counts[1], counts[0], evidence, wrong=state.wrong and not healed)
