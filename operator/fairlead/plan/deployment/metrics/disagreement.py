"""Disagreement: in shadow steps, requests to which the two versions give different answers.

The candidate is harmful when the share of requests that it answers differently is shown to lie above the tolerated
one: its own rate alone is judged, by the test of `verdict.margin`.
"""

from __future__ import annotations

from dataclasses import replace

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import share
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards
from fairlead.plan.deployment.evidence.answers import Batch
from fairlead.plan.deployment.evidence.likeness import Told
from fairlead.plan.deployment.evidence.steps import unpaired
from fairlead.plan.deployment.metrics.base import Metric, Row, counts, evidence_of
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.verdict import engine
from fairlead.verdict.guards import decode, encode
from fairlead.verdict.margin import alone
from fairlead.verdict.pairs import disagreement
from fairlead.verdict.trace import Prior

ALPHA = 0.05
"""The interval of a share is wrong so often, at any time."""


class _Disagreement(Metric):
    name = "disagreement"
    reason = "AnswersDiffer"
    source = "Answers"
    comparing = True

    def answered(
        self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, batch: Batch, told: Told | None
    ) -> GuardEvidence:  # fmt: skip
        if told is None:
            return self.at_rest(state)
        if not state.odds:
            tolerated = alone(share(look.spec.rollout.guards[index].worse_by))
            state = state.model_copy(update={"odds": encode(tolerated.odds), "floor": encode(tolerated.floor)})
        begun, pairs = guards.watching(state, began_at=state.began_at or look.stamp), told.alike + told.different
        seen = guards.seen(look, begun, (pairs, 0), (pairs, told.different))
        if told.wrong is None or seen.state == "Harm":
            return seen
        return guards.silent(seen, told.wrong.reason, told.wrong.message)

    def at_rest(self, state: GuardEvidence) -> GuardEvidence:
        """Outside of shadow steps there are no pairs, and nothing is missed."""
        return state if state.began_at else guards.watching(state)

    def unread(self, candidate: Candidate, state: GuardEvidence, why: Problem) -> GuardEvidence:
        return guards.silent(state, why.reason, why.message) if candidate.shadow else self.at_rest(state)

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        return (
            f"{candidate.version} gave another answer than {candidate.against} to "
            f"{counts(state.candidate, 'requests')}, more than the tolerated {100 * decode(state.floor):g} %; "
            f"{evidence_of(state)}"
        )

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        return unpaired(look, candidate) if self.mine(look) else None

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        if name in prior.metrics:
            return replace(super().rules(name, guard, prior, begun), shadow=True)
        return engine.Metric(name, margin=alone(share(guard.worse_by)), shadow=True)

    def rows(self, candidate: Candidate, state: GuardEvidence) -> list[Row]:
        """Answers to the same requests, and where the share of different ones lies."""
        seen = state.candidate
        between = disagreement(seen.failures, seen.requests, ALPHA)
        where = f"{100 * between.low:.2f} … {100 * between.high:.2f} %" if seen.requests else "-"
        both = Row("answers differ", seen.requests, seen.failures, (seen.failures, seen.requests))
        return [both, Row("at all times", rate=where)]


METRIC = _Disagreement()
