"""Somebody else's JSON: what it says, or one error that says why not."""

from __future__ import annotations

import ast
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api import foreign
from fairlead.api.foreign import DEPTH, DIGITS, Unreadable, parse

pytestmark = pytest.mark.usefixtures("own_garbage")
leaves = st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False) | st.text(max_size=9)
values = st.recursive(
    leaves.filter(lambda one: one not in (float("inf"), -float("inf"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans())
@settings(max_examples=200)
def test_what_is_written_is_read(value: Any, ascii_: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_)
    assert parse(text) == value
    assert parse(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1e999", "1e999"), ("[-1e400]", "-1e400"), ("NaN", "NaN"), ('{"a":Infinity}', "Infinity"),
        ("[-Infinity]", "-Infinity"), ("9" * 100_000, "100000 digits"), (f"[{'9' * (DIGITS + 1)}]", "digits"),
        ("[" * 10_000, "within each other"), ("[" * 10_000 + "]" * 10_000, "within each other"),
        ('{"a":' * 500 + "1" + "}" * 500, "within each other"), ("", "no JSON"), ("{", "no JSON"),
        (b"\xff\xfe", "no UTF-8"), ("[" + "1," * 400_000 + "1]", "elements"), (b"1" * (5 << 20), "bytes"),
    ],
)  # fmt: skip
def test_what_goes_beyond_a_bound_is_refused_with_the_reason(text: str | bytes, why: str) -> None:
    started = time.thread_time()
    with pytest.raises(Unreadable, match=why):
        parse(text)
    assert time.thread_time() - started < 0.1


def test_depth_is_counted_to_the_last() -> None:
    assert parse("[" * DEPTH + "]" * DEPTH)
    with pytest.raises(Unreadable):
        parse("[" * (DEPTH + 1) + "]" * (DEPTH + 1))


def test_brackets_side_by_side_or_in_a_text_are_no_depth() -> None:
    assert len(parse("[" + "[]," * 1000 + "[]]")) == 1001
    assert parse(json.dumps("[" * 1000)) == "[" * 1000


def test_a_text_full_of_commas_is_no_list() -> None:
    for text in (",:[{" * 200_000, '\\"' * 300_000):
        assert parse(json.dumps([text])) == [text]


@pytest.mark.parametrize("text", ['"\\"' * 300_000, '[,"' * 300_000, ',"\\' * 300_000, '"' * 900_001 + "\\"])
def test_no_torn_text_takes_long(text: str) -> None:
    started = time.thread_time()
    with pytest.raises(Unreadable):
        parse(text)
    assert time.thread_time() - started < 0.25


def test_half_a_surrogate_pair_becomes_what_can_be_written() -> None:
    found = parse('{"a\\ud800":["\\udfff","\\ud83d\\ude00"]}')
    assert found == {"a?": ["?", "\U0001f600"]}
    json.dumps(found, ensure_ascii=False).encode()


def test_where_numbers_may_be_what_json_lacks() -> None:
    assert parse("[1e999]", finite=False) == [float("inf")]
    with pytest.raises(Unreadable):
        parse("[" + "9" * 5000 + "]", finite=False)


@given(st.text(max_size=60) | st.binary(max_size=60))
@settings(max_examples=200)
def test_any_text_is_a_value_or_refused(text: str | bytes) -> None:
    with suppress(Unreadable):
        json.dumps(parse(text), ensure_ascii=False).encode()


def test_the_slowest_text_that_is_taken_costs_little() -> None:
    text = "[" + "[]," * (foreign.PARTS // 2 - 2) + "[]]"
    started = time.thread_time()
    parse(text)
    assert time.thread_time() - started < 0.25


SOURCE = Path(foreign.__file__).parents[1]
OWN = {
    "api/foreign.py": "this is the one reader",
    "sdk/values.py": "what a step's own command line says; the SDK imports nothing of the rest",
    "engine/cache.py": "its own copies",
    "cluster/client.py": "the API server, which has read it before",
}


def test_nobody_else_reads_what_somebody_else_has_written() -> None:
    """In the operator and the command line. A Job reads in a process of its own; the recorder does so beside a server,
    and its answers go to the operator."""
    files = [one for one in SOURCE.rglob("*.py") if one.relative_to(SOURCE).parts[0] != "worker"]
    files.append(SOURCE / "worker/record/extract.py")
    found = {
        one.relative_to(SOURCE).as_posix() for one in files for node in ast.walk(ast.parse(one.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("loads", "load", "JSONDecoder", "from_json")
        and isinstance(node.value, ast.Name) and node.value.id in ("json", "pydantic_core", "simplejson", "orjson")
    }  # fmt: skip
    assert found == OWN.keys()
