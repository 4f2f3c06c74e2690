"""Is the traffic divided as asked? Without that, a comparison is not what it seems."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import Split
from fairlead.plan.core import epoch
from fairlead.verdict.guards import decode, encode
from fairlead.verdict.split import SplitState, step

SETTLE = 2.0
"""Seconds that the gateway may take until new weights are in effect."""


def window(candidate: Candidate, began: float, stable: int, own: int) -> Split:
    """The test after a window that began at `began` and counted so many requests."""
    kept = candidate.split
    if not candidate.weight or candidate.routed_at is None or began < epoch(candidate.routed_at) + SETTLE:
        return kept
    state = SplitState(kept.stable, kept.candidate, decode(kept.log_evidence), kept.wrong)
    after = step(state, stable, own, candidate.weight / 100)
    return Split(
        stable=after.stable, candidate=after.candidate, log_evidence=encode(after.log_evidence), wrong=after.wrong
    )
