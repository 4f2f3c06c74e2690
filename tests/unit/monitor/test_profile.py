"""The document: one form, one digest; each value has its place; what does not fit is refused."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor.profile import BadProfile, Category, Number, Profile, category_name, parse

AGE = Number(kind="number", name="age", edges=[20.0, 30.0], counts=[3, 4, 5], low=18.0, high=60.0, missing=1)
SEX = Category(kind="category", name="sex", values=["F", "M"], counts=[7, 5], other=1, known=["X"])
PROFILE = Profile(task="classification", rows=13, features=[AGE, SEX], quality={"accuracy": 0.9})


@pytest.mark.parametrize(
    ("value", "place"),
    [(18, 0), (19.9, 0), (20, 1), (29, 1), (30, 2), (60, 2), (17.9, 3), (61, 4), (None, 5), (nan, 6), (inf, 6),
     (-inf, 6), ("30", 7), ([30], 7), ({}, 7), (10**400, 4), (-(10**400), 3), (True, 3)],
)  # fmt: skip
def test_a_number_has_its_place(value: Any, place: int) -> None:
    assert AGE.place(value) == place
    assert 0 <= place < AGE.length == len(AGE.reference)


@pytest.mark.parametrize(
    ("value", "place"), [("F", 0), ("M", 1), ("X", 2), ("?", 3), (None, 4), ([], 5), ({"a": 1}, 5), (1, 3), (True, 3)]
)
def test_a_category_has_its_place(value: Any, place: int) -> None:
    assert SEX.place(value) == place
    assert 0 <= place < SEX.length == len(SEX.reference)


def test_where_not_all_categories_are_known_a_new_one_is_no_news() -> None:
    assert SEX.model_copy(update={"complete": False}).place("?") == 2


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), ("a", "a"), ("a" * 300, "a" * 256), (None, None), ([1], None)],
)
def test_a_category_is_called_alike_however_it_is_sent(value: Any, name: str | None) -> None:
    assert category_name(value) == name


def test_a_document_is_read_as_it_was_written() -> None:
    body = PROFILE.dumped()
    assert parse(body, PROFILE.digest) == PROFILE
    assert parse(body).dumped() == body


@given(st.permutations(sorted(json.loads(PROFILE.dumped()))))
def test_the_order_of_fields_does_not_change_the_digest(order: list[str]) -> None:
    shuffled = {key: json.loads(PROFILE.dumped())[key] for key in order}
    assert parse(json.dumps(shuffled).encode()).digest == PROFILE.digest


BARE = {"kind": "number", "name": "a", "low": 0, "high": 3}


def spoilt(**changes: Any) -> bytes:
    return json.dumps(json.loads(PROFILE.dumped()) | changes).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"", "not a profile"), (b"[]", "not a profile"), (b"{" * 10_000, "not a profile"),
     (b"x" * ((1 << 20) + 1), "at most"), (spoilt(version=2), "version"), (spoilt(news=1), "news"),
     (spoilt(rows=-1), "rows"), (spoilt(rows=2**53 + 1), "rows"),
     (spoilt(slices=[{"by": "sex", "values": ["f", "m"], "counts": [1]}]), "slices and counts"),
     (spoilt(features=[BARE | {"edges": [2, 1], "counts": [1, 1, 1]}]), "rise"),
     (spoilt(features=[BARE | {"edges": [1], "counts": [1]}]), "fit"),
     (spoilt(features=[json.loads(AGE.model_dump_json(by_alias=True))] * 2), "one name"),
     (spoilt(pairs=[{"a": "age", "b": "sex", "n": 3, "r": 0.1}]), "no numeric feature"),
     (spoilt(quality={"mae": float("nan")}), "not a profile"),
     (spoilt(scores={"edges": [0.5], "counts": [1, 1], "right": [2, 0]}), "more scores")],
)  # fmt: skip
def test_what_is_no_profile_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(BadProfile, match=says):
        parse(body)


def test_another_document_is_refused() -> None:
    with pytest.raises(BadProfile, match="another one's"):
        parse(PROFILE.dumped(), "0" * 64)
