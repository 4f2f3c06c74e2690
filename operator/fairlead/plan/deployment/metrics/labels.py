"""Guards on labels: what was really the case becomes known later, and is judged against the version that answered.

Each new version of the Dataset is joined once with the answers that were kept (`joining`). What a join has counted is
written into the status at once: cohorts (answers of the same stretch of time whose labels came together) wait there in
`pending` and are judged one a look, each as a window of test A with a line of its own in the ledger; requests that both
versions answered are judged by test F. Where the versions' answers are not labelled alike the counts of that join are
not judged, and the guard has no evidence.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.labelled import Joined, LabelsSeen, PairCounts
from fairlead.api.tasks import JoinResult
from fairlead.api.units import many, share
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import cohorts, guards, labeljob, ledger
from fairlead.plan.deployment.evidence.signals import guard_id
from fairlead.plan.deployment.metrics.base import Metric
from fairlead.plan.deployment.metrics.joining import Joining
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import attempt
from fairlead.verdict import engine
from fairlead.verdict.guards import decode
from fairlead.verdict.trace import Prior

CUTS = 40
STRANGE = (
    "none of the labels belongs to an answer that was kept: is {dataset} the Dataset of this Deployment's answers, and "
    "does its column {column} (labels.requestId) hold the value of their header x-request-id?"
)
UNEQUAL = (
    "one version's answers are labelled more often than the other's, so the labels can't be compared: whether an "
    "answer is labelled must not depend on the answer. Label the answers of a random sample of requests, or drop this "
    "guard"
)


class _Labels(Metric):
    name = "labels"
    reason = "LabelsWorse"
    changed = "MoreWrong"
    unit = "labelled answers"
    source = "Labels"
    comparing = True
    late = True

    def go_on(self, look: Look, state: State) -> State:
        """After what has become of the candidate's labels."""
        candidate, mine = state.candidate, self.mine(look)
        if candidate is None or not mine:
            return state
        states, joins = guards.all_of(look, candidate), []
        for index, _ in mine:
            joined, states[index] = _one(look, candidate, index, _of(state, candidate, states[index]), states[index])
            joins.append(joined)
        others = [one for one in state.status.joins if one.version != candidate.version]
        return state.having(candidate=candidate.model_copy(update={"guards": states}), joins=[*others, *joins])

    def share_lost(self, look: Look, state: State) -> State:
        """No cohort spans that."""
        version = state.candidate.version if state.candidate else ""
        joins = [cut(one, look.stamp) if one.version == version else one for one in state.status.joins]
        return state.having(joins=joins) if joins else state

    def did(self, threshold: str) -> str:
        return "was wrong in"

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        return found(candidate.version, candidate.against, state)

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        lacking = (guard.min_events for guard, seen in self.states(look, candidate)
                   if seen.step_events < guard.min_events)  # fmt: skip
        return next((f"{many(count, 'label')} of the candidate's answers" for count in lacking), None)

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        return replace(super().rules(name, guard, prior, begun), worse_by=share(guard.worse_by), late=True)

    def is_watched(self, seen: GuardEvidence, room: bool) -> bool:
        return bool(seen.began_at)

    def mute(self, against: str) -> str:
        return f"Labels of {against} for the same time would come too late to find out whether it is the version"


def _of(state: State, candidate: Candidate, evidence: GuardEvidence) -> Joined | None:
    """How far a guard's labels have been joined in this rollout; None if it begins now."""
    name = ledger.name_of(candidate.version, candidate.since)
    mine = (one for one in state.status.joins if (one.rollout, one.guard) == (name, evidence.guard))
    return next((one for one in mine if one.digest == evidence.digest and evidence.began_at), None)


def _one(
    look: Look, candidate: Candidate, index: int, joined: Joined | None, evidence: GuardEvidence
) -> tuple[Joined, GuardEvidence]:  # fmt: skip
    guard = look.spec.rollout.guards[index]
    if joined is None:
        joined = _begun(look, candidate, guard, evidence)
        evidence = evidence.model_copy(update={"began_at": look.stamp, "labels": LabelsSeen()})
    for at in _changes(look, candidate):
        joined = cut(joined, at)
    joined, result = advance(look, guard, joined)
    if result is not None:
        joined, evidence = cohorts.taken(look, joined, evidence, result)
    elif joined.pending and not ledger.full(candidate.ledger):
        joined, evidence = cohorts.judge_next(look, guard, joined, evidence)
    return joined, told(look, guard, joined, evidence)


def _changes(look: Look, candidate: Candidate) -> list[str | None]:
    """When weights were last changed: the candidate's, or any in an experiment."""
    trial = phase.running(look.subject.body.status) if look.side_by_side else None
    return [candidate.step_since, candidate.routed_at, trial.moved_at if trial else None]


def _begun(look: Look, candidate: Candidate, guard: Guard, evidence: GuardEvidence) -> Joined:
    """Nothing joined yet. What the Dataset has now can't be labels of answers to come."""
    joined = Joined(
        version=candidate.version, guard=evidence.guard, digest=evidence.digest, against=candidate.against,
        rollout=ledger.name_of(candidate.version, candidate.since), since=look.stamp,
    )  # fmt: skip
    return joined.model_copy(update={"dataset": joining_of(look, guard, joined).current()})


def joining_of(look: Look, guard: Guard, joined: Joined) -> Joining:
    """What a join needs to know."""
    assert guard.labels
    return Joining(look, joined, guard.labels)


def guard_of(look: Look, joined: Joined) -> Guard | None:
    """The guard as the spec has it; None if it has it no more."""
    for index, guard in enumerate(look.spec.rollout.guards):
        if guard_id(index, guard) == joined.guard and guards.digest(guard) == joined.digest and guard.labels:
            return guard
    return None


def cut(joined: Joined, at: str | None) -> Joined:
    """No cohort spans a change of the weights: at other weights another mix of requests is compared."""
    if at is None or at in joined.cuts:
        return joined
    return joined.model_copy(update={"cuts": [*joined.cuts, at][-CUTS:]})


def tidied(state: State) -> State:
    """Without joins of versions that are neither on their way, alone or in an experiment, nor watched."""
    status = state.status
    mine = {one.version for one in (status.candidate, status.watch, *phase.arms(status)) if one}
    kept = [one for one in status.joins if one.version in mine]
    return state if len(kept) == len(status.joins) else state.having(joins=kept)


# --- the Job -------------------------------------------------------------------------------------------------------


def advance(look: Look, guard: Guard, joined: Joined, ready: bool = True) -> tuple[Joined, JoinResult | None]:
    """One look at the join that is under way, or the beginning of the next one; with what it has counted.

    ready: whether a new one may begin."""
    return labeljob.advance(joining_of(look, guard, joined), ready and not joined.pending)


def due(look: Look, joined: Joined) -> float | None:
    """Seconds until something is due that no event announces."""
    if joined.pending:
        return look.window
    return attempt.next_look(joined.job, look.now) if joined.job else None


# --- what people are told ------------------------------------------------------------------------------------------


def told(look: Look, guard: Guard, joined: Joined, evidence: GuardEvidence) -> GuardEvidence:
    """The guard with what stands in its way, or what it waits for. No label yet is not a lack of evidence: labels come
    later, and `minEvents` says whether a step waits for them."""
    if evidence.state == "Harm":
        return evidence
    why = problem(look, guard, joined)
    if why:
        return guards.silent(evidence, why.reason, why.message)
    message = _waiting(joining_of(look, guard, joined), evidence.labels or LabelsSeen())
    return evidence.model_copy(update={"state": "Watching", "reason": "", "message": message})


def problem(look: Look, guard: Guard, joined: Joined) -> Problem | None:
    """Why there is no evidence, or None."""
    mine = joining_of(look, guard, joined)
    found = mine.dataset()
    if isinstance(found, Problem):
        return found
    if not joined.reason:
        return None
    texts = {
        cohorts.UNEQUAL: UNEQUAL,
        cohorts.UNKNOWN: STRANGE.format(dataset=mine.wanted.dataset, column=mine.wanted.request_id),
    }
    return Problem(joined.reason, texts.get(joined.reason, joined.message))


def _waiting(mine: Joining, seen: LabelsSeen) -> str:
    if seen.stable.labelled + seen.candidate.labelled:
        return ""
    found = mine.dataset()
    if not isinstance(found, Problem) and found.status.current is None:
        why = found.status.message or "has it been given a source with files?"
        return f"Dataset {mine.wanted.dataset} has no version yet: {why}"[:1024]
    return "no label of this rollout's answers has come yet"


def found(version: str, against: str, evidence: GuardEvidence) -> str:
    """Why it is harm, in words, with the numbers that the evidence is made of: what is not judged (yet) is left
    out."""
    parts = []
    if evidence.candidate.requests + evidence.stable.requests:
        parts.append(f"{version} was wrong in {_share(evidence.candidate)}, {against} in {_share(evidence.stable)}")
    both = evidence.labels.pairs if evidence.labels else PairCounts()
    total = both.alike + both.candidate_wrong + both.stable_wrong
    if total:
        parts.append(
            f"of {total} requests that both answered, {version} alone was wrong in {both.candidate_wrong}, {against} "
            f"alone in {both.stable_wrong}"
        )
    known = f"evidence {decode(evidence.log_evidence):.1f} ≥ bound {decode(evidence.bound):.1f}"
    return "; ".join([*parts, known])


def _share(counts: ArmCounts) -> str:
    share_ = 100 * counts.failures / max(1, counts.requests)
    return f"{counts.failures} of {counts.requests} labelled answers ({share_:.2g} %)"


METRIC = _Labels()
