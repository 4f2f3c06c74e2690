"""Is the traffic divided as asked? Without that, a comparison is not what it seems."""

from __future__ import annotations

from fairlead.api.deployment import Candidate, Split
from fairlead.plan.core import epoch
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import encode
from fairlead.verdict.split import log_e

SETTLE = 2.0
"""Seconds that the gateway may take until new weights are in effect."""
BOUND = log_bound(1e-4)
AGAIN = 100
"""Requests after which a split that was wrong may be found to be right again."""


def window(candidate: Candidate, began: float, stable: int, own: int) -> Split:
    """The test after a window that began at `began` and counted so many requests."""
    state = candidate.split
    share = candidate.weight / 100
    settled = candidate.routed_at is not None and began >= epoch(candidate.routed_at) + SETTLE
    if not settled or share >= 1 or not stable + own:
        return state
    counts = (state.candidate + own, state.stable + stable)
    evidence = log_e(counts, (share, 1 - share))
    if evidence >= BOUND:
        return Split(stable=0, candidate=0, log_evidence=encode(evidence), wrong=True)
    healed = state.wrong and sum(counts) >= AGAIN and evidence < 0
    return Split(stable=counts[1], candidate=counts[0], log_evidence=encode(evidence), wrong=state.wrong and not healed)
