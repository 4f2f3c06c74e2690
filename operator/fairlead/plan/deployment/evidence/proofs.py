"""The proof of a guardrail or a target, between its form in status and the one that the statistics use."""

from __future__ import annotations

from fairlead.api.evidence import GuardEvidence, Proven
from fairlead.api.guard import Guard
from fairlead.api.units import chance
from fairlead.plan.deployment.context import Look
from fairlead.verdict import proof
from fairlead.verdict.difference import DifferenceState
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Window, decode, decode_all, encode, encode_all
from fairlead.verdict.proof import Better, Proof


def missed(look: Look) -> float:
    """The chance that something is called proven though it is not so."""
    return chance(look.spec.rollout.missed_harm)


def bound(look: Look) -> float:
    """The log evidence at which it is."""
    return look.fixed("proven", lambda: log_bound(missed(look)))


def begun(look: Look, guard: Guard, rate: float, worse_by: float) -> Proven | None:
    """Nothing shown yet, in status. rate: the live version's, in (0, 1); worse_by: a guardrail's margin."""
    started = proof.start(guard.role, rate, worse_by)
    return written(look, started) if started else None


def written(look: Look, kept: Proof) -> Proven:
    """As status keeps it."""
    found = Proven(
        log_evidence=encode(kept.log_evidence), bound=encode(bound(look)),
        log_lr=encode_all(kept.log_e if isinstance(kept, DifferenceState) else kept.log_lr),
    )  # fmt: skip
    if isinstance(kept, Better):
        return found
    changes = {"rate": encode(kept.rate), "weight": encode(kept.weight), "worse_by": encode(kept.worse_by)}
    return found.model_copy(update=changes)


def read(kept: Proven) -> Proof:
    """As the statistics use it."""
    if not kept.worse_by:
        return Better(decode_all(kept.log_lr))
    return DifferenceState(
        "safe", decode(kept.worse_by), decode(kept.rate), decode(kept.weight), tuple(map(decode, kept.log_lr))
    )


def after(look: Look, evidence: GuardEvidence, window: Window) -> Proven | None:
    """The proof after one more window."""
    if evidence.proven is None:
        return None
    moved = proof.step(read(evidence.proven), window, float(look.spec.rollout.design_effect))
    return written(look, moved)


def lacking(look: Look, guard: Guard, evidence: GuardEvidence) -> str:
    """What is still to be proven, in words."""
    kept = evidence.proven
    what = f"worse by at most {guard.worse_by}" if guard.role == "guardrail" else "better"
    have = f" (evidence {decode(kept.log_evidence):.1f} of {bound(look):.1f})" if kept else ""
    return f"the proof that {evidence.guard} is {what}{have}"
