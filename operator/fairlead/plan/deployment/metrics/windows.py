"""Evidence from the pods' own counters, a window at a time.

A window closes only when every ready pod of both versions has answered, and all that it adds (cursors, counts, the
tests' state) goes into status in one write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fairlead.api.candidate import Candidate
from fairlead.api.evidence import Ahead, GuardEvidence
from fairlead.manifests import route
from fairlead.plan.core import epoch
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import absent, ahead, common, guards, processes, split
from fairlead.plan.deployment.evidence.cursors import Book, is_read
from fairlead.plan.deployment.evidence.signals import ARMS, Scrape, judged, pod_of, process_of, scrapes, version_of
from fairlead.plan.deployment.metrics import latency
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Counters, Failed
from fairlead.verdict.failures import MOST
from fairlead.verdict.guards import decode, encode

LONGEST = 3
"""A window counts as observed time for at most so many of its proper lengths: nobody watched in a gap."""

Sums = dict[str, tuple[int, int]]
"""(requests, failures) by arm."""


@dataclass(frozen=True)
class Reading:
    """The counters of both arms at one moment. `whole`: of all their pods."""

    counters: tuple[tuple[Scrape, Counters], ...]
    whole: bool

    def life(self, arm: str) -> tuple[int, int]:
        """(requests, failures) of an arm's pods since they started."""
        mine = [counters for scrape, counters in self.counters if scrape.arm == arm]
        return int(sum(c.requests for c in mine)), int(sum(c.failures for c in mine))


def read(look: Look, candidate: Candidate) -> Reading | Problem:
    """The answers of all pods, or why a window can't be closed. A pod that isn't ready need not answer."""
    missing = _missing_arm(look, candidate) or pods.foreign(look, candidate.version, candidate.against)
    missing = missing or confused(look, candidate)
    if missing:
        return missing
    got: list[tuple[Scrape, Counters]] = []
    for scrape in scrapes(look, candidate):
        answer = look.world.answer(scrape.request)
        if isinstance(answer, Counters):
            got.append((scrape, answer))
        elif scrape.pod.ready:
            return _unreadable(version_of(candidate, scrape.arm), scrape.arm, answer)
    for arm in ARMS:
        pages = [page for scrape, page in got if scrape.arm == arm]
        unnamed = absent.unnamed(look, version_of(candidate, arm), arm, pages, absent.JUDGED)
        if unnamed:
            return unnamed
    reading = Reading(tuple(got), all(judged(look, version_of(candidate, arm))[1] for arm in ARMS))
    return _beyond(candidate, reading) or reading


def _beyond(candidate: Candidate, reading: Reading) -> Problem | None:
    """Why counters tell nothing that rose by what nobody can have answered, and what can't be reckoned with."""
    sums = _sums(candidate, reading, Book(candidate.cursors))
    if candidate.counting_since is None or sum(requests for requests, _ in sums.values()) <= MOST:
        return None
    arm = max(ARMS, key=lambda one: sums[one][0])
    name, requests = version_of(candidate, arm), sums[arm][0]
    return Problem(guards.BEYOND, f"the counters of {name} have risen by {requests} requests since they were last "
                   f"counted; {MOST} is the most. Let server.metrics.requests name a counter of requests; "
                   "if it does, restart the pods: then it begins anew", arm)  # fmt: skip


def _missing_arm(look: Look, candidate: Candidate) -> Problem | None:
    for arm in ARMS:
        name = version_of(candidate, arm)
        if versions.read(look, name) is None:
            return Problem("VersionMissing", f"ModelVersion {name} is gone, and with it how its counters are read; "
                           "apply it again")  # fmt: skip
        if not any(pod.ready for pod in pods.of(look, name)):
            return Problem("NoReadyPod", f"{name} has no ready pod, so there is nothing to compare")
    return None


def confused(look: Look, candidate: Candidate) -> Problem | None:
    """Why the counters of an arm can't be believed: several processes answer for one."""
    book = Book(candidate.cursors)
    every = ((arm, version_of(candidate, arm)) for arm in ARMS)
    found = (processes.confused(book, arm, name, judged(look, name)[0]) for arm, name in every)
    why = next((problem for problem in found if problem), None)
    return replace(why, message=why.message + absent.forced(look, why.arm)) if why else None


def _unreadable(version: str, arm: str, answer: object) -> Problem:
    failed = answer if isinstance(answer, Failed) else Failed("BadAnswer", "not a page of counters")
    return Problem(failed.reason, f"the counters of a pod of {version} can't be read: {failed.message}", arm)


def begin(look: Look, candidate: Candidate, reading: Reading) -> Candidate:
    """Just before the first traffic: what has been counted so far is not evidence, and the margins are frozen.

    A candidate that was away for a while begins once more: then what it did before it went is still to be counted."""
    book = Book(candidate.cursors)
    for scrape, counters in reading.counters:
        if process_of(scrape) not in book:
            book.begin(process_of(scrape), (counters.requests, counters.failures))
    started = [_begin_guard(look, index, state, reading, book)
               for index, state in enumerate(guards.all_of(look, candidate))]  # fmt: skip
    first = candidate.counting_since is None
    restarts = sum(pod.restarts for pod in pods.of(look, candidate.version)) if first else candidate.restarts
    alone = common.begun(*reading.life("stable")) if first else candidate.common
    return candidate.model_copy(update={
        "guards": started, "cursors": book.close(), "last_window_at": look.stamp, "restarts": restarts,
        "common": alone,
        "counting_since": candidate.counting_since or look.stamp,
    })  # fmt: skip


def _begin_guard(look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book) -> GuardEvidence:
    guard = look.spec.rollout.guards[index]
    if guard.metric == "errors":
        return _frozen(look, index, state, reading)
    waits = guard.metric == "latency" and not state.began_at
    return latency.begin(look, index, state, reading.counters, book) if waits else state


def _frozen(look: Look, index: int, state: GuardEvidence, reading: Reading) -> GuardEvidence:
    """The errors guard with its margin. One that was frozen before keeps it."""
    guard = look.spec.rollout.guards[index]
    tolerated = {} if state.odds else guards.frozen(look, guard, *reading.life("stable"))
    return state.model_copy(update={
        **tolerated, "began_at": state.began_at or look.stamp,
        "state": "Watching", "reason": "", "message": "",
    })  # fmt: skip


def close(look: Look, candidate: Candidate, reading: Reading) -> Candidate:
    """The candidate after one more window; one in which counters fell that should not is not counted."""
    book = Book(candidate.cursors)
    sums = _sums(candidate, reading, book)
    states = list(_judged(look, candidate, reading, sums, book))
    _forget(look, candidate, book)
    falls = _falls(reading, book)
    if falls >= processes.TWICE:
        return _uncounted(look, candidate, reading, book)
    if falls > _falls(reading, Book(candidate.cursors)):
        candidate = candidate.model_copy(update={"counters_fell_at": look.stamp})
    if falls and processes.on_probation(look, candidate.counters_fell_at, look.window):
        states = processes.withheld(states)
    after = _counted(look, candidate, sums, reading.whole)
    alone = common.window(candidate.common, *sums["stable"])
    frozen = alone.worse and not candidate.common.worse
    return after.model_copy(update={
        "guards": states, "cursors": book.close(), "common": alone,
        "ahead": Ahead() if frozen else ahead.window(look, candidate.ahead, sums["stable"], sums["candidate"]),
    })  # fmt: skip


def _falls(reading: Reading, book: Book) -> int:
    """How often counters of a pod have fallen without a restart: the most of all pods."""
    return max((book.falls(pod_of(scrape), scrape.pod.restarts) for scrape, _ in reading.counters), default=0)


def _uncounted(look: Look, candidate: Candidate, reading: Reading, book: Book) -> Candidate:
    there = [(scrape.arm, scrape.pod) for scrape, _ in reading.counters]
    marked = processes.marked(Book(candidate.cursors), book, there)
    seen = candidate.model_copy(update={"cursors": marked.close()})
    why = confused(look, seen)
    assert why
    return seen.model_copy(update={"guards": processes.silenced(guards.all_of(look, candidate), why)})


def _sums(candidate: Candidate, reading: Reading, book: Book) -> Sums:
    found: Sums = dict.fromkeys(ARMS, (0, 0))
    for scrape, counters in reading.counters:
        new = is_new(scrape, candidate.counting_since)
        values = counters.requests, counters.failures
        added = book.read_process(pod_of(scrape), scrape.pod.restarts, values, from_zero=new).deltas
        requests, failed = found[scrape.arm]
        found[scrape.arm] = requests + added[0], failed + added[1]
    return found


def is_new(scrape: Scrape, since: str | None) -> bool:
    """Whether all that a pod has ever counted was counted while we watched."""
    return since is not None and scrape.pod.started is not None and scrape.pod.started > epoch(since)


def _judged(
    look: Look, candidate: Candidate, reading: Reading, sums: Sums, book: Book
) -> Iterator[GuardEvidence]:  # fmt: skip
    for index, state in enumerate(guards.all_of(look, candidate)):
        metric = look.spec.rollout.guards[index].metric
        if metric == "errors":
            yield guards.seen(look, _frozen(look, index, state, reading), sums["stable"], sums["candidate"])
        elif metric == "latency":
            yield latency.window(look, index, state, reading.counters, book, sums)
        else:
            yield state


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
