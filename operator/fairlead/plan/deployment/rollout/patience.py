"""How long a candidate may take to show what it is worth.

While Fairlead itself keeps it from going on (what was seen or decided can't be saved, or what is asked of versions
can't be read) its time stands still: that says nothing about it.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.units import seconds
from fairlead.plan.core import epoch
from fairlead.plan.deployment import requirements, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ledger, memory
from fairlead.plan.deployment.monitors import hold


def ends(look: Look, candidate: Candidate) -> float | None:
    """When it is over, in seconds since 1970; None while the time stands still, or for a first version."""
    if not candidate.against or candidate.kept_since:
        return None
    return epoch(candidate.since) + seconds(look.spec.rollout.patience) + float(candidate.kept)


def told(look: Look, state: State, *, held: bool = False) -> State:
    """The state in which the candidate's time stands still, or goes on. held: it waits until it is found out whether
    the live version has become worse."""
    candidate = state.candidate
    if candidate is None or (held or _kept(look, state, candidate)) == bool(candidate.kept_since):
        return state
    if not candidate.kept_since:
        return state.having(candidate=candidate.model_copy(update={"kept_since": look.stamp}))
    kept = float(candidate.kept) + max(0.0, look.now - epoch(candidate.kept_since))
    return state.having(candidate=candidate.model_copy(update={"kept_since": None, "kept": f"{kept:.3f}"}))


def _kept(look: Look, state: State, candidate: Candidate) -> bool:
    raw = versions.record(look, candidate.version)
    lack = requirements.lacking(look, raw) if raw else None
    unknown = lack is not None and not lack.certain
    doubted = hold.held(look, candidate.version) is not None
    return unknown or doubted or ledger.stuck(candidate.ledger) or memory.failing(state.status, candidate.version)
