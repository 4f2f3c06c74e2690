"""Paired bootstrap: all models are scored on the same resampled rows, so what they share cancels out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2000
LEVEL = 0.95


def resampled_sums(columns: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Sums of the columns over resampled rows.

    Args:
        columns: Shape (k, n): k losses or weights of the same n rows.
        seed: The same seed and n give the same resamples.
        resamples: How many.

    Returns:
        Shape (resamples, k). Memory beyond the result is O(n).
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    count = columns.shape[1]
    sums = np.empty((resamples, len(columns)))
    for index in range(resamples):
        times = np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)
        sums[index] = columns @ times
    return sums


def interval(samples: Floats) -> tuple[float, float]:
    """The central 95 % of the samples. NaN where they are not all numbers."""
    if np.isnan(samples).any():
        return float("nan"), float("nan")
    tail = (1.0 - LEVEL) / 2.0
    # "nearest" keeps infinities as they are; interpolation would make NaN of them.
    low, high = np.quantile(samples, [tail, 1.0 - tail], method="nearest")
    return float(low), float(high)


def relative_worsening(ours: Floats, theirs: Floats, *, higher_is_better: bool) -> Floats:
    """How much worse `ours` is than `theirs`, relative to `theirs`; negative where it is better.

    Where theirs is 0: 0 if ours is too, otherwise infinite.
    """
    worse = theirs - ours if higher_is_better else ours - theirs
    infinite = np.where(worse == 0.0, 0.0, np.copysign(np.inf, worse))
    return np.divide(worse, np.abs(theirs), out=infinite, where=theirs != 0.0)
