"""Harm by a difference of rates, between its form in status and the one that the statistics use."""

from __future__ import annotations

from fairlead.api.evidence import Beyond
from fairlead.verdict import difference
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.guards import decode, encode, encode_all


def begun(rate: float, worse_by: float) -> Beyond | None:
    """Nothing seen yet; None without a margin. rate: the live version's, in (0, 1); worse_by: a difference."""
    if not worse_by:
        return None
    started = difference.start("harm", rate, worse_by)
    return Beyond(
        worse_by=encode(worse_by), began=encode(rate), rate=encode(started.rate), weight=encode(started.weight)
    )


def read(kept: Beyond | None) -> DifferenceState | None:
    """As the statistics use it."""
    if kept is None:
        return None
    return DifferenceState(
        "harm", decode(kept.worse_by), decode(kept.rate), decode(kept.weight), tuple(map(decode, kept.log_e))
    )


def after(kept: Beyond | None, state: DifferenceState | None) -> Beyond | None:
    """As status keeps it."""
    if kept is None or state is None:
        return None
    changes = {"rate": encode(state.rate), "weight": encode(state.weight), "log_e": encode_all(state.log_e)}
    return kept.model_copy(update=changes)
