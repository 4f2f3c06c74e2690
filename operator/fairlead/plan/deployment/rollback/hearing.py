"""What is counted while an alarm asks: both versions at the same time, window by window, as in a rollout.

The counters begin anew with the question, and once more when those requests have been answered that were sent before
the version before had its share: what hangs fails late, and would be held against the live version alone. Requests that
all take less than a moment need no more than that; else it takes as long as pods are given to finish what they have
begun (`tuning.drain`). Outcomes come later still: those that arrive first are of requests that the live
version answered before the question, and the version before has none to set against them. So outcomes are not counted
until those of the version before come in as its share of the requests makes one expect, and then the same time once
more is waited.
"""

from __future__ import annotations

from fairlead.api.confirmation import Confirmation
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards, ledger, processes, promcounters, proofs, signals
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.promcounters import Counts
from fairlead.plan.deployment.evidence.signals import Scrape
from fairlead.plan.deployment.metrics.base import Source, Taken
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import question
from fairlead.plan.deployment.watch import windows as watching
from fairlead.plan.requests import Counters, PromQuery, Request
from fairlead.verdict.guards import decode, encode

SETTLED, IN_STEP = 20, 0.9
"""Outcomes of the version before that must have come while at least this part of what its share makes one expect."""
SETTLING = "Settling"
MOMENT, SEEN = 1.0, 20
"""Seconds; and requests that must have been answered to know that none takes longer."""
EXPECTED, LONGEST = 2, 10.0
"""A window stays open until the share of the version before makes one expect so many requests of it, for at most so
many seconds: one request alone says nothing. It depends on how many requests came in all, not on who got them: so how
they are divided is chance as before, and the test stays exact."""
Reading = list[tuple[Scrape, Counters]]


def due(look: Look, watch: Watch, asked: Confirmation) -> bool:
    """Whether a window may be closed, or the counters are to be read for the first time."""
    since = asked.last_window_at
    return since is None or look.now >= epoch(since) + max(signals.EARLY * look.window, ledger.pace(watch.ledger))


def requests(look: Look, watch: Watch, asked: Confirmation) -> list[Request]:
    """What the next window needs, if it is time for it."""
    if not due(look, watch, asked):
        return []
    both = _both(look, watch, asked)
    found: list[Request] = [scrape.request for scrape in watching.scrapes(look, both)]
    for index, _ in _read_off(asked, "Series"):
        found += _queries(look, both, index).values()
    return found


def _both(look: Look, watch: Watch, asked: Confirmation) -> Watch:
    """The question as a watch with a holdback: its counters are read the same way."""
    mine = [WatchedGuard(guard=one.guard, digest=one.digest, threshold=one.threshold) for one in asked.guards]
    return watch.model_copy(update={
        "since": asked.counting_since or look.stamp, "holdback": asked.share, "guards": mine,
        "cursors": asked.cursors,
    })  # fmt: skip


def _queries(look: Look, both: Watch, index: int) -> dict[tuple[str, str], PromQuery]:
    return watching.queries(look, both, look.spec.rollout.guards[index])


def _read_off(asked: Confirmation, source: Source) -> list[tuple[int, GuardEvidence]]:
    return [(signals.index_of(one.guard), one) for one in asked.guards if metric_of(one.guard).source == source]


# --- the first reading ---------------------------------------------------------------------------------------------


def begin(look: Look, watch: Watch, asked: Confirmation, *, settled: bool = False) -> Confirmation | Problem:
    """The question from here on: what was counted so far is no evidence. settled: nor need anything be waited for."""
    both, book = _both(look, watch, asked), Book(())
    reading = watching.read(look, both)
    if isinstance(reading, Problem):
        return reading
    whole = watching.added(both, book, watching.requests_of(reading))
    watching.added(both, book, [] if settled else _durations(reading) or [])
    for index, one in _read_off(asked, "Pods"):
        counts = watching.counted(both, book, one.guard, one.threshold, index, reading, whole)
        if isinstance(counts, Problem):
            return counts
    for index, _ in _read_off(asked, "Series"):
        answers = promcounters.read(look, index, _queries(look, both, index), "candidate")
        if isinstance(answers, Problem):
            return answers
        for source, value in promcounters.sources(answers, index):
            book.begin(source, (value,))
    began = [
        one.model_copy(
            update={"state": "Watching", "message": ""}
            | (
                {"reason": SETTLING}
                if metric_of(one.guard).source == "Series"
                else {"reason": "", "began_at": look.stamp}
            )
        )
        for one in asked.guards
    ]
    return asked.model_copy(update={
        "counting_since": look.stamp, "last_window_at": look.stamp, "cursors": book.close(), "guards": began,
        "settled": settled,
    })  # fmt: skip


def settle(look: Look, watch: Watch, asked: Confirmation) -> tuple[Confirmation, Problem | None]:
    """The question, to be counted from here on if the requests from before it have been answered; or as it was, with
    what could not be read."""
    both = _both(look, watch, asked)
    reading = watching.read(look, both)
    if isinstance(reading, Problem):
        blind = [guards.silent(one, reading.reason, reading.message) for one in asked.guards]
        return asked.model_copy(update={"guards": blind}), reading
    age = look.now - epoch(asked.counting_since or look.stamp)
    if age < look.world.config.tuning.drain and not _quick(both, asked, reading, age):
        return asked, None
    begun = begin(look, watch, asked, settled=True)
    return (asked, begun) if isinstance(begun, Problem) else (begun, None)


def _quick(both: Watch, asked: Confirmation, reading: Reading, age: float) -> bool:
    """Whether all that was answered since the question began took so little that none of it began before."""
    found = _durations(reading)
    if age < signals.EARLY * MOMENT or found is None:
        return False
    timed = watching.added(both, Book(asked.cursors), found)
    every = watching.added(both, Book(asked.cursors), watching.requests_of(reading))
    answered, known = (sum(requests for requests, _ in counts.values()) for counts in (every, timed))
    untimed = answered - known > len(reading)  # a page is not read in one moment
    return known >= SEEN and not untimed and not any(slow for _, slow in timed.values())


def _durations(reading: Reading) -> Taken | None:
    """(requests, those that took longer than a moment) of each pod since it started; None if a server does not tell."""
    found = []
    for scrape, counters in reading:
        within = [count for bound, count in counters.buckets if bound <= MOMENT]
        if not within or counters.buckets[-1][0] == MOMENT:
            return None
        whole = counters.buckets[-1][1]
        found.append((scrape, "/moment", (whole, whole - within[-1])))
    return found


# --- a window ------------------------------------------------------------------------------------------------------


def window(look: Look, watch: Watch, asked: Confirmation) -> tuple[Confirmation, Problem | None]:
    """The question after what was read now, and what could not be read: then it stands still."""
    both, book = _both(look, watch, asked), Book(asked.cursors)
    strange = pods.foreign(look, watch.version, watch.against)
    if strange:
        blind = [guards.silent(one, strange.reason, strange.message) for one in asked.guards]
        return asked.model_copy(update={"guards": blind}), strange
    if _few(look, both, asked):
        return asked, None
    after = {one.guard: one for one in asked.guards}
    answered, problem = _pods(look, both, asked, book, after)
    for index, one in _read_off(asked, "Series"):
        counts = watching.series(look, both, index, look.spec.rollout.guards[index], book)
        if isinstance(counts, Problem):
            problem = problem or counts
            after[one.guard] = guards.silent(one, counts.reason, counts.message)
        else:
            after[one.guard] = _late(look, asked, one, counts)
    watching.forget(look, both, book)
    states, cursors = list(after.values()), book.close()
    if states == asked.guards and cursors == asked.cursors:
        return asked, problem
    began = epoch(asked.last_window_at or look.stamp)
    length = min(look.now - began, max(LONGEST, watching.GAP * look.window)) if answered and not problem else 0.0
    return asked.model_copy(update={
        "guards": states, "cursors": cursors, "observed": encode(decode(asked.observed) + length),
        "last_window_at": asked.last_window_at if problem and not answered else look.stamp,
    }), problem  # fmt: skip


def _few(look: Look, both: Watch, asked: Confirmation) -> bool:
    """Whether a window stays open: so few requests have come."""
    reading = watching.read(look, both)
    if isinstance(reading, Problem) or look.now >= epoch(asked.last_window_at or look.stamp) + LONGEST:
        return False
    counts = watching.added(both, Book(asked.cursors), watching.requests_of(reading))
    return asked.share * sum(requests for requests, _ in counts.values()) < 100 * EXPECTED


def _pods(
    look: Look, both: Watch, asked: Confirmation, book: Book, after: dict[str, GuardEvidence]
) -> tuple[bool, Problem | None]:  # fmt: skip
    """Close a window of the pods' own counters; whether both versions have answered anything."""
    mine, reading = _read_off(asked, "Pods"), watching.read(look, both)
    if isinstance(reading, Problem):
        after |= {one.guard: guards.silent(one, reading.reason, reading.message) for _, one in mine}
        return False, reading
    trial, found, problem = book.copy(), dict[str, GuardEvidence](), None
    whole = watching.added(both, trial, watching.requests_of(reading))
    for index, one in mine:
        counts = watching.counted(both, trial, one.guard, one.threshold, index, reading, whole)
        if isinstance(counts, Problem):
            problem = counts
            found[one.guard] = guards.silent(one, counts.reason, counts.message)
        else:
            found[one.guard] = _seen(look, one, counts)
    strange = watching.confused(look, both, trial)
    if strange:
        book.replace(processes.marked(book, trial, [(scrape.arm, scrape.pod) for scrape, _ in reading]))
        after |= {one.guard: guards.silent(one, strange.reason, strange.message) for _, one in mine}
        return False, strange
    book.replace(trial)
    after |= found
    return all(requests > 0 for requests, _ in whole.values()), problem


def _seen(look: Look, one: GuardEvidence, counts: Counts) -> GuardEvidence:
    if not any(requests for requests, _ in counts.values()):
        return one.model_copy(update={"state": "Watching", "reason": "", "message": ""})
    effect = float(look.spec.rollout.design_effect)
    return question.seen(one, counts["candidate"], counts["stable"], effect, proofs.missed(look))


def _late(look: Look, asked: Confirmation, one: GuardEvidence, counts: Counts) -> GuardEvidence:
    """Outcomes: counted when those of the requests before the question have come in."""
    if one.began_at:
        return _seen(look, one, counts)
    one = one.model_copy(update={"state": "Watching", "reason": SETTLING, "message": ""})
    if one.since:
        return one if look.now < epoch(one.since) else one.model_copy(update={"began_at": look.stamp, "reason": ""})
    live, old = _plus(one.candidate, counts["candidate"]), _plus(one.stable, counts["stable"])
    if old.requests < SETTLED and IN_STEP * asked.share * (live.requests + old.requests) < 100 * SETTLED:
        return one.model_copy(update={"candidate": live, "stable": old})
    nothing = {"candidate": ArmCounts(), "stable": ArmCounts()}
    if old.requests < SETTLED:
        return one.model_copy(update=nothing)  # too few: they still lag, so it is looked at anew
    waited = look.now - epoch(asked.counting_since or look.stamp)
    return one.model_copy(update={**nothing, "since": rfc3339(look.now + waited)})


def _plus(counts: ArmCounts, more: tuple[int, int]) -> ArmCounts:
    return ArmCounts(requests=counts.requests + more[0], failures=counts.failures + more[1])
