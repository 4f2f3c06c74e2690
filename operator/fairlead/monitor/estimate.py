"""A model's quality without labels, from counts: what the calibration of its scores says of today's scores.

With p_b the positive share of score bin b (`calibration.calibrated`, from a reference with labels), and c_b rows in it
now, of which c1_b are predicted positive, the expected confusion counts are

    TP = sum c1_b p_b    FP = sum c1_b (1-p_b)    FN = sum (c_b - c1_b) p_b    TN = sum (c_b - c1_b) (1-p_b)

and with P_b = c_b p_b, N_b = c_b (1-p_b) the expected AUC is sum_b P_b (N_<b + N_b/2) / (P·N), a pair in one bin
counting a half. That is confidence-based performance estimation (CBPE) from a histogram. A regression's loss is
estimated in the same way: the reference's mean loss in each bin of the prediction, weighted by today's counts.

It holds as long as a row of bin b is positive (is off) as often as in the reference: the mixture of rows may change,
what follows from a row may not. A changed world (concept drift) is *not seen*, by theory. And nothing is known of rows
unlike all in the reference: their labels may be anything, so a share s of them can move the accuracy by as much as s;
where s is above MOST_OUTSIDE, the answer is Unknown.

Each number has a standard error, by the delta method, from two independent sources:
- today's rows are a sample. A metric f is homogeneous in the cells' counts, so with g_j its derivative by the count of
  cell j (bin and predicted class), the variance is sum_j c_j g_j^2: `spread`/n, with `spread` that of one row;
- the reference was one, too: a run of bins of one rate that rests on k positives of m reference rows has the variance
  q(1-q)/(m+2), q = (k+1/2)/(m+1), that of Jeffreys' posterior (a bin without reference rows: that of the prior); so the
  metric has sum over runs of (sum over their bins of df/dp_b)^2 · q(1-q)/(m+2): `calibration`.
The labels of today's rows scatter in addition, so a realised metric scatters around the estimate by more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from fairlead.monitor import bounds, intervals
from fairlead.monitor.unknown import Unknown
from fairlead.verdict import checks
from fairlead.verdict.bounded import Sums
from fairlead.verdict.means import FEWEST, Sample, sample
from fairlead.verdict.proportion import Interval

MOST_OUTSIDE = 0.05
"""The share of rows outside of what the reference had, up to which there is an estimate."""
_WINDOWS = 5
_LONGER = "make the profile of a longer reference, or choose shorter windows"
_LOSSES = {"mae": "mae", "mse": "rmse", "mape": "mape"}


@dataclass(frozen=True)
class Figure:
    """One metric's estimate."""

    value: float
    n: int
    """Rows of today."""
    spread: float
    """Of one row: its share of the estimate's sampling variance, times n."""
    calibration: float
    """The variance that comes from the reference's size."""

    @property
    def error(self) -> float:
        """The standard error."""
        return sqrt(self.spread / self.n + self.calibration)

    def interval(self, alpha: float = 0.05) -> Interval:
        """Where the metric lies with confidence 1 - alpha, if rows of a bin are as they were in the reference."""
        half = intervals.z_of(alpha) * self.error
        return Interval(self.value - half, self.value + half)


@dataclass(frozen=True)
class Estimate:
    """Of one window's rows."""

    n: int
    figures: Mapping[str, Figure | Unknown]
    """By metric; Unknown where this window can't say it (precision without a row that is predicted positive)."""
    outside: float = 0.0
    """The share of rows that it says nothing of."""
    confusion: tuple[float, float, float, float] | None = None
    """Expected TP, FP, FN, TN; None where there are not two classes."""


def classification(
    totals: Sequence[int],
    predicted_positive: Sequence[int],
    rates: Sequence[float],
    reference: Sequence[int],
    outside: float = 0.0,
    most_outside: float = MOST_OUTSIDE,
) -> Estimate | Unknown:
    """Accuracy, precision, recall, F1 and AUC of a model with two classes.

    totals: today's rows by score bin, lowest scores first; predicted_positive: those of them that are predicted
    positive; rates: the calibrated positive shares; reference: the reference's rows by bin; outside: the share of rows
    outside the profile's support, in [0, 1]. Raises ValueError for what can't be.
    """
    cells = _cells(totals, predicted_positive, rates, reference)
    refused = _gate(totals, reference, outside, most_outside)
    if isinstance(refused, Unknown):
        return refused
    tp, fp = (fsum(one.positive * chance for one, chance in _by(cells, side)) for side in (True, False))
    fn, tn = (fsum(one.negative * chance for one, chance in _by(cells, side)) for side in (True, False))
    counts = (tp, fp, fn, tn)
    n = sum(totals)
    figures = {name: _ratio(cells, counts, over, under, n) or _NONE[name] for name, (over, under) in _RATIOS.items()}
    return Estimate(n, {**figures, "auc": _auc(cells, n) or _NONE["auc"]}, refused, counts)


def confidence(
    totals: Sequence[int],
    rates: Sequence[float],
    reference: Sequence[int],
    outside: float = 0.0,
    most_outside: float = MOST_OUTSIDE,
) -> Estimate | Unknown:
    """Accuracy of a model with any number of classes, by the probability that it gives to the class it predicts.

    totals, reference: rows by bin of that probability; rates: the calibrated share that is predicted rightly. Only the
    accuracy follows from it: which class a wrong prediction should have been is not in these counts, so neither
    precision nor recall of a class, nor an AUC, can be estimated. Raises ValueError for what can't be.
    """
    cells = _cells(totals, totals, rates, reference)
    refused = _gate(totals, reference, outside, most_outside)
    if isinstance(refused, Unknown):
        return refused
    n = sum(totals)
    right = fsum(one.positive * one.rate for one in cells)
    found = _ratio(cells, (right, n - right, 0.0, 0.0), *_RATIOS["accuracy"], n)
    return Estimate(n, {"accuracy": found or _NONE["accuracy"]}, refused)


def regression(
    totals: Sequence[int],
    losses: Mapping[str, Sequence[Sample]],
    reference: Sequence[int],
    outside: float = 0.0,
    most_outside: float = MOST_OUTSIDE,
) -> Estimate | Unknown:
    """MAE, RMSE and MAPE of a model that predicts a number.

    totals: today's rows by bin of the prediction; losses: the reference's by bin (`means.sample` of number, sum and sum
    of squares): `mae` of |e|, `mse` of e^2, which gives `rmse`, and `mape` of |e/actual| over the rows whose actual
    value is not 0; reference: its rows by bin. Raises ValueError for what can't be.
    """
    unknown_names = sorted(set(losses) - set(_LOSSES))
    if unknown_names:
        raise ValueError(f"unknown losses: {', '.join(unknown_names)}; there are {', '.join(_LOSSES)}")
    for name, samples in losses.items():
        _check_losses(name, samples, totals, reference)
    refused = _gate(totals, reference, outside, most_outside)
    if isinstance(refused, Unknown):
        return refused
    figures = {_LOSSES[name]: _loss(name, totals, samples, reference) for name, samples in losses.items()}
    return Estimate(sum(totals), figures, refused)


def band(reference: Figure, n: int, alpha: float = 0.01, design_effect: float = 1.0) -> Interval:
    """Where the estimate of n rows lies with probability 1 - alpha if rows are drawn as those of the reference were.

    reference: the reference's own estimate, by the same rates; so their errors are common to both and cancel, and what
    is left is the variance of two samples: spread·(1/n + 1/m). Rows that come in bursts or by season scatter by more:
    design_effect is how many of them stand for one independent one; where it isn't known, see `band_of`. Raises
    ValueError for n below 1, or a design effect below 1.
    """
    bounds.counts(n=n)
    checks.finite(design_effect=design_effect)
    if not n or design_effect < 1:
        raise ValueError(f"need a row and a design effect of at least 1, not {n} and {design_effect}")
    half = intervals.z_of(alpha) * sqrt(design_effect * reference.spread * (1.0 / n + 1.0 / reference.n))
    return Interval(reference.value - half, reference.value + half)


def band_of(windows: Sequence[Figure], alpha: float = 0.01) -> Interval | Unknown:
    """Where the next window's estimate lies with probability 1 - alpha if it scatters as the reference's windows did.

    windows: the reference's own estimates, window by window, each about as long as those of today. Student's prediction
    interval, mean ± t·s·sqrt(1 + 1/k), makes no assumption on the rows within a window.
    """
    if len(windows) < _WINDOWS:
        return Unknown(f"the reference has {len(windows)} windows, and {_WINDOWS} say how they scatter", _LONGER)
    k, values = len(windows), [one.value for one in windows]
    of = sample(k, fsum(values), fsum(value * value for value in values))
    half = intervals.student_t(alpha, k - 1) * sqrt(of.variance * (1.0 + 1.0 / k))
    return Interval(of.mean - half, of.mean + half)


def expected_errors(totals: Sequence[int], predicted_positive: Sequence[int], rates: Sequence[float]) -> Sums:
    """Sums of the rows' chances of a wrong prediction: losses in [0, 1] which `risk.look` judges without labels."""
    cells = _cells(totals, predicted_positive, rates, totals)
    total = fsum(one.positive * (1 - one.rate) + one.negative * one.rate for one in cells)
    squares = fsum(one.positive * (1 - one.rate) ** 2 + one.negative * one.rate**2 for one in cells)
    return Sums(sum(totals), total, squares)


@dataclass(frozen=True)
class _Cell:
    """One bin."""

    positive: int
    """Rows predicted positive,"""
    negative: int
    """and negative."""
    rate: float
    reference: int

    @property
    def rows(self) -> int:
        return self.positive + self.negative


def _cells(
    totals: Sequence[int], predicted: Sequence[int], rates: Sequence[float], reference: Sequence[int]
) -> list[_Cell]:
    if not len(totals) == len(predicted) == len(rates) == len(reference):
        raise ValueError(f"bins differ in number: {len(totals)}, {len(predicted)}, {len(rates)} and {len(reference)}")
    found = []
    for total, positive, rate, rows in zip(totals, predicted, rates, reference, strict=True):
        bounds.counts(totals=total, predicted_positive=positive, reference=rows)
        if positive > total:
            raise ValueError(f"impossible counts: {positive} of {total} rows are predicted positive")
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate lies in [0, 1], not at {rate}")
        found.append(_Cell(positive, total - positive, rate, rows))
    return found


def _by(cells: Sequence[_Cell], positive: bool) -> list[tuple[_Cell, float]]:
    return [(one, one.rate if positive else 1.0 - one.rate) for one in cells]


def _gate(totals: Sequence[int], reference: Sequence[int], outside: float, most: float) -> float | Unknown:
    """The share of rows that nothing is known of, or why there is no estimate."""
    if not 0 <= outside <= 1 or not 0 <= most <= 1:
        raise ValueError(f"a share of rows lies in [0, 1], not at {outside}, {most}")
    n = sum(totals)
    if n < FEWEST:
        return Unknown(f"{n} rows are too few for an estimate, which needs {FEWEST}", "choose longer windows")
    if not any(reference):
        return Unknown(
            "the profile has no reference rows with labels", "make a profile of held-out rows with their labels"
        )
    strange = sum(now for now, then in zip(totals, reference, strict=True) if not then) / n
    unlike = outside + (1.0 - outside) * strange
    if unlike > most:
        return Unknown(
            f"{unlike:.1%} of the rows are unlike those that the model was tried on, and nothing is known of them; "
            f"an estimate is given up to {most:.1%}",
            "label some of these rows, or train and evaluate on data that have such rows",
        )
    return unlike


_NO_REMEDY = "choose longer windows"
_NONE = {
    "accuracy": Unknown("there are no rows", _NO_REMEDY),
    "precision": Unknown("no row is predicted positive", _NO_REMEDY),
    "recall": Unknown("no row is expected to be positive", _NO_REMEDY),
    "f1": Unknown("no row is positive, or predicted so", _NO_REMEDY),
    "auc": Unknown("rows of one class only are expected", _NO_REMEDY),
}
_RATIOS = {
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "f1": ((2, 0, 0, 0), (2, 1, 1, 0)),
}
"""Numerator and denominator as multiples of TP, FP, FN and TN."""
_Slope = tuple[float, float, float]
"""Of a metric, by a bin's rows predicted positive, predicted negative, and by its rate."""


def _ratio(
    cells: Sequence[_Cell], counts: Sequence[float], over: Sequence[int], under: Sequence[int], n: int
) -> Figure | None:
    """A metric that is a ratio of sums of confusion counts."""
    den = fsum(u * one for u, one in zip(under, counts, strict=True))
    if not den:
        return None
    value = fsum(o * one for o, one in zip(over, counts, strict=True)) / den
    tp, fp, fn, tn = ((o - value * u) / den for o, u in zip(over, under, strict=True))
    slopes = [
        (
            tp * one.rate + fp * (1 - one.rate),
            fn * one.rate + tn * (1 - one.rate),
            one.positive * (tp - fp) + one.negative * (fn - tn),
        )
        for one in cells
    ]
    return _figure(value, cells, slopes, n)


def _auc(cells: Sequence[_Cell], n: int) -> Figure | None:
    positives = [one.rows * one.rate for one in cells]
    negatives = [one.rows * (1 - one.rate) for one in cells]
    all_p, all_n = fsum(positives), fsum(negatives)
    if not all_p or not all_n:
        return None
    below, above = _midway(negatives, all_n), [1.0 - under for under in _midway(positives, all_p)]
    value = fsum(p * won for p, won in zip(positives, below, strict=True)) / all_p
    slopes = []
    for one, won, lost in zip(cells, below, above, strict=True):
        by_p, by_n = (won - value) / all_p, (lost - value) / all_n
        by_row = one.rate * by_p + (1 - one.rate) * by_n
        slopes.append((by_row, by_row, one.rows * (by_p - by_n)))
    return _figure(value, cells, slopes, n)


def _midway(weights: Sequence[float], total: float) -> list[float]:
    """The share that lies below each bin, and half of that in it."""
    under, result = 0.0, []
    for weight in weights:
        result.append((under + weight / 2) / total)
        under += weight
    return result


def _figure(value: float, cells: Sequence[_Cell], slopes: Sequence[_Slope], n: int) -> Figure:
    sampling = fsum(
        one.positive * pos * pos + one.negative * neg * neg
        for one, (pos, neg, _) in zip(cells, slopes, strict=True)
    )  # fmt: skip
    return Figure(value, n, sampling * n, _calibration(cells, [rate for _, _, rate in slopes]))


def _calibration(cells: Sequence[_Cell], slopes: Sequence[float]) -> float:
    """The variance by the reference's size. Bins of one rate were pooled, so their errors are one error."""
    strange = fsum(slope * slope for one, slope in zip(cells, slopes, strict=True) if not one.reference)
    runs: dict[float, tuple[float, int]] = {}  # by rate: slope, reference rows
    for one, slope in zip(cells, slopes, strict=True):
        if one.reference:
            have, rows = runs.get(one.rate, (0.0, 0))
            runs[one.rate] = (have + slope, rows + one.reference)
    return strange * _PRIOR + fsum(slope * slope * _posterior(rate, rows) for rate, (slope, rows) in runs.items())


def _posterior(rate: float, rows: int) -> float:
    """The variance of a share that was `rate` of so many rows."""
    q = (rate * rows + 0.5) / (rows + 1)
    return q * (1 - q) / (rows + 2)


_PRIOR = 0.125
"""The variance of a share of which nothing is known: Beta(1/2, 1/2)'s."""


def _check_losses(name: str, samples: Sequence[Sample], totals: Sequence[int], reference: Sequence[int]) -> None:
    if not len(samples) == len(totals) == len(reference):
        raise ValueError(f"bins differ in number: {len(samples)} of {name}, {len(totals)} and {len(reference)}")
    for one, total, rows in zip(samples, totals, reference, strict=True):
        bounds.counts(n=one.n, totals=total, reference=rows)
        checks.finite(mean=one.mean, variance=one.variance)
        if one.mean < 0 or one.variance < 0:
            raise ValueError(f"a loss is at least 0: {one}")
        if one.n > rows or (name != "mape" and one.n < rows):
            raise ValueError(f"{one.n} losses of {rows} reference rows")


def _loss(name: str, totals: Sequence[int], samples: Sequence[Sample], reference: Sequence[int]) -> Figure | Unknown:
    """A mean loss as a ratio: of the losses and of the rows that have one, both by bin and per reference row."""
    used = [(now, one, rows) for now, one, rows in zip(totals, samples, reference, strict=True) if rows and now]
    losing = fsum(now * one.n * one.mean / rows for now, one, rows in used)
    having = fsum(now * one.n / rows for now, one, rows in used)
    if not having:
        return Unknown("all rows of the reference are 0, for which MAPE has no answer", "watch rmse_zero, with labels")
    value, n = losing / having, sum(now for now, _, _ in used)
    pooled = fsum(one.n * one.variance for _, one, _ in used) / max(1, sum(one.n for _, one, _ in used))
    sampling = calibration = 0.0
    for now, one, rows in used:
        share = one.n / rows
        off = one.mean - value
        sampling += now * (share * off / having) ** 2
        # of one reference row's loss less value, or 0 where it has none; with one row more that varies as all do
        variance = (max(0, one.n - 1) * one.variance + pooled) / max(1, one.n)
        each = share * variance + share * (1 - share) * off * off
        calibration += (now / having) ** 2 * each / rows
    found = Figure(value, n, sampling * n, calibration)
    return _rooted(found) if name == "mse" else found


def _rooted(found: Figure) -> Figure:
    root = sqrt(found.value)
    scale = 1.0 / (4 * found.value) if root else 0.0
    return Figure(root, found.n, found.spread * scale, found.calibration * scale)
