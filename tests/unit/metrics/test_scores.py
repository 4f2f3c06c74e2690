"""What is usual of answers, and what is a favourite."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api.record import Output
from fairlead.plan.deployment.metrics.scores import score
from fairlead.verdict import scores
from fairlead.verdict.scores import OUT


def test_the_quantiles_of_known_values() -> None:
    assert scores.bounds([float(n) for n in range(1, 201)]) == (
        10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 190.0,
    )  # fmt: skip
    assert scores.bounds([7.0]) == (7.0,) * 11


def test_where_a_number_lies() -> None:
    found = scores.bounds([float(n) for n in range(1, 201)])
    places = [scores.tenth(found, value) for value in (9.9, 10.0, 19.0, 20.0, 101.0, 190.0, 190.1)]
    assert places == [OUT, "1", "1", "2", "6", "10", OUT]


@given(st.lists(st.floats(-1e6, 1e6), min_size=200, max_size=200))
@settings(max_examples=40, deadline=None)
def test_about_a_tenth_is_not_usual_and_order_does_not_matter(values: list[float]) -> None:
    found = scores.bounds(values)
    assert list(found) == sorted(found)
    assert found == scores.bounds(values[::-1])
    assert sum(scores.tenth(found, value) == OUT for value in values) <= 0.1 * len(values)


def test_a_favourite_needs_many_more_answers() -> None:
    live = {str(tenth): 20 for tenth in range(1, 11)}
    assert scores.favourite(live, {"4": 50}) == "4"
    assert scores.favourite(live, {"4": 14, "7": 36}) == "7"
    assert scores.favourite(live, {str(tenth): 5 for tenth in range(1, 11)}) == OUT
    assert scores.favourite(live, {OUT: 50}) == OUT  # that is counted anyway
    assert scores.favourite({"cat": 190, "dog": 10}, {"cat": 50}) == OUT
    assert scores.favourite({"cat": 100, "dog": 100}, {"cat": 50}) == "cat"
    assert scores.favourite({}, {}) == OUT


def test_a_favourite_by_chance_is_rare() -> None:
    rng, live = random.Random(0), {str(tenth): 20 for tenth in range(1, 11)}
    drawn = [scores.favourite(live, Counter(str(rng.randint(1, 10)) for _ in range(scores.OWN))) for _ in range(500)]
    assert sum(bool(one) for one in drawn) < 15


def test_the_most_frequent_labels() -> None:
    assert scores.labels(["b", "a", "b"]) == ("a", "b")
    assert len(scores.labels(str(n) for n in range(200))) == scores.LABELS


@pytest.mark.parametrize(
    ("type_", "told", "expected"),
    [
        ("number", 0.25, 0.25), ("number", [1, 2.0], 1.5), ("number", "0.25", None), ("number", True, None),
        ("number", [1, None], None), ("number", [], None), ("number", float("nan"), None), ("number", {}, None),
        ("number", 10**400, None), ("vector", [0.1, 0.7, 0.2], 0.7), ("vector", [[0.1]], None),
        ("embedding", [3, 4], 5.0), ("text", "abc", 3.0), ("text", ["a", "abc"], 2.0), ("text", 7, None),
        ("class", "cat", "cat"), ("class", 1.0, "1"), ("class", [2, 3], "2"), ("class", True, "1"),
        ("class", {"label": "cat"}, None), ("class", None, None), ("number", None, None),
    ],
)  # fmt: skip
def test_one_score_of_an_answer(type_: str, told: object, expected: float | str | None) -> None:
    assert score(Output.model_validate({"type": type_}), told) == expected


def test_a_long_label_is_its_hash() -> None:
    found = score(Output(), "x" * 1000)
    assert isinstance(found, str)
    assert len(found) == 16
