"""Series that were away: what they had counted before is nobody's evidence."""

from __future__ import annotations

import pytest

from fairlead.plan.deployment.evidence import promcounters
from fairlead.plan.deployment.evidence.cursors import Book
from fairlead.plan.requests import Vector

Series = dict[str, float]


def answers(part: str, **arms: tuple[Series, Series]) -> dict[tuple[str, str], Vector]:
    """By arm: all, and the other part."""
    found = {}
    for arm, (total, other) in arms.items():
        found[arm, "total"] = Vector(tuple(total.items()))
        found[arm, part] = Vector(tuple(other.items()))
    return found


def begun(part: str, **arms: tuple[Series, Series]) -> Book:
    book = Book(())
    for source, value in promcounters.sources(answers(part, **arms), 0):
        book.begin(source, (value,))
    return book


def test_a_series_that_comes_back_with_more_than_there_has_been_is_only_a_baseline() -> None:
    book = begun("failures", stable=({"a": 1e6}, {"a": 1e4}), candidate=({}, {}))
    now = answers("failures", stable=({"a": 1e6 + 90, "b": 2e6}, {"a": 1e4 + 9, "b": 50}),
                  candidate=({"a": 50}, {"a": 5}))  # fmt: skip
    counts = promcounters.added(0, ("stable", "candidate"), now, book, {"stable": 200, "candidate": 60})
    assert counts == {"stable": (90, 9), "candidate": (50, 5)}
    later = answers("failures", stable=({"a": 1e6 + 90, "b": 2e6 + 10}, {"a": 1e4 + 9, "b": 51}),
                    candidate=({"a": 50}, {"a": 5}))  # fmt: skip
    counts = promcounters.added(0, ("stable", "candidate"), later, book, {"stable": 200, "candidate": 60})
    assert counts == {"stable": (10, 1), "candidate": (0, 0)}


def test_the_same_where_good_ones_are_counted() -> None:
    book = begun("successes", stable=({"a": 1000}, {"a": 900}))
    now = answers("successes", stable=({"a": 1000, "b": 5000}, {"a": 900, "b": 4990}))
    assert promcounters.added(0, ("stable",), now, book, {"stable": 200}) == {"stable": (0, 0)}
    later = answers("successes", stable=({"a": 1000, "b": 5010}, {"a": 900, "b": 4995}))
    assert promcounters.added(0, ("stable",), later, book, {"stable": 200}) is None, "good ones run ahead of all"
    assert promcounters.added(0, ("stable",), later, book, {"stable": 200}) == {"stable": (10, 5)}


@pytest.mark.parametrize("most", [None, {"stable": 40}])
def test_a_series_that_begins_under_way_counts_from_its_first_unit(most: dict[str, int] | None) -> None:
    book = begun("failures", stable=({"a": 10}, {}))
    now = answers("failures", stable=({"a": 12, "b": 30}, {"b": 3}))
    assert promcounters.added(0, ("stable",), now, book, most) == {"stable": (32, 3)}
