"""Requests and answers, put together from Envoy's messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from fairlead.worker.record.exchange import Exchange
from fairlead.worker.record.names import BODY_LIMIT

ROOM = 1 << 30


def headers(end: bool = False, **values: str) -> Any:
    found = {":status": "200", "x-fairlead-record-id": "r", "x-fairlead-record-us": "2500"}
    found |= {name.replace("_", "-"): value for name, value in values.items()}
    message = ProcessingRequest()
    for name, value in found.items():
        message.response_headers.headers.headers.add(key=name.replace("status-", ":status"), raw_value=value.encode())
    message.response_headers.end_of_stream = end
    return message


def body(data: bytes, end: bool = False, request: bool = False) -> Any:
    message = ProcessingRequest()
    part = message.request_body if request else message.response_body
    part.body, part.end_of_stream = data, end
    return message


def trailers(**values: str) -> Any:
    message = ProcessingRequest()
    message.response_trailers.SetInParent()
    for name, value in values.items():
        message.response_trailers.trailers.headers.add(key=name.replace("_", "-"), raw_value=value.encode())
    return message


def after(*messages: Any, room: int = ROOM) -> tuple[Exchange, list[bool]]:
    found = Exchange()
    return found, [found.take(message, 100.0 + number, room) for number, message in enumerate(messages)]


def test_an_answer_in_parts() -> None:
    found, whole = after(headers(), body(b'{"outputs":[{"da'), body(b'ta":[1]}]}'), body(b"", end=True))
    assert whole == [False, False, False, True]
    answer = found.answer(103.0, None, 0.5)
    assert (answer.request_id, answer.time, answer.status, answer.output) == ("r", 103.0, 200, "[1]")
    assert answer.latency == pytest.approx(3002.5)
    assert json.loads(f"[{answer.row()}]") == ["r", 103.0, 200, 3002.5, [1], False, 0.5]


def test_an_answer_without_a_body_ends_with_its_headers() -> None:
    found, whole = after(headers(end=True, status_="204"))
    assert whole == [True]
    answer = found.answer(100.0, None)
    assert answer.output == "null"


def test_without_headers_there_is_no_answer() -> None:
    found, _ = after(body(b"{}", request=True))
    assert not found.answered


def test_a_long_answer_is_cut() -> None:
    found, whole = after(headers(), body(bytes(BODY_LIMIT)), body(b"x"))
    assert whole == [False, False, True]
    answer = found.answer(102.0, None)
    assert answer.truncated
    assert answer.output == "null"


def test_without_room_nothing_is_held() -> None:
    found, _ = after(body(bytes(20), request=True), headers(), body(bytes(20)), room=10)
    answer = found.answer(102.0, None)
    assert (found.held, answer.output, answer.input) == (0, "null", None)
    assert found.cut
    assert found.full


def test_inputs_are_whole_or_absent() -> None:
    parts = [body(b"ab", request=True), body(b"cd", request=True, end=True), headers(end=True)]
    found, _ = after(*parts)
    answer = found.answer(100.0, None)
    assert answer.input == "abcd"
    long = [body(bytes(BODY_LIMIT), request=True), body(b"x", request=True), body(b"y", request=True)]
    cut, whole = after(*long, headers(end=True))
    assert whole == [False, False, False, True]
    answer = cut.answer(100.0, None)
    assert (answer.input, answer.truncated) == (None, False)


def test_messages_of_grpc_are_no_text_though_they_may_look_like_it() -> None:
    found, _ = after(body(b"\0\0\0\0\2hi", request=True), headers(end=True, content_type="application/grpc"))
    answer = found.answer(100.0, None)
    assert (answer.input, answer.output) == (None, "null")


@pytest.mark.parametrize(("grpc", "status"), [("0", 200), ("14", 503), ("4", 504), ("3", 400), ("99", 500), ("?", 500)])
def test_grpc_ends_with_its_trailers(grpc: str, status: int) -> None:
    found, whole = after(headers(content_type="application/grpc"), trailers(grpc_status=grpc))
    assert whole == [False, True]
    answer = found.answer(101.0, None)
    assert (answer.status, answer.output) == (status, "null")


@pytest.mark.parametrize(
    ("given", "shadow"),
    [
        ({"x_fairlead_record_host": "a-shadow"}, True), ({"x_fairlead_record_host": "a-shadow:80"}, True),
        ({"x_fairlead_record_host": "shadow"}, False), ({"x_fairlead_record_shadow": "true"}, True),
        ({"x_fairlead_record_shadow": "1"}, False), ({}, False),
    ],
)  # fmt: skip
def test_copies(given: dict[str, str], shadow: bool) -> None:
    found, _ = after(headers(end=True, **given))
    answer = found.answer(100.0, None)
    assert answer.shadow is shadow


@pytest.mark.parametrize("number", ["9" * 5000, "\u00b2", "", "-1", "1e3"])
def test_headers_that_are_no_numbers_cost_no_answer(number: str) -> None:
    """`isdigit` is true of a superscript, and `int` takes no more than 4,300 digits."""
    for name in ("status_", "grpc_status", "x_fairlead_record_us"):
        message = headers(end=True)
        for one in message.response_headers.headers.headers:
            if one.key == name.rstrip("_").replace("_", "-").replace(
                "status", ":status" if name == "status_" else "status"
            ):
                one.raw_value = number.encode("latin-1")
        if name == "grpc_status":
            message.response_headers.headers.headers.add(key="grpc-status", raw_value=number.encode("latin-1"))
        answer = after(message)[0].answer(100.0, None)
        assert 0 <= answer.status < 10**15
