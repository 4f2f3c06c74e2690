"""Do two features still go together as they did? From sums of their standardised values only.

**The test.** x and y are in the reference's units (mean 0, standard deviation 1), cut to [-4, 4]; a, b and s, t are the
means and standard deviations of *earlier* windows, older ones fading (at the start 0 and 1). Of each row

    w = (x - a)·(y - b)/(s·t)   in [-L, L], L = (4+|a|)·(4+|b|)/(s·t),     u = (1 + w/L)/2   in [0, 1]

H0: given the past, E[w] <= rho + tolerance (and, by the detector on -w, E[w] >= rho - tolerance), rho the reference's
correlation. Where means and spread are those of the windows before, E[w] is the correlation itself, also after a shift
of the features alone; while they move, for a few windows, a joint move of both can raise E[w]: then the features' own
drift stands beside it. Given the past, u lies in [0, 1] with a mean of at most m = (1 + (rho + tolerance)/L)/2, so the
capital of `verdict.bounded` has an expectation of at most 1: that is its proof. It needs sum u and sum u^2; sum w comes
from the sums exactly, and for sum w^2 an upper bound will do, as the capital's lower bound falls with it:

    ((x-a)(y-b))^2 <= ((x-a)^4 + (y-b)^4)/2 <= ((4+|a|)^2·(x-a)^2 + (4+|b|)^2·(y-b)^2)/2

**The reference is a sample**: its r is off by about (1 - r^2)/sqrt(m - 3) (Fisher), and more with heavy tails; the
tolerance is at least 4 times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, isfinite, sqrt

from fairlead.monitor.bounds import LARGEST
from fairlead.verdict import bounded
from fairlead.verdict.bounded import Sums
from fairlead.verdict.failures import GRID

CUT = 4.0
_FADE = 0.7
_SPREAD = 0.1
"""Standard deviations below which two features are as good as constant."""
_LARGEST_R = 0.999


@dataclass(frozen=True)
class Moments:
    """n, sum x, sum y, sum x², sum y², sum xy of standardised values, cut to [-4, 4]."""

    n: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    @property
    def values(self) -> tuple[float, ...]:
        return (self.n, self.x, self.y, self.xx, self.yy, self.xy)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x / self.n, self.y / self.n) if self.n else (0.0, 0.0)

    @property
    def spread(self) -> tuple[float, float]:
        """Standard deviations; 1 where nothing is known."""
        if not self.n:
            return (1.0, 1.0)
        a, b = self.centre
        return (sqrt(max(0.0, self.xx / self.n - a * a)), sqrt(max(0.0, self.yy / self.n - b * b)))

    @property
    def r(self) -> float | None:
        """Pearson's; None: a constant."""
        (a, b), (s, t) = self.centre, self.spread
        if not self.n or min(s, t) < _SPREAD:
            return None
        return max(-1.0, min(1.0, (self.xy / self.n - a * b) / (s * t)))


def moments(sums: Sequence[float]) -> Moments | None:
    """Of a window's sums; None: no values can have these."""
    if len(sums) != 6 or not all(isfinite(value) for value in sums):
        return None
    found = Moments(*sums)
    n, slack = found.n, 1e-6 * (1 + found.n)
    small = all(abs(value) <= CUT * n + slack for value in (found.x, found.y))
    squares = all(-slack <= value <= CUT * CUT * n + slack for value in (found.xx, found.yy))
    if not (0 <= n <= LARGEST and n == int(n) and small and squares):
        return None
    product = found.xy**2 <= found.xx * found.yy + slack * (1 + n)
    spread = n * found.xx - found.x**2 >= -slack * (1 + n) and n * found.yy - found.y**2 >= -slack * (1 + n)
    return found if product and spread else None


def tolerated(r: float, rows: int, tolerance: float) -> float:
    """The tolerance on a correlation, at least what the reference may be off."""
    return max(tolerance, 4 * (1 - r * r) / sqrt(max(1, rows - 3)))


def log_es(
    before: Moments, window: Moments, r: float, tolerance: float, design_effect: float = 1.0
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The log e-values per bet that the correlation is above, and below, what is tolerated. None: nothing to say."""
    s, t = before.spread
    if not window.n or min(s, t) < _SPREAD:
        return None
    a, b = before.centre
    n, scale = window.n, s * t
    largest = (CUT + abs(a)) * (CUT + abs(b)) / scale
    total = (window.xy - a * window.y - b * window.x + n * a * b) / scale
    xs, ys = window.xx - 2 * a * window.x + n * a * a, window.yy - 2 * b * window.y + n * b * b
    squares = ((CUT + abs(a)) ** 2 * xs + (CUT + abs(b)) ** 2 * ys) / (2 * scale * scale)
    above = _bets(int(n), total / largest, squares / largest**2, (r + tolerance) / largest)
    below = _bets(int(n), -total / largest, squares / largest**2, (tolerance - r) / largest)
    return tuple(value / design_effect for value in above), tuple(value / design_effect for value in below)


def _bets(n: int, total: float, squares: float, mean: float) -> tuple[float, ...]:
    """From sums of values in [-1, 1] against a tolerated mean: on (1 + value)/2."""
    first = min(float(n), max(0.0, (n + total) / 2))
    second = min(first, max(first * first / n, (n + 2 * total + squares) / 4))
    m = (1 + mean) / 2
    return bounded.log_bets(Sums(n, first, second), m) if 0 < m < 1 else (0.0,) * len(GRID)


def remembered(before: Moments, window: Moments) -> Moments:
    """With one more window in it; kept with few digits."""
    if not window.n:
        return before
    pairs = zip(before.values, window.values, strict=True)
    return Moments(*(float(round(_FADE * old + new)) for old, new in pairs))


def moved(now: float, r: float) -> float:
    """Fisher's z of a correlation less that of the reference: as large near 1 as near 0 for what is equally telling."""
    now, r = (max(-_LARGEST_R, min(_LARGEST_R, value)) for value in (now, r))
    return atanh(now) - atanh(r)
