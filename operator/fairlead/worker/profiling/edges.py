"""Edges of bins, so that each has about as many rows; and pairs of features that go together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.profile import BINS, PAIRS
from fairlead.worker.places import Floats, Truths

ENOUGH = 30
"""Rows of the sample that a pair must have both values in."""
CUT = 4.0
"""Standard deviations, as binning cuts them."""


def edges(values: Floats, weights: NDArray[np.int64], most: int = BINS) -> list[float]:
    """Between at most `most` bins. values: NaN where there is none. Up to `most` different values have a bin each; a
    value that is as frequent as a bin should be has one of its own."""
    there = ~np.isnan(values)
    if not there.any():
        return []
    different, which = np.unique(values[there], return_inverse=True)
    times: Floats = np.bincount(which, weights=weights[there]).astype(np.float64)
    if len(different) <= most:
        found: list[float] = different[1:].tolist()
        return found
    return _even(different, times, most)


def _even(values: Floats, times: Floats, most: int) -> list[float]:
    """Values, rising, that begin a bin: each frequent one, and what is left is shared among the bins that are left."""
    frequent = _frequent(times, most)
    before = np.append(0.0, np.cumsum(np.where(frequent, 0.0, times)))
    alone = np.append(np.cumsum(frequent[::-1])[::-1], 0)
    found: list[float] = []
    start = 0
    while len(found) < most - 1:
        end = start + 1 if frequent[start] else _end(before, start, most - len(found) - int(alone[start]))
        if frequent[start:end].any() and not frequent[start]:
            end = start + int(np.argmax(frequent[start:end]))
        if end >= len(values):
            break
        found.append(float(values[end]))
        start = end
    return found


def _frequent(times: Floats, most: int) -> Truths:
    """Values that would fill a bin by themselves, if each such value has one and the others share the rest."""
    found: Truths = times >= times.sum() / most
    while found.sum() < most - 1:
        more = times >= times[~found].sum() / (most - int(found.sum()))
        if (more == found).all():
            break
        found |= more
    return found


def _end(before: Floats, start: int, bins: int) -> int:
    """Where a bin ends that has about its share of the rest."""
    wanted = before[start] + (before[-1] - before[start]) / max(1, bins)
    end = int(np.searchsorted(before, wanted))
    return max(start + 1, end - 1 if before[end] - wanted > wanted - before[end - 1] else end)


def strongest(rows: Floats, weights: NDArray[np.int64], names: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of columns with the largest correlations |r|, strongest first. rows: shape (n, columns), NaN where
    there is no value."""
    if len(names) < 2 or not len(rows):
        return []
    z, there = _standardised(rows, weights)
    weighted = there * weights[:, None]
    n, together = there.T @ weighted, there.T @ there
    x, xx, xy = z.T @ weighted, (z * z).T @ weighted, z.T @ (z * weights[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = x / n
        spread = np.maximum(0.0, xx / n - mean * mean)
        r = np.abs((xy / n - mean * mean.T) / np.sqrt(spread * spread.T))
    first, second = np.triu_indices(len(names), 1)
    size = np.round(r[first, second], 6)
    good = np.flatnonzero((together[first, second] >= ENOUGH) & np.isfinite(size))
    order = good[np.argsort(-size[good], kind="stable")][:PAIRS]
    return [(names[first[i]], names[second[i]]) for i in order.tolist()]


def _standardised(rows: Floats, weights: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """By column, cut, and 0 where there is none; and where there is one. A constant is nowhere."""
    there = ~np.isnan(rows)
    total = np.maximum(1, weights @ there)
    values = np.where(there, rows, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = (weights @ values) / total
        apart = np.where(there, rows - mean, 0.0)
        sd = np.sqrt((weights @ (apart * apart)) / total)
        usable = np.isfinite(sd) & (sd > 1e-12 * np.abs(mean))
        z = np.clip(apart / np.where(usable, sd, 1.0), -CUT, CUT)
    there &= usable
    return np.where(there, z, 0.0), there.astype(np.float64)
