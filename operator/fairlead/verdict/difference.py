"""Rates that differ by a margin: exact evidence of harm and of safety where `worseBy` is a difference of rates.

Harm's null is p_c <= p_s + margin, safety's is p_c >= p_s + margin; both hold in every window, with rates that are
unknown and may change from window to window. An odds ratio can't express either (`verdict.margin` says why), but both
sets are convex, and so there is an e-variable for each as a whole (Turner, Ly & Grünwald, arXiv 2106.02693):

    e = prod_i  q_i^x_i (1-q_i)^(n_i-x_i)  /  r_i^x_i (1-r_i)^(n_i-x_i),      i = live version, candidate

with q any rates outside the null, chosen before the window, and r the rates of the null that are nearest to q:
they minimise D(r) = sum_i n_i KL(q_i || r_i).

Proof. Under rates p, log E[e] = sum_i n_i log(p_i q_i/r_i + (1-p_i)(1-q_i)/(1-r_i)) =: h(p) is concave in p, h(r) = 0,
and its gradient at r is n_i (q_i-r_i)/(r_i(1-r_i)), which is minus the gradient of D at r. Since r minimises the convex
D over a convex set, grad D(r)·(p-r) >= 0 for all p of the null; so h(p) <= grad h(r)·(p-r) <= 0, and E[e] <= 1. ∎

The product over windows is thus a supermartingale under the whole null, whatever the rates do, and so is the mean over
several q. By Ville's inequality it ever reaches 1/alpha with probability at most alpha. No more is guaranteed: q is
guessed from the past, and a bad guess (a rate that has just doubled in both versions) delays a verdict. Unlike test A
the windows' base rate does not cancel. The numbers of requests must not depend on the window's outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from typing import Literal

from fairlead.verdict import checks
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.failures import GRID, log_mean

Claim = Literal["harm", "safe"]

SAFE_AT = (0.5, 0.25, 0.0, -0.5)
"""A safe candidate's distance from the live version, in margins."""

_PRIOR_REQUESTS = 100.0
_FADE = 0.995
_LOWEST, _HIGHEST = 1e-9, 1.0 - 1e-4
_HALVINGS = 100


@dataclass(frozen=True)
class DifferenceState:
    """Evidence that the candidate's failure rate lies above (harm) or below (safe) the live version's plus a margin."""

    claim: Claim
    worse_by: float
    """The margin, a difference of rates in [0, 1) for harm, in (0, 1) for safe."""
    rate: float
    """The live version's rate as it is expected in the next window; at the start, as known then."""
    weight: float = _PRIOR_REQUESTS
    """The requests that `rate` stands for."""
    log_e: tuple[float, ...] = ()
    """Per alternative."""
    stable: Arm = field(default_factory=Arm)
    candidate: Arm = field(default_factory=Arm)
    windows: int = 0

    @property
    def log_evidence(self) -> float:
        """Log of the mean e-value: the claim is shown when it reaches `failures.log_bound(alpha)`."""
        return log_mean(self.log_e) if self.log_e else 0.0


def start(claim: Claim, rate: float, worse_by: float) -> DifferenceState:
    """Nothing seen yet. rate: the live version's in (0, 1), e.g. by `failures.base_rate`; worse_by: the margin.

    Raises ValueError for a rate or a margin that can't be; safety needs a margin above 0.
    """
    checks.shares(rate=rate)
    if not 0 <= worse_by < 1 or (claim == "safe" and worse_by == 0):
        raise ValueError(f"a margin lies between 0 and 1, above 0 to show safety; not {worse_by}")
    return DifferenceState(claim, worse_by, rate)


def step(state: DifferenceState, window: Window, design_effect: float = 1.0) -> DifferenceState:
    """The state after one more window. design_effect: requests that stand for one independent one. Raises ValueError
    for counts that can't be."""
    stable, candidate = window.stable, window.candidate
    gained = [
        log_e(window, q_s, q_c, state.worse_by) for q_s, q_c in alternatives(state.claim, state.rate, state.worse_by)
    ]
    have = state.log_e or (0.0,) * len(gained)
    weight = state.weight * _FADE + stable.requests
    return replace(
        state,
        log_e=tuple(old + new / design_effect for old, new in zip(have, gained, strict=True)),
        rate=(state.rate * state.weight * _FADE + stable.failures) / weight if stable.requests else state.rate,
        weight=weight if stable.requests else state.weight,
        stable=state.stable + stable,
        candidate=state.candidate + candidate,
        windows=state.windows + 1,
    )


def alternatives(claim: Claim, rate: float, worse_by: float) -> list[tuple[float, float]]:
    """Pairs (live version, candidate) of rates outside the null, around the live version's expected rate."""
    rate = min(max(rate, _LOWEST), (1.0 - worse_by) * _HIGHEST)
    if claim == "safe":
        return [(rate, max(rate + distance * worse_by, rate / 4)) for distance in SAFE_AT]
    odds = (rate + worse_by) / (1.0 - rate - worse_by)
    return [(rate, psi * odds / (1.0 + psi * odds)) for psi in GRID]


def log_e(window: Window, q_s: float, q_c: float, worse_by: float) -> float:
    """Log e-value of one window against the null on whose other side the rates (q_s, q_c) lie.

    Raises ValueError for counts that can't be, or rates outside (0, 1).
    """
    checks.shares(q_s=q_s, q_c=q_c)
    for arm in (window.stable, window.candidate):
        checks.counts(requests=arm.requests, failures=arm.failures)
        if arm.failures > arm.requests:
            raise ValueError(f"impossible counts: {arm.failures} failures of {arm.requests} requests")
    r_s = nearest(q_s, q_c, window.stable.requests, window.candidate.requests, worse_by)
    return _log_ratio(window.stable, q_s, r_s) + _log_ratio(window.candidate, q_c, r_s + worse_by)


def nearest(q_s: float, q_c: float, n_s: int, n_c: int, worse_by: float) -> float:
    """The live version's rate r, such that (r, r + worse_by) is nearest to (q_s, q_c): the minimum of `D` above.

    By bisection of D's derivative, which rises with r: that of KL(q || r) is (r - q)/(r(1 - r)).
    """
    low, high = 0.0, 1.0 - worse_by
    for _ in range(_HALVINGS):
        r = (low + high) / 2
        if r in (low, high):
            break
        other = r + worse_by
        if other < 1 and n_s * ((r - q_s) / (r * (1.0 - r))) + n_c * ((other - q_c) / (other * (1.0 - other))) < 0:
            low = r
        else:
            high = r
    return (low + high) / 2


def _log_ratio(arm: Arm, q: float, r: float) -> float:
    failed, fine = arm.failures, arm.requests - arm.failures
    gained = failed * log(q / r) if failed else 0.0
    return gained + (fine * log((1.0 - q) / (1.0 - r)) if fine else 0.0)
