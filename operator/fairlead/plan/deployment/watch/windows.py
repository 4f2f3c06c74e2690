"""The counters of a live version under watch: which are read, and what a window adds.

All that a window adds (cursors, counts, the detectors' state) goes into status in one write. A window in which nothing
happened is not written at all. Of counts by arm, `candidate` is the version under watch, `stable` the one before it.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.guard import Guard
from fairlead.api.units import chance, seconds, share
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import absent, guards, processes, promcounters, signals
from fairlead.plan.deployment.evidence.cursors import Book, is_read
from fairlead.plan.deployment.evidence.promcounters import Counts
from fairlead.plan.deployment.evidence.signals import Scrape, pod_of
from fairlead.plan.deployment.metrics.base import Source, Taken
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import PodView, Problem
from fairlead.plan.deployment.watch import detect
from fairlead.plan.deployment.watch.period import arms, chosen, due, length, most_windows
from fairlead.plan.requests import Counters, Failed, PromQuery, Request
from fairlead.verdict.failures import MOST
from fairlead.verdict.guards import decode, encode

GAP = 3
"""A window counts as observed time for at most so many of its proper lengths: nobody watched in a gap."""
PODS, SERIES = 12, 16
"""Cursors that pods' counters, and series of Prometheus, may take in status. Of larger versions a part is read."""

# --- the promotion -------------------------------------------------------------------------------------------------


def begin(look: Look, candidate: Candidate, previous: str) -> Watch | None:
    """The watch over a version that goes live now; None where nothing is to be watched or kept. previous: the way back.

    The counters go on from where the rollout has read them."""
    spec = look.spec.rollout.after_promotion
    long, standby = seconds(spec.for_), seconds(spec.standby)
    if not long and not standby:
        return None
    # a live version that was about to be rolled back itself is nothing to hold on to
    holdback = int(spec.holdback.rstrip("%")) if long and previous == candidate.against else 0
    watched = Watch(
        version=candidate.version, against=previous, since=look.stamp, until=rfc3339(look.now + 2 * long),
        length=spec.for_, holdback=holdback, standby=rfc3339(look.now + standby) if standby else None,
        restarts=sum(pod.restarts for pod in pods.of(look, candidate.version)), last_window_at=look.stamp,
        guards=_guards(look, candidate, 2 * long) if long else [], counters_fell_at=candidate.counters_fell_at,
    )  # fmt: skip
    book = Book(candidate.cursors)
    forget(look, watched, book)
    return watched.model_copy(update={"cursors": book.close()})


def _guards(look: Look, candidate: Candidate, limit: float) -> list[WatchedGuard]:
    rollout, after = look.spec.rollout, look.spec.rollout.after_promotion
    # one half for a reference that was too good by luck, the other one for all windows (see `verdict.detector`)
    part = chance(after.false_alarms) / 2 / len(rollout.guards)
    alpha = part / most_windows(limit)
    tolerance = share(after.tolerance)
    pairs = zip(rollout.guards, guards.all_of(look, candidate), strict=True)
    room = Book(candidate.cursors).outcomes(set()) <= SERIES
    return [
        detect.begin(guard, seen, tolerance, part, alpha)
        for guard, seen in pairs
        if metric_of(guard).is_watched(seen, room)
    ]


# --- what is asked -------------------------------------------------------------------------------------------------


def requests(look: Look, watch: Watch) -> list[Request]:
    """What the next window needs, if it is time for it."""
    watch = chosen(look, watch)
    if not due(look, watch):
        return []
    found: list[Request] = [scrape.request for scrape in scrapes(look, watch)]
    for _, guard, _ in _read_off(look, watch, "Series"):
        found += queries(look, watch, guard).values()
    return found


def scrapes(look: Look, watch: Watch) -> list[Scrape]:
    """How the pods' counters are read."""
    timed = sum(metric_of(state.guard).timed for state in watch.guards)
    most = max(1, PODS // (len(arms(watch)) * (1 + timed)))
    found = []
    for arm, name in arms(watch).items():
        version = versions.read(look, name)
        if version is not None:
            other = watch.against if name == watch.version else watch.version
            mine = _known_first(watch, [*pods.of(look, name), *pods.still_answering(look, name, other)])[:most]
            found += signals.scrapes_of(look, arm, version, mine)
    return found


def _known_first(watch: Watch, found: list[PodView]) -> list[PodView]:
    """Pods that have been read go on being read: one that left and came back would be counted twice."""
    known = {cursor.source.split("/")[1] for cursor in watch.cursors}
    return sorted((pod for pod in found if pod.ip), key=lambda pod: (pod.uid not in known, pod.uid))


def queries(look: Look, watch: Watch, guard: Guard) -> dict[tuple[str, str], PromQuery]:
    """The queries of a guard on series by (arm, part)."""
    return {
        (arm, part): query
        for arm, version in arms(watch).items()
        for part, query in promcounters.queries(look, metric_of(guard).expressions(guard), version).items()
    }


def _read_off(look: Look, watch: Watch, source: Source) -> list[tuple[int, Guard, WatchedGuard]]:
    mine = [one for one in watch.guards if metric_of(one.guard).source == source]
    return [(signals.index_of(one.guard), signals.guard_of(look, one.guard), one) for one in mine]


# --- a window ------------------------------------------------------------------------------------------------------


def window(look: Look, watch: Watch) -> tuple[Watch, Problem | None]:
    """The watch after what was read now, and what could not be read. Where nothing has happened, it is the same."""
    if not due(look, watch):
        return watch, None
    strange = pods.foreign(look, *arms(watch).values())
    if strange:
        return watch.model_copy(update={"guards": [_silent(state, strange) for state in watch.guards]}), strange
    book, after = Book(watch.cursors), {state.guard: state for state in watch.guards}
    seen, problem = _pods(look, watch, book, after)
    fell = _fell(look, watch, book)
    if processes.on_probation(look, fell, length(watch)):
        after |= {one.guard: _withheld(one) for one in after.values()}
    for index, guard, state in _read_off(look, watch, "Series"):
        counts = series(look, watch, index, guard, book)
        if isinstance(counts, Problem):
            problem = problem or counts
            after[state.guard] = _silent(state, counts)
        else:
            after[state.guard] = _judged(look, state, counts)
            seen = seen or counts["candidate"][0] > 0
    forget(look, watch, book)
    states, cursors = list(after.values()), book.close()
    if states == watch.guards and cursors == watch.cursors:
        return watch, problem
    observed = min(look.now - epoch(watch.last_window_at), GAP * length(watch))
    return watch.model_copy(update={
        "guards": states, "cursors": cursors, "counters_fell_at": fell,
        "last_window_at": watch.last_window_at if problem and not seen else look.stamp,
        "observed": encode(decode(watch.observed) + observed) if seen else watch.observed,
    }), problem  # fmt: skip


def _pods(look: Look, watch: Watch, book: Book, after: dict[str, WatchedGuard]) -> tuple[bool, Problem | None]:
    """Close a window of the pods' own counters; whether the live version has answered anything."""
    mine = _read_off(look, watch, "Pods")
    if not mine:
        return False, None
    reading = read(look, watch)
    if isinstance(reading, Problem):
        after |= {state.guard: _silent(state, reading) for _, _, state in mine}
        return False, reading
    trial, found, problem = book.copy(), dict[str, WatchedGuard](), None
    whole = added(watch, trial, requests_of(reading))
    for index, _, state in mine:
        counts = counted(watch, trial, state.guard, state.threshold, index, reading, whole)
        if isinstance(counts, Problem):
            problem = counts
            found[state.guard] = _silent(state, counts)
        else:
            found[state.guard] = _judged(look, state, counts)
    strange = confused(look, watch, trial)
    if strange:
        book.replace(processes.marked(book, trial, [(scrape.arm, scrape.pod) for scrape, _ in reading]))
        after |= {state.guard: _silent(state, strange) for _, _, state in mine}
        return False, strange
    book.replace(trial)
    after |= found
    return whole["candidate"][0] > 0, problem


def requests_of(reading: list[tuple[Scrape, Counters]]) -> Taken:
    """(requests, failures) of each pod since it started."""
    return [(scrape, "", (counters.requests, counters.failures)) for scrape, counters in reading]


def counted(
    watch: Watch, book: Book, guard: str, threshold: str, index: int, reading: list[tuple[Scrape, Counters]],
    whole: Counts,
) -> Counts | Problem:  # fmt: skip
    """What a guard on the pods' counters has counted in a window. whole: all requests in it, and failed ones."""
    return metric_of(guard).counts(index, threshold, reading, lambda taken: added(watch, book, taken), whole)


def confused(look: Look, watch: Watch, book: Book) -> Problem | None:
    """Why the counters can't be believed: several processes answer for one."""
    mine = scrapes(look, watch)
    found = (
        processes.confused(book, arm, name, [scrape.pod for scrape in mine if scrape.arm == arm])
        for arm, name in arms(watch).items()
    )
    return next((problem for problem in found if problem), None)


def _fell(look: Look, watch: Watch, book: Book) -> str | None:
    """When counters last fell without a restart."""

    def falls(book: Book) -> int:
        return max((book.falls(pod_of(one), one.pod.restarts) for one in scrapes(look, watch)), default=0)

    now = falls(book)
    return look.stamp if now > falls(Book(watch.cursors)) else watch.counters_fell_at if now else None


def _withheld(state: WatchedGuard) -> WatchedGuard:
    """A guard on the pods' counters, from which nothing follows yet; one that can't be seen says so already."""
    mine = metric_of(state.guard).source == "Pods" and state.state != "NoEvidence"
    return state.model_copy(update={"state": "NoEvidence", "reason": processes.FELL}) if mine else state


def read(look: Look, watch: Watch) -> list[tuple[Scrape, Counters]] | Problem:
    """The counters of all pods that are read; a pod that isn't ready need not answer."""
    for name in arms(watch).values():
        if versions.read(look, name) is None:
            return Problem("VersionMissing", f"ModelVersion {name} is gone, and with it how its counters are read; "
                           "apply it again")  # fmt: skip
        if not any(pod.ready for pod in pods.of(look, name)):
            return Problem("NoReadyPod", f"{name} has no ready pod")
    strange = confused(look, watch, Book(watch.cursors))
    if strange:
        return strange
    found = []
    for scrape in scrapes(look, watch):
        answer = look.world.answer(scrape.request)
        if isinstance(answer, Counters):
            found.append((scrape, answer))
        elif scrape.pod.ready:
            failed = answer if isinstance(answer, Failed) else Failed("BadAnswer", "not a page of counters")
            name = arms(watch)[scrape.arm]
            return Problem(failed.reason, f"the counters of a pod of {name} can't be read: {failed.message}")
    for arm, name in arms(watch).items():
        pages = [page for scrape, page in found if scrape.arm == arm]
        unnamed = absent.unnamed(look, name, "", pages, absent.JUDGED)
        if unnamed:
            return unnamed
    return found


def added(watch: Watch, book: Book, taken: Taken) -> Counts:
    """What the pods have counted since they were last read, by arm."""
    found = dict.fromkeys(arms(watch), (0, 0))
    for scrape, part, values in taken:
        new = scrape.is_new(watch.since)
        more = book.read_process(pod_of(scrape), scrape.pod.restarts, values, from_zero=new, part=part).deltas
        requests, bad = found[scrape.arm]
        found[scrape.arm] = requests + more[0], bad + more[1]
    return found


def series(look: Look, watch: Watch, index: int, guard: Guard, book: Book) -> Counts | Problem:
    """What Prometheus says was added. Of counters that don't fit each other nothing is taken: a later window has it."""
    answers = promcounters.read(look, index, queries(look, watch, guard), "candidate")
    if isinstance(answers, Problem):
        return answers
    if book.outcomes({source for source, _ in promcounters.sources(answers, index)}) > SERIES:
        return promcounters.too_many(index, SERIES)
    return promcounters.added(index, arms(watch), answers, book) or dict.fromkeys(arms(watch), (0, 0))


def _judged(look: Look, state: WatchedGuard, counts: Counts) -> WatchedGuard:
    previous = counts.get("stable")
    if previous is None and not state.tolerated:
        return _silent(state, Problem("TooFewSamples", ""))
    if sum(requests for requests, _ in counts.values()) > MOST:
        return _silent(state, Problem(guards.BEYOND, ""))
    if not any(requests for requests, _ in counts.values()):
        return state.model_copy(update={"state": "Watching", "reason": ""})
    return detect.seen(state, counts["candidate"], previous, float(look.spec.rollout.design_effect))


def _silent(state: WatchedGuard, why: Problem) -> WatchedGuard:
    return state.model_copy(update={"state": "NoEvidence", "reason": why.reason})


def forget(look: Look, watch: Watch, book: Book) -> None:
    """Keep the cursors of what is still read."""
    there = {(scrape.arm, scrape.pod.uid): scrape.pod.restarts for scrape in scrapes(look, watch)}
    mine = set(arms(watch))

    def wanted(source: str) -> bool:
        parts = source.split("/")
        return parts[1] in mine if parts[0].isdigit() else is_read(source, there)

    book.keep(wanted)
