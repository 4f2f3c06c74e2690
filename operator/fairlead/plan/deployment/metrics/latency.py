"""The latency guard: slow requests, counted above a threshold that the live version set when the rollout began."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import human, share
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import absent, guards
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.evidence.reading import Counted, Reading, Sums
from fairlead.plan.deployment.evidence.signals import ARMS, Scrape, pod_of, process_of
from fairlead.plan.deployment.metrics.base import Metric, Taken
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Counters
from fairlead.verdict import engine
from fairlead.verdict.guards import decode, encode
from fairlead.verdict.latency import Unusable, count, merge, threshold
from fairlead.verdict.trace import BadTrace, Prior

NO_HISTOGRAM = (
    "the live version's server exports no latency histogram: it has had no request since it started, or its "
    "ModelVersion names none in spec.server.metrics.latency; then name one in a new version, or drop this guard"
)
NO_ROOM = (
    "between the live version's quantile and worseBy on top of it the histogram has no bound, so nothing can be "
    "proven; raise worseBy, let the server export finer bounds, or make the guard an alarm"
)
UNTOLD = 0.5
"""Stands for a guardrail's margin until that is told: more than 100 % of a duration is no difference of shares."""
_ARMS = {"stable": "the live version", "candidate": "the candidate"}
_AFTERWARDS = {"candidate": "the live version", "stable": "the version before it"}
Read = Sequence[tuple[Scrape, Counters]]


class _Latency(Metric):
    name = "latency"
    reason = "LatencyWorse"
    changed = "Slower"
    timed = True
    by_odds = True

    @property
    def unprovable(self) -> bool:
        """Who refuses at once is not fast."""
        return True

    def begin(self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book) -> GuardEvidence:
        return state if state.began_at else _begin(look, index, state, reading.counters, book)

    def counted(
        self, look: Look, index: int, state: GuardEvidence, reading: Reading, book: Book, sums: Sums
    ) -> GuardEvidence:  # fmt: skip
        return _window(look, index, state, reading.counters, book, sums)

    def did(self, threshold: str) -> str:
        return f"took longer than {human(decode(threshold or '0'))} in"

    def rules(self, name: str, guard: Guard, prior: Prior, begun: bool) -> engine.Metric:
        """Raises BadTrace for a margin that nobody has told: it follows from a histogram."""
        if share(guard.worse_by) and not prior.metrics and not begun:
            raise BadTrace(
                f"what {name} tolerates follows from the live version's histogram; say it in a first line: "
                f'{{"margins": {{"{name}": {{"odds": 1.3, "floor": 0.05, "rate": 0.01, "worseBy": 0.04}}}}}}'
            )
        found = super().rules(name, guard, prior, begun)
        return found if found.worse_by < 1 else replace(found, worse_by=UNTOLD)

    def is_watched(self, seen: GuardEvidence, room: bool) -> bool:
        return bool(seen.began_at)

    def counts(
        self, index: int, threshold: str, read: Read, added: Callable[[Taken], Sums], whole: Sums
    ) -> Sums | Problem:  # fmt: skip
        counted = _slow(_AFTERWARDS, threshold, read)
        if isinstance(counted, Unusable):
            return Problem(counted.reason, counted.message)
        taken = [(scrape, f"/{index}", (float(values[0]), float(values[1]))) for scrape, values in counted]
        return {arm: answered(more, whole[arm]) for arm, more in added(taken).items()}


def _begin(look: Look, index: int, state: GuardEvidence, read: Read, book: Book) -> GuardEvidence:
    """Freeze the threshold, if the live version has had enough requests, and begin to count from here."""
    guard = look.spec.rollout.guards[index]
    if not state.threshold:
        stable = [counters.buckets for scrape, counters in read if scrape.arm == "stable"]
        if not any(stable):
            return guards.silent(state, "NoHistogram", NO_HISTOGRAM)
        whole = merge(stable)
        found = (
            whole if isinstance(whole, Unusable) else threshold(whole, guard.quantile or "p95", share(guard.worse_by))
        )
        if isinstance(found, Unusable):
            return guards.silent(state, found.reason, found.message)
        if guard.role == "guardrail" and not found.worse_by:
            return guards.silent(state, "MarginTooSmall", NO_ROOM)
        margin = guards.written(look, guard, found.tolerated, found.rate, found.worse_by)
        state = state.model_copy(update={"threshold": encode(found.seconds), **margin})
    counted = _slow(_ARMS, state.threshold, read)
    if isinstance(counted, Unusable):
        return guards.silent(state, counted.reason, counted.message)
    for scrape, values in counted:
        book.begin(process_of(scrape, f"/{index}"), values)
    return state.model_copy(update={
        "began_at": look.stamp, "since": look.stamp, "state": "Watching", "reason": "", "message": "",
    })  # fmt: skip


def _window(
    look: Look, index: int, state: GuardEvidence, read: Read, book: Book, served: Mapping[str, Counted]
) -> GuardEvidence:  # fmt: skip
    """The guard after one more window. served: by arm, all its requests in this window, and those that failed."""
    if not state.began_at:
        return _begin(look, index, state, read, book)
    counted = _slow(_ARMS, state.threshold, read)
    if isinstance(counted, Unusable):
        return guards.silent(state, counted.reason, counted.message)
    sums = {"stable": (0, 0), "candidate": (0, 0)}
    for scrape, values in counted:
        new = scrape.is_new(state.began_at)
        added = book.read_process(pod_of(scrape), scrape.pod.restarts, values, from_zero=new, part=f"/{index}").deltas
        requests, slow = sums[scrape.arm]
        sums[scrape.arm] = requests + added[0], slow + added[1]
    return guards.seen(look, state, *(answered(sums[arm], served[arm]) for arm in ARMS))


def answered(counted: Counted, served: Counted) -> Counted:
    """(requests, slow ones) without those that failed: a version that refuses at once is not a fast one. Histograms do
    not say which requests failed; these are taken for fast, but for those that can't be."""
    requests = min(counted[0], max(0, served[0] - served[1]))
    return requests, min(counted[1], requests)


def _slow(names: Mapping[str, str], most: str, read: Read) -> list[tuple[Scrape, Counted]] | Unusable:
    """(requests, slow ones) of each pod since it started. names: what people call the arms; most: a threshold, as
    status keeps it."""
    blind = absent.no_histogram(names, read)
    if blind:
        return blind
    found = []
    for scrape, counters in read:
        counted = count(counters.buckets, decode(most))
        if isinstance(counted, Unusable):
            return counted
        found.append((scrape, counted))
    return found


METRIC = _Latency()
