"""Requests that both versions answered and of which the truth is known, in a guard's status."""

from __future__ import annotations

from fairlead.api.evidence import GuardEvidence
from fairlead.api.labelled import PairCounts
from fairlead.verdict.pairs import Pairs


def of(evidence: GuardEvidence) -> Pairs:
    """As the statistics use them."""
    return read(evidence.labels.pairs) if evidence.labels else Pairs()


def read(kept: PairCounts) -> Pairs:
    """The same of the counts."""
    return Pairs(kept.alike, kept.candidate_wrong, kept.stable_wrong)


def written(found: Pairs) -> PairCounts:
    """As status keeps them."""
    return PairCounts(alike=found.alike, candidate_wrong=found.candidate_wrong, stable_wrong=found.stable_wrong)
