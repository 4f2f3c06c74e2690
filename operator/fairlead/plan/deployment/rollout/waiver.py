"""What is not waited for while the live version fails where the candidate answers."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, Waived
from fairlead.plan.core import Event
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ahead
from fairlead.verdict import decision
from fairlead.verdict.decision import Known


def told(look: Look, state: State, known: Known) -> State:
    """The state with what is not waited for in this step: told once, and in the ledger and the history from then on."""
    candidate = state.candidate
    assert candidate
    said = _waived(look, candidate, known)
    if not said or (candidate.waived and candidate.waived.step == candidate.step):
        return state
    waived = Waived(step=candidate.step, message=said[:1024])
    return state.having(Event("Waived", said), candidate=candidate.model_copy(update={"waived": waived}))


def _waived(look: Look, candidate: Candidate, known: Known) -> str:
    """In words; nothing if all is waited for as usual."""
    waived = decision.waived(known)
    if waived is None:
        return ""
    found = (ahead.alone(look, candidate) if waived == "Answers" else None) or candidate.ahead
    though = (
        "without comparing answers" if waived == "Answers"
        else f"though {candidate.against} fails more than before the rollout"
    )  # fmt: skip
    return f"{ahead.both(candidate, found)}: it goes on {though}{ahead.saying(candidate, candidate.against)}"
