"""How one monitored quantity stands between two windows: its evidence, and whether an alarm of it still lasts.

The evidence is an e-detector's (`verdict.detector`): R per bet, each along its own path, and M their mean. After an
alarm nothing new is said of the same thing until it has been well again: `CALM` windows in a row that lie within the
tolerance, with evidence below half the bound (in logs). Evidence is cut to the bound, so that it falls as soon as the
world is well again; with the end of an alarm it begins anew from nothing.

False alarms. Let N_t be the alarms until window t, M_t the evidence while no alarm lasts, and 0 while one does. At an
alarm N grows by 1 and M falls from at least 1/alpha to 0; otherwise E[M_t | past] <= M_{t-1} + 1 if all is well. So
N_t/alpha + M_t - t is a supermartingale from 0, and E[N_t] <= alpha·t: the *number* of alarms in t windows is at most
alpha·t in the mean, restarts included, and over several monitors these means add up, however they depend on each other.

**A part of the budget.** Where the budget is shared, so that of each window's alpha only a part w_t in (0, 1] may be
spent (fixed before the window), the window adds w_t instead of 1: R_t = (R_{t-1} + w_t)·e_t, against the same bound.
Then N_t/alpha + M_t - (w_1 + … + w_t) is a supermartingale, and E[N_t] <= alpha·(w_1 + … + w_t): exactly what was
allotted. Evidence goes on when the part changes; it is neither begun anew nor measured by another bound.

What is kept is rounded down, and evidence of next to nothing is forgotten: both only make M smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, log

from fairlead.verdict import detector
from fairlead.verdict.detector import Detector

CALM = 3
"""Windows in a row that end an alarm."""
_DIGITS = 1e4
_NOTHING = -7.0
"""Log of R below which it is forgotten: less than a thousandth of the 1 (or of the part of it) that a window adds."""
_LEAST_BOUND = log(20.0)


@dataclass(frozen=True)
class Standing:
    """All that is kept."""

    log_r: tuple[float, ...] = ()
    """Log R per bet; empty: nothing yet, or forgotten."""
    alarmed: bool = False
    calm: int = 0
    """While alarmed: windows in a row that were well."""


@dataclass(frozen=True)
class Judged:
    """What one window made of it."""

    standing: Standing
    log_evidence: float
    """Log M; minus infinity where nothing was ever seen. Before it is cut to the bound."""
    fired: bool = False
    """An alarm began with this window."""


def judged(
    before: Standing, log_es: Sequence[float] | None, bound: float, within: bool, able: bool = True, part: float = 1.0
) -> Judged:
    """One more window.

    log_es: the log e-value per bet, None where the window can say nothing; bound: the log evidence of an alarm; within:
    whether the window's own numbers lie within the tolerance; able: whether an alarm may begin (if not, the evidence
    waits); part: of the window's budget, in (0, 1].
    """
    log_r = before.log_r
    if log_es is not None:
        known = len(log_r) == len(log_es)
        log_r = _grown(log_r if known else (-inf,) * len(log_es), log_es, part)
    evidence = Detector(log_r).log_evidence if log_r else -inf
    fired = able and not before.alarmed and evidence >= bound
    over = max(0.0, evidence - bound)
    kept = _kept([value - over for value in log_r], _NOTHING + log(part))
    if not (before.alarmed or fired):
        return Judged(Standing(kept), evidence)
    calm = before.calm
    if log_es is not None:
        calm = calm + 1 if within and evidence < bound / 2 else 0
    after = Standing() if calm >= CALM else Standing(kept, True, calm)
    return Judged(after, evidence, fired)


def _grown(log_r: Sequence[float], log_es: Sequence[float], part: float) -> tuple[float, ...]:
    """log((R + part)·e), which is part·((R/part) + 1)·e."""
    scale = log(part)
    grown = detector.step(Detector(tuple(value - scale for value in log_r)), log_es).log_r
    return tuple(value + scale for value in grown)


def bound(windows: float, monitors: int, alarms: float) -> float:
    """The log evidence of an alarm: of so many monitors, with so many windows a year, together at most `alarms` false
    alarms a year."""
    return max(_LEAST_BOUND, log(max(windows, 1.0)) + log(max(monitors, 1)) - log(alarms))


def _kept(log_r: Sequence[float], nothing: float) -> tuple[float, ...]:
    if not log_r or max(log_r) < nothing:
        return ()
    return tuple(floor(value * _DIGITS) / _DIGITS if value >= nothing else -inf for value in log_r)
