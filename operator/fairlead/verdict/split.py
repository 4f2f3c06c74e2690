"""Test B: was the traffic divided as asked? (Sample-ratio mismatch.)

A mixture of multinomials against the asked shares, valid whenever one looks: Lindon & Malek, "Anytime-Valid Inference
for Multinomial Count Data", NeurIPS 2022. With S the counts, theta the shares, and a prior a0 = 100·theta centred on
them,

    E = B(a0 + S) / B(a0) · prod_i theta_i^(-S_i),    B the multivariate beta function.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, lgamma, log

CONCENTRATION = 100.0
"""How strongly the alternative is centred on the asked shares."""


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
