"""Which slice each row belongs to: by the value of a column, named as profiles and monitors name it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.confusion import Confusion
from fairlead.monitor.fairness import MOST_SLICES
from fairlead.monitor.profile import category_name

NONE = "(none)"
"""The slice of rows without a value: null or NaN. Also of a text that is this."""
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]


class Slices:
    """Rows of one column, batch by batch. Of a column of too many values only their number is kept, up to a bound."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[Ints] = []

    @property
    def too_many(self) -> bool:
        """There are more slices than are compared."""
        return len(self._numbers) > MOST_SLICES

    def add(self, values: Iterable[Any]) -> None:
        """The next rows."""
        if self.too_many:
            return
        found = []
        for value in values:
            found.append(self._number(value))
            if self.too_many:
                self._parts.clear()
                return
        self._parts.append(np.asarray(found, dtype=np.int64))

    def _number(self, value: Any) -> int:
        missing = value is None or value != value  # only NaN differs from itself
        return self._numbers.setdefault(NONE if missing else category_name(value) or str(value), len(self._numbers))

    def confusions(self, said: Truths, was: Truths) -> dict[str, Confusion]:
        """By slice: rows that are predicted positive, and that are so. said, was: shape (rows,); not if too many."""
        at = np.concatenate([*self._parts, np.empty(0, np.int64)])
        counts = np.bincount(4 * at + 2 * said + was, minlength=4 * len(self._numbers)).reshape(-1, 4).tolist()
        return {
            name: Confusion(tp=counts[n][3], fp=counts[n][2], fn=counts[n][1], tn=counts[n][0])
            for name, n in self._numbers.items()
        }
