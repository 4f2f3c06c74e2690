"""One more window of all that a rollout's metrics count: what is asked for it, and what becomes of the answers."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ahead, answers, guards, likeness, reading, signals, steps
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.reading import Reading
from fairlead.plan.deployment.metrics.registry import METRICS, metric_of
from fairlead.plan.deployment.rollout import windows
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Request


def requests(look: Look, candidate: Candidate) -> list[Request]:
    """Everything that the next decision on a candidate needs, but for answers that were kept."""
    if candidate.step < 0 and not signals.is_warm(look, candidate):
        return [request for _, request in signals.warm_ups(look, candidate)]
    if not candidate.against:
        return [scrape.request for scrape in signals.scrapes(look, candidate)]
    found: list[Request] = []
    if signals.due(candidate.last_window_at, look, candidate) or candidate.step < 0:
        found += [scrape.request for scrape in signals.scrapes(look, candidate)]
    for index, guard in enumerate(look.spec.rollout.guards):
        found += metric_of(guard).requests(look, candidate, index, guard)
    return found


def begun(look: Look, state: State, candidate: Candidate, read: Reading) -> State:
    """Just before the first traffic."""
    started = _asked(look, windows.begin(look, candidate, read))
    return _went_on(look, state.having(candidate=_answered(look, started)))


def window(look: Look, state: State, candidate: Candidate) -> tuple[State, Problem | None]:
    """The state after all windows that could be closed; with why the pods' could not."""
    seen, problem = _read(look, candidate)
    return _went_on(look, state.having(candidate=seen)), problem


def _read(look: Look, candidate: Candidate) -> tuple[Candidate, Problem | None]:
    problem = pods.foreign(look, candidate.version, candidate.against)
    if problem:
        return candidate, problem  # what its users saw may have been somebody else's answers
    if signals.due(candidate.last_window_at, look, candidate):
        read = reading.read(look, candidate)
        if isinstance(read, Problem):
            problem = read
        else:
            candidate = windows.close(look, candidate, read)
            problem = reading.confused(look, candidate)
        candidate = _answered(look, candidate)
    return _asked(look, candidate), problem


def _asked(look: Look, candidate: Candidate) -> Candidate:
    """After what Prometheus says."""
    book = Book(candidate.cursors)
    states = [metric_of(state.guard).asked(look, candidate, index, state, book)
              for index, state in enumerate(guards.all_of(look, candidate))]  # fmt: skip
    return candidate.model_copy(update={"guards": states, "cursors": book.close()})


def _went_on(look: Look, state: State) -> State:
    for metric in METRICS.values():
        state = metric.go_on(look, state)
    return state


# --- answers -------------------------------------------------------------------------------------------------------


def _answered(look: Look, candidate: Candidate) -> Candidate:
    """After the answers that have come in. Answers that can't be read silence the metrics that need them."""
    states = guards.all_of(look, candidate)
    if not answers.wanted(look, candidate):
        return candidate.model_copy(update={"guards": [metric_of(one.guard).at_rest(one) for one in states]})
    found = answers.read(look, candidate)
    if isinstance(found, Problem):
        silent = [metric_of(one.guard).unread(candidate, one, found) for one in states]
        return candidate.model_copy(update={"guards": silent})
    batch, cursors = found
    candidate = ahead.heard(candidate.model_copy(update={"answers": cursors}), batch)
    if steps.compared(candidate):
        candidate = ahead.answered(look, candidate, batch)
    assert look.spec.recorded
    told = likeness.told(look.spec.recorded.output, candidate, batch) if candidate.shadow else None
    seen = [metric_of(one.guard).answered(look, candidate, index, one, batch, told) for index, one in enumerate(states)]
    candidate = candidate.model_copy(update={"guards": seen})
    if told is None:
        return candidate
    candidate = candidate.model_copy(update={"copies": told.copies})
    for metric in METRICS.values():
        candidate = metric.offered(look, candidate, told)
    return candidate
