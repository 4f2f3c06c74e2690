"""What share of a score bin's rows is positive: isotonic regression over bins, by pooling adjacent violators.

Among all sequences that don't fall, the result is the one with the least weighted sum of squared distances to the bins'
shares, each weighing its reference rows (Barlow et al., "Statistical inference under order restrictions", 1972):
neighbours that fall are pooled until none does. It says of the reference what is true: the rates times the rows are the
positives that there were, in each pool and in all.

No half is added to a bin's counts to keep it from 0 and 1. Sixty bins of a hundred rows would get thirty positives that
nobody saw, most of them where the model is sure, and a good model would be estimated as a worse one. That a rate of 0
from few rows is not known to be 0 belongs into its error (`estimate`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.monitor import bounds


def calibrated(positives: Sequence[int], totals: Sequence[int]) -> tuple[float, ...]:
    """The positive share of each bin, in [0, 1], in the order of the scores; it never falls.

    positives, totals: of the reference, by bin. A bin without reference rows lies half-way between its nearest
    neighbours that have some (or is that of the only one); without any reference row all are 1/2. Raises ValueError for
    counts that can't be.
    """
    if len(positives) != len(totals):
        raise ValueError(f"{len(positives)} bins of positives and {len(totals)} of rows")
    for k, n in zip(positives, totals, strict=True):
        bounds.counts(positives=k, totals=n)
        if k > n:
            raise ValueError(f"impossible counts: {k} of {n}")
    full = [place for place, n in enumerate(totals) if n]
    means = _pooled([positives[place] / totals[place] for place in full], [totals[place] for place in full])
    return _filled(dict(zip(full, means, strict=True)), len(totals))


def _pooled(values: Sequence[float], weights: Sequence[int]) -> list[float]:
    pools: list[tuple[float, int, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (a, w, i), (b, v, j) = pools[-2:]
            pools[-2:] = [((a * w + b * v) / (w + v), w + v, i + j)]
    return [min(1.0, mean) for mean, _, joined in pools for _ in range(joined)]


def _filled(known: dict[int, float], bins: int) -> tuple[float, ...]:
    if not known:
        return (0.5,) * bins
    left, right = _nearest(known, range(bins)), _nearest(known, range(bins - 1, -1, -1))
    both = [[side[place] for side in (left, right) if place in side] for place in range(bins)]
    return tuple(known.get(place, sum(sides) / len(sides)) for place, sides in enumerate(both))


def _nearest(known: dict[int, float], way: range) -> dict[int, float]:
    """By place, what was met last on the way there."""
    found: dict[int, float] = {}
    last = None
    for place in way:
        last = known.get(place, last)
        if last is not None:
            found[place] = last
    return found
