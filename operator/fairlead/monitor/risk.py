"""Is a live model harmed? Losses with labels against what it was promoted with, at any time, however often one looks.

A loss lies in [0, 1] (1 for a wrong answer; an error over its cap). Harm is a mean loss above `most`: the baseline's
upper bound plus a tolerance (`verdict.detector.tolerated` of the evaluation's counts). Judged by the e-detector of
Shiryaev and Roberts (`verdict.detector`), which begins anew with each window, so a long good time doesn't numb it.

**False alarms.** With R the detector's evidence, an alarm at R >= 1/alpha, after which it begins anew: the number of
alarms so far over alpha, plus R, less the windows so far, is a supermartingale (each window adds at most 1 on average;
an alarm swaps an R of at least 1/alpha for 1/alpha). So in w windows at most alpha·w alarms are false on average, and
with `parts` detectors that share a budget of F a year, alpha = F/(windows a year · parts) keeps it: `alpha`.

**Few labels** (`powered_step`). Of N rows of a window n have a label, whoever chose them without looking at the answer;
of all is known what the calibration expects of their loss: f (`estimate`), l the loss itself. With pi = n/N, c any
number and w in [0, 1], both fixed before the window,

    d = w (f-c)   for a row without a label,      d = (l-m)/pi - w (f-c) (1-pi)/pi   for one with a label

and e = prod (1 + bet·d). If each row's mean loss is at most m, and rows and choice are independent, E[e] <= 1: with
x = bet·w·E[f-c], E[e] <= (1+x)^(N-n) (1 - x(1-pi)/pi)^n, whose logarithm is at most, as the logarithm is concave, N
times that of 1 + ((N-n) x - n x (N-n)/n)/N = 1. ∎ Nothing is assumed of f: a bad estimate costs power, not validity.

d has the mean R-m and, with g = f-c, the mean square (E[(l-m)^2] - 2 w (1-pi) E[(l-m) g] + w^2 (1-pi) E[g^2])/pi, least
at w = E[(l-m) g]/E[g^2]; there it is smaller than without estimates (w = 0: betting on labels alone) by the squared
correlation of l-m and g, times 1-pi. w is learnt from the windows before. That is prediction-powered inference
(Angelopoulos et al. 2023) as a betting game; `powered` is its interval, with the weight of PPI++ (arXiv 2311.01453).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import fsum, log1p

from fairlead.monitor import bounds, intervals
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import checks, detector
from fairlead.verdict.bounded import Sums, bets
from fairlead.verdict.detector import Detector
from fairlead.verdict.proportion import Interval

_MOST = 0.5
"""No alpha is above this: an alarm at evidence of 2."""
_ENOUGH = 30
"""Labels from which the weight of the estimates is learnt, and an interval is given."""


def alpha(false_alarms_per_year: float, windows_per_year: float, parts: int = 1) -> float:
    """Of each detector, such that all `parts` together have at most so many false alarms a year on average.

    windows_per_year: looks of each detector, at least 1. Raises ValueError for what can't be.
    """
    checks.finite(false_alarms_per_year=false_alarms_per_year, windows_per_year=windows_per_year)
    bounds.counts(parts=parts)
    if false_alarms_per_year <= 0 or windows_per_year < 1 or not parts:
        raise ValueError(
            f"need some false alarms, windows and parts, not {false_alarms_per_year}, {windows_per_year} and {parts}"
        )
    return min(_MOST, false_alarms_per_year / (windows_per_year * parts))


@dataclass(frozen=True)
class Watch:
    """All that is kept between two looks; it doesn't grow."""

    detector: Detector = field(default_factory=Detector)
    looks: int = 0
    """All of them."""
    rows: int = 0
    since: int = 0
    """The looks when the detector began last: at the start or at the last alarm."""
    alarms: int = 0


def look(watch: Watch, window: Sums, most: float, alpha: float) -> tuple[Watch, bool]:
    """One more window (or row) of losses in [0, 1], and whether it is an alarm; after one the detector begins anew.

    most: the tolerated mean loss, in (0, 1). Raises ValueError for sums that can't be, or shares outside (0, 1).
    """
    return _judged(watch, detector.losses(watch.detector, window, most), window.n, alpha)


def _judged(watch: Watch, after: Detector, rows: int, alpha: float) -> tuple[Watch, bool]:
    looks = watch.looks + 1
    counted = replace(watch, looks=looks, rows=watch.rows + rows)
    if not detector.alarm(after, alpha):
        return replace(counted, detector=after), False
    return replace(counted, detector=Detector(), since=looks, alarms=watch.alarms + 1), True


@dataclass(frozen=True)
class Pairs:
    """Sums over rows with a label: of the loss l and of its estimate f."""

    n: int = 0
    loss: float = 0.0
    loss_squares: float = 0.0
    estimate: float = 0.0
    estimate_squares: float = 0.0
    products: float = 0.0
    """Of l·f."""

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            self.n + other.n, self.loss + other.loss, self.loss_squares + other.loss_squares,
            self.estimate + other.estimate, self.estimate_squares + other.estimate_squares,
            self.products + other.products,
        )  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Rows that are alike in what is known of them."""

    rows: int
    estimate: float
    """The expected loss of each, in [0, 1]."""
    loss: float | None = None
    """The loss of each, in [0, 1]; None without labels."""


def pairs(cells: Sequence[Cell]) -> Pairs:
    """Those of the cells that have labels. Raises ValueError for cells that can't be."""
    return sum((_pair(one.rows, one.loss, one.estimate) for one in _checked(cells) if one.loss is not None), Pairs())


def _pair(rows: int, loss: float, estimate: float) -> Pairs:
    return Pairs(
        rows, rows * loss, rows * loss * loss, rows * estimate, rows * estimate * estimate, rows * loss * estimate
    )


@dataclass(frozen=True)
class Powered:
    """A mean loss from few labels and many estimates."""

    value: float
    interval: Interval
    weight: float
    """Of the estimates, in [0, 1]; 0: only the labels count."""
    labels_alone: Interval
    """Without the estimates: how much they help."""
    labelled: int
    rows: int
    """Those without a label."""


def powered(labelled: Pairs, unlabelled: Sums, alpha: float = 0.05) -> Powered | Unknown:
    """The mean loss: w·(mean estimate of the rows without a label) + mean of (loss - w·estimate) over the others.

    w = Cov(l, f)/((1 + n/N) Var(f)), in [0, 1], minimises the variance w^2 Var(f)/N + Var(l - w f)/n, which is thus at
    most Var(l)/n, that of the labels alone. Labelled rows are a random choice. The interval is `intervals.bounded`,
    with Student's quantile of n-2 degrees of freedom, one of which is w's. Raises ValueError for sums that can't be.
    """
    _check(labelled, unlabelled)
    n, rest = labelled.n, unlabelled.n
    if n < _ENOUGH:
        return Unknown(f"{n} rows have a label, and {_ENOUGH} are needed", "label more rows, chosen at random")
    mean, f = labelled.loss / n, labelled.estimate / n
    loss = max(0.0, labelled.loss_squares / n - mean * mean)
    estimate = max(0.0, labelled.estimate_squares / n - f * f)
    both = labelled.products / n - mean * f
    alone = _interval(mean, loss / (n - 1), n, alpha, n - 1)
    if not rest or not estimate:
        return Powered(mean, alone, 0.0, alone, n, rest)
    w = min(1.0, max(0.0, both / ((1 + n / rest) * estimate)))
    far = unlabelled.total / rest
    value = min(1.0, max(0.0, w * far + mean - w * f))
    spread = max(0.0, unlabelled.squares / rest - far * far)
    variance = w * w * spread / rest + max(0.0, loss - 2 * w * both + w * w * estimate) / (n - 2)
    return Powered(value, _interval(value, variance, n, alpha, n - 2), w, alone, n, rest)


def _interval(value: float, variance: float, n: int, alpha: float, df: int) -> Interval:
    return intervals.bounded(value, variance, n, intervals.student_t(alpha, df))


def _check(labelled: Pairs, unlabelled: Sums) -> None:
    bounds.counts(n=labelled.n, rows=unlabelled.n)
    checks.finite(**{name: getattr(labelled, name) for name in _SUMS})
    checks.finite(total=unlabelled.total, squares=unlabelled.squares)
    slack = 1e-9 * (1 + labelled.n + unlabelled.n)
    totals = ((labelled.loss, labelled.loss_squares, labelled.n),
              (labelled.estimate, labelled.estimate_squares, labelled.n),
              (unlabelled.total, unlabelled.squares, unlabelled.n))  # fmt: skip
    if any(not -slack <= squares <= total + slack <= n + 2 * slack for total, squares, n in totals):
        raise ValueError(f"losses in [0, 1] can't have these sums: {labelled}, {unlabelled}")


_SUMS = ("loss", "loss_squares", "estimate", "estimate_squares", "products")


@dataclass(frozen=True)
class PoweredWatch:
    """A watch over few labels, with what it has learnt of the estimates."""

    watch: Watch = field(default_factory=Watch)
    labels: int = 0
    products: float = 0.0
    """Sum of (l-m)(f-c) over rows with a label,"""
    squares: float = 0.0
    """and of (f-c)^2."""

    @property
    def weight(self) -> float:
        """Of the estimates, in the next window."""
        if self.labels < _ENOUGH or self.squares <= 0:
            return 0.0
        return min(1.0, max(0.0, self.products / self.squares))


def powered_step(
    state: PoweredWatch, cells: Sequence[Cell], most: float, centre: float, alpha: float
) -> tuple[PoweredWatch, bool]:
    """One more window of few labels, and whether it is an alarm.

    cells: all of the window's rows, with and without labels, grouped as one likes; most: the tolerated mean loss m, in
    (0, 1); centre: c, what estimates are on average, in [0, 1], best the reference's. A window without a label says
    nothing. Raises ValueError for what can't be.
    """
    checks.shares(most=most)
    if not 0 <= centre <= 1:
        raise ValueError(f"a mean loss lies in [0, 1], not at {centre}")
    labelled = [one for one in _checked(cells) if one.loss is not None and one.rows]
    others = [one for one in cells if one.loss is None]
    n, rest = sum(one.rows for one in labelled), sum(one.rows for one in others)
    if not n:
        return state, False
    gained = _log_bets(labelled, others, most, centre, state.weight)
    watch, alarmed = _judged(state.watch, detector.step(state.watch.detector, gained), n + rest, alpha)
    seen = [(one.rows, (one.loss or 0.0) - most, one.estimate - centre) for one in labelled]
    return PoweredWatch(
        watch, state.labels + n, state.products + fsum(rows * a * g for rows, a, g in seen),
        state.squares + fsum(rows * g * g for rows, _, g in seen),
    ), alarmed  # fmt: skip


def _log_bets(labelled: Sequence[Cell], others: Sequence[Cell], m: float, c: float, weight: float) -> tuple[float, ...]:
    """Log e per bet. d is at least -(m + w(1-c)(1-pi))/pi and at least -wc, and a bet of less than 1 over that, which
    is pi/(1/b + w(1-c)(1-pi)) or 1/(1/b·pi + wc) with b < 1/m, never loses all."""
    n, rest = sum(one.rows for one in labelled), sum(one.rows for one in others)
    pi = n / (n + rest)
    w = weight if rest else 0.0
    found = []
    for b in bets(m):
        bet = min(pi / (1 / b + w * (1 - c) * (1 - pi)), 1 / (1 / (b * pi) + w * c))
        own = (
            one.rows * log1p(bet * (((one.loss or 0.0) - m) / pi - w * (one.estimate - c) * (1 - pi) / pi))
            for one in labelled
        )
        found.append(fsum(own) + fsum(one.rows * log1p(bet * w * (one.estimate - c)) for one in others))
    return tuple(found)


def _checked(cells: Sequence[Cell]) -> Sequence[Cell]:
    for one in cells:
        bounds.counts(rows=one.rows)
        if not 0 <= one.estimate <= 1 or not (one.loss is None or 0 <= one.loss <= 1):
            raise ValueError(f"losses lie in [0, 1]: {one}")
    return cells
