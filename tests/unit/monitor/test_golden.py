"""Golden rows: what a document may say, and which answers are the expected ones."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest

from fairlead.monitor import golden
from fairlead.monitor.golden import BadGolden, Exchange, Output


def written(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def row(expected: Any = 2.5, **inputs: Any) -> dict[str, Any]:
    return {"inputs": inputs or {"x": 1.5}, "expected": expected}


def answer(*values: Any, name: str = "predict", datatype: str = "FP64", width: int = 1) -> dict[str, Any]:
    shape = [len(values) // width, width]
    return {"outputs": [{"name": name, "datatype": datatype, "shape": shape, "data": list(values)}]}


def test_each_row_of_training_code_is_a_request_as_evaluations_make_them() -> None:
    found = golden.parse(written(row(x=1, name="a", on=True), row(x=2.5, name="b", on=False)))
    assert [one.rows for one in found] == [1, 1]
    assert found[0].request == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [1.0]},  # the second one is no whole number
            {
                "name": "name",
                "datatype": "BYTES",
                "shape": [1, 1],
                "data": ["a"],
                "parameters": {"content_type": "str"},
            },
            {"name": "on", "datatype": "BOOL", "shape": [1, 1], "data": [True]},
        ],
    }  # fmt: skip


def test_lists_are_tensors() -> None:
    (found,) = golden.parse(written(row(image=[[1, 2, 3], [4, 5, 6]])))
    assert found.request == {
        "parameters": {"content_type": "np"},
        "inputs": [{"name": "image", "datatype": "INT64", "shape": [1, 2, 3], "data": [1, 2, 3, 4, 5, 6],
                    "parameters": {"content_type": "np"}}],
    }  # fmt: skip


@pytest.mark.parametrize(("values", "datatype"), [
    ([1, 2], "INT64"), ([1, 2.5], "FP64"), ([1, None], "FP64"), ([True, None], "FP64"), (["a", None], "BYTES"),
])  # fmt: skip
def test_a_column_has_one_datatype(values: list[Any], datatype: str) -> None:
    found = golden.parse(written(*(row(x=value) for value in values)))
    assert {one.request["inputs"][0]["datatype"] for one in found} == {datatype}


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no rows"),
    "blank": (b"\n \n", "no rows"),
    "no text": (b"\xff\xfe", "no UTF-8"),
    "no json": (b"x,y\n1,2\n", "the first line"),
    "later no json": (written(row()) + b"\nx", "line 2"),
    "a list": (b"[1, 2]", "line 1 is not"),
    "no inputs": (b'{"expected": 1}', "line 1 is not"),
    "no expected": (b'{"inputs": {"x": 1}}', "line 1 is not"),
    "expects nothing": (written(row({})), "expects nothing"),
    "expects an object in a list": (written(row([{"a": 1}])), "no value"),
    "minus infinity": (b'{"inputs": {"x": [-Infinity]}, "expected": 1}', "infinite"),
    "NaN in a request": (b'{"golden": 1, "exchanges": [{"request": {"x": NaN}, "outputs": []}]}', "NaN"),
    "infinity": (b'{"inputs": {"x": 1e999}, "expected": 1}', "too large"),
    "huge integer": (b'{"inputs": {"x": ' + b"9" * 5000 + b'}, "expected": 1}', "digits"),
    "deep": (b'{"inputs": {"x": ' + b"[" * 30 + b"1" + b"]" * 30 + b'}, "expected": 1}', "within each other"),
    "very deep": (b"[" * 60000, "elements"),
    "an object as a feature": (written(row(x={"a": 1})), "no value"),
    "ragged": (written(row(x=[[1, 2], [3]])), "different lengths"),
    "an empty list": (written(row(x=[])), "no value"),
    "empty lists": (written(row(x=[[], [1]])), "different lengths"),
    "a list beside values": (written(row(x=[[1], 2])), "lists beside values"),
    "a feature missing": (written(row(x=1, y=2), row(x=1)), "line 2 lacks the input y"),
    "a feature more": (written(row(x=1), row(x=1, y=2)), "line 2 has the input y"),
    "types differ": (written(row(x=1), row(x="a")), "different types"),
    "too many rows": (written(*[row()] * 65), "65 rows"),
    "a million rows": (written(row()) + b"\n{}" * 10**6, "64 KiB"),
    "another form": (b'{"golden": 2, "exchanges": []}', "does not know"),
    "no exchanges": (b'{"golden": 1, "exchanges": []}', "does not know"),
    "exchange of nothing": (b'{"golden": 1, "exchanges": [1]}', "does not know"),
    "no answer": (b'{"golden": 1, "exchanges": [{"request": {}, "outputs": []}]}', "no answer"),
    "no shape": (b'{"golden": 1, "exchanges": [{"request": {}, "outputs": [{"data": [1]}]}]}', "no shape"),
    "another shape": (
        b'{"golden": 1, "exchanges": [{"request": {}, "outputs": [{"shape": [2, 20000], "data": [1]}]}]}', "1 values",
    ),
    "no row": (b'{"golden": 1, "exchanges": [{"request": {}, "outputs": [{"shape": [0], "data": []}]}]}', "0 values"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_used_is_refused_with_the_reason(case: str) -> None:
    body, why = BAD[case]
    with pytest.raises(BadGolden, match=why):
        golden.parse(body)


def test_whatever_comes_is_refused_or_read() -> None:
    """Documents that are good, with some bytes changed."""
    random_ = random.Random(4)
    good = [
        written(row(x=1, y="a"), row([0.5, 0.5], x=2, y="b")),
        golden.document([({"inputs": []}, answer(1.0, 2.0))]),
    ]
    for _ in range(3000):
        body = bytearray(random_.choice(good))
        for _ in range(random_.randrange(1, 6)):
            at = random_.randrange(len(body))
            body[at : at + random_.randrange(3)] = random_.choice(
                [b"[", b"]", b"{", b"}", b'"', b",", b"1e9", b"null", b"\xff"]
            )
        try:
            found = golden.parse(bytes(body))
        except BadGolden:
            continue
        assert 0 < sum(one.rows for one in found) <= golden.ROWS
        scale = golden.scales(found)
        for one in found:
            assert golden.differences(one, one.outputs, 1, golden.TOLERANCE, scale) == []


def test_what_an_evaluation_keeps_comes_back() -> None:
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [1.0, 2.0]}]}
    body = golden.document([(request, answer(1, 2) | {"id": "other each time", "model_name": "m"})])
    assert body == golden.document([(request, answer(1, 2) | {"id": "another"})])
    (found,) = golden.parse(body)
    assert found == Exchange(request, (Output("predict", 2, (1.0, 2.0)),), 2)


@pytest.mark.parametrize(("expected", "answered", "scale", "same"), [
    (100.0, 100.09, 0.0, True), (100.0, 100.11, 0.0, False), (-100.0, -100.09, 0.0, True), (100.0, -100.0, 0.0, False),
    # near 0 what counts is how large the output usually is
    (1e-9, 0.0, 0.5, True), (0.0, 1e-5, 0.5, True), (0.0, 1e-2, 0.5, False), (0.0, 1e-9, 0.0, False),
    (0.0, 1e-17, 0.0, True),
    (0.1 + 0.2, 0.3, 0.0, True), (1.0, 1, 0.0, True), (1.0, True, 0.0, True), (1.0, None, 0.0, False),
    (1.0, "1", 0.0, False), (1.0, [1.0], 0.0, False), (1.0, math.inf, 0.0, False), (1.0, 10**400, 0.0, False),
    (1.0, math.nan, 9.0, False), (math.inf, math.inf, 0.0, True), (math.inf, 1e308, 0.0, False),
    (math.nan, None, 0.0, True), (None, math.nan, 0.0, True), (None, 0.0, 0.0, False),
    # classes and texts are the same or not
    (1000, 1001, 1000.0, False), (3, 3.0, 0.0, True), (3, 3.0001, 9.0, False), ("a", "a", 0.0, True),
    ("a", "b", 9.0, False),
    (True, True, 0.0, True), (True, False, 9.0, False), ("3", 3, 0.0, False),
    (3, "3", 0.0, True), (3, "4", 9.0, False), (True, "True", 0.0, True), (False, "false", 0.0, True),
    (True, "1", 0.0, False), (2.0, "2.0", 0.0, True), (2.5, "2.6", 9.0, False),
])  # fmt: skip
def test_which_answers_are_alike(expected: Any, answered: Any, scale: float, same: bool) -> None:
    assert golden.alike(expected, answered, 0.001, scale) is same


def test_single_precision_is_tolerated_and_a_percent_is_not() -> None:
    """Sums of a thousand products, in another precision and another order."""
    random_ = np.random.default_rng(2)
    rows, weights = random_.normal(size=(64, 1000)), random_.normal(size=1000)
    exact, single = rows @ weights, (rows.astype(np.float32)[:, ::-1] @ weights.astype(np.float32)[::-1]).astype(float)
    (one,) = golden.parse(golden.document([({}, answer(*exact.tolist()))]))
    scale = golden.scales([one])
    assert golden.differences(one, golden.answered(answer(*single.tolist())), 1, golden.TOLERANCE, scale) == []
    other = golden.answered(answer(*(exact * 1.01).tolist()))
    assert len(golden.differences(one, other, 1, golden.TOLERANCE, scale)) > 32


def test_a_difference_names_the_row_and_what_was_expected() -> None:
    (one,) = golden.parse(golden.document([({}, answer(0.1, 0.9, 0.8, 0.2, width=2))]))
    found = golden.differences(
        one, golden.answered(answer(0.1, 0.9, 0.5, 0.5, width=2)), 11, 0.001, golden.scales([one])
    )
    (said,) = found
    assert (said.row, said.output, said.expected, said.answered) == (12, "predict", "0.8", "0.5")


def test_more_values_a_row_are_a_difference() -> None:
    one = Exchange({}, (Output("predict", 1, (0.1, 0.9)),), 1)
    (said,) = golden.differences(one, golden.answered(answer(0.1, 0.9, 0.0, width=3)), 1, 0.001, {})
    assert (said.expected, said.answered) == ("2 values a row of 1", "3 values a row of 1")


def test_a_class_and_probabilities_can_not_be_compared_where_no_output_is_named() -> None:
    one = Exchange({}, (Output("", 1, (1,)),), 1)
    with pytest.raises(BadGolden, match=r"first output, predict, has 2 .* name the output"):
        golden.differences(one, golden.answered(answer(0.1, 0.9, width=2)), 1, 0.001, {})


def test_a_server_may_leave_out_that_there_is_one_row() -> None:
    one = Exchange({}, (Output("", 1, (0.1, 0.9)),), 1)
    bare = {"outputs": [{"name": "y", "datatype": "FP64", "shape": [2], "data": [0.1, 0.8]}]}
    (said,) = golden.differences(one, golden.answered(bare), 4, 0.001, {})
    assert (said.row, said.expected, said.answered) == (4, "0.9", "0.8")


def test_what_is_whole_by_chance_among_numbers_with_fractions_is_one_of_them() -> None:
    """Not each language writes 3.0."""
    rows = golden.parse(b'{"inputs": {"x": 1}, "expected": 3}\n{"inputs": {"x": 2}, "expected": 3.5}')
    near = golden.answered(answer(3.0000001))
    assert golden.differences(rows[0], near, 1, 0.001, golden.scales(rows)) == []
    assert golden.differences(rows[0], golden.answered(answer(3.1)), 1, 0.001, golden.scales(rows))


def test_gaps_may_be_written_as_python_writes_them() -> None:
    """`json.dumps` of a data frame's rows has NaN where there is nothing."""
    lines = [row(float("nan"), x=float("nan"), y="a"), row(1.5, x=2, y=float("nan"))]
    first, second = golden.parse(written(*lines))
    data = [[one["data"] for one in each.request["inputs"]] for each in (first, second)]
    assert data == [[[None], ["a"]], [[2.0], [None]]]
    assert [one["datatype"] for one in first.request["inputs"]] == ["FP64", "BYTES"]
    null = {"name": "y", "datatype": "FP64", "shape": [1], "data": [None]}
    assert golden.differences(first, golden.answered({"outputs": [null]}), 1, 0.001, {}) == []


@pytest.mark.parametrize("end", ["\u2028", "\u0085", "\x0b"])
def test_a_text_may_have_what_ends_lines_elsewhere(end: str) -> None:
    line = json.dumps({"inputs": {"x": f"a{end}b"}, "expected": 1}, ensure_ascii=False)
    (one,) = golden.parse(f"{line}\r\n".encode())
    assert one.request["inputs"][0]["data"] == [f"a{end}b"]


def test_an_output_that_is_not_there_can_not_be_compared() -> None:
    one = Exchange({}, (Output("score", 1, (0.5,)),), 1)
    with pytest.raises(BadGolden, match="no output score"):
        golden.differences(one, golden.answered(answer(0.5)), 1, 0.001, {})


@pytest.mark.parametrize("body", [
    None, [], {}, {"outputs": {}}, {"outputs": [[]]}, {"outputs": [{"shape": ["1"], "data": []}]},
    {"outputs": [{"shape": [1], "data": {"a": 1}}]}, {"outputs": [{"shape": [1], "data": [{}]}]},
    {"outputs": [{"shape": [True], "data": [1]}]},
])  # fmt: skip
def test_what_is_no_answer_is_refused(body: Any) -> None:
    with pytest.raises(BadGolden):
        golden.answered(body)
