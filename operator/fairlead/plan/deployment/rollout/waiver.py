"""What is not waited for while the live version fails where the candidate answers."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, Waived
from fairlead.api.evidence import GuardEvidence
from fairlead.plan.core import Event
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ahead, cohorts
from fairlead.plan.deployment.metrics.registry import metric_of

_FOR_WANT_OF_ANSWERS = (ahead.LIVE_FAILS, "TooFewSamples", cohorts.UNEQUAL)
"""Reasons of guards that come of it: there are no answers to know the usual ones by, or to be labelled."""


def spared(look: Look, candidate: Candidate, guard: GuardEvidence) -> bool:
    """Whether a guard without evidence has none because the live version fails where the candidate answers."""
    mine = metric_of(guard.guard).comparing and guard.reason in _FOR_WANT_OF_ANSWERS
    return mine and ahead.alone(look, candidate) is not None


def told(look: Look, state: State) -> State:
    """The state with what is not waited for in this step: told once, and in the ledger and the history from then on."""
    candidate = state.candidate
    assert candidate
    said = _waived(look, candidate)
    if not said or (candidate.waived and candidate.waived.step == candidate.step):
        return state
    waived = Waived(step=candidate.step, message=said[:1024])
    return state.having(Event("Waived", said), candidate=candidate.model_copy(update={"waived": waived}))


def _waived(look: Look, candidate: Candidate) -> str:
    """In words; nothing if all is waited for as usual."""
    compares = any(metric_of(guard.metric).comparing for guard in look.spec.rollout.guards)
    found = ahead.alone(look, candidate) if compares else None
    if found:
        said = ahead.saying(candidate, candidate.against)
        return f"{ahead.both(candidate, found)}: it goes on without comparing answers{said}"
    if candidate.common.worse and ahead.shown(look, candidate):
        return (
            f"{ahead.both(candidate, candidate.ahead)}: it goes on though {candidate.against} fails more than before "
            f"the rollout{ahead.saying(candidate, candidate.against)}"
        )
    return ""
