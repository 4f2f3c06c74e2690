"""Rows into the counts of a profile: by the recorder request by request, and offline by whole columns.

Few rows are held until it pays to look at them column by column; `tally` counts them too. What is held is cut to what
is looked at, so that a request with long texts, or lists within lists, is forgotten with its connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.counts import ANSWERS, SCORES, Tally, feature_key, pair_key, slice_key
from fairlead.monitor.outliers import outer
from fairlead.monitor.profile import LONGEST, Category, Number, Profile
from fairlead.worker.places import Column, Floats, Names, Numbers, Places, Truths, numbers, of_arrow, part

TOGETHER, FEW = 1 << 13, 256
"""Rows that are counted together: a column of them, and what is made from it, stays in the processor's cache, and no
library takes more threads for it. Fewer than FEW are held until there are as many."""
CUT = 4.0
"""Standard deviations: values of pairs are cut there."""
SLACK = 1e-6
"""A probability in single precision may be so far beyond 0 or 1."""
_LIGHT = frozenset((float, int, bool, type(None)))
_NOTHING: tuple[()] = ()
"""Held in place of a value that is neither a number nor a text."""


class Uneven(ValueError):  # noqa: N818 - the house's names of errors
    """Columns of different lengths: nobody can say which values are of one row."""


class Binner:
    """Counts rows. Its memory does not grow with them."""

    def __init__(self, profile: Profile) -> None:
        self._counts = _Counts(profile)
        self._names = [one.name for one in profile.features]
        self._slices = [one.by for one in profile.slices]
        self._rows = self._requests = 0
        self._held: dict[str, list[Any]] = {}
        self._held_answers: list[Any] = []
        self._held_scores: list[Any] = []
        self._held_rows, self._held_kind = 0, (False, False, frozenset[str]())

    def add(
        self, columns: Mapping[str, Column], answers: Column | None = None, scores: Column | None = None,
        requests: int | None = None,
    ) -> None:  # fmt: skip
        """Count rows.

        Args:
            columns: By the name of a feature, or of a column that tells slices apart, all of one length: sequences of
                what JSON has, arrays of numpy, or arrays of Arrow. A feature that is not there is missing in all rows;
                what the profile does not have is not looked at.
            answers: To these rows: numbers, or names of classes; true and false are the classes 1 and 0 where the
                profile has none of their own names.
            scores: See `monitor.profile.Scores`.
            requests: How many requests brought them; default one a row.

        Raises:
            Uneven: Nothing was counted.
        """
        wanted = {name: columns[name] for name in (*self._names, *self._slices) if name in columns}
        given = [one for one in (*wanted.values(), answers, scores) if one is not None]
        if not given:  # not one feature is there: the rows still are
            given = list(columns.values())[:1]
        rows = len(given[0]) if given else 0
        if set(map(len, given)) - {rows}:
            raise Uneven(f"columns of {', '.join(str(n) for n in sorted({len(one) for one in given}))} rows")
        self._rows += rows
        self._requests += rows if requests is None else requests
        if rows < FEW and (set(map(type, given)) <= {list, tuple} or not any(map(of_arrow, given))):
            self._hold(wanted, answers, scores, rows)
            return
        for start in range(0, rows, TOGETHER):
            self._count(wanted, answers, scores, start, min(rows, start + TOGETHER))

    def tally(self) -> Tally:
        """All that was counted so far."""
        self._flush()
        return self._counts.tally(self._rows, self._requests)

    def _hold(self, columns: Mapping[str, Column], answers: Column | None, scores: Column | None, rows: int) -> None:
        kind = answers is not None, scores is not None, frozenset(columns)
        if kind != self._held_kind or self._held_rows + rows > FEW:
            self._flush()
            self._held_kind, self._held = kind, {name: [] for name in columns}
        for name, values in columns.items():
            self._held[name] += _light(values)
        if answers is not None:
            self._held_answers += _light(answers)
        if scores is not None:
            self._held_scores += _light(scores)
        self._held_rows += rows

    def _flush(self) -> None:
        rows, (answered, scored, _) = self._held_rows, self._held_kind
        held, answers, scores = self._held, self._held_answers, self._held_scores
        # forgotten first: rows at which the counting fails must not be there again and again
        self._held = {name: [] for name in held}
        self._held_answers, self._held_scores, self._held_rows = [], [], 0
        if rows:
            self._count(held, answers if answered else None, scores if scored else None, 0, rows)

    def _count(
        self, columns: Mapping[str, Column], answers: Column | None, scores: Column | None, start: int, end: int
    ) -> None:
        cut = {name: part(values, start, end) for name, values in columns.items()}
        told = None if answers is None else part(answers, start, end)
        sure = None if scores is None else part(scores, start, end)
        self._counts.add(cut, told, sure, end - start)


def _light(values: Column) -> list[Any]:
    """As little of each value as its place follows from."""
    listed = values if type(values) in (list, tuple) else part(values, 0, len(values))
    if not isinstance(listed, (list, tuple)):
        listed = listed.tolist()
    return [value if type(value) in _LIGHT else _cut(value) for value in listed]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST]
    return value if isinstance(value, (int, float)) else _NOTHING


def outside(feature: Number | Category) -> Truths:
    """By place: whether a value there makes its row an outlier (`monitor.outliers`)."""
    found = np.zeros(feature.length, dtype=np.bool_)
    found[list(outer(feature))] = True
    return found


class _Counts:
    """The vectors, and how rows are looked up in them."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._outliers = 0
        self._readers: dict[str, Numbers | Names] = {one.name: reader(one) for one in profile.features}
        self._outside = {one.name: outside(one) for one in profile.features}
        self._answers = reader(profile.prediction, answers=True) if profile.prediction is not None else None
        self._scores = _Scored(profile)
        self._slices = {one.by: (one.values, Names(_listed(one.by, one.values))) for one in profile.slices}
        self._pairs = _Pairs(profile)
        self._vectors: dict[str, NDArray[np.int64]] = {
            feature_key(name): np.zeros(one.length, dtype=np.int64) for name, one in self._readers.items()
        }

    def tally(self, rows: int, requests: int) -> Tally:
        vectors = {key: tuple(one.tolist()) for key, one in self._vectors.items()}
        sums = self._pairs.sums()
        return Tally(self._profile.digest, rows, requests, requests, self._outliers, vectors=vectors, sums=sums)

    def add(self, columns: Mapping[str, Column], answers: Column | None, scores: Column | None, rows: int) -> None:
        strange = np.zeros(rows, dtype=np.bool_)
        watched: dict[str, Floats] = {}
        for name, look in self._readers.items():
            values = columns.get(name)
            if values is None:
                values = [None] * rows
            if isinstance(look, Numbers):
                places, found = look.read(values)
                if name in self._pairs.names:
                    watched[name] = found
            else:
                places = look.read(values)
            self._grow(feature_key(name), places, look.length)
            strange |= self._outside[name][places]
        self._outliers += int(strange.sum())
        self._pairs.add(watched)
        self._add_answers(columns, answers, scores)

    def _add_answers(self, columns: Mapping[str, Column], answers: Column | None, scores: Column | None) -> None:
        found: dict[str, tuple[Places, int]] = {}
        if answers is not None and self._answers is not None:
            look = self._answers
            places = look.read(answers)[0] if isinstance(look, Numbers) else look.read(answers)
            found[ANSWERS] = places, look.length
        if scores is not None and self._scores.length:
            found[SCORES] = self._scores.read(scores, answers), self._scores.length
        for key, (places, length) in found.items():
            self._grow(key, places, length)
        for by, (values, names) in self._slices.items():
            if by not in columns or not found:
                continue
            which = names.read(columns[by])
            for key, (places, length) in found.items():
                known = which < len(values)
                both = np.bincount(which[known] * length + places[known], minlength=len(values) * length)
                for value, counts in zip(values, both.reshape(len(values), length), strict=True):
                    self._put(slice_key(by, value, key), counts)

    def _grow(self, key: str, places: Places, length: int) -> None:
        self._put(key, np.bincount(places, minlength=length))

    def _put(self, key: str, counts: NDArray[np.intp]) -> None:
        known = self._vectors.get(key)
        self._vectors[key] = counts if known is None else known + counts


def reader(feature: Number | Category, answers: bool = False) -> Numbers | Names:
    """What finds places of many values at once."""
    return Numbers(feature) if isinstance(feature, Number) else Names(feature, answers)


def _listed(name: str, values: Sequence[str]) -> Category:
    """A column whose values are looked up by their names."""
    return Category(kind="category", name=name, values=list(values), counts=[0] * len(values))


class _Scored:
    """Looks scores up: two places a bin, of an answer that is not `positive`, and of one that is."""

    def __init__(self, profile: Profile) -> None:
        self._bins = len(profile.scores.counts) if profile.scores else 0
        self._edges = np.array(profile.scores.edges if profile.scores else [], dtype=np.float64)
        self._positive = Names(_listed("", [profile.positive]), answers=True) if profile.positive else None
        self.length = 2 * self._bins + 1 if self._bins else 0

    def read(self, scores: Column, answers: Column | None) -> Places:
        given = numbers(scores)
        fits = (given >= -SLACK) & (given <= 1.0 + SLACK)  # false for NaN
        places = 2 * np.searchsorted(self._edges, np.clip(given, 0.0, 1.0), side="right")
        if self._positive is not None and answers is not None:
            places += self._positive.read(answers) == 0
        return np.where(fits, places, 2 * self._bins).astype(np.intp)


class _Pairs:
    """Sums of pairs of numeric features: n, Σx, Σy, Σx², Σy², Σxy of rows that have both."""

    def __init__(self, profile: Profile) -> None:
        self._pairs = list(dict.fromkeys((one.a, one.b) for one in profile.pairs))
        self.names = frozenset(chain.from_iterable(self._pairs))
        found = {one.name: one for one in profile.features if isinstance(one, Number) and one.name in self.names}
        self._scale = {name: (one.mean, one.sd or 1.0) for name, one in found.items()}
        self._sums = {pair_key(*pair): np.zeros(6) for pair in self._pairs}

    def add(self, columns: Mapping[str, Floats]) -> None:
        scaled = {name: self._standardised(name, values) for name, values in columns.items()}
        for a, b in self._pairs:
            (x, there, of_x), (y, too, of_y) = scaled[a], scaled[b]
            if there is None and too is None:
                ends: list[Any] = [float(len(x)), of_x[0], of_y[0], of_x[1], of_y[1]]
            else:
                both: Floats = np.multiply(1.0 if there is None else there, 1.0 if too is None else too)
                x, y = x * both, y * both
                ends = [both.sum(), x.sum(), y.sum(), x @ x, y @ y]
            self._sums[pair_key(a, b)] += np.array([*ends, x @ y])

    def _standardised(self, name: str, values: Floats) -> tuple[Floats, Floats | None, tuple[float, float]]:
        """Cut to CUT, and 0 where there is none; 1 where there is one (None: everywhere); if so, Σx and Σx²."""
        mean, sd = self._scale[name]
        with np.errstate(over="ignore"):
            found = np.clip((values - mean) / sd, -CUT, CUT)
        gaps = np.isnan(found)
        if not gaps.any():
            return found, None, (float(found.sum()), float(found @ found))
        return np.where(gaps, 0.0, found), (~gaps).astype(np.float64), (0.0, 0.0)

    def sums(self) -> dict[str, tuple[float, ...]]:
        return {key: tuple(one.tolist()) for key, one in self._sums.items()}
