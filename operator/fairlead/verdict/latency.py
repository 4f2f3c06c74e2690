"""Latency as failure counts: a request is slow above a threshold, and slow requests are judged by test A.

The threshold comes from the live version's histogram when the rollout begins, and stays. Means of quantiles are never
taken: counts add up over pods and windows, quantiles don't.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf, isfinite

from fairlead.verdict.failures import base_rate
from fairlead.verdict.margin import Margin, margin

Buckets = tuple[tuple[float, float], ...]
"""Cumulative counts by upper bound in seconds, rising; the last bound is +Inf."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_TAIL = 10
"""At least this many requests must lie above the quantile before it is believed."""


@dataclass(frozen=True)
class Threshold:
    """Above `seconds` a request counts as slow."""

    seconds: float
    """A bound of the histogram."""
    quantile: float
    """The live version's quantile in seconds, interpolated within its bucket."""
    tolerated: Margin
    """Of slow requests."""
    rate: float
    """The live version's share of slow requests, in (0, 1)."""
    worse_by: float
    """How much larger the candidate's share may be."""


@dataclass(frozen=True)
class Unusable:
    """No evidence can be had, and what to do about it."""

    reason: str
    message: str


def merge(histograms: Iterable[Buckets]) -> Buckets | Unusable:
    """The histogram of several pods together. All must have the same bounds."""
    found = [histogram for histogram in histograms if histogram]
    if not found:
        return ()
    bounds = tuple(bound for bound, _ in found[0])
    if any(tuple(bound for bound, _ in other) != bounds for other in found[1:]):
        return Unusable("BucketsDiffer", "The pods export different histogram bounds; use the same in all of them.")
    return tuple((bound, sum(other[i][1] for other in found)) for i, bound in enumerate(bounds))


def threshold(buckets: Buckets, quantile: str, worse_by: float) -> Threshold | Unusable:
    """Where a request of the candidate counts as slow.

    buckets: the live version's; quantile: `p50`, `p90`, `p95` or `p99`; worse_by: tolerated share on top of it.
    The smallest bound at or above quantile·(1 + worse_by). Without a margin the candidate must not have more slow
    requests than the live version (odds ratio 1). With one, its own quantile may reach the threshold: a share of
    1 - quantile may lie above, which is the margin.
    """
    q = QUANTILES[quantile]
    total = buckets[-1][1] if buckets else 0.0
    needed = ceil(_TAIL / (1 - q))
    if total < needed:
        return Unusable(
            "TooFewSamples",
            f"The live version's histogram has {total:.0f} requests; {quantile} needs {needed}. Wait for traffic.",
        )
    value = _interpolate(buckets, q * total)
    if not isfinite(value):
        largest = max((bound for bound, _ in buckets if isfinite(bound)), default=0.0)
        return Unusable(
            "QuantileOutOfRange",
            f"The live version's {quantile} lies above the histogram's largest bound ({largest:g} s). "
            "Let the server export larger bounds.",
        )
    bound = next((b for b, _ in buckets if isfinite(b) and b >= value * (1 + worse_by) * (1 - 1e-12)), inf)
    if not isfinite(bound):
        return Unusable(
            "QuantileOutOfRange",
            f"The live version's {quantile} ({value:.3g} s) with worseBy on top lies above the histogram's largest "
            "bound. Let the server export larger bounds, or lower worseBy.",
        )
    rate = _share_above(buckets, bound)
    more = max(0.0, 1 - q - rate) if worse_by else 0.0
    return Threshold(bound, value, margin(rate, more), rate, more)


def count(buckets: Buckets, seconds: float) -> tuple[int, int] | Unusable:
    """(requests, slow ones) of a histogram. The threshold must be one of its bounds."""
    if not buckets:
        return 0, 0
    total = buckets[-1][1]
    for bound, below in buckets:
        if bound == seconds:
            return int(total), int(total - below)
    return Unusable(
        "BucketsDiffer",
        f"The histogram has no bound at {seconds:g} s, which the live version's has. Export the same bounds in both.",
    )


def _share_above(buckets: Buckets, bound: float) -> float:
    """The live version's share of requests above a bound of the histogram, in (0, 1)."""
    total = buckets[-1][1]
    below = next(count for b, count in buckets if b == bound)
    return base_rate(int(total - below), int(total))


def _interpolate(buckets: Buckets, rank: float) -> float:
    """The value at a rank, linear within its bucket; infinite in the last one."""
    lower, before = 0.0, 0.0
    for bound, upto in buckets:
        if upto >= rank:
            if not isfinite(bound):
                return inf
            return bound if upto == before else lower + (bound - lower) * (rank - before) / (upto - before)
        lower, before = bound, upto
    return inf
