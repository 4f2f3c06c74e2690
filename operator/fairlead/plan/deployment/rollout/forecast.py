"""How long a rollout will take at the present traffic: for people, and to warn where it could never end."""

from __future__ import annotations

from math import inf, isfinite

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.evidence import GuardEvidence
from fairlead.api.units import human, seconds, share
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.guards import alpha
from fairlead.plan.deployment.metrics.registry import all_requests
from fairlead.plan.deployment.rollout import patience
from fairlead.verdict.expected import until_harm, until_proof
from fairlead.verdict.failures import base_rate, log_bound
from fairlead.verdict.guards import decode

KNOWN = 5.0
"""Seconds of a step after which its traffic is known well enough."""


def told(look: Look, candidate: Candidate) -> dict[str, str]:
    """The fields of status."""
    both = _per_second(candidate)
    if both is None or candidate.step < 0:
        return {}
    left, found = remaining(look, candidate), _doubling(look, candidate, both)
    return {
        "expected": human(left) if isfinite(left) else "never", "doubling": human(found) if isfinite(found) else "",
    }  # fmt: skip


def remaining(look: Look, candidate: Candidate) -> float:
    """Seconds until it is live, if nothing is found; infinite if it is not known or never."""
    both, steps = _per_second(candidate), look.spec.rollout.steps
    if both is None or not 0 <= candidate.step < len(steps):
        return inf
    now = steps[candidate.step]
    part = _part(now)  # 0 where a preview was just put before it
    asked = (now.requests - candidate.step_requests) / (both * part) if part else 0.0
    left = max(seconds(now.for_) - decode(candidate.observed), asked)
    later = [_length(step, both) for step in steps[candidate.step + 1 :]]
    proof = max((_proof(guard, steps[-1], both) for guard in candidate.guards), default=0.0)
    return max(0.0, left) + sum(later[:-1]) + (max(later[-1], proof) if later else max(0.0, proof - max(0.0, left)))


def _length(step: CanaryStep, both: float) -> float:
    part = _part(step)
    return max(seconds(step.for_), step.requests / (both * part)) if part else seconds(step.for_)


def _part(step: CanaryStep) -> float:
    """The share of the requests that the candidate answers in a step, copies included; 0 in a preview."""
    return share(step.shadow) if step.shadow else step.weight / 100


def impatient(look: Look, candidate: Candidate) -> str:
    """A warning for people where patience will be over first, or nothing."""
    left, end = remaining(look, candidate), patience.ends(look, candidate)
    over = end - look.now if end is not None else inf
    if _per_second(candidate) is None or left <= over:
        return ""
    how = human(left) if isfinite(left) else "for ever"
    return (
        f"at the present traffic it takes {how} more, and patience ends in {human(max(0.0, over))}: raise the weights "
        "or patience, or ask for less (requests, minEvents, guardrails with a small worseBy)"
    )


def _per_second(candidate: Candidate) -> float | None:
    """Requests per second in this step, without copies; None while it isn't known."""
    observed, part = decode(candidate.observed), share(candidate.shadow or f"{candidate.weight}%")
    if observed < KNOWN or not candidate.step_requests or not part:
        return None
    return candidate.step_requests / observed / part


def _proof(guard: GuardEvidence, last: CanaryStep, both: float) -> float:
    """Seconds at the last step's weight until a guardrail is proven; 0 for other guards."""
    kept = guard.proven
    if kept is None or not kept.worse_by:
        return 0.0
    rate = base_rate(guard.stable.failures + guard.candidate.failures, guard.stable.requests + guard.candidate.requests)
    own = both * _part(last)
    rest = both if last.shadow else both - own
    missing = decode(kept.bound) - decode(kept.log_evidence)
    return until_proof(missing, rest, own, rate, decode(kept.worse_by))


def _doubling(look: Look, candidate: Candidate, both: float) -> float:
    """Seconds until it would be found that it fails twice as often; infinite where nobody looks for that."""
    if not all_requests(look.spec.rollout.guards):
        return inf
    answered, live = candidate.answered, candidate.live_answered
    requests, failures = answered.requests + live.requests, answered.failures + live.failures
    copies = share(candidate.shadow) if candidate.shadow else 0.0
    part = copies / (1 + copies) if copies else candidate.weight / 100
    failing = both * (1 + copies) * failures / requests if requests else 0.0
    return until_harm(log_bound(alpha(look)), part, failing)
