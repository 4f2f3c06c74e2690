"""Quantiles of two versions (latency p95), from their histograms: do they differ, and is one beyond a margin?

Howard & Ramdas (arXiv 1906.09712). If x is a version's q-quantile, a value is at most x with a chance of q; so at each
x its count of values up to x is judged by test B (`verdict.proportion.log_e`), and the evidence that two versions do
not share their q-quantile is the smallest product of both over all x: under the null hypothesis one of these x is the
common quantile, and there the product is a supermartingale. One-sided, that the slow version's quantile exceeds
`factor` times the fast one's: the smallest over x of the product of the evidence that fewer than a share q of the slow
one's values are up to factor·x, and that more than q of the fast one's lie below x; each is test B with the prior cut
off at q.

A histogram doesn't say where in a bucket its values are, so a bucket counts as its least telling x. Guaranteed is the
chance of ever a false verdict as long as both quantiles stay what they are: a latency that swings with the load is
judged by slow requests instead (`verdict.latency`), window by window.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, inf, isfinite

from fairlead.verdict import checks
from fairlead.verdict.latency import Buckets
from fairlead.verdict.proportion import concentration, log_e, log_incomplete_beta

_WEIGHT = concentration(100, 0.05)


def p_value(stable: Buckets, candidate: Buckets, q: float, weight: float = _WEIGHT) -> float:
    """Of the hypothesis that both have the same q-quantile; valid whenever one looks.

    Arguments as for `log_e_differ`.
    """
    return min(1.0, exp(-log_e_differ(stable, candidate, q, weight)))


def log_e_differ(stable: Buckets, candidate: Buckets, q: float, weight: float = _WEIGHT) -> float:
    """Log evidence that the versions do not have the same q-quantile.

    stable, candidate: all values so far, with the same bounds; q: in (0, 1); weight: of test B's prior, in values, see
    `proportion.concentration`. Raises ValueError for histograms that can't be.
    """
    _check(stable, candidate, q, weight)
    return min(
        _nearest(own, stable[-1][1], q, weight) + _nearest(other, candidate[-1][1], q, weight)
        for own, other in zip(_cells(stable), _cells(candidate), strict=True)
    )


def log_e_slower(stable: Buckets, candidate: Buckets, q: float, worse_by: float, weight: float = _WEIGHT) -> float:
    """Log evidence that the candidate's q-quantile is above (1 + worse_by) times the live version's: harm.

    worse_by: at least 0; the other arguments as for `log_e_differ`.
    """
    _check(stable, candidate, q, weight, worse_by)
    return _log_e_beyond(stable, candidate, q, 1 + worse_by, weight)


def log_e_not_slower(stable: Buckets, candidate: Buckets, q: float, worse_by: float, weight: float = _WEIGHT) -> float:
    """Log evidence that the candidate's q-quantile is below (1 + worse_by) times the live version's: safe."""
    _check(stable, candidate, q, weight, worse_by)
    return _log_e_beyond(candidate, stable, q, 1 / (1 + worse_by), weight)


def _log_e_beyond(fast: Buckets, slow: Buckets, q: float, factor: float, weight: float) -> float:
    """Log evidence that slow's quantile is above `factor` times fast's."""
    return min(
        _log_e_below(_up_to(slow, bound * factor), slow[-1][1], q, weight)
        + _log_e_below(fast[-1][1] - before, fast[-1][1], 1 - q, weight)
        for (bound, _), (before, _) in zip(fast, _cells(fast), strict=True)
    )


def _log_e_below(hits: float, total: float, q: float, weight: float) -> float:
    """Log evidence that the chance of a hit is below q: test B with the prior cut off at q."""
    a, b = weight * q, weight * (1 - q)
    kept = log_incomplete_beta(a + hits, b + total - hits, q) - log_incomplete_beta(a, b, q)
    return log_e(hits, total - hits, q, weight) + kept


def _nearest(cell: tuple[float, float], total: float, q: float, weight: float) -> float:
    """Test B where it says least, of the whole counts that a cell allows: at most one away from the one nearest to a
    share q, since its minimum lies half a count from there at most."""
    low, high = cell
    hits = min(max(round(q * total), low), high)
    near = (hits, max(low, hits - 1), min(high, hits + 1))
    return min(log_e(count, total - count, q, weight) for count in near)


def _cells(buckets: Buckets) -> list[tuple[float, float]]:
    """Of each bucket, the counts below it and up to its end."""
    return list(pairwise([0.0, *(count for _, count in buckets)]))


def _up_to(buckets: Buckets, value: float) -> float:
    """The most values that may be up to a value."""
    return next(count for bound, count in buckets if bound >= value * (1 - 1e-12))


def _check(stable: Buckets, candidate: Buckets, q: float, weight: float, worse_by: float = 0.0) -> None:
    checks.shares(q=q)
    checks.finite(worse_by=worse_by, weight=weight)
    if weight <= 0 or worse_by < 0:
        raise ValueError(f"need a weight above 0 and a margin of at least 0, not {weight} and {worse_by}")
    if [bound for bound, _ in stable] != [bound for bound, _ in candidate]:
        raise ValueError("the versions' histograms differ in their bounds: export the same in both")
    for buckets in (stable, candidate):
        bounds = [bound for bound, _ in buckets]
        if not bounds or bounds[-1] != inf or any(not a < b for a, b in pairwise(bounds)) or bounds[0] <= 0:
            raise ValueError(f"a histogram's bounds rise from above 0 to +Inf, unlike {bounds}")
        for before, upto in _cells(buckets):
            checks.counts(count=upto)
            if upto < before or not isfinite(upto):
                raise ValueError(f"a histogram's cumulative counts never fall, unlike {buckets}")
