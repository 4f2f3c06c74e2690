"""Errors: failed requests, by the pods' own counters."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence
from fairlead.plan.conditions import Conditions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, guards
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.reading import Reading, Sums
from fairlead.plan.deployment.metrics.base import Metric

CONDITION = "ErrorsGuarded"


class _Errors(Metric):
    name = "errors"
    reason = "ErrorsWorse"
    changed = "MoreErrors"
    all_requests = True
    by_difference = True

    def begin(self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book) -> GuardEvidence:
        """With its margin. One that was frozen before keeps it."""
        guard = look.spec.rollout.guards[index]
        life = reading.life("stable")
        tolerated = {} if state.odds else guards.frozen(look, guard, *life, by_difference=self.by_difference)
        return guards.watching(state, **tolerated, began_at=state.began_at or look.stamp)

    def counted(
        self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book, sums: Sums
    ) -> GuardEvidence:  # fmt: skip
        begun = self.begin(look, index, state, reading, book)
        return guards.seen(look, begun, sums["stable"], sums["candidate"])

    def did(self, threshold: str) -> str:
        return "failed"

    def found(self, candidate: Candidate, state: GuardEvidence) -> str:
        return super().found(candidate, state) + ahead.saying(candidate, candidate.version)

    def is_watched(self, seen: GuardEvidence, room: bool) -> bool:
        return True

    def tell(self, look: Look, told: Conditions) -> None:
        """What nobody looks at is said."""
        if self.mine(look):
            told.drop(CONDITION)
        else:
            told.set(CONDITION, False, "Off", "errors are not guarded: spec.rollout.guard says off, so a version "
                     "that fails is neither taken back nor kept from going live for that")  # fmt: skip


METRIC = _Errors()
