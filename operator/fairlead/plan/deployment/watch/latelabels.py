"""Labels after the promotion: of the rollout's time, for which its guard goes on, and of the time since.

Labels that come late for answers of the rollout are judged by the rollout's own guard, with all that it knew: the test
is the same, only later. Answers since the promotion are judged by the watch's detector, as other guards are: against
the previous version's holdback, or its rate of wrong answers in the rollout, as soon as enough labels of it are known.
A join gives as many windows as the watch may have had by now, so that their number stays bounded.
"""

from __future__ import annotations

from math import inf

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.labelled import Joined, LabelsSeen
from fairlead.api.tasks import JoinResult
from fairlead.api.units import chance, share
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import cohorts, guards
from fairlead.plan.deployment.metrics import labels
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import detect, latebook
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch.period import most_windows, reason
from fairlead.verdict.latetrace import Carried

MOST = 10
"""Windows that a join gives at most."""


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


def carried(look: Look, joins: list[Joined], version: str) -> dict[str, Carried]:
    """By guard, the rollout's test as it is handed over: where the ledger of the watch goes on from."""
    found = {one.guard: canary(one) for one in joins if one.version == version}
    return {
        name: Carried(guards.state_of(look, evidence), evidence.bound) for name, evidence in found.items() if evidence
    }


def window(look: Look, state: State) -> tuple[State, Problem | None, Problem | None]:
    """The state after what has become of the labels; why there are none; and why the version must go back."""
    kept, lines = state.status.watch, list[str]()
    assert kept
    problem, bad, joins, watched = None, None, [], {one.guard: one for one in kept.guards}
    for joined in state.status.joins:
        guard, seen, rollout = labels.guard_of(look, joined), watched.get(joined.guard), canary(joined)
        if joined.version == kept.version and guard and seen and rollout:
            joined, rollout, watched[joined.guard], told = _one(look, kept, guard, joined, rollout, seen)
            lines += told
            if rollout.state == "Harm":
                bad = bad or Problem(reason(joined.guard), labels.found(kept.version, joined.against, rollout))
            why = labels.problem(look, guard, joined)
            problem = problem or why
            watched[joined.guard] = _told(watched[joined.guard], why)
        joins.append(joined)
    after = kept.model_copy(update={"guards": [watched[one.guard] for one in kept.guards]})
    return state.having(watch=watchbook.having(after, lines), joins=joins), problem, bad


def _told(state: WatchedGuard, why: Problem | None) -> WatchedGuard:
    if state.state == "Alarm":
        return state
    told = {"state": "NoEvidence", "reason": why.reason} if why else {"state": "Watching", "reason": ""}
    return state.model_copy(update=told)


def _one(
    look: Look, watch: Watch, guard: Guard, joined: Joined, rollout: GuardEvidence, state: WatchedGuard
) -> tuple[Joined, GuardEvidence, WatchedGuard, list[str]]:  # fmt: skip
    """With the lines of the ledger for it, in the order in which it is judged."""
    room = most_windows(look.now - epoch(watch.since)) - state.windows
    promoted = epoch(watch.since) - epoch(joined.since)
    joined, result = labels.advance(look, guard, joined, ready=room > 0)
    before, old = rollout, state
    if result is not None:
        together = inf if watch.holdback else promoted
        joined, rollout = cohorts.taken(look, joined, rollout, result, promoted, together)
    joined, rollout, judged = _judged(look, guard, joined, rollout)
    state = _referred(look, guard, state, rollout)
    lines = [*latebook.late(look, before, rollout, judged), *latebook.ruled(look, old, state)]
    known = not watch.holdback or rollout.odds or not share(guard.worse_by)
    if result is not None and known and not cohorts.unequal(joined):
        state, more = _since(look, watch, state, result, promoted, max(1, min(room, MOST)))
        lines += more
    return joined.model_copy(update={"canary": _written(rollout)}), rollout, state, lines


def _judged(
    look: Look, guard: Guard, joined: Joined, rollout: GuardEvidence
) -> tuple[Joined, GuardEvidence, list[list[int]]]:  # fmt: skip
    """After the cohorts that wait, up to one that shows harm; with those that were judged: others serve to learn the
    live version's rate."""
    judged = []
    while joined.pending and rollout.state != "Harm":
        cohort, windows = joined.pending[0][1:], rollout.windows
        joined, rollout = cohorts.judge_next(look, guard, joined, rollout)
        judged += [cohort] if rollout.windows > windows else []
    return joined, rollout, judged


def _referred(look: Look, guard: Guard, state: WatchedGuard, rollout: GuardEvidence) -> WatchedGuard:
    """With the margin of the rollout, and the rate of wrong answers that is tolerated once enough is known of the
    version before: when that is follows from the number of labels alone, not from what they say."""
    if rollout.odds:
        state = state.model_copy(update={"odds": rollout.odds, "floor": rollout.floor})
    known = (rollout.labels or LabelsSeen()).stable
    if state.tolerated or known.labelled < guards.ENOUGH:
        return state
    after = look.spec.rollout.after_promotion
    part = chance(after.false_alarms) / 2 / len(look.spec.rollout.guards)
    seen = rollout.model_copy(update={"stable": ArmCounts(requests=known.labelled, failures=known.wrong)})
    return state.model_copy(update={"tolerated": detect.tolerated(guard, seen, share(after.tolerance), part)})


def _since(
    look: Look, watch: Watch, state: WatchedGuard, result: JoinResult, promoted: float, most: int
) -> tuple[WatchedGuard, list[str]]:  # fmt: skip
    """The detector after the answers since the promotion, up to an alarm, and a line for each window."""
    lines, effect = list[str](), float(look.spec.rollout.design_effect)
    cells = [cell for cell in result.cells if cell[0] >= promoted and cell[3] + cell[7]]
    size = max(1, -(-len(cells) // most))
    for first in range(0, len(cells), size):
        part = cells[first : first + size]
        live = (sum(cell[7] for cell in part), sum(cell[8] for cell in part))
        previous = (sum(cell[3] for cell in part), sum(cell[4] for cell in part)) if watch.holdback else None
        state = detect.seen(state, live, previous, effect)
        lines.append(latebook.since(look, state, live, previous, effect))
        if state.state == "Alarm":
            break
    return state, lines


def filed(state: State, records: list[GuardEvidence]) -> list[GuardEvidence]:
    """The guards as the history keeps them: what the rollout's guard found out later, if that was harm."""
    live = state.status.live.version if state.status.live else ""
    later = {one.guard: canary(one) for one in state.status.joins if one.version == live}
    return [found if (found := later.get(one.guard)) and found.state == "Harm" else one for one in records]
