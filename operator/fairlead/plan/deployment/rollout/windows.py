"""Evidence from the pods' own counters, a window at a time.

A window closes only when every ready pod of both versions has answered, and all that it adds (cursors, counts, the
tests' state) goes into status in one write.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import Ahead, GuardEvidence
from fairlead.manifests import route
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import ahead, common, guards, processes, split
from fairlead.plan.deployment.evidence.cursors import Book, is_read
from fairlead.plan.deployment.evidence.reading import Reading, Sums, confused, falls, sums_of
from fairlead.plan.deployment.evidence.signals import ARMS, process_of, version_of
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.serving import pods
from fairlead.verdict.guards import decode, encode

LONGEST = 3
"""A window counts as observed time for at most so many of its proper lengths: nobody watched in a gap."""


def begin(look: Look, candidate: Candidate, reading: Reading) -> Candidate:
    """Just before the first traffic: what has been counted so far is not evidence, and the margins are frozen.

    A candidate that was away for a while begins once more: then what it did before it went is still to be counted."""
    book = Book(candidate.cursors)
    for scrape, counters in reading.counters:
        if process_of(scrape) not in book:
            book.begin(process_of(scrape), (counters.requests, counters.failures))
    started = [metric_of(state.guard).begin(look, index, state, reading, book)
               for index, state in enumerate(guards.all_of(look, candidate))]  # fmt: skip
    first = candidate.counting_since is None
    restarts = sum(pod.restarts for pod in pods.of(look, candidate.version)) if first else candidate.restarts
    alone = common.begun(*reading.life("stable")) if first else candidate.common
    return candidate.model_copy(update={
        "guards": started, "cursors": book.close(), "last_window_at": look.stamp, "restarts": restarts,
        "common": alone,
        "counting_since": candidate.counting_since or look.stamp,
    })  # fmt: skip


def close(look: Look, candidate: Candidate, reading: Reading) -> Candidate:
    """The candidate after one more window; one in which counters fell that should not is not counted."""
    book = Book(candidate.cursors)
    sums = sums_of(candidate, reading, book)
    states = [metric_of(state.guard).counted(look, index, state, reading, book, sums)
              for index, state in enumerate(guards.all_of(look, candidate))]  # fmt: skip
    _forget(look, candidate, book)
    fallen = falls(reading, book)
    if fallen >= processes.TWICE:
        return _uncounted(look, candidate, reading, book)
    if fallen > falls(reading, Book(candidate.cursors)):
        candidate = candidate.model_copy(update={"counters_fell_at": look.stamp})
    if fallen and processes.on_probation(look, candidate.counters_fell_at, look.window):
        states = _silenced(states, processes.FELL, processes.FELL_WORDS)
    after = _counted(look, candidate, sums, reading.whole)
    alone = common.window(candidate.common, *sums["stable"])
    frozen = alone.worse and not candidate.common.worse
    return after.model_copy(update={
        "guards": states, "cursors": book.close(), "common": alone,
        "ahead": Ahead() if frozen else ahead.window(look, candidate.ahead, sums["stable"], sums["candidate"]),
    })  # fmt: skip


def _silenced(states: list[GuardEvidence], reason: str, message: str) -> list[GuardEvidence]:
    """The guards on the pods' counters: what they have seen stays, and nothing follows from it."""
    return [guards.silent(one, reason, message) if metric_of(one.guard).source == "Pods" else one for one in states]


def _uncounted(look: Look, candidate: Candidate, reading: Reading, book: Book) -> Candidate:
    there = [(scrape.arm, scrape.pod) for scrape, _ in reading.counters]
    marked = processes.marked(Book(candidate.cursors), book, there)
    seen = candidate.model_copy(update={"cursors": marked.close()})
    why = confused(look, seen)
    assert why
    return seen.model_copy(update={"guards": _silenced(guards.all_of(look, candidate), why.reason, why.message)})


def _forget(look: Look, candidate: Candidate, book: Book) -> None:
    """Drop the cursors of pods and of processes that are gone."""
    names = {arm: version_of(candidate, arm) for arm in ARMS}
    there = {
        (arm, pod.uid): pod.restarts
        for arm, name in names.items() for pod in [*pods.of(look, name), *pods.leaving(look, name)]
    }  # fmt: skip
    book.keep(lambda source: source.split("/")[0] not in ARMS or is_read(source, there))


def _counted(look: Look, candidate: Candidate, sums: Sums, whole: bool) -> Candidate:
    """The step's clock and counts."""
    began = epoch(candidate.last_window_at or look.stamp)
    length = min(look.now - began, LONGEST * look.window)
    requests = sums["candidate"][0]
    in_step = candidate.routed_at is not None
    changes: dict[str, object] = {
        "last_window_at": look.stamp,
        "answered": guards.plus(candidate.answered, sums["candidate"]),
        "live_answered": guards.plus(candidate.live_answered, sums["stable"]),
        "routed_at": candidate.routed_at or (look.stamp if _routed(look, candidate) else None),
    }
    if requests and not candidate.first_request_at:
        changes["first_request_at"] = look.stamp
    if requests:
        changes["last_request_at"] = look.stamp
    if requests and in_step:
        changes["observed"] = encode(decode(candidate.observed) + length)
        changes["step_requests"] = candidate.step_requests + requests
    if whole:
        changes["split"] = split.window(candidate, began, sums["stable"][0], requests)
    return candidate.model_copy(update=changes)


def _routed(look: Look, candidate: Candidate) -> bool:
    """Whether the route in the cluster has the step's weights. In an experiment nobody asks: see `plan.experiment`."""
    if look.side_by_side:
        return False
    live = look.route
    wanted = {look.child(candidate.version): candidate.weight} if candidate.weight else {}
    if candidate.weight < 100:
        wanted[look.child(candidate.against)] = 100 - candidate.weight
    copied = bool(route.copies(live)) or route.marks(live)
    return route.weights(live) == wanted and bool(candidate.shadow) == copied
