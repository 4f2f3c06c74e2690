"""What share of a score bin's rows is positive: isotonic regression over bins, by pooling adjacent violators.

A bin with k positives of n reference rows is taken at (k + 1/2)/(n + 1), never 0, never 1, and weighs n. Among all
sequences that don't fall, the result is the one with the least weighted sum of squared distances (Barlow et al.,
"Statistical inference under order restrictions", 1972): neighbours that fall are pooled until none does.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead.monitor import bounds
from fairlead.verdict.failures import base_rate


def calibrated(positives: Sequence[int], totals: Sequence[int]) -> tuple[float, ...]:
    """The positive share of each bin, in (0, 1), in the order of the scores; it never falls.

    positives, totals: of the reference, by bin. A bin without reference rows lies half-way between its nearest
    neighbours that have some (or is that of the only one); without any reference row all are 1/2. Raises ValueError for
    counts that can't be.
    """
    if len(positives) != len(totals):
        raise ValueError(f"{len(positives)} bins of positives and {len(totals)} of rows")
    blocks: list[tuple[float, float, int]] = []  # (mean, weight, bins)
    places = []
    for place, (k, n) in enumerate(zip(positives, totals, strict=True)):
        bounds.counts(positives=k, totals=n)
        if k > n:
            raise ValueError(f"impossible counts: {k} of {n}")
        if n:
            places.append(place)
            blocks.append((base_rate(k, n), float(n), 1))
            _pool(blocks)
    means = [mean for mean, _, bins in blocks for _ in range(bins)]
    return _filled(dict(zip(places, means, strict=True)), len(totals))


def _pool(blocks: list[tuple[float, float, int]]) -> None:
    """Merge the last blocks while they fall."""
    while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
        (a, w, i), (b, v, j) = blocks[-2:]
        blocks[-2:] = [((a * w + b * v) / (w + v), w + v, i + j)]


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
