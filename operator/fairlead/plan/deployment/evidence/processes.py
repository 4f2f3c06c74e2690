"""Counters of several processes behind one port: each scrape is answered by any of them, and none tells the whole.

A counter falls when its process begins anew. Kubernetes tells of that as a restart of the container, sooner or later;
a supervisor inside the container may do it once without a word. A counter that falls a second time without a restart is
no counter of one process. After a first fall nothing is decided by the counters for a while, and after the second one
they are not read any more: what they said meanwhile is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.deployment.serving.pods import PodView, Problem

REASON, FELL = "SeveralProcesses", "CountersFell"
TWICE = 2
PROBATION = 10
"""Windows after a fall without a restart in which nothing is decided: with several processes there is a second one."""
FELL_WORDS = (
    "a counter has fallen, and no container has restarted: for some windows nothing is decided by it, to see whether "
    "it falls again"
)


def confused(book: Book, arm: str, version: str, pods: Iterable[PodView]) -> Problem | None:
    """Why a version's counters tell nothing, or None."""
    for pod in pods:
        if book.falls(f"{arm}/{pod.uid}", pod.restarts) >= TWICE:
            return Problem(REASON, _words(version, pod), arm)
    return None


def _words(version: str, pod: PodView) -> str:
    name = pod.raw["metadata"].get("name", pod.uid)
    return (
        f"the counters of {version} fell twice though the container of pod {name} has not restarted: several "
        "processes answer on its port and each counts for itself (or what they name is no counter). Nothing is judged "
        "by them. In a new ModelVersion let one process serve, or let all share one registry (prometheus_client's "
        "multi-process mode), or let Fairlead's proxy count, which it does for any server: spec.server.metrics.from: "
        "Proxy"
    )


def marked(before: Book, after: Book, arms: Iterable[tuple[str, PodView]]) -> Book:
    """The book as it was before a window that is not counted, with the second falls. They begin at zero: if it was
    restarts that nobody has told of yet, all is still to be counted."""
    kept = before.copy()
    for arm, pod in arms:
        for source, size in after.ahead(f"{arm}/{pod.uid}", pod.restarts, TWICE):
            if source not in kept:
                kept.begin(source, (0.0,) * size)
    return kept


def on_probation(look: Look, fell_at: str | None, window: float) -> bool:
    """Whether a fall is so recent that nothing is decided yet."""
    return fell_at is not None and look.now < epoch(fell_at) + PROBATION * window
