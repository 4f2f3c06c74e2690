"""Spot checks: a sample of answers that differ is offered to people, and what they say of it is evidence.

In shadow steps both versions answer the same requests. Of those that they answer differently the ones with the smallest
hash of their id are offered: a choice that depends on nothing that the answers say, and comes out the same after a
restart. A judgement counts once, for a pair that was offered in this rollout. The live version's and the candidate's
answers are judged against each other, so test F applies (`verdict.pairs`): if neither version is worse, each gives the
worse answer equally often. Nobody's silence is missing evidence; a step may ask for judgements (`minEvents`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence, Proven
from fairlead.api.guard import Guard
from fairlead.api.review import JUDGED, OFFERED, SHOWN, Review, ReviewPair
from fairlead.api.units import share
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import Event
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import guards, inputs, judgements, proofs
from fairlead.plan.deployment.excerpts import of_output
from fairlead.verdict import proof
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, GuardState, decide, encode


@dataclass(frozen=True)
class Differing:
    """Two answers to one request that are not the same. `live`, `candidate`: JSON."""

    request: str
    live: Any
    candidate: Any


def guard_of(look: Look) -> tuple[int, Guard] | None:
    """The guard and its index, if there is one."""
    return next(
        ((i, guard) for i, guard in enumerate(look.spec.rollout.guards) if guard.metric == judgements.METRIC), None
    )


def go_on(look: Look, state: State) -> State:
    """The state after what people have said since the last look."""
    candidate, found = state.candidate, guard_of(look)
    if candidate is None or found is None or not candidate.against:
        return state if candidate is None or not candidate.review else _without(state, candidate)
    before = candidate.review or Review()
    after = inputs.seen(look, candidate, judgements.heard(look, candidate, before))
    states = list(guards.all_of(look, candidate))
    states[found[0]] = _evidence(look, found[1], states[found[0]], after)
    changed = candidate.model_copy(update={"review": after, "guards": states})
    new = [pair for pair in after.unknown if pair not in before.unknown]
    return state.having(*([_strange(new)] if new else []), candidate=changed)


def offer(look: Look, candidate: Candidate, differing: Iterable[Differing]) -> Candidate:
    """The candidate after new answers."""
    if guard_of(look) is None:
        return candidate
    before = candidate.review or Review()
    after = offered(candidate, before, differing)
    return candidate if after == before else candidate.model_copy(update={"review": after})


def _without(state: State, candidate: Candidate) -> State:
    return state.having(candidate=candidate.model_copy(update={"review": None}))


def _strange(pairs: list[str]) -> Event:
    return Event(
        "JudgementUnknown", f"spec.judgements names pairs that were not shown here: {', '.join(pairs[:5])}. They "
        "are not counted; write judgements with kubectl fairlead review", warning=True,
    )  # fmt: skip


# --- what is offered -----------------------------------------------------------------------------------------------


def pair_id(candidate: Candidate, request: str) -> str:
    """Of a request in this rollout."""
    return short_hash(candidate.since, request, length=16)


def offered(candidate: Candidate, before: Review, differing: Iterable[Differing]) -> Review:
    """The sample with what has come since: of all that are not judged, the smallest ids."""
    if len(before.judged) >= JUDGED:
        return before
    sample = {pair.id: pair for pair in before.pairs}
    known = {*before.judged}
    for one in differing:
        key = pair_id(candidate, one.request)
        if key not in known and key not in sample and (len(sample) < SHOWN or key < max(sample)):
            sample[key] = ReviewPair(
                id=key, request=one.request[:128], live=of_output(one.live), candidate=of_output(one.candidate)
            )
            if len(sample) > SHOWN:
                del sample[max(sample)]
    if sample.keys() == {pair.id for pair in before.pairs}:
        return before
    gone = [key for key in before.offered if key not in sample]
    return before.model_copy(update={
        "pairs": [sample[key] for key in sorted(sample)],
        "offered": [*gone[len(sample) - OFFERED :], *sorted(sample)],
    })  # fmt: skip


# --- what it shows -------------------------------------------------------------------------------------------------


def _evidence(look: Look, guard: Guard, state: GuardEvidence, review: Review) -> GuardEvidence:
    """The guard, from all judgements of this rollout."""
    total = review.better + review.worse + review.same + review.both_bad
    stable, candidate, part = Arm(total, review.better), Arm(total, review.worse), guards.alpha(look)
    effect, margin = float(look.spec.rollout.design_effect), share(guard.worse_by)
    seen = GuardState(stable=stable, candidate=candidate, paired=margin, design_effect=effect)
    new = total - state.candidate.requests
    return state.model_copy(update={
        "stable": _counts(stable), "candidate": _counts(candidate), "odds": encode(1.0), "floor": encode(0.0),
        "windows": state.windows + bool(new), "log_evidence": encode(seen.log_evidence),
        "bound": encode(log_bound(part)), **_standing(state, decide(seen, part) == "harm"),
        "step_events": state.step_events + new, "since": look.stamp if new else state.since,
        "proven": _proven(look, guard, stable, candidate),
    })  # fmt: skip


def _standing(state: GuardEvidence, harm: bool) -> dict[str, object]:
    """Nobody's silence is missing evidence, but answers that can't be read are."""
    if not harm and state.state == "NoEvidence" and state.reason not in ("", "NotBegun"):
        return {}
    return {"state": "Harm" if harm else "Watching", "reason": "", "message": ""}


def _counts(arm: Arm) -> ArmCounts:
    return ArmCounts(requests=arm.requests, failures=arm.failures)


def _proven(look: Look, guard: Guard, stable: Arm, candidate: Arm) -> Proven | None:
    if guard.role == "alarm":
        return None
    effect = float(look.spec.rollout.design_effect)
    shown = proof.OfPairs(share(guard.worse_by), stable, candidate, effect)
    return Proven(log_evidence=encode(shown.log_evidence), bound=encode(log_bound(proofs.missed(look))))


# --- what is told --------------------------------------------------------------------------------------------------


def missing(look: Look, candidate: Candidate) -> str | None:
    """The judgements that a shadow step still waits for, in words. Where the answers hardly differ there may never be
    as many pairs as were asked for; then all of them are enough."""
    found = guard_of(look)
    if found is None:
        return None
    review = candidate.review or Review()
    have, wanted = len(review.judged), found[1].min_events
    if have >= wanted or not review.pairs:
        return None
    how = f"kubectl fairlead review deployment/{look.name} -n {look.namespace}"
    return f"{wanted} judgements of people ({have} so far): {how}"


def found(candidate: Candidate) -> str:
    """Harm, in words."""
    review = candidate.review or Review()
    return (
        f"of {len(review.judged)} pairs of answers that people judged, {candidate.version} gave the worse one in "
        f"{review.worse} and the better one in {review.better}"
    )
