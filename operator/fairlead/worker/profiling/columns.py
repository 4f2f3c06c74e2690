"""One column, batch by batch: what of it is exact, whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from math import floor, inf, isfinite, log10, sqrt
from sys import float_info
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.profile import CATEGORIES, KNOWN, category_name
from fairlead.worker.places import Column, Floats, of_arrow

DIGITS = 9
"""Sums of floats differ in their last digits with the order of the rows: what is kept of them is rounded."""
MOST_NAMES, ALL_NAMES = 50_000, 500_000
"""Different names of a column that are held, and of all columns together."""


class Real:
    """A column of numbers: how many, their ends, mean and standard deviation."""

    def __init__(self) -> None:
        self.n = 0
        self.low, self.high = inf, -inf
        self._mean = self._squares = 0.0

    def add(self, numbers: Floats) -> None:
        """The next values; what is not finite is none."""
        found = numbers[np.isfinite(numbers)]
        if not len(found):
            return
        self.low, self.high = min(self.low, float(found.min())), max(self.high, float(found.max()))
        with np.errstate(over="ignore", invalid="ignore"):
            mean = found.mean()
            apart = found - mean
            self._together(len(found), float(mean), float(apart @ apart))

    def merge(self, other: Real) -> None:
        """With the values of another one."""
        if other.n:
            self.low, self.high = min(self.low, other.low), max(self.high, other.high)
            with np.errstate(over="ignore", invalid="ignore"):
                self._together(other.n, other._mean, other._squares)

    def _together(self, n: int, mean: float, squares: float) -> None:
        """Chan, Golub and LeVeque (1979): the squares of two parts about their common mean."""
        step, total = mean - self._mean, self.n + n
        self._squares += float(squares + step * step * (self.n * n / total))
        self._mean += float(step * (n / total))
        self.n = total

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest; zeros if there was none."""
        return (self.low, self.high) if self.n else (0.0, 0.0)

    @property
    def mean(self) -> float:
        """Rounded; the middle of the range if the sum is larger than floats are."""
        low, high = self.ends
        if low == high:
            return low
        found = self._mean if isfinite(self._mean) else low / 2 + high / 2
        return min(high, max(low, tidy(found, max(abs(found), self.sd))))

    @property
    def sd(self) -> float:
        """Rounded; at most the largest float."""
        if self.n < 2 or self.low == self.high:
            return 0.0
        found = sqrt(self._squares / self.n) if isfinite(self._squares) else float_info.max
        return tidy(found, found)


def tidy(value: float, scale: float = 0.0) -> float:
    """Rounded to DIGITS significant digits of the scale; default: of itself."""
    size = abs(scale or value)
    if not size or not isfinite(size):
        return value
    found = round(value, DIGITS - 1 - floor(log10(size)))
    return found if isfinite(found) else value


class Named:
    """A column of names: how often each comes; or only that there are too many."""

    def __init__(self, columns: int = 1) -> None:
        """columns: how many there are like it."""
        self._most = min(MOST_NAMES, ALL_NAMES // columns)
        self.counts: Counter[str] = Counter()
        self.too_many = False

    def add(self, values: Column) -> None:
        """The next values; null, and what has no name, is none."""
        if not self.too_many:
            self._put(_counted(values))

    def merge(self, other: Named) -> None:
        """With the values of another one."""
        if other.too_many:
            self.too_many = True
            self.counts.clear()
        elif not self.too_many:
            self._put(other.counts)

    def _put(self, found: Counter[str]) -> None:
        self.counts.update(found)
        if len(self.counts) > self._most:
            self.too_many = True
            self.counts.clear()

    def most(self, n: int) -> list[str]:
        """The most frequent ones, most frequent first; of equally frequent ones the first by their letters."""
        return sorted(self.counts, key=lambda name: (-self.counts[name], name))[:n]


def _counted(values: Column) -> Counter[str]:
    names, which = named(values)
    times = np.bincount(which, minlength=len(names))
    found: Counter[str] = Counter()
    for name, n in zip(names, times.tolist(), strict=True):
        if name is not None and n:
            found[name] += n
    return found


def named(values: Column) -> tuple[list[str | None], NDArray[np.intp]]:
    """The different values' names, not all of which need differ, and which of them each row has."""
    if of_arrow(values):
        from fairlead.worker import arrowvalues

        found = arrowvalues.different(values)
        if found is None:
            return [None], np.zeros(len(values), dtype=np.intp)
        different, which = found
        return [*map(category_name, different), None], which
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        unique, places = np.unique(values, return_inverse=True)
        return [category_name(one) for one in unique.tolist()], places
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    table: dict[str | None, int] = {}
    rows = [table.setdefault(category_name(value), len(table)) for value in listed]
    return list(table), np.array(rows, dtype=np.intp)


def names_of(values: Column) -> NDArray[Any]:
    """Each row's name, as objects; None where it has none."""
    names, which = named(values)
    return np.array([*names, None], dtype=np.object_)[which]


def kept(column: Named) -> tuple[list[str], list[str], bool]:
    """Categories with a place of their own, others that are known, and whether these are all."""
    found = column.most(CATEGORIES + KNOWN)
    complete = not column.too_many and len(found) == len(column.counts)
    return found[:CATEGORIES], found[CATEGORIES:], complete
