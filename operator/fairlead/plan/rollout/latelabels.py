"""Labels after the promotion: of the rollout's time, for which its guard goes on, and of the time since.

Labels that come late for answers of the rollout are judged by the rollout's own guard, with all that it knew: the test
is the same, only later. Answers since the promotion are judged by the watch's detector, as other guards are: against
the previous version's holdback, or its rate of wrong answers in the rollout, as soon as enough labels of it are known.
A join gives as many windows as the watch may have had by now, so that their number stays bounded.
"""

from __future__ import annotations

from fairlead.api.deployment import ArmCounts, Candidate, Guard, GuardEvidence, Watch, WatchedGuard
from fairlead.api.labelled import Joined, LabelsSeen
from fairlead.api.tasks import JoinResult
from fairlead.api.units import chance, share
from fairlead.plan.core import epoch
from fairlead.plan.rollout import cohorts, detect, guards, labels
from fairlead.plan.rollout.look import Look, State
from fairlead.plan.rollout.pods import Problem
from fairlead.plan.rollout.watch import most_windows

MOST = 10
"""Windows that a join gives at most."""
REASON = "LabelsWorseAfterPromotion"


def handed_over(look: Look, joins: list[Joined], candidate: Candidate) -> list[Joined]:
    """The joins at the promotion: each takes along what the rollout's guard knows."""
    known = {one.guard: _written(one) for one in candidate.guards}
    return [
        labels.cut(one, look.stamp).model_copy(update={"canary": known[one.guard]})
        if one.version == candidate.version and one.guard in known else one
        for one in joins
    ]  # fmt: skip


def _written(evidence: GuardEvidence) -> str:
    return evidence.model_dump_json(exclude_defaults=True)


def canary(joined: Joined) -> GuardEvidence | None:
    """The rollout's guard, after the promotion."""
    return GuardEvidence.model_validate_json(joined.canary) if joined.canary else None


def window(look: Look, state: State) -> tuple[State, Problem | None, Problem | None]:
    """The state after what has become of the labels; why there are none; and why the version must go back."""
    kept = state.status.watch
    assert kept
    problem, bad, joins, watched = None, None, [], {one.guard: one for one in kept.guards}
    for joined in state.status.joins:
        guard, seen, rollout = labels.guard_of(look, joined), watched.get(joined.guard), canary(joined)
        if joined.version == kept.version and guard and seen and rollout:
            joined, rollout, watched[joined.guard] = _one(look, kept, guard, joined, rollout, seen)
            if rollout.state == "Harm":
                bad = bad or Problem(REASON, labels.found(kept.version, joined.against, rollout))
            why = labels.problem(look, guard, joined)
            problem = problem or why
            watched[joined.guard] = _told(watched[joined.guard], why)
        joins.append(joined)
    after = kept.model_copy(update={"guards": [watched[one.guard] for one in kept.guards]})
    return state.having(watch=after, joins=joins), problem, bad


def _told(state: WatchedGuard, why: Problem | None) -> WatchedGuard:
    if state.state == "Alarm":
        return state
    told = {"state": "NoEvidence", "reason": why.reason} if why else {"state": "Watching", "reason": ""}
    return state.model_copy(update=told)


def _one(
    look: Look, watch: Watch, guard: Guard, joined: Joined, rollout: GuardEvidence, state: WatchedGuard
) -> tuple[Joined, GuardEvidence, WatchedGuard]:  # fmt: skip
    room = most_windows(look.now - epoch(watch.since)) - state.windows
    promoted = epoch(watch.since) - epoch(joined.since)
    joined, result = labels.advance(look, guard, joined, ready=room > 0)
    if result is not None:
        joined, rollout = cohorts.taken(look, joined, rollout, result, promoted)
    while joined.pending:
        joined, rollout = cohorts.judge_next(look, guard, joined, rollout)
    state = _referred(look, guard, state, rollout)
    known = not watch.holdback or rollout.odds or not share(guard.worse_by)
    if result is not None and known and not cohorts.unequal(joined):
        state = _since(look, watch, state, result, promoted, max(1, min(room, MOST)))
    return joined.model_copy(update={"canary": _written(rollout)}), rollout, state


def _referred(look: Look, guard: Guard, state: WatchedGuard, rollout: GuardEvidence) -> WatchedGuard:
    """With the margin of the rollout, and the rate of wrong answers that is tolerated once enough is known of the
    version before: when that is follows from the number of labels alone, not from what they say."""
    if rollout.odds:
        state = state.model_copy(update={"odds": rollout.odds, "floor": rollout.floor})
    known = (rollout.labels or LabelsSeen()).stable
    if state.tolerated or known.labelled < guards.ENOUGH:
        return state
    after = look.spec.rollout.after_promotion
    part = chance(after.false_alarms) / 2 / len(look.spec.rollout.guard)
    seen = rollout.model_copy(update={"stable": ArmCounts(requests=known.labelled, failures=known.wrong)})
    return state.model_copy(update={"tolerated": detect.tolerated(guard, seen, share(after.tolerance), part)})


def _since(
    look: Look, watch: Watch, state: WatchedGuard, result: JoinResult, promoted: float, most: int
) -> WatchedGuard:  # fmt: skip
    """The detector after the answers since the promotion."""
    cells = [cell for cell in result.cells if cell[0] >= promoted and cell[3] + cell[7]]
    size = max(1, -(-len(cells) // most))
    for first in range(0, len(cells), size):
        part = cells[first : first + size]
        live = (sum(cell[7] for cell in part), sum(cell[8] for cell in part))
        previous = (sum(cell[3] for cell in part), sum(cell[4] for cell in part)) if watch.holdback else None
        state = detect.seen(state, live, previous, float(look.spec.rollout.design_effect))
    return state


def filed(state: State, records: list[GuardEvidence]) -> list[GuardEvidence]:
    """The guards as the history keeps them: what the rollout's guard found out later, if that was harm."""
    live = state.status.live.version if state.status.live else ""
    later = {one.guard: canary(one) for one in state.status.joins if one.version == live}
    return [found if (found := later.get(one.guard)) and found.state == "Harm" else one for one in records]
