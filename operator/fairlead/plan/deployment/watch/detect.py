"""A guard after the promotion: between its form in status and the detector that judges it (`verdict.detector`).

With a holdback each window compares both versions on the same traffic (test A; with a margin the smaller of two
e-values, as in `verdict.margin`). Without one the live version's own share of bad answers is held against a rate that
was fixed at the promotion: then an alarm is a question (`rollback.asking`).
"""

from __future__ import annotations

from math import inf

from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import share
from fairlead.api.watch import WatchedGuard
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.verdict import detector
from fairlead.verdict.bounded import Sums, log_bets
from fairlead.verdict.detector import Detector
from fairlead.verdict.failures import GRID, informative, log_bound, log_lr, log_mean
from fairlead.verdict.guards import decode, encode, encode_all

LARGEST = 1_000_000
"""Requests of a reference beyond which more would not make it sharper in any way that matters."""
NEARLY_ALL, MOST = 0.9, 0.5
"""A version that is shown to fail more than the first share now is not left waiting for a candidate before it is asked.
Looked for while it fails more than the second one."""
BACK = 1e-3
"""The chance per window that the live version is taken to be back within what was tolerated though it is not."""
_START = (-inf,) * len(GRID)


def begin(guard: Guard, seen: GuardEvidence, tolerance: float, beta: float, alpha: float) -> WatchedGuard:
    """A guard at the promotion. seen: what it has seen in the rollout; tolerance: a difference of shares; beta, alpha:
    the chances that the reference was too good by luck, and of a false alarm in a window."""
    # labels of the version before may still be to come: `latelabels`
    known = "" if metric_of(guard).late else tolerated(guard, seen, tolerance, beta)
    return WatchedGuard(
        guard=seen.guard, digest=seen.digest, odds=seen.odds or "1", threshold=seen.threshold,
        floor=seen.floor if seen.odds else "0", tolerated=known,
        bound=encode(log_bound(alpha)),
    )  # fmt: skip


def tolerated(guard: Guard, seen: GuardEvidence, tolerance: float, beta: float) -> str:
    """What the previous version did in the rollout, as a bound, and what is tolerated on top; empty if it did too
    little. A margin on a quantile is an odds ratio of slow requests; any other one is a difference."""
    requests, bad = seen.stable.requests, seen.stable.failures
    if requests > LARGEST:
        requests, bad = LARGEST, round(bad * LARGEST / requests)
    by_odds = metric_of(guard).by_odds
    margin = 0.0 if by_odds else share(guard.worse_by)
    try:
        rate = detector.tolerated(bad, requests, 0.0, beta)
    except ValueError:
        return ""
    if by_odds:
        odds = decode(seen.odds or "1") * rate / (1.0 - rate)
        rate = odds / (1.0 + odds)
    rate += margin + tolerance
    return encode(rate) if rate < 1.0 else ""


def seen(
    state: WatchedGuard, live: tuple[int, int], previous: tuple[int, int] | None, design_effect: float
) -> WatchedGuard:  # fmt: skip
    """The guard after one more window: (requests, bad ones) of the live version, and of the previous one if it has a
    holdback."""
    before = Detector(tuple(map(decode, state.log_r)) or _START, state.windows)
    gained = _gained(state, live, previous)
    after = detector.step(before, [value / design_effect for value in gained]) if gained else before
    alarm, rises = after.log_evidence >= decode(state.bound), after.log_evidence > 0
    old = previous or (0, 0)
    return state.model_copy(update={
        "live": _plus(state.live, live), "previous": _plus(state.previous, old),
        "lately": _plus(state.lately, live) if rises else ArmCounts(),
        "lately_previous": _plus(state.lately_previous, old) if rises else ArmCounts(),
        "hopeless": _hopeless(state, live, design_effect), "log_back": _back(state, live, design_effect),
        "windows": after.windows, "log_r": encode_all(after.log_r), "log_evidence": encode(after.log_evidence),
        "state": "Alarm" if alarm else "Watching", "reason": "",
    })  # fmt: skip


def anew(state: WatchedGuard, tolerated: str) -> WatchedGuard:
    """The guard with another reference: what its detector knew was held against the one before."""
    return state.model_copy(update={
        "tolerated": tolerated, "log_r": [], "log_evidence": encode(-inf), "state": "Watching", "reason": "",
        "lately": ArmCounts(), "lately_previous": ArmCounts(), "hopeless": [],
    })  # fmt: skip


def hopeless(state: WatchedGuard) -> bool:
    """Whether it is shown that nearly all requests fail now."""
    return bool(state.hopeless) and log_mean(tuple(map(decode, state.hopeless))) >= decode(state.bound)


def _hopeless(state: WatchedGuard, live: tuple[int, int], design_effect: float) -> list[str]:
    """The detector's state that looks for it."""
    requests, bad = live
    if not requests or not metric_of(state.guard).all_requests:
        return state.hopeless
    if bad <= MOST * requests:
        return []
    return _grown(state.hopeless, _alone(requests, bad, NEARLY_ALL), design_effect)


def is_back(state: WatchedGuard) -> bool:
    """Whether it is shown that the live version is back within what was tolerated at first."""
    return bool(state.log_back) and log_mean(tuple(map(decode, state.log_back))) >= log_bound(BACK)


def as_at_first(state: WatchedGuard) -> WatchedGuard:
    """The guard with the reference that it had before the world changed."""
    return anew(state, state.first).model_copy(update={"first": "", "log_back": []})


def _back(state: WatchedGuard, live: tuple[int, int], design_effect: float) -> list[str]:
    """The state of the detector that bets on good answers being more than the tolerated rate leaves."""
    requests, bad = live
    if not state.first or not requests:
        return state.log_back
    return _grown(state.log_back, _alone(requests, requests - bad, 1.0 - decode(state.first)), design_effect)


def _grown(log_r: list[str], gained: tuple[float, ...], design_effect: float) -> list[str]:
    """A detector's state after one more window that can say something."""
    before = Detector(tuple(map(decode, log_r)) or _START)
    return encode_all(detector.step(before, [value / design_effect for value in gained]).log_r)


def _gained(
    state: WatchedGuard, live: tuple[int, int], previous: tuple[int, int] | None
) -> tuple[float, ...]:  # fmt: skip
    """The window's log e-values; none if it can say nothing."""
    requests, bad = live
    if previous is None:
        return _alone(requests, bad, decode(state.tolerated)) if requests and state.tolerated else ()
    counts = (bad, requests, previous[0], bad + previous[1])
    if not informative(*counts):
        return ()
    found, floor = log_lr(*counts, decode(state.odds)), decode(state.floor)
    return tuple(map(min, found, _alone(requests, bad, floor))) if floor > 0 else found


def _alone(requests: int, bad: int, tolerated: float) -> tuple[float, ...]:
    return log_bets(Sums(requests, bad, bad), tolerated)


def _plus(counts: ArmCounts, more: tuple[int, int]) -> ArmCounts:
    return ArmCounts(requests=counts.requests + more[0], failures=counts.failures + more[1])
