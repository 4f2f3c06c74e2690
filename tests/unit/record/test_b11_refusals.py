"""What a server says instead of an answer is kept, wherever the output of an answer lies; only its beginning."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from tests.unit.record.test_record_exchange import after, body, headers, trailers

from fairlead.worker.record.extract import SAID, refusal


def kept(*messages: Any, pointer: str | None = "/outputs/0/data/0") -> tuple[int, Any]:
    found, _ = after(*messages)
    answer = found.answer(103.0, pointer)
    return answer.status, json.loads(answer.output)


@pytest.mark.parametrize("status", ["400", "422", "500", "503"])
def test_b11_a_failure_says_why_though_the_output_lies_elsewhere(status: str) -> None:
    said = b'{"error": "expected 3 features, got 4"}'
    got = kept(headers(status_=status, content_type="application/json"), body(said, end=True))
    assert got == (int(status), {"error": "expected 3 features, got 4"})


def test_b11_a_page_is_kept_by_its_beginning() -> None:
    page = b"<html>" + b"x" * 5000
    assert kept(headers(status_="502", content_type="text/html"), body(page, end=True)) == (502, page[:SAID].decode())
    long = json.dumps({"trace": "y" * 5000}).encode()
    assert json.loads(refusal(long, "")) == long[:SAID].decode()


def test_b11_grpc_says_it_in_a_header() -> None:
    ended = trailers(grpc_status="13", grpc_message="expected 3 features%2C got 4")
    assert kept(headers(content_type="application/grpc"), ended) == (500, "expected 3 features, got 4")


@pytest.mark.parametrize(
    ("data", "encoding", "found"),
    [
        (b"", "", None), (gzip.compress(b'{"detail":"no"}', mtime=0), "gzip", {"detail": "no"}),
        (b"\xff\xfeno", "", "��no"),
        (b"no", "br", None), (b"[" * 100_000, "", "[" * SAID), (b'{"a":NaN}', "", '{"a":NaN}'),
    ],
)  # fmt: skip
def test_b11_whatever_it_says(data: bytes, encoding: str, found: Any) -> None:
    assert json.loads(refusal(data, encoding)) == found


def test_b11_an_answer_is_read_as_before() -> None:
    assert kept(headers(), body(b'{"outputs":[{"data":[7]}]}', end=True)) == (200, 7)
