"""A sample of rows that does not depend on their order: those of the smallest hashes, each with how often it comes.

A row is in it or not by its values alone, so the same rows give the same sample. If there are no more different rows
than it holds, it has all of them, and what follows from it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairlead.worker.places import Floats

ROWS, LEAST, VALUES = 1 << 16, 1 << 12, 1 << 21
"""Different rows that are kept: fewer of many columns, so that there are no more than VALUES, but at least LEAST."""
_GOLDEN, _FIRST, _SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_SHIFT = np.uint64(32)


class Sample:
    """Rows of numbers; what is not finite is NaN."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._most = max(LEAST, min(ROWS, VALUES // max(1, columns)))
        self._bar: np.uint64 | None = None
        self._parts: list[tuple[NDArray[np.uint64], NDArray[np.int64], Floats]] = []
        self._waiting = 0

    def add(self, columns: Sequence[Floats]) -> None:
        """The next rows: each column's values."""
        if not columns or not len(columns[0]):
            return
        clean = [np.where(np.isfinite(one), one + 0.0, np.nan) for one in columns]  # -0.0 is 0.0
        hashes = _hashes(clean)
        chosen = slice(None) if self._bar is None else hashes <= self._bar
        found = hashes[chosen]
        self._parts.append((found, np.ones(len(found), dtype=np.int64), np.column_stack([c[chosen] for c in clean])))
        self._waiting += len(found)
        if self._waiting > 2 * self._most:
            self._compact()

    def merge(self, other: Sample) -> None:
        """With the rows of another one."""
        self._parts += other._parts
        self._waiting += other._waiting
        self._compact()

    def _compact(self) -> None:
        if not self._parts:
            return
        hashes, weights, rows = (np.concatenate([p[i] for p in self._parts]) for i in range(3))
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
        times = np.add.reduceat(weights[order], first)
        if len(first) > self._most:
            self._bar = hashes[first[self._most - 1]]
        kept = first[: self._most]
        self._parts = [(hashes[kept], times[: self._most], rows[order[kept]])]
        self._waiting = len(kept)

    def rows(self) -> tuple[Floats, NDArray[np.int64]]:
        """Shape (n, columns), by the order of their hashes; and how often each row comes."""
        self._compact()
        if not self._parts:
            return np.zeros((0, self._columns)), np.zeros(0, dtype=np.int64)
        return self._parts[0][2], self._parts[0][1]


def _hashes(columns: Sequence[Floats]) -> NDArray[np.uint64]:
    """64 bits a row, mixed as SplitMix64 does (Steele, Lea and Flood 2014)."""
    found = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        found ^= np.ascontiguousarray(column).view(np.uint64)
        found += _GOLDEN
        found ^= found >> _SHIFT
        found *= _FIRST
        found ^= found >> _SHIFT
        found *= _SECOND
        found ^= found >> _SHIFT
    return found
