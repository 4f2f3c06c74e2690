"""What servers answer: whatever it is, it is an answer or a refusal that says why; never a failure of the task."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.worker import oip
from fairlead.worker.oip import Refused, Server, answers


def output(data: Any, datatype: Any = "FP64", shape: Any = None, **more: Any) -> bytes:
    tensor = {"name": "predict", "datatype": datatype, "shape": shape or [len(data), 1], "data": data} | more
    return json.dumps({"outputs": [tensor]}).encode()


def test_labels_are_strings_of_bytes_and_numbers_otherwise() -> None:
    assert answers(output(["yes", "T"], "BYTES"), 2)[0].tolist() == ["yes", "T"]
    assert answers(output([1, 2.5], "INT64"), 2)[0].tolist() == [1.0, 2.5]
    assert answers(output([True, False], "BOOL"), 2)[0].tolist() == [1.0, 0.0]
    assert answers(output([[1], [2]], "FP64"), 2)[0].tolist() == [1.0, 2.0]
    assert answers(output([1, 2], "BYTES"), 2)[0].tolist() == [1.0, 2.0], "arrays of objects"
    labels, table = answers(output([0.1, 0.9, 0.8, 0.2], shape=[2, 2]), 2)
    assert labels.tolist() == [1.0, 0.0]
    assert table is not None
    assert table.shape == (2, 2)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "null", "9" * 400])
def test_what_is_no_finite_number_is_kept_as_such(number: str) -> None:
    body = b'{"outputs":[{"datatype":"FP64","shape":[1],"data":[' + number.encode() + b"]}]}"
    assert not np.isfinite(answers(body, 1)[0]).any()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"outputs":[{"datatype":"INT64","shape":[1],"data":[' + b"9" * 100_000 + b"]}]}", "not one of the protocol"),
        (b'{"outputs":[{"shape":[1],"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}]}", "not one of the protocol"),
        (b"[" * 100_000, "not one of the protocol"), (b"\xff\xfe", "not one of the protocol"),
        (b"{}", "not one of the protocol"), (b'{"outputs":{}}', "not one of the protocol"),
        (b'{"outputs":[3]}', "not one of the protocol"), (b"null", "not one of the protocol"),
        (output([1.0], shape=[1e999]), "not one of the protocol"),
        (output([1.0], shape="1"), "not one of the protocol"),
        (output([1.0], shape=[-1, -1]), "not one of the protocol"), (output({"a": 1}), "not one of the protocol"),
        (output([1.0], shape=[1, 10**12]), "not one of the protocol"),
        (output([1.0], shape=[1, 10**9, 10**9, 10**9]), "1 values, but shape"),
        (output([[1.0], 2.0]), "lists beside values"), (output([1.0, [2.0]]), "a list where"),
        (output([{}], shape=[1]), "an object where"), (output(["1"], "FP64"), '"1" where its datatype'),
        (output(["a", None], "BYTES"), "null beside strings"), (output(["a", 1], "BYTES"), "1 beside strings"),
        (output(["a", "b"], "BYTES", [1, 2]), '"a" where'), (output([1.0, {}], shape=[1, 2]), "an object where"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_with_the_reason(body: bytes, words: str) -> None:
    rows = 2 if b'"shape": [2' in body else 1
    with pytest.raises(Refused, match=words) as caught:
        answers(body, rows)
    assert len(str(caught.value)) < 1000


def test_an_answer_of_very_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Refused, match="more than 2000000 values"):
        answers(b'{"outputs":[{"shape":[1],"data":[' + b"[]," * 1_000_000 + b"[]]}]}", 1)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"data": JSON, "shape": st.one_of(JSON, st.lists(st.integers(0, 3), max_size=3)), "datatype": JSON},
        optional={"name": st.sampled_from(["predict", oip.PROBABILITIES, 3])},
    )
)
def test_any_answer_is_labels_or_a_refusal(tensor: dict[str, Any]) -> None:
    try:
        labels, table = answers(json.dumps({"outputs": [tensor]}).encode(), 2)
    except Refused:
        return
    assert labels.shape == (2,)
    assert table is None or table.shape[0] == 2


@pytest.fixture
def endless() -> Iterator[str]:
    """A server whose answer has no end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_an_answer_without_end_is_refused(endless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oip, "LIMIT", 1 << 20)
    with pytest.raises(Refused, match="the answer is larger than 1 MiB"):
        Server("challenger", endless, "m", 5).infer(b"{}", 1)
