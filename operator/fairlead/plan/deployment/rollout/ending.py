"""How a rollout ends: with promotion, rollback, failure, or a newer wish. Each end leaves a record."""

from __future__ import annotations

from typing import Literal

from fairlead.api.candidate import Candidate, RolloutRecord
from fairlead.api.deploymentstatus import Live, Retiring
from fairlead.api.units import many
from fairlead.plan.core import Event, rfc3339
from fairlead.plan.deployment import served
from fairlead.plan.deployment.context import RETRY, Look, State
from fairlead.plan.deployment.evidence import backlog
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.rollout import lines
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import latelabels
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.deployment.watch import windows as watching

HISTORY = 10
DETAILED = 3
"""Records that keep the state of their tests."""
REFUSED = 50
RETIRING = 10

Result = Literal["Live", "RolledBack", "Superseded", "Failed"]


def promote(look: Look, state: State, forced: str = "") -> State:
    """The candidate becomes the live version, if that is still the one it was compared with. No pod is touched.
    forced: a person's reason for not waiting for evidence."""
    candidate, live = state.candidate, state.status.live
    assert candidate
    if candidate.against != (live.version if live else ""):
        return again(look, state)
    message = _promoted(candidate) + (f"; forced: {forced}" if forced else "")
    state = recorded(look, state, candidate, "Live", "Forced" if forced else "Promoted", message)
    changes: dict[str, object] = {"live": Live(version=candidate.version, since=look.stamp), "candidate": None}
    changes["served"] = served.noted(look, state.status, candidate.version)
    if live:
        back = state.status.way_back
        good = back.version if back and back.leaves == live.version else _unsuspected(state, live.version)
        state = watchbook.left(look, state, "Superseded", "NewerVersion", f"{candidate.version} went live")
        watched = watching.begin(look, candidate, good)
        joins = latelabels.handed_over(look, state.status.joins, candidate)
        known = latelabels.carried(look, joins, candidate.version)
        watched = watchbook.opened(look, watched, known) if watched else None
        state = _asked_no_more(look, state, candidate.version)
        changes |= {"previous": good, "watch": watched, "way_back": None, "joins": joins}
        if watched is None or not watch.keeps(watched) or good != live.version:
            changes["retiring"] = retire(look, state, live.version)
    return state.having(Event("Promoted", message), **changes)


def _unsuspected(state: State, live: str) -> str:
    """The way back: the live version, or the one before it while nobody knows whether it has become worse."""
    kept = state.status.watch
    return kept.against if kept and kept.confirmation and kept.version == live else live


def _asked_no_more(look: Look, state: State, promoted: str) -> State:
    """The version that answers a share to find something out finishes what it has begun."""
    kept = state.status.watch
    share = kept.confirmation.share if kept and kept.confirmation else 0
    if kept is None or not share or kept.against == promoted:
        return state
    return state.having(retiring=retire(look, state, kept.against))


def _promoted(candidate: Candidate) -> str:
    if not candidate.against:
        return f"{candidate.version} goes live: the first version"
    counts = f"{many(candidate.answered.requests, 'request')}, {candidate.answered.failures} failed"
    waived = f"; {candidate.waived.message}" if candidate.waived else ""
    return f"{candidate.version} goes live, after {counts}; before it {candidate.against}{waived}"


def again(look: Look, state: State) -> State:
    """The candidate starts over against the version that is live now."""
    candidate, live = state.candidate, state.status.live
    assert candidate
    fresh = Candidate(version=candidate.version, since=look.stamp, against=live.version if live else "")
    return state.having(candidate=fresh)


def roll_back(look: Look, state: State, why: Problem) -> State:
    """The candidate has done harm: it is to be out of the route at once, and not tried again."""
    return _take_back(look, state, "RolledBack", why)


def give_up(look: Look, state: State, why: Problem) -> State:
    """The candidate could not show in time what it is worth."""
    return _take_back(look, state, "Failed", why)


def _take_back(look: Look, state: State, result: Result, why: Problem) -> State:
    candidate = state.candidate
    assert candidate
    again_by = (
        f"To try it once more: kubectl annotate mdeploy -n {look.namespace} {look.name} {RETRY}={candidate.version}"
    )
    back = f"All requests go back to {candidate.against}. " if candidate.against else ""
    message = f"{why.message}. {back}{again_by}"
    state = recorded(look, state, candidate, result, why.reason, message)
    return state.having(
        Event(result if result == "RolledBack" else "RolloutFailed", message, warning=True),
        candidate=None,
        refused=[*(v for v in state.status.refused if v != candidate.version), candidate.version][-REFUSED:],
        retiring=retire(look, state, candidate.version),
    )


def refuse(look: Look, state: State, why: Problem) -> State:
    """The candidate is not what its ModelVersion says; it got no request, and that ModelVersion is rejected."""
    candidate = state.candidate
    assert candidate
    stays = f"; {candidate.against} stays" if candidate.against else ""
    message = f"{candidate.version} got no request: {why.message}{stays}"
    state = recorded(look, state, candidate, "Failed", why.reason, message)
    return state.having(
        Event("RolloutFailed", message, warning=True), candidate=None, retiring=retire(look, state, candidate.version)
    )


def withdraw(look: Look, state: State, reason: str, message: str) -> State:
    """Something else is wanted now; nothing is held against the candidate."""
    candidate = state.candidate
    assert candidate
    state = recorded(look, state, candidate, "Superseded", reason, message)
    return state.having(Event("Superseded", message), candidate=None, retiring=retire(look, state, candidate.version))


def retire(look: Look, state: State, version: str) -> list[Retiring]:
    """The retiring versions with one more, whose pods finish what they have begun."""
    until = rfc3339(look.now + look.world.config.tuning.drain)
    others = [one for one in state.status.retiring if one.version != version]
    return [*others, Retiring(version=version, until=until)][-RETIRING:]


def recorded(
    look: Look, state: State, candidate: Candidate, result: Result, reason: str, message: str
) -> State:  # fmt: skip
    """The history with how a rollout ended."""
    record = RolloutRecord(
        version=candidate.version, against=candidate.against, result=result, reason=reason, message=message[:1024],
        started_at=candidate.since, ended_at=look.stamp, weight=candidate.weight,
        stable=candidate.live_answered, candidate=candidate.answered, guards=candidate.guards,
    )  # fmt: skip
    book = lines.ended(look, candidate, record)
    record = record.model_copy(update={"ledger": book.uri})
    return backlog.waiting(filed(state, record), book)


def filed(state: State, record: RolloutRecord) -> State:
    """The history with one more record."""
    older = [_shortened(one) if i >= DETAILED - 1 else one for i, one in enumerate(state.status.history)]
    return state.having(history=[record, *older][:HISTORY])


def _shortened(record: RolloutRecord) -> RolloutRecord:
    """Without the tests' inner state: status must stay small."""
    return record.model_copy(update={"guards": [metric_of(one.guard).shortened(one) for one in record.guards]})
