"""The counters of both versions' pods at one moment: all that a window of them is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairlead.api.candidate import Candidate
from fairlead.api.units import many
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import absent, guards, processes
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.signals import ARMS, Scrape, judged, pod_of, scrapes, version_of
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Counters, Failed
from fairlead.verdict.failures import MOST

Counted = tuple[int, int]
"""Requests, and those among them that were bad."""
Sums = dict[str, Counted]
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
    sums = sums_of(candidate, reading, Book(candidate.cursors))
    if candidate.counting_since is None or sum(requests for requests, _ in sums.values()) <= MOST:
        return None
    arm = max(ARMS, key=lambda one: sums[one][0])
    name, requests = version_of(candidate, arm), sums[arm][0]
    return Problem(guards.BEYOND, f"the counters of {name} have risen by {many(requests, 'request')} since they were "
                   f"last counted; {MOST} is the most. Let server.metrics.requests name a counter of requests; "
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


def sums_of(candidate: Candidate, reading: Reading, book: Book) -> Sums:
    """What each arm has counted since its pods were last read, failures besides."""
    found: Sums = dict.fromkeys(ARMS, (0, 0))
    for scrape, counters in reading.counters:
        new, values = scrape.is_new(candidate.counting_since), (counters.requests, counters.failures)
        added = book.read_process(pod_of(scrape), scrape.pod.restarts, values, from_zero=new).deltas
        requests, failed = found[scrape.arm]
        found[scrape.arm] = requests + added[0], failed + added[1]
    return found


def falls(reading: Reading, book: Book) -> int:
    """How often counters of a pod have fallen without a restart: the most of all pods."""
    return max((book.falls(pod_of(scrape), scrape.pod.restarts) for scrape, _ in reading.counters), default=0)
