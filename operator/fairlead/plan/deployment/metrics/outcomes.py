"""The outcomes guard: two counters per version in Prometheus, read independently of the pods' windows."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import share
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards, processes, promcounters
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.promcounters import Answers
from fairlead.plan.deployment.evidence.signals import ARMS, judged, queries, query_due, stale, version_of
from fairlead.plan.deployment.evidence.steps import step_of
from fairlead.plan.deployment.metrics.base import Metric
from fairlead.plan.deployment.serving.pods import Problem

SERIES = 90
"""Cursors that all outcomes guards together may take in status."""
RESTLESS = 120.0
"""Seconds after a fall of a series in which nothing is decided by it: some scrapes of Prometheus. Where several
processes answer them, it falls again."""
_FELL = (
    "a series has fallen, as when an application begins anew: for two minutes nothing is decided, to see whether it "
    "falls again"
)
INCONSISTENT = 5
"""After so many windows in which the counters did not fit each other, somebody is told."""


class _Outcomes(Metric):
    name = "outcomes"
    reason = "OutcomesWorse"
    changed = "MoreWrong"
    unit = "outcomes"
    source = "Series"
    by_difference = True

    def expressions(self, guard: Guard) -> dict[str, str]:
        return promcounters.expressions(guard.promql)

    def asked(self, look: Look, candidate: Candidate, index: int, state: GuardEvidence, book: Book) -> GuardEvidence:
        """After what Prometheus says now. Without an answer it is silent."""
        due = query_due(look, candidate, index, look.spec.rollout.guards[index])
        return _one(look, candidate, index, state, book) if due else state

    def did(self, threshold: str) -> str:
        return "was wrong in"

    def missing(self, look: Look, candidate: Candidate) -> str | None:
        if step_of(look, candidate).shadow:
            return None
        for guard, state in self.states(look, candidate):
            # a guard that has not seen a single outcome of the candidate in this step has seen nothing
            if state.step_events < max(1, guard.min_events):
                return f"{max(1, guard.min_events)} outcomes"
            if old := stale(look, state):
                return old
        return None

    def is_watched(self, seen: GuardEvidence, room: bool) -> bool:
        return bool(seen.began_at) and room


def _one(look: Look, candidate: Candidate, index: int, state: GuardEvidence, book: Book) -> GuardEvidence:
    guard = look.spec.rollout.guards[index]
    answers = promcounters.read(look, index, queries(look, candidate, METRIC.expressions(guard)), "stable")
    if not isinstance(answers, Problem) and _too_many(answers, index, book):
        answers = promcounters.too_many(index, SERIES)
    if isinstance(answers, Problem):
        return guards.silent(state, answers.reason, answers.message)
    if not state.began_at:
        for source, value in promcounters.sources(answers, index):
            book.begin(source, (value,))
        state = state.model_copy(update={"began_at": look.stamp})
    if not state.odds:
        state = _freeze(look, guard, state, answers)
        if not state.odds:
            return state
    if promcounters.fallen(index, answers, book):
        state = state.model_copy(update={"falls": state.falls + 1, "fell_at": look.stamp})
    elif not _restless(look, state):
        state = state.model_copy(update={"falls": 0, "fell_at": None})
    if state.falls >= processes.TWICE:
        for source, value in promcounters.sources(answers, index):
            book.begin(source, (value,))
        return guards.silent(state, processes.REASON, _several(index))
    judged = _judge(look, candidate, index, state, answers, book)
    return guards.silent(judged, processes.FELL, _FELL) if state.falls else judged


def _restless(look: Look, state: GuardEvidence) -> bool:
    """Whether a fall is so recent that there may be another one."""
    return state.fell_at is not None and look.now < epoch(state.fell_at) + max(RESTLESS, look.window)


def _several(index: int) -> str:
    return (
        f"series of {promcounters.field(index, 'promql')} fall again and again: several processes of the application "
        "answer one scrape, each with counts of its own, or a sum loses those of pods that go. What is counted "
        "meanwhile is left out. Let the processes share one registry, or scrape each for itself"
    )


def _too_many(answers: Answers, index: int, book: Book) -> bool:
    mine = {source for source, _ in promcounters.sources(answers, index)}
    return book.outcomes(mine) > SERIES


def _freeze(look: Look, guard: Guard, state: GuardEvidence, answers: Answers) -> GuardEvidence:
    """The margin, as soon as the live version's rate is known well enough. Until then nothing is lost: the cursors
    stay where they are, and the first window is a long one."""
    total, failed = promcounters.life(answers, "stable")
    if total < guards.ENOUGH and share(guard.worse_by) > 0:
        return guards.silent(state, "TooFewSamples", f"the live version has {total} outcomes; its rate, which worseBy "
                             f"is added to, needs {guards.ENOUGH}")  # fmt: skip
    return state.model_copy(update=guards.frozen(look, guard, total, failed, by_difference=METRIC.by_difference))


def _most(look: Look, candidate: Candidate) -> dict[str, int] | None:
    """What each arm has answered since counting began; None where it is not known."""
    if not all(judged(look, version_of(candidate, arm))[1] for arm in ARMS):
        return None
    return {"stable": candidate.live_answered.requests, "candidate": candidate.answered.requests}


def _judge(
    look: Look, candidate: Candidate, index: int, state: GuardEvidence, answers: Answers, book: Book
) -> GuardEvidence:  # fmt: skip
    counts = promcounters.added(index, ARMS, answers, book, _most(look, candidate))
    if counts is None:
        late = state.since is not None and look.now - epoch(state.since) > INCONSISTENT * look.window
        why = _excess(look.spec.rollout.guards[index], index)
        return guards.silent(state, "CountersInconsistent", why) if late or not state.since else state
    seen = guards.seen(look, state, counts["stable"], counts["candidate"])
    words = promcounters.unproven(index, answers)
    return seen.model_copy(update={"message": words}) if words else seen


def _excess(guard: Guard, index: int) -> str:
    part = "successes" if guard.promql and guard.promql.successes else "failures"
    what = "good" if part == "successes" else "bad"
    return (
        f"more outcomes are {what} than there are: {promcounters.field(index, f'promql.{part}')} must count a part of "
        "promql.total, and both in the moment when the outcome is known"
    )


METRIC = _Outcomes()
