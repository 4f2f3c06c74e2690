"""Rows of requests and answers: read where they are plainly there, else counted by reason."""

from __future__ import annotations

import gzip
import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.record.made import number, profile, raw, tensor

from fairlead.monitor.profile import Slice
from fairlead.worker.record.rows import REASONS, Raw, Rows, Unread, Wanted, ordered, read

NAMES = Wanted(("a", "b"))
A, SAID = tensor("a", [1, 2]), tensor("predict", [0, 1])


def reason(found: Raw) -> str:
    with pytest.raises(Unread) as unread:
        read(found, NAMES)
    return unread.value.reason


@pytest.mark.parametrize(
    "given",
    [
        tensor("a", [1.5, None]), tensor("a", [[1.5], [None]]), tensor("a", [1.5, None], [2]),
        tensor("a", [[[1.5]], [[None]]], [2, 1, 1]),
    ],
)  # fmt: skip
def test_data_may_be_flat_or_nested(given: dict[str, Any]) -> None:
    found = read(raw([given, tensor("x", ["?"], [7, 7])], [SAID]), NAMES)
    assert found == Rows(2, {"a": [1.5, None]}, [0, 1], None)


def test_probabilities_are_scores() -> None:
    table = tensor("predict_proba", [[0.9, 0.1], [0.2, 0.8]], [2, 2])
    assert read(raw([A], [SAID, table]), NAMES).scores == [0.1, 0.8]
    alone = read(raw([A], [table]), NAMES)
    assert (alone.answers, alone.scores) == ([0, 1], [0.1, 0.8])
    three = read(raw([A], [tensor("predict_proba", [0.1, 0.7, 0.2, 0.5, 0.3, None], [2, 3])]), NAMES)
    assert three.answers == [1, 0]
    assert three.scores is not None
    assert three.scores[0] == 0.7
    assert math.isnan(three.scores[1])


def test_classes_have_the_names_that_the_profile_has() -> None:
    """Probabilities come in the order of the classes, as an evaluation takes them."""
    table = tensor("predict_proba", [[0.9, 0.1], [0.2, 0.8]], [2, 2])
    named = Wanted(("a",), classes=("no", "yes"), positive="yes")
    assert read(raw([A], [table]), named) == Rows(2, {"a": [1, 2]}, ["no", "yes"], [0.1, 0.8])
    first = Wanted(("a",), classes=("no", "yes"), positive="no")
    assert read(raw([A], [table]), first).scores == [0.9, 0.2]
    single = tensor("predict_proba", [0.4, 0.6])
    assert read(raw([A], [single]), named) == Rows(2, {"a": [1, 2]}, ["no", "yes"], [0.4, 0.6])
    assert read(raw([A], [single]), first).scores == [0.6, 0.4]
    assert read(raw([A], [table]), Wanted(("a",), classes=("x", "y", "z"))).unread == ("answer",)


def test_what_is_wanted_follows_from_the_profile() -> None:
    whole = profile(2, 1)
    found = Wanted.of(whole)
    assert found == Wanted({"n0", "n1", "c0"}, frozenset(), ["0", "1"], "1")
    by = Slice(by="sex", values=["f"], counts=[1])
    assert Wanted.of(whole.model_copy(update={"slices": [by]})).others == {"sex"}
    answer = whole.prediction
    assert answer is not None
    part = whole.model_copy(update={"prediction": answer.model_copy(update={"complete": False})})
    assert Wanted.of(part).classes == []
    never = answer.model_copy(update={"values": ["0"], "counts": [1]})
    assert Wanted.of(whole.model_copy(update={"prediction": never})).classes == ["0", "1"]
    assert Wanted.of(whole.model_copy(update={"prediction": number("n")})).classes == []
    assert ordered(["10", "9", "1"]) == ["1", "9", "10"]
    assert ordered(["b", "10", "a"]) == ["10", "a", "b"]


def test_what_is_none_of_json_s_numbers_is_read_as_what_it_is() -> None:
    found = read(raw([tensor("a", [math.nan, math.inf, 10**40, "x", True, [1]][:5])], [tensor("p", [0] * 5)]), NAMES)
    assert math.isnan(found.columns["a"][0])
    assert found.columns["a"][1:] == [math.inf, 10**40, "x", True]


def test_columns_of_slices_are_read_where_they_are_there() -> None:
    found = read(raw([A, tensor("sex", ["f", "m"], datatype="BYTES")], [SAID]), Wanted(("a", "b"), {"sex"}))
    assert found.columns == {"a": [1, 2], "sex": ["f", "m"]}
    with pytest.raises(Unread):
        read(raw([tensor("sex", ["f", "m"])], [SAID]), Wanted(("a", "b"), {"sex"}))


def test_compressed_requests() -> None:
    body = gzip.compress(json.dumps({"inputs": [A]}).encode())
    assert read(raw([], [SAID], request=body), NAMES).count == 2
    assert reason(raw([], [SAID], request=body[:-9])) == "encoding"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"status": 422}, "refused"), ({"status": 503}, "refused"), ({"request": None}, "empty"),
        ({"cut": True}, "long"), ({"kind": "application/grpc"}, "grpc"), ({"request": b"\x93NUMPY"}, "binary"),
        ({"request": b"\xff\x00"}, "binary"), ({"request": b"[" * 100_000}, "protocol"),
        ({"request": b'{"messages":[{"role":"user","content":"hi"}]}'}, "protocol"),
        ({"request": b'{"inputs":{"a":1}}'}, "protocol"), ({"request": b"[]"}, "protocol"),
        ({"request": b'{"inputs":[1]}'}, "protocol"), ({"request": b'{"inputs":[]}'}, "features"),
        ({"request": b'{"inputs":[' + b"0," * 110_000 + b"0]}"}, "protocol"),
        ({"request": b'{"inputs":[{"name":"a","shape":[1],"data":[' + b"9" * 100 + b"]}]}"}, "protocol"),
        ({"request": b'{"inputs":[{"name":"a","shape":[1],"parameters":{"binary_data_size":8}}]}'}, "binary"),
    ],
)  # fmt: skip
def test_what_can_t_be_read_has_a_reason(changed: dict[str, Any], expected: str) -> None:
    assert reason(raw([A], [SAID], **changed)) == expected
    assert expected in REASONS


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor("a", [1, 2], [3])], [tensor("a", [1, 2], [1, 2])], [{"name": "a", "data": [1]}],
        [tensor("a", [1, [2]])], [tensor("a", [1, 2]), tensor("b", [1])], [tensor("a", 5, [1])],
        [tensor("a", [1], [True])], [tensor("a", [1], [-1])], [tensor("a", [1], ["1"])], [tensor("a", [1], [1] * 99)],
    ],
)  # fmt: skip
def test_rows_that_are_not_plainly_there(inputs: Any) -> None:
    assert reason(raw(inputs, [SAID])) == "shape"


@pytest.mark.parametrize(
    "outputs",
    [
        [], [tensor("p", [1])], [tensor("p", [[1, 2], [3, 4]], [2, 2, 0])], "none", [{"name": "p"}], [1],
        [tensor("predict_proba", [0.1], [2, 2])],
    ],
)  # fmt: skip
def test_an_answer_that_can_t_be_read_costs_not_the_request(outputs: Any) -> None:
    assert read(raw([A], outputs), NAMES) == Rows(2, {"a": [1, 2]}, unread=("answer",))


def test_one_name_twice_is_none() -> None:
    assert reason(raw([A, A], [SAID])) == "protocol"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(("name", "shape", "data", "inputs", "outputs", "a", "datatype")), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON, JSON, JSON)
def test_nothing_raises_past_the_reader(body: Any, shape: Any, data: Any) -> None:
    asked = [{"inputs": body}, {"inputs": [{"name": "a", "shape": shape, "data": data}]}, body]
    for one in asked:
        found = Raw(200, json.dumps(one).encode(), json.dumps({"outputs": body}).encode())
        with suppress(Unread):
            rows = read(found, NAMES)
            assert {len(values) for values in rows.columns.values()} == {rows.count}
