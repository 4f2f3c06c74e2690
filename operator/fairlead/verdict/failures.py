"""Test A: is the candidate's failure rate worse than the live version's? Exact, and valid whenever one looks.

In a window the candidate answered `n_c` requests and the live version `n_s`; together `k` of them failed, `x` of these
in the candidate. Given `k`, under an odds ratio psi, x follows Fisher's non-central hypergeometric distribution

    P(x; psi) = C(n_c, x) C(n_s, k-x) psi^x / Z(psi)

The window's base rate cancels, so weights may change, load may come and go, and an empty window says nothing. The
product of the windows' likelihood ratios P(x; psi)/P(x; psi0) is a martingale if the odds ratio is psi0, and a
supermartingale below it (the ratio rises with x); so is the mean over a grid of psi. By Ville's inequality it ever
reaches 1/alpha with probability at most alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, fsum, lgamma, log, sqrt

GRID = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Odds ratios (times the tolerated one) whose likelihood is averaged."""

MOST = 10**9
"""Requests of a window, of both versions together, that can be reckoned with: the logarithms of factorials are known to
1e-5 up to here. No server answers as many; a window with more says nothing, whatever its outcome."""
WIDE = 10**4
"""Up to here a distribution is summed term by term."""
_SPACING = 4.0
"""Of a wide one, terms a standard deviation."""
_NEGLIGIBLE = 2.0**-60
_LARGEST_SHARE = 1.0 - 1e-9


def log_lr(x: int, n_c: int, n_s: int, k: int, psi0: float = 1.0) -> tuple[float, ...]:
    """Log likelihood ratio of psi·psi0 against psi0, for each psi of the grid.

    x: failures of the candidate; n_c, n_s: requests of candidate and live version; k: failures of both; psi0: the
    tolerated odds ratio. A window that can't tell the arms apart (no failure, an arm without requests) gives zeros.
    Raises ValueError for counts that can't be.
    """
    if not 0 < psi0 < float("inf"):
        raise ValueError(f"an odds ratio is a positive number, not {psi0}")
    if not informative(x, n_c, n_s, k):
        return (0.0,) * len(GRID)
    base = log_normaliser(n_c, n_s, k, psi0)
    return tuple(x * log(psi) - (log_normaliser(n_c, n_s, k, psi * psi0) - base) for psi in GRID)


def informative(x: int, n_c: int, n_s: int, k: int) -> bool:
    """Whether a window's counts could have been others, given its `n_c`, `n_s` and `k`; if not, or if there are more
    than MOST, it says nothing. (The counts that are given decide on that, so the rest stays a martingale.)

    Raises ValueError for counts that can't be.
    """
    low, high = max(0, k - n_s), min(k, n_c)
    if not (n_c >= 0 and n_s >= 0 and k >= 0 and low <= x <= high):
        raise ValueError(f"impossible counts: {x} of {k} failures among {n_c} requests of {n_c + n_s}")
    return low < high and n_c + n_s <= MOST


def log_mean(log_lrs: Sequence[float]) -> float:
    """Log of the mean of the likelihood ratios: the log evidence that the candidate is worse."""
    top = max(log_lrs)
    return top + log(fsum(exp(value - top) for value in log_lrs) / len(log_lrs))


def log_bound(alpha: float) -> float:
    """The log evidence at which harm is shown, for a false-alarm probability in (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"a false-alarm probability lies between 0 and 1, not {alpha}")
    return -log(alpha)


def base_rate(failures: int, requests: int) -> float:
    """A failure rate in (0, 1) from counts: (failures + 1/2) / (requests + 1), never 0, never 1."""
    return (failures + 0.5) / (requests + 1.0)


def odds_ratio(rate: float, worse_by: float) -> float:
    """The odds ratio at which the failure rate is `rate + worse_by` instead of `rate` (both shares; rate in (0, 1)).

    At least 1. A margin that tolerates everything gives a large, finite number. The ratio falls as the rate rises:
    where the live version's true rate lies above `rate`, the tolerance errs on the side of fewer alarms.
    """
    if not 0 < rate < 1 or worse_by < 0:
        raise ValueError(f"need a rate in (0, 1) and a margin of at least 0, not {rate} and {worse_by}")
    if worse_by == 0:
        return 1.0
    worse = min(rate + worse_by, _LARGEST_SHARE)
    return max(1.0, worse / (1.0 - worse) * (1.0 - rate) / rate)


def log_normaliser(n_c: int, n_s: int, k: int, psi: float) -> float:
    """log Z(psi), the normaliser of P(x; psi), up to a constant that does not depend on psi.

    Arguments as for `log_lr`, which has checked them; psi > 0.

    Sums outwards from the mode by the ratio of neighbouring terms, until they no longer matter: the work grows with
    the distribution's width (about the root of k), not with its support. A wide one is summed by some of its terms.
    """
    low, high = max(0, k - n_s), min(k, n_c)
    mode = _mode(n_c, n_s, k, psi, low, high)
    if min(n_c, n_s, k, n_c + n_s - k) > WIDE:
        return _spaced(n_c, n_s, k, psi, mode)
    rest = n_s - k
    total = term = 1.0
    for j in range(mode, high):
        term *= psi * ((n_c - j) * (k - j)) / ((j + 1) * (rest + j + 1))
        total += term
        if term < _NEGLIGIBLE:
            break
    term = 1.0
    for j in range(mode, low, -1):
        term *= (j * (rest + j)) / (psi * ((n_c - j + 1) * (k - j + 1)))
        total += term
        if term < _NEGLIGIBLE:
            break
    weight = lgamma(mode + 1) + lgamma(n_c - mode + 1) + lgamma(k - mode + 1) + lgamma(rest + mode + 1)
    return mode * log(psi) - weight + log(total)


def _spaced(n_c: int, n_s: int, k: int, psi: float, mode: int) -> float:
    """As `log_normaliser`, in the same time for all counts: every h-th term outwards from the mode, times h.

    The error is negligible. The distribution is that of a sum of independent yes-or-no outcomes (its generating
    function has only real roots: Vatutin & Mikhailov 1982), so with s its standard deviation its characteristic
    function is at most exp(-2 s^2 sin(t/2)^2). By Poisson's summation formula the sum over every h-th term, times h, is
    off by a share of at most the sum over m = 1 … h-1 of its values at 2 pi m/h; with sin(x) >= 2x/pi that is at most
    2 exp(-8 (s/h)^2) (1 + …), which for h = s/4 is below 1e-50. s is known nearly, from the curvature at the mode; were
    it only half as large, the error would still be below 1e-13.
    """
    low, high, rest = max(0, k - n_s), min(k, n_c), n_s - k

    def log_term(x: int) -> float:
        return x * log(psi) - (lgamma(x + 1) + lgamma(n_c - x + 1) + lgamma(k - x + 1) + lgamma(rest + x + 1))

    curvature = sum(1.0 / (count + 1) for count in (mode, n_c - mode, k - mode, rest + mode))
    step = max(1, floor(1.0 / sqrt(curvature) / _SPACING))
    top, total = log_term(mode), 1.0
    for each in (step, -step):
        x = mode + each
        while low <= x <= high:
            term = exp(log_term(x) - top)
            total += term
            if term < _NEGLIGIBLE:
                break
            x += each
    return top + log(total * step)


def _mode(n_c: int, n_s: int, k: int, psi: float, low: int, high: int) -> int:
    """The most likely x: the root of P(x) = P(x-1), a quadratic in x."""
    a = psi - 1.0
    b = (n_c + k + 2) * psi + (n_s - k)
    c = (n_c + 1.0) * (k + 1.0) * psi
    root = 2.0 * c / (b + sqrt(max(0.0, b * b - 4.0 * a * c)))
    return min(high, max(low, floor(root)))
