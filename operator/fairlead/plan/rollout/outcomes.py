"""The outcomes guard: two counters per version in Prometheus, read independently of the pods' windows."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.deployment import Candidate, Guard, GuardEvidence
from fairlead.api.units import share
from fairlead.plan.core import Failed, Vector, epoch
from fairlead.plan.rollout import guards
from fairlead.plan.rollout.cursors import Book
from fairlead.plan.rollout.look import Look
from fairlead.plan.rollout.pods import Problem
from fairlead.plan.rollout.signals import ARMS, outcomes_due, queries

SERIES = 90
"""Cursors that all outcomes guards together may take in status."""
INCONSISTENT = 5
"""After so many windows in which more outcomes were bad than there were, somebody is told."""

EXCESS = "more outcomes are bad than there are: promql.failures must count a part of promql.total"

Answers = dict[tuple[str, str], Vector]


@dataclass(frozen=True)
class _Sums:
    total: int = 0
    failures: int = 0


def window(look: Look, candidate: Candidate) -> Candidate:
    """The candidate after what Prometheus says now, guard by guard. A guard without an answer is silent."""
    book = Book(candidate.cursors)
    found = []
    for index, state in enumerate(guards.all_of(look, candidate)):
        guard = look.spec.rollout.guard[index]
        asked = guard.metric == "outcomes" and outcomes_due(look, candidate, index, guard)
        found.append(_one(look, candidate, index, state, book) if asked else state)
    return candidate.model_copy(update={"guards": found, "cursors": book.close()})


def _one(look: Look, candidate: Candidate, index: int, state: GuardEvidence, book: Book) -> GuardEvidence:
    guard = look.spec.rollout.guard[index]
    answers = _answers(look, candidate, guard)
    if isinstance(answers, Problem):
        return guards.silent(state, answers.reason, answers.message)
    if _too_many(answers, index, book):
        return guards.silent(state, "TooManySeries", f"the expressions have more than {SERIES} series, or series that "
                             "come and go; add them up in a recording rule")  # fmt: skip
    if not state.began_at:
        for source, value in _sources(answers, index):
            book.begin(source, (value,))
        state = state.model_copy(update={"began_at": look.stamp})
    if not state.odds:
        state = _freeze(look, guard, state, answers)
        if not state.odds:
            return state
    return _judge(look, index, state, answers, book)


def _answers(look: Look, candidate: Candidate, guard: Guard) -> Answers | Problem:
    asked = queries(look, candidate, guard)
    if not asked:
        return Problem("NoPrometheus", "this guard needs Prometheus: set prometheus.url in the installation's values")
    found: Answers = {}
    for key, query in asked.items():
        answer = look.world.answer(query)
        if isinstance(answer, Failed):
            return Problem(answer.reason, f"Prometheus can't be asked: {answer.message}")
        if not isinstance(answer, Vector) or answer.unusable:
            return Problem("UnusableValue", f"{query.expression} has values that no counter has (NaN, infinite or "
                           "negative); name plain counters")  # fmt: skip
        found[key] = answer
    if not found["stable", "total"].series:
        return Problem("NoSeries", f"Prometheus has no series for {asked['stable', 'total'].expression}: is the "
                       "application scraped, and does it count by version?")  # fmt: skip
    return found


def _sources(answers: Answers, index: int) -> list[tuple[str, float]]:
    return [
        (f"{index}/{arm}/{part[0]}/{series}", value)
        for (arm, part), vector in answers.items()
        for series, value in vector.series
    ]


def _too_many(answers: Answers, index: int, book: Book) -> bool:
    mine = {source for source, _ in _sources(answers, index)}
    return book.outcomes(mine) > SERIES


def _freeze(look: Look, guard: Guard, state: GuardEvidence, answers: Answers) -> GuardEvidence:
    """The margin, as soon as the live version's rate is known well enough. Until then nothing is lost: the cursors
    stay where they are, and the first window is a long one."""
    total = int(sum(value for _, value in answers["stable", "total"].series))
    failed = min(total, int(sum(value for _, value in answers["stable", "failures"].series)))
    if total < guards.ENOUGH and share(guard.worse_by) > 0:
        return guards.silent(state, "TooFewSamples", f"the live version has {total} outcomes; its rate, which worseBy "
                             f"is added to, needs {guards.ENOUGH}")  # fmt: skip
    return state.model_copy(update=guards.frozen(look, guard, total, failed))


def _judge(look: Look, index: int, state: GuardEvidence, answers: Answers, book: Book) -> GuardEvidence:
    trial = book.copy()
    sums = {arm: _added(index, arm, answers, trial) for arm in ARMS}
    if any(one.failures > one.total for one in sums.values()):
        # the two counters were read at different moments; what is unread now comes with a later window
        late = state.since is not None and look.now - epoch(state.since) > INCONSISTENT * look.window
        return guards.silent(state, "CountersInconsistent", EXCESS) if late or not state.since else state
    book.replace(trial)
    return guards.seen(
        look, state, (sums["stable"].total, sums["stable"].failures),
        (sums["candidate"].total, sums["candidate"].failures),
    )  # fmt: skip


def _added(index: int, arm: str, answers: Answers, book: Book) -> _Sums:
    """What an arm's series have added. A series that appears later began at zero while we watched."""
    found = []
    for part in ("total", "failures"):
        series = answers[arm, part].series
        reads = [book.read(f"{index}/{arm}/{part[0]}/{name}", (v,), from_zero=True, parts=False) for name, v in series]
        found.append(sum(one.deltas[0] for one in reads))
    return _Sums(*found)
