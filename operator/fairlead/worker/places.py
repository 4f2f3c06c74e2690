"""Many values at once into the places of a profile: as `Number.place` and `Category.place` say it value by value.

Values come as they were sent (lists), or by column (numpy, Arrow). What has no fast way of being looked up goes value
by value: slower, and the same. Arrow is not loaded here: only who has it hands over its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite, nan, nextafter
from sys import float_info
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.profile import LONGEST, Category, Number

Places: TypeAlias = NDArray[np.intp]
Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]
Column: TypeAlias = Any
"""A sequence of values as JSON has them, an array of numpy, or one of Arrow."""
_NUMBERS = {int, float, bool}


def part(values: Column, start: int, end: int) -> Column:
    """Some rows, as a list or an array that the readers below know."""
    found = values[start:end]
    if of_arrow(found):
        return found.combine_chunks() if hasattr(found, "combine_chunks") else found
    if isinstance(found, np.ndarray):
        plain = found.ndim == 1 and found.dtype.itemsize <= 8 and not isinstance(found, np.ma.MaskedArray)
        return found if plain and found.dtype.kind in "biuf" else found.tolist()
    return found if isinstance(found, list) else list(found)


def of_arrow(values: Column) -> bool:
    """Whether it is one of Arrow's arrays."""
    return type(values).__module__.startswith("pyarrow")


class Search:
    """`numpy.searchsorted(edges, values, side="right")`, of many values by a grid of equal cells.

    The cell of a value rises with it, whatever is rounded on the way. So a value in a lower cell than an edge's is
    below that edge, one in a higher cell is above it, and only those in the same cell have to be compared with it: with
    one edge a cell at most, that is one comparison a value instead of a search. Where edges lie closer, it searches."""

    CELLS, MANY = 1 << 12, 1 << 10

    def __init__(self, edges: Floats) -> None:
        """edges: rising, finite."""
        self._edges = edges
        with np.errstate(over="ignore", divide="ignore"):
            self._scale = self.CELLS / (edges[-1] - edges[0]) if len(edges) > 1 else 0.0
        self._below: Places | None = None
        if 0.0 < self._scale < inf:
            cells = self._cells(edges)
            if (np.diff(cells) > 0).all():
                self._below = np.searchsorted(cells, np.arange(self.CELLS)).astype(np.intp)
                self._edge = np.full(self.CELLS, inf)
                self._edge[cells] = edges

    def __call__(self, values: Floats) -> Places:
        """How many edges each finite value is not below; of others, anything from 0 to all."""
        if self._below is None or len(values) < self.MANY:
            return np.searchsorted(self._edges, values, side="right")
        cells = self._cells(values)
        found: Places = self._below.take(cells)
        found += values >= self._edge.take(cells)
        return found

    def _cells(self, values: Floats) -> NDArray[np.int32]:
        with np.errstate(over="ignore", invalid="ignore"):
            found = values - self._edges[0]
            found *= self._scale
            np.fmax(found, 0.0, out=found)  # NaN is in the first cell
            np.fmin(found, self.CELLS - 1.0, out=found)
            cells: NDArray[np.int32] = found.astype(np.int32)
        return cells


class Numbers:
    """Of a numeric feature."""

    def __init__(self, feature: Number) -> None:
        self._feature = feature
        self.length = feature.length
        bins = len(feature.counts)
        self._missing, self._unusable, self._wrong = bins + 2, bins + 3, bins + 4
        # One search finds all: what is below, the bins, what is above. Edges that no value of the reference lies beyond
        # would not rise together with the ends.
        first = sum(edge <= feature.low for edge in feature.edges)
        inner = [edge for edge in feature.edges if feature.low < edge <= feature.high]
        edges = np.array([feature.low, *inner, nextafter(feature.high, inf)], dtype=np.float64)
        self._search = Search(edges)
        self._places = np.array([bins, *range(first, first + len(inner) + 1), bins + 1], dtype=np.intp)

    def read(self, values: Column) -> tuple[Places, Floats]:
        """The place of each, and each as a number: NaN where it is none."""
        if of_arrow(values):
            return self._read_arrow(values)
        if isinstance(values, np.ndarray):
            return self._found(values.astype(np.float64, copy=False), None)
        kinds = set(map(type, values))
        if kinds <= {*_NUMBERS, type(None)}:
            try:
                found = np.array(values, dtype=np.float64)
            except OverflowError:  # an integer that no float is as large as
                return self._one_by_one(values)
            return self._found(found, _nulls(values) if type(None) in kinds else None)
        return self._one_by_one(values)

    def _read_arrow(self, values: Any) -> tuple[Places, Floats]:
        from fairlead.worker import arrowvalues

        found = arrowvalues.floats(values)
        if found is None:
            where = np.where(arrowvalues.nulls(values), self._missing, self._wrong).astype(np.intp)
            return where, np.full(len(values), nan)
        return self._found(found, arrowvalues.nulls(values) if arrowvalues.gaps(values) else None)

    def _found(self, numbers: Floats, nulls: Truths | None) -> tuple[Places, Floats]:
        places = self._places.take(self._search(numbers))
        finite = np.isfinite(numbers)
        if not finite.all():
            places[~finite] = self._unusable
            numbers = np.where(finite, numbers, nan)
        if nulls is not None and nulls.any():
            places[nulls] = self._missing
            numbers = np.where(nulls, nan, numbers)
        return places, numbers

    def _one_by_one(self, values: Sequence[Any]) -> tuple[Places, Floats]:
        places = np.fromiter(map(self._feature.place, values), dtype=np.intp, count=len(values))
        return places, np.fromiter(map(_number, values), dtype=np.float64, count=len(values))


def _nulls(values: Sequence[Any]) -> Truths:
    return np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))


def _number(value: Any) -> float:
    """NaN if it is none; one that no float is as large as is the largest."""
    if not isinstance(value, (int, float)):
        return nan
    try:
        found = float(value)
    except OverflowError:
        return float_info.max if value > 0 else -float_info.max
    return found if isfinite(found) else nan


def numbers(values: Column) -> Floats:
    """Each as a number; NaN where it is none."""
    if of_arrow(values):
        from fairlead.worker import arrowvalues

        found = arrowvalues.floats(values)
        if found is None:
            return np.full(len(values), nan)
        return np.where(arrowvalues.nulls(values), nan, found) if arrowvalues.gaps(values) else found
    if isinstance(values, np.ndarray):
        return np.asarray(values, dtype=np.float64)
    return np.fromiter(map(_number, values), dtype=np.float64, count=len(values))


def _truths_as_numbers(feature: Category) -> Callable[[Any], int]:
    return lambda value: feature.place(int(value) if isinstance(value, bool) else value)


class Names:
    """Of a feature with names, or of a column that tells slices apart."""

    def __init__(self, feature: Category, answers: bool = False) -> None:
        """answers: of a model. An evaluation takes true and false for 1 and 0, so they are these classes if the profile
        does not have them by their own names."""
        self.length = feature.length
        own = {"true", "false"} & {*feature.values, *feature.known}
        self._place: Callable[[Any], int] = feature.place if own or not answers else _truths_as_numbers(feature)
        self._missing, self._wrong = feature.place(None), feature.place([])
        self._else = len(feature.values) + (1 if feature.complete else 0)
        self._texts: dict[str | None, int] = {name: feature.place(name) for name in (*feature.values, *feature.known)}
        self._texts[None] = self._missing

    def read(self, values: Column) -> Places:
        """The place of each."""
        if of_arrow(values):
            return self._read_arrow(values)
        if isinstance(values, np.ndarray):
            different, which = np.unique(values, return_inverse=True)
            return self._each(different.tolist())[which]
        kinds = set(map(type, values))
        if kinds <= {str, type(None)} and all(len(value) <= LONGEST for value in values if value):
            return np.array([self._texts.get(value, self._else) for value in values], dtype=np.intp)
        # 1, 1.0 and true are equal, and are called differently: they can't be keys of one table.
        if kinds <= {str, type(None), *_NUMBERS} and len(kinds & _NUMBERS) <= 1:
            known = {value: self._place(value) for value in dict.fromkeys(values)}
            return np.array([known[value] for value in values], dtype=np.intp)
        return self._each(values)

    def _each(self, values: Sequence[Any]) -> Places:
        return np.fromiter(map(self._place, values), dtype=np.intp, count=len(values))

    def _read_arrow(self, values: Any) -> Places:
        from fairlead.worker import arrowvalues

        found = arrowvalues.different(values)
        if found is None:
            return np.where(arrowvalues.nulls(values), self._missing, self._wrong).astype(np.intp)
        names, which = found
        return np.append(self._each(names), self._missing)[which]
