"""When two answers are the same, by type of output."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.verdict.agreement import classes, embeddings, numbers, texts, vectors

finite = st.floats(-1e300, 1e300)


@pytest.mark.parametrize(
    ("stable", "candidate", "expected"),
    [
        ("cat", "cat", "agree"),
        ("cat", "Cat", "disagree"),
        (1, 1, "agree"),
        (1, True, "disagree"),
        (1, "1", "disagree"),
        (True, True, "agree"),
        ("cat", None, "disagree"),
        (None, "cat", "incomparable"),
        (None, None, "incomparable"),
        (nan, nan, "incomparable"),
    ],
)
def test_classes(stable, candidate, expected):
    assert classes(stable, candidate) == expected


@pytest.mark.parametrize(
    ("stable", "candidate", "absolute", "relative", "expected"),
    [
        (10.0, 10.0, 0.0, 0.0, "agree"),
        (10.0, 10.1, 0.0, 0.0, "disagree"),
        (10.0, 10.5, 0.5, 0.0, "agree"),
        (10.0, 10.9, 0.5, 0.1, "agree"),
        (-10.0, -11.5, 0.5, 0.1, "disagree"),
        (0.0, 1e-9, 0.0, 0.5, "disagree"),
        (10, 10.0, 0.0, 0.0, "agree"),
        (nan, nan, 1.0, 1.0, "disagree"),
        (inf, inf, 1.0, 1.0, "disagree"),
        (1.0, nan, 1.0, 1.0, "disagree"),
        (1.0, "1", 1.0, 1.0, "disagree"),
        (1.0, 10**400, 1.0, 1.0, "disagree"),
        (1.0, True, 1.0, 1.0, "disagree"),
        ("1", 1.0, 1.0, 1.0, "incomparable"),
        (None, 1.0, 1.0, 1.0, "incomparable"),
    ],
)
def test_numbers(stable, candidate, absolute, relative, expected):
    assert numbers(stable, candidate, absolute, relative) == expected


@pytest.mark.parametrize(
    ("stable", "candidate", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.05], "agree"),
        ([1.0, 2.0], (1.0, 2.05), "agree"),
        ([1.0, 2.0], [1.0, 2.2], "disagree"),
        ([1.0, 2.0], [1.0], "disagree"),
        ([1.0, 2.0], [1.0, nan], "disagree"),
        ([1.0, 2.0], None, "disagree"),
        ([], [], "agree"),
        ("ab", "ab", "incomparable"),
        ([1.0, "x"], [1.0, "x"], "incomparable"),
    ],
)
def test_vectors(stable, candidate, expected):
    assert vectors(stable, candidate, absolute=0.1) == expected


@pytest.mark.parametrize(
    ("stable", "candidate", "expected"),
    [
        ([1.0, 0.0], [5.0, 0.1], "agree"),
        ([1.0, 0.0], [0.0, 1.0], "disagree"),
        ([1e300, 1e300], [1e-300, 1e-300], "agree"),
        ([0.0, 0.0], [0.0, 0.0], "agree"),
        ([0.0, 0.0], [0.0, 1e-9], "disagree"),
        ([1.0, inf], [1.0, inf], "disagree"),
        ([1.0], [1.0, 0.0], "disagree"),
        (None, [1.0], "incomparable"),
    ],
)
def test_embeddings(stable, candidate, expected):
    assert embeddings(stable, candidate, 0.99) == expected


@pytest.mark.parametrize(
    ("stable", "candidate", "exact", "expected"),
    [
        ("a b", " a\n b ", False, "agree"),
        ("a b", " a\n b ", True, "disagree"),
        ("a b", "ab", False, "disagree"),
        ("", "", True, "agree"),
        ("a", None, False, "disagree"),
        (None, "a", False, "incomparable"),
    ],
)
def test_texts(stable, candidate, exact, expected):
    assert texts(stable, candidate, exact) == expected


@given(st.lists(finite, max_size=8))
def test_a_vector_agrees_with_itself(vector):
    assert vectors(vector, list(vector)) == "agree"
    assert embeddings(vector, list(vector), 1.0) == "agree"


@given(finite, finite, st.floats(0, 1e6))
def test_an_absolute_tolerance_is_symmetric(a, b, absolute):
    assert numbers(a, b, absolute) == numbers(b, a, absolute)


def test_tolerances_that_are_none_are_refused():
    for tolerance in (-1.0, nan, inf):
        with pytest.raises(ValueError, match="tolerance"):
            numbers(1.0, 1.0, tolerance)
        with pytest.raises(ValueError, match="tolerance"):
            vectors([1.0], [1.0], relative=tolerance)
    for cosine in (-1.1, 1.1, nan):
        with pytest.raises(ValueError, match="cosine"):
            embeddings([1.0], [1.0], cosine)
