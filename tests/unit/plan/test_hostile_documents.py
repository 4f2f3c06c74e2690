"""Documents that somebody has put in the place of Fairlead's: a reason, in no time."""

from __future__ import annotations

import base64
import json
import time
import zlib
from typing import Any

import pytest

from fairlead.api import answers
from fairlead.api.tasks import Place, TaskResult
from fairlead.plan.deployment.excerpts import of_input, of_output

pytestmark = pytest.mark.usefixtures("own_garbage")
PLACE = Place(bucket="b", prefix="p")
DATA: dict[str, Any] = {"data": {"sha256": "a" * 64, "rows": 1}}
TEXTS = [
    "[" * 10_000, '{"a":' * 5000, "1e999", "9" * 100_000, "[]", "7", '{"task":1e999}', '{"data":[]}',
    '{"data":{"rows":1e999}}',
    json.dumps(DATA | {"scores": 7}), json.dumps(DATA | {"gates": [{}] * 80_000}),
    '{"result":{"snapshot":{"a":"\\ud800"}}}',
    json.dumps({"task": "a", "result": {"evaluate": {"scores": [{}] * 80_000}}}),
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("verb", ["evaluate", "snapshot"])
def test_an_answer_s_document_is_read_or_refused_and_takes_no_time(verb: str, text: str) -> None:
    started = time.thread_time()
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's, and that of `api.foreign`
        answers.parsed(verb, text, "0" * 64, PLACE)
    assert time.thread_time() - started < 0.3


def test_what_is_packed_is_read_within_the_same_bounds() -> None:
    for inside in (b"[" * 10_000, b"9" * 100_000, b"[" + b"{}," * 300_000 + b"{}]"):
        packed = base64.b64encode(zlib.compress(inside)).decode()
        with pytest.raises(ValueError):  # noqa: PT011
            TaskResult.model_validate_json(json.dumps({"packed": packed}))


@pytest.mark.parametrize(
    "body", ["[" * 10_000, "9" * 100_000, '{"a":1e999}', "[" + "1," * 120_000 + "1]", '"\\ud800"', "{"]
)
def test_a_request_s_body_is_shown_whatever_it_is(body: str) -> None:
    shown = of_input(body)
    assert len(shown.text) <= 1001
    assert shown.text.encode()
    assert of_output(body)
