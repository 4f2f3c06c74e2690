"""Test H: after promotion, has it become worse? An e-detector of Shiryaev and Roberts (arXiv 2203.03532).

Per alternative psi, with e_t(psi) a window's e-value (its expectation, given the past, is at most 1 while all is well):

    R_t(psi) = e_t(psi)·(1 + R_{t-1}(psi)),  R_0 = 0;    M_t = mean over psi of R_t(psi);    alarm: M_t >= 1/alpha

Each R is formed along its own path and the mean is taken last. While all is well, the mean number of windows until a
false alarm is at least 1/alpha, and the probability of one within the first n windows is at most alpha·n.

Proof. E[R_t(psi) | past] <= 1 + R_{t-1}(psi), and means keep inequalities, so M_t - t is a supermartingale from 0. With
T the time of the alarm, E[M_{min(T,n)}] <= E[min(T,n)] for each n. M is nowhere negative, and at T at least 1/alpha, so
P(T <= n)/alpha <= E[min(T,n)] <= n: the second claim. If P(T < infinity) = 1, n to infinity gives E[T] >= 1/alpha; if
not, E[T] is infinite. ∎

Unlike a single test, which is numb after a long good time, a detector begins anew with each window (the 1 in the
formula). A window that can say nothing is left out: it would only let time pass. Where windows say next to nothing, M
grows by about 1 each, and the mean time to a false alarm is no longer than promised.

What the windows are compared with:

- `two_arms`: a small holdback on the old version, in the same windows, by test A: season and upstream faults cancel;
- `one_arm`: a tolerated rate that a frozen reference gave (`tolerated`), for want of a holdback;
- `losses`: bounded losses against a tolerated mean (`verdict.bounded`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isnan, log1p

from fairlead.verdict.bounded import Sums, log_bets
from fairlead.verdict.failures import GRID, informative, log_bound, log_lr, log_mean
from fairlead.verdict.guards import Window
from fairlead.verdict.proportion import upper_bound


@dataclass(frozen=True)
class Detector:
    """All that is kept between two windows."""

    log_r: tuple[float, ...] = (-inf,) * len(GRID)
    """Log R per alternative; minus infinity at the start."""
    windows: int = 0
    """Those that could say something."""

    @property
    def log_evidence(self) -> float:
        """Log M; minus infinity at the start."""
        return log_mean(self.log_r) if max(self.log_r) > -inf else -inf


def step(state: Detector, log_es: Sequence[float]) -> Detector:
    """The state after one more window, from its log e-value per alternative. Raises ValueError if they can't be."""
    if len(log_es) != len(state.log_r) or any(isnan(value) or value == inf for value in log_es):
        raise ValueError(f"need {len(state.log_r)} logs of e-values, not {tuple(log_es)}")
    grown = tuple(value + _log1p_exp(log_r) for value, log_r in zip(log_es, state.log_r, strict=True))
    return Detector(grown, state.windows + 1)


def two_arms(state: Detector, window: Window, odds: float = 1.0) -> Detector:
    """One more window in which old and new version answered at the same time, judged by test A.

    window: the holdback (`stable`) and the promoted version (`candidate`); odds: the tolerated odds ratio.
    """
    new, old = window.candidate, window.stable
    counts = (new.failures, new.requests, old.requests, new.failures + old.failures)
    gained = log_lr(*counts, odds)
    return step(state, gained) if informative(*counts) else state


def one_arm(state: Detector, failures: int, requests: int, m: float) -> Detector:
    """One more window of the promoted version alone. m: its tolerated failure rate, in (0, 1), by `tolerated`."""
    return losses(state, Sums(requests, failures, failures), m)


def losses(state: Detector, window: Sums, m: float) -> Detector:
    """One more window of losses in [0, 1]. m: their tolerated mean, in (0, 1)."""
    gained = log_bets(window, m)
    return step(state, gained) if window.n else state


def tolerated(failures: int, requests: int, worse_by: float, beta: float) -> float:
    """The rate that a frozen reference allows: its upper confidence bound, plus a margin.

    failures, requests: of the reference, whose length was fixed beforehand; worse_by: the margin, at least 0; beta:
    the probability that the reference was too good by chance. The reference is judged once, here: were it the second
    arm of test A in each window, its luck would count again and again. So, with the true rate at most the reference's
    plus the margin, a false alarm within n windows has a probability of at most beta + alpha·n.
    Raises ValueError for counts that can't be, or where so little is known that nothing could ever be an alarm.
    """
    if not 0 <= worse_by < 1:
        raise ValueError(f"a margin lies between 0 and 1, not {worse_by}")
    rate = upper_bound(failures, requests, beta) + worse_by
    if rate >= 1:
        raise ValueError(f"{requests} requests are too few for a reference: wait for more before it is frozen")
    return rate


def alarm(state: Detector, alpha: float) -> bool:
    """Whether it has become worse. 1/alpha: windows in which one false alarm is tolerated."""
    return state.log_evidence >= log_bound(alpha)


def _log1p_exp(value: float) -> float:
    return value + log1p(exp(-value)) if value > 0 else log1p(exp(value))
