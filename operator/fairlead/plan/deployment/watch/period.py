"""The live version under watch after its promotion: for how long, how often it is looked at, what speaks against it.

Windows are longer than in a rollout, and grow with the time since the promotion: what has been well for an hour need
not be looked at each second. `watch.windows` reads them.
"""

from __future__ import annotations

from math import ceil

from fairlead.api.evidence import ArmCounts
from fairlead.api.units import human
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.core import epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.evidence import guards, signals
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import question
from fairlead.verdict.guards import decode

SHORTEST, LONGEST, GROWTH = 10.0, 60.0, 0.01
"""A window's length in seconds, and as a share of the time since the promotion."""
EARLY = 0.9
"""Share of a window after which it may be closed."""
CRASHES = 3
"""Restarts since the promotion after which a version without any ready pod goes back."""
CRASHED = "CrashedAfterPromotion"
RECENT = 600.0
"""Seconds: if the last of them is longer ago, it is something else that keeps the pods from being ready."""


def pace(age: float) -> float:
    """Seconds of a window that begins so long after the promotion."""
    return min(LONGEST, max(SHORTEST, GROWTH * age))


def most_windows(limit: float) -> int:
    """How many windows there can be in so many seconds."""
    at, found = 0.0, 0
    while at < limit:
        if at >= LONGEST / GROWTH:
            return found + ceil((limit - at) / (EARLY * LONGEST))
        at, found = at + EARLY * pace(at), found + 1
    return max(1, found)


def arms(watch: Watch) -> dict[str, str]:
    """Version by arm."""
    return {"candidate": watch.version} | ({"stable": watch.against} if watch.holdback else {})


def chosen(look: Look, watch: Watch) -> Watch:
    """The watch over those guards that the spec still has as they were."""
    known = {signals.guard_id(i, g): guards.digests(look)[i] for i, g in enumerate(look.spec.rollout.guards)}
    kept = [state for state in watch.guards if known.get(state.guard) == state.digest]
    return watch if len(kept) == len(watch.guards) else watch.model_copy(update={"guards": kept})


def keeps(watch: Watch) -> bool:
    """Whether the previous version's pods stay."""
    asked = watch.confirmation is not None and watch.confirmation.phase != "Waiting"
    return watch.holdback > 0 or watch.standby is not None or asked


def can_ask(state: WatchedGuard) -> bool:
    """Whether it can be found out by asking if it is the version."""
    return not metric_of(state.guard).mute("")


def due(look: Look, watch: Watch) -> bool:
    """Whether a window may be closed."""
    return bool(watch.guards) and look.now >= epoch(watch.last_window_at) + EARLY * length(watch)


def length(watch: Watch) -> float:
    """Seconds of the window that is open."""
    return pace(epoch(watch.last_window_at) - epoch(watch.since))


def next_look(look: Look, watch: Watch) -> float:
    """Seconds until something is due. A question may outlast the watch's time, and says itself how long."""
    times = [epoch(watch.until) - look.now] if watch.guards and watch.confirmation is None else []
    if watch.standby:
        times.append(epoch(watch.standby) - look.now)
    if watch.guards:
        times.append(signals.next_window(look, watch.last_window_at, length(watch)))
    return max(0.0, min(times)) if times else 0.0


def harm(look: Look, watch: Watch) -> Problem | None:
    """Why the version must go back, or None. Without a holdback an alarm is only a question."""
    for state in watch.guards:
        if state.state == "Alarm" and watch.holdback:
            return found(look, watch, state)
    said = crashed(look, watch.version, watch.restarts, epoch(watch.since)) if watch.guards else ""
    return Problem(CRASHED, said) if said else None


def crashed(look: Look, version: str, restarts: int, since: float) -> str:
    """That a live version's pods crash and none is ready; empty if it is not so. restarts: those when it went live, at
    `since`."""
    mine = pods.of(look, version)
    more = pods.restarted(look, version, since, restarts)
    recent = any(pods.ended_since(pod, look.now - RECENT) for pod in mine)
    if not recent or more < CRASHES or any(pod.ready for pod in mine):
        return ""
    cause = pods.problem(look, version)
    return (
        f"the server of {version} restarted {more} times since it went live, and no pod is ready"
        f"{': ' + cause.message if cause else ''}"
    )


def reason(guard: str) -> str:
    """Why a version is rolled back, in a word."""
    return f"{metric_of(guard).reason}AfterPromotion"


def found(look: Look, watch: Watch, state: WatchedGuard) -> Problem:
    """What rang. It is told of the time since the evidence began to rise, which is what the alarm is about."""
    lately = state.lately if state.lately.requests else state.live
    did = question.did(watch.version, state.guard, lately, state.threshold)
    since = f"{human(look.now - epoch(watch.since))} after it went live"
    if watch.holdback:
        before = state.lately_previous if state.lately.requests else state.previous
        other = f"{watch.against} {question.shares(before)} at the same time"
    else:
        other = _tolerated(watch, state, lately)
    evidence = f"evidence {decode(state.log_evidence):.1f} ≥ bound {decode(state.bound):.1f}"
    return Problem(reason(state.guard), f"{did} lately, {since}, {other}; {evidence}")


def _tolerated(watch: Watch, state: WatchedGuard, lately: ArmCounts) -> str:
    rate = decode(state.tolerated or "1")
    than = "more than" if lately.failures > rate * lately.requests else "where usual are"
    what = f"what {watch.against} did" + (" and what was seen since" if state.first else "")
    return f"{than} the {100 * rate:.2g} % that are tolerated after {what}"
