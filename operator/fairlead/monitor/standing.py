"""How one monitored quantity stands between two windows: its evidence, and whether an alarm of it still lasts.

The evidence is an e-detector's (`verdict.detector`): R per bet, each along its own path, and M their mean. After an
alarm nothing new is said of the same thing until it has been well again: `CALM` windows in a row that lie within the
tolerance, with evidence below half the bound (in logs). Evidence is cut to the bound, so that it falls as soon as the
world is well again; with the end of an alarm it begins anew from nothing.

False alarms. Let N_t be the alarms until window t, M_t the evidence while no alarm lasts, and 0 while one does. At an
alarm N grows by 1 and M falls from at least 1/alpha to 0; otherwise E[M_t | past] <= M_{t-1} + 1 if all is well. So
N_t/alpha + M_t - t is a supermartingale from 0, and E[N_t] <= alpha·t: the *number* of alarms in t windows is at most
alpha·t in the mean, restarts included, and over several monitors these means add up, however they depend on each other.

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
"""Log of R below which it is forgotten: less than a thousandth of the 1 that each window adds."""
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


def judged(before: Standing, log_es: Sequence[float] | None, bound: float, within: bool, able: bool = True) -> Judged:
    """One more window. log_es: the log e-value per bet, None where the window can say nothing; bound: the log evidence
    of an alarm; within: whether the window's own numbers lie within the tolerance; able: whether an alarm may begin (if
    not, the evidence waits)."""
    log_r = before.log_r
    if log_es is not None:
        known = len(log_r) == len(log_es)
        log_r = detector.step(Detector(log_r), log_es).log_r if known else tuple(log_es)
    evidence = Detector(log_r).log_evidence if log_r else -inf
    fired = able and not before.alarmed and evidence >= bound
    over = max(0.0, evidence - bound)
    kept = _kept([value - over for value in log_r])
    if not (before.alarmed or fired):
        return Judged(Standing(kept), evidence)
    calm = before.calm
    if log_es is not None:
        calm = calm + 1 if within and evidence < bound / 2 else 0
    after = Standing() if calm >= CALM else Standing(kept, True, calm)
    return Judged(after, evidence, fired)


def bound(windows: float, monitors: int, alarms: float) -> float:
    """The log evidence of an alarm: of so many monitors, with so many windows a year, together at most `alarms` false
    alarms a year."""
    return max(_LEAST_BOUND, log(max(windows, 1.0)) + log(max(monitors, 1)) - log(alarms))


def _kept(log_r: Sequence[float]) -> tuple[float, ...]:
    if not log_r or max(log_r) < _NOTHING:
        return ()
    return tuple(floor(value * _DIGITS) / _DIGITS if value >= _NOTHING else -inf for value in log_r)
