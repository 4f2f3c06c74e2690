"""What requests were like, as vectors of integers: added over pods and windows, subtracted between two looks.

A `Tally` grows for as long as a process lives, as counters do. `since` of two of the same process is a window's; of
another process all that it has counted is new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import add, sub
from typing import TypeVar

N = TypeVar("N", int, float)
_LENGTH = re.compile(r"[0-9]+:")
ANSWERS = "answers"
"""Key of the vector of answers, by `Profile.prediction`."""
SCORES = "scores"
"""Key of the vector of scores: bin 0 predicted negative, bin 0 predicted positive, bin 1 … (`Profile.scores`); of more
than two classes, and of a score whose answer is not known, the places of `positive` stay 0. Behind the bins: scores
that were no probabilities."""


def feature_key(name: str) -> str:
    """Key of a feature's vector."""
    return f"feature/{name}"


def slice_key(by: str, value: str, of: str) -> str:
    """Key of the vector `of` (ANSWERS, SCORES) of one slice's requests."""
    return f"slice/{_first(by, '=')}={value}/{of}"


def pair_key(a: str, b: str) -> str:
    """Key of a pair's sums: n, Σx, Σy, Σx², Σy², Σxy of standardised values, cut to [-4, 4]."""
    return f"pair/{_first(a, '*')}*{b}"


def _first(name: str, mark: str) -> str:
    """A name before a mark, such that nothing else reads the same: one that has the mark in it, or looks as if it had
    its length before it, has its length before it."""
    return f"{len(name)}:{name}" if mark in name or _LENGTH.match(name) else name


def old_slice_key(by: str, value: str, of: str) -> str:
    """As recorders of releases before have it, of which two may be the same."""
    return f"slice/{by}={value}/{of}"


def old_pair_key(a: str, b: str) -> str:
    """As recorders of releases before have it, of which two may be the same."""
    return f"pair/{a}*{b}"


class Foreign(ValueError):  # noqa: N818 - the house's names of errors
    """Counts of different profiles, or of different shapes, can't be put together."""


@dataclass(frozen=True)
class Tally:
    """Of one profile."""

    profile: str
    """Its digest."""
    rows: int = 0
    """Rows that were counted: a request may bring several."""
    requests: int = 0
    """All requests that were answered meanwhile, counted or not."""
    sampled: int = 0
    """Requests that were chosen to be counted."""
    outliers: int = 0
    """Rows outside of what the profile knows."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """Chosen requests whose rows could not be counted, by reason."""
    vectors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sums: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return self._with(other, 1)

    def since(self, earlier: Tally) -> Tally:
        """What was counted after an earlier state of the same process. Raises Foreign, also if a count has fallen."""
        found = self._with(earlier, -1)
        whole = (found.rows, found.requests, found.sampled, found.outliers, *found.unread.values())
        if min(whole) < 0 or any(min(one, default=0) < 0 for one in found.vectors.values()):
            raise Foreign("a count is smaller than before: it is of another process")
        return found

    def _with(self, other: Tally, sign: int) -> Tally:
        if self.profile != other.profile:
            raise Foreign(f"counts of profile {self.profile[:12]} and of {other.profile[:12]} don't go together")
        unread = {why: self.unread.get(why, 0) + sign * other.unread.get(why, 0)
                  for why in (*self.unread, *(one for one in other.unread if one not in self.unread))}  # fmt: skip
        return replace(
            self, rows=self.rows + sign * other.rows, requests=self.requests + sign * other.requests,
            sampled=self.sampled + sign * other.sampled, outliers=self.outliers + sign * other.outliers, unread=unread,
            vectors=_joined(self.vectors, other.vectors, sign), sums=_joined(self.sums, other.sums, sign),
        )  # fmt: skip

    def renamed(self, names: Mapping[str, str]) -> Tally:
        """With other keys for some. Of two vectors that would be one, and are of different lengths, the first is left
        out."""
        vectors, sums = _renamed(self.vectors, names), _renamed(self.sums, names)
        return self if vectors is self.vectors and sums is self.sums else replace(self, vectors=vectors, sums=sums)


def _renamed(given: Mapping[str, tuple[N, ...]], names: Mapping[str, str]) -> Mapping[str, tuple[N, ...]]:
    old = {
        names[key]: values for key, values in given.items()
        if key in names and len(given.get(names[key], values)) == len(values)
    }  # fmt: skip
    rest = {key: one for key, one in given.items() if key not in names}
    return _joined(rest, old, 1) if len(rest) < len(given) else given


def _joined(
    mine: Mapping[str, tuple[N, ...]], other: Mapping[str, tuple[N, ...]], sign: int
) -> dict[str, tuple[N, ...]]:
    found = dict(mine)
    step = add if sign > 0 else sub
    for key, values in other.items():
        before = found.get(key, ()) or (type(values[0])(),) * len(values) if values else ()
        if len(before) != len(values):
            raise Foreign(f"{key}: {len(before)} and {len(values)} counts don't go together")
        found[key] = tuple(map(step, before, values))
    return found


def total(tallies: Iterable[Tally], profile: str) -> Tally:
    """All together. Raises Foreign."""
    found = Tally(profile)
    for one in tallies:
        found += one
    return found
