"""What an answer says."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.worker.record import extract
from fairlead.worker.record.extract import at, output

JSON = "application/json"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def of(body: Any, pointer: str | None = None, encoding: str = "", kind: str = JSON) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(output(raw, kind, encoding, pointer))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"outputs": [{"data": [1, 2]}, {"data": [3]}]}, [1, 2]),
        ({"choices": [{"message": {"content": "yes"}}]}, "yes"),
        ({"choices": [{"text": "yes"}]}, "yes"),
        ({"score": 1}, {"score": 1}),
        ({"outputs": []}, {"outputs": []}),
        ([1], [1]),
        (b"plain", "plain"),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"a": NaN}', None),
    ],
)
def test_the_usual_places(body: Any, found: Any) -> None:
    assert of(body) == found


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", {"a/b": [{"~": 1}]}), ("/a~1b/0/~0", 1), ("/a~1b/1", None), ("/a~1b/x", None), ("/a~1b/-1", None),
     ("/none/0", None), ("/a~1b/0/~0/deeper", None)],
)  # fmt: skip
def test_pointers(pointer: str, found: Any) -> None:
    assert of({"a/b": [{"~": 1}]}, pointer) == found


def test_a_pointer_into_something_else_finds_nothing() -> None:
    assert of(b"plain", "/a") is None


def test_compressed_bodies() -> None:
    raw = json.dumps({"outputs": [{"data": [1]}]}).encode()
    assert of(gzip.compress(raw), encoding="gzip") == [1]
    assert of(zlib.compress(raw), encoding="deflate") == [1]
    assert of(gzip.compress(raw)[:-9], encoding="gzip") is None
    assert of(raw, encoding="br") is None
    assert of(raw, encoding="gzip") is None


def test_a_body_that_grows_beyond_the_limit_when_opened_is_left_alone() -> None:
    assert extract.decoded(gzip.compress(bytes(extract.BODY_LIMIT + 1)), "gzip") is None
    assert extract.decoded(gzip.compress(bytes(extract.BODY_LIMIT)), "gzip") is not None


def test_streams_of_tokens_add_up() -> None:
    events = [{"choices": [{"delta": {"role": "assistant"}}]}, {"choices": [{"delta": {"content": "a "}}]},
              {"choices": [{"text": "b"}]}, {"usage": 1}]  # fmt: skip
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    assert of(body.encode(), kind="text/event-stream; charset=utf-8") == "a b"
    assert of(b"data: 1\n\ndata: {\n\n", kind="text/event-stream") is None


def test_nesting_without_end_is_no_answer() -> None:
    assert of(b"[" * 200_000) is None


@given(VALUES)
def test_the_whole_is_what_was_sent(value: Any) -> None:
    assert of(value, "") == value


@given(
    st.binary(max_size=200),
    st.sampled_from(["", "gzip", "deflate", "br"]),
    st.sampled_from([JSON, "text/event-stream"]),
)
def test_no_body_breaks_it(body: bytes, encoding: str, kind: str) -> None:
    json.loads(output(body, kind, encoding, None))
    json.loads(output(body, kind, encoding, "/a"))


@given(VALUES, st.text(alphabet="/~01a", max_size=6).map(lambda text: f"/{text}"))
def test_no_pointer_breaks_it(value: Any, pointer: str) -> None:
    at(value, pointer)
