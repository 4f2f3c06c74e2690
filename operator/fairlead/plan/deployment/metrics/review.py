"""Spot checks: a sample of answers that differ is offered to people, and what they say of it is evidence.

In shadow steps both versions answer the same requests. Of those that they answer differently the ones with the smallest
hash of their id are offered: a choice that depends on nothing that the answers say, and comes out the same after a
restart. A judgement counts once, for a pair that was offered in this rollout. The live version's and the candidate's
answers are judged against each other, so test F applies (`verdict.pairs`): if neither version is worse, each gives the
worse answer equally often. Nobody's silence is missing evidence; a step may ask for judgements (`minEvents`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import ArmCounts, GuardEvidence, Proven
from fairlead.api.guard import Guard
from fairlead.api.review import JUDGED, OFFERED, SHOWN, Review, ReviewPair
from fairlead.api.units import share
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import Event, Json
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import guards, inputs, judgements, proofs
from fairlead.plan.deployment.evidence.answers import Batch
from fairlead.plan.deployment.evidence.likeness import Differing, Told
from fairlead.plan.deployment.evidence.steps import step_of, unpaired
from fairlead.plan.deployment.excerpts import of_output
from fairlead.plan.deployment.metrics.base import Metric, Row, Sample, evidence_of
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict import engine, proof
from fairlead.verdict.guards import Arm, GuardState, encode
from fairlead.verdict.trace import Prior


class _Review(Metric):
    name = "review"
    reason = "ReviewWorse"
    source = "Answers"
    comparing = True

    def answered(
        self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, batch: Batch, told: Told | None
    ) -> GuardEvidence:  # fmt: skip
        """Without answers people have nothing to judge."""
        if told is None or told.wrong is None:
            return self.at_rest(state)
        return guards.silent(state, told.wrong.reason, told.wrong.message)

    def offered(self, look: Look, candidate: Candidate, told: Told) -> Candidate:
        if not self.mine(look):
            return candidate
        before = candidate.review or Review()
        after = offered(candidate, before, told.differing)
        return candidate if after == before else candidate.model_copy(update={"review": after})

    def at_rest(self, state: GuardEvidence) -> GuardEvidence:
        return guards.watching(state)

    def unread(self, candidate: Candidate, state: GuardEvidence, why: Problem) -> GuardEvidence:
        return guards.silent(state, why.reason, why.message) if candidate.shadow else self.at_rest(state)

    def go_on(self, look: Look, state: State) -> State:
        """After what people have said since the last look."""
        candidate = state.candidate
        if candidate is None or candidate.step < 0:
            return state
        found = self.mine(look)
        if not found or not candidate.against:
            return state.having(candidate=candidate.model_copy(update={"review": None})) if candidate.review else state
        (index, guard), before = found[0], candidate.review or Review()
        after = inputs.seen(look, candidate, judgements.heard(look, candidate, before))
        states = list(guards.all_of(look, candidate))
        states[index] = _evidence(look, guard, states[index], after)
        changed = candidate.model_copy(update={"review": after, "guards": states})
        new = [pair for pair in after.unknown if pair not in before.unknown]
        return state.having(*([_strange(new)] if new else []), candidate=changed)

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        review = candidate.review or Review()
        return (
            f"of {len(review.judged)} pairs of answers that people judged, {candidate.version} gave the worse one in "
            f"{review.worse} and the better one in {review.better}; {evidence_of(state)}"
        )

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        """Pairs, and then the judgements that a shadow step still waits for. Where the answers hardly differ there may
        never be as many pairs as were asked for; then all of them are enough."""
        found = self.mine(look)
        if not found or not step_of(look, candidate).shadow:
            return None
        return unpaired(look, candidate) or unjudged(look, found[0][1], candidate.review or Review())

    def lines(self, look: Look, before: Candidate | None, after: Candidate) -> Iterator[dict[str, object]]:
        return judgements.lines(look, before, after)

    def anew(self, state: GuardEvidence) -> GuardEvidence | None:
        """A changed guard begins anew with all judgements: what it had seen before them."""
        return GuardEvidence(guard=state.guard, digest=state.digest)

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        return engine.Metric(name, guard.role, worse_by=share(guard.worse_by), paired=True)

    def rows(self, candidate: Candidate, state: GuardEvidence) -> list[Row]:
        """What people said."""
        review = candidate.review or Review()
        total = len(review.judged)
        return [
            Row("found worse", total, review.worse, (review.worse, total)),
            Row("found better", None, review.better, (review.better, total)),
            Row("alike, both bad", None, f"{review.same}, {review.both_bad}", f"{len(review.pairs)} wait"),
        ]

    def samples(self, candidate: Json) -> Iterator[Sample]:
        if candidate.get("review"):
            waiting = len(candidate["review"].get("pairs") or [])
            yield Sample("review_waiting", "Pairs of answers that wait for a person's judgement.", waiting)


def unjudged(look: Look, guard: Guard, review: Review) -> str | None:
    """The judgements that are still to come, in words."""
    have, wanted = len(review.judged), guard.min_events
    if have >= wanted or not review.pairs:
        return None
    how = f"kubectl fairlead review deployment/{look.name} -n {look.namespace}"
    return f"{wanted} judgements of people ({have} so far): {how}"


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
    """The guard, from all judgements of this rollout. It says what it said until there is another one."""
    total = review.better + review.worse + review.same + review.both_bad
    new = total - state.candidate.requests
    if state.odds and not new:
        return state.model_copy(update=_standing(state, harm=False))
    stable, candidate, most = Arm(total, review.better), Arm(total, review.worse), guards.bound(look)
    effect, margin = float(look.spec.rollout.design_effect), share(guard.worse_by)
    seen = GuardState(stable=stable, candidate=candidate, paired=margin, design_effect=effect)
    return state.model_copy(update={
        "stable": _counts(stable), "candidate": _counts(candidate), "odds": encode(1.0), "floor": encode(0.0),
        "windows": state.windows + bool(new), "log_evidence": encode(seen.log_evidence),
        "bound": encode(most), **_standing(state, seen.log_evidence >= most),
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
    return Proven(log_evidence=encode(shown.log_evidence), bound=encode(proofs.bound(look)))


METRIC = _Review()
