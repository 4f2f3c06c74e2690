"""A candidate in its step: which one it is, and how both versions answer in it."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.units import many
from fairlead.plan.deployment.context import Look


def step_of(look: Look, candidate: Candidate) -> CanaryStep:
    """The candidate's step; the last one if the list was cut short meanwhile."""
    steps = look.spec.rollout.steps
    return steps[max(0, min(candidate.step, len(steps) - 1))]


def copied(step: CanaryStep, candidate: Candidate) -> str:
    """The share of the requests of which copies are to be made now, `25%`; empty for none."""
    if candidate.step < 0 or not candidate.shadow or over(step, candidate):
        return ""
    return candidate.shadow


def over(step: CanaryStep, candidate: Candidate) -> bool:
    """Whether all copies that the step may cost have been made."""
    return bool(candidate.shadow) and step.copies is not None and candidate.step_requests >= step.copies


def compared(candidate: Candidate) -> bool:
    """Whether both versions answer requests that nobody has chosen for them: not in a preview, nor at 100 %."""
    return bool(candidate.shadow) or 0 < candidate.weight < 100


def unpaired(look: Look, candidate: Candidate) -> str | None:
    """In a shadow step: the pairs of answers that it still waits for, in words."""
    step = step_of(look, candidate)
    if not step.shadow:
        return None
    wanted = 1 if over(step, candidate) else step.requests
    return f"{many(wanted, 'pair')} of answers" if candidate.copies.pairs < wanted else None
