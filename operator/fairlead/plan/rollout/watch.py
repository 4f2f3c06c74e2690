"""The live version under watch after its promotion: for how long, how often it is looked at, what speaks against it.

Windows are longer than in a rollout, and grow with the time since the promotion: what has been well for an hour need
not be looked at each second. `plan.rollout.watching` reads them.
"""

from __future__ import annotations

from math import ceil

from fairlead.api.units import human
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.core import epoch
from fairlead.plan.rollout import guards, pods, signals
from fairlead.plan.rollout.look import Look
from fairlead.plan.rollout.pods import Problem
from fairlead.verdict.guards import decode

SHORTEST, LONGEST, GROWTH = 10.0, 60.0, 0.01
"""A window's length in seconds, and as a share of the time since the promotion."""
EARLY = 0.9
"""Share of a window after which it may be closed."""
CRASHES = 3
"""Restarts since the promotion after which a version without any ready pod goes back."""
RECENT = 600.0
"""Seconds: if the last of them is longer ago, it is something else that keeps the pods from being ready."""

_REASONS = {"errors": "ErrorsWorse", "latency": "LatencyWorse", "outcomes": "OutcomesWorse", "labels": "LabelsWorse"}


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
    return watch.holdback > 0 or watch.standby is not None


def due(look: Look, watch: Watch) -> bool:
    """Whether a window may be closed."""
    return bool(watch.guards) and look.now >= epoch(watch.last_window_at) + EARLY * length(watch)


def length(watch: Watch) -> float:
    """Seconds of the window that is open."""
    return pace(epoch(watch.last_window_at) - epoch(watch.since))


def next_look(look: Look, watch: Watch) -> float:
    """Seconds until something is due."""
    times = [epoch(watch.until) - look.now] if watch.guards else []
    if watch.standby:
        times.append(epoch(watch.standby) - look.now)
    if watch.guards:
        times.append(signals.next_window(look, watch.last_window_at, length(watch)))
    return max(0.0, min(times)) if times else 0.0


def harm(look: Look, watch: Watch) -> Problem | None:
    """Why the version must go back, or None."""
    for state in watch.guards:
        if state.state == "Alarm":
            metric = state.guard.split("/")[1]
            return Problem(f"{_REASONS[metric]}AfterPromotion", _found(look, watch, state, metric))
    mine = pods.of(look, watch.version)
    restarts = sum(pod.restarts for pod in mine) - watch.restarts
    recent = any(pods.ended_since(pod, look.now - RECENT) for pod in mine)
    if watch.guards and recent and restarts >= CRASHES and not any(pod.ready for pod in mine):
        cause = pods.problem(look, watch.version)
        return Problem("CrashedAfterPromotion", f"the server of {watch.version} restarted {restarts} times since it "
                       f"went live, and no pod is ready{': ' + cause.message if cause else ''}")  # fmt: skip
    return None


def _found(look: Look, watch: Watch, state: WatchedGuard, metric: str) -> str:
    words = {
        "errors": "failed", "latency": f"took longer than {human(decode(state.threshold or '0'))} in",
        "outcomes": "was wrong in", "labels": "was wrong in",
    }[metric]  # fmt: skip
    since = human(look.now - epoch(watch.since))
    if state.previous.requests:
        other = f"{watch.against} {_share(state.previous.requests, state.previous.failures)} at the same time"
    else:
        other = f"{100 * decode(state.tolerated or '1'):.2g} % are tolerated after what {watch.against} did"
    return (
        f"{watch.version} has become worse: since it went live {since} ago it {words} "
        f"{_share(state.live.requests, state.live.failures)}, {other}; evidence {decode(state.log_evidence):.1f} ≥ "
        f"bound {decode(state.bound):.1f}"
    )


def _share(requests: int, bad: int) -> str:
    return f"{bad} of {requests} ({100 * bad / max(1, requests):.2g} %)"
