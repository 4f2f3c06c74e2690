"""What was asked, beside the answers: read once from the recorders, shortened honestly, shown within the terminal."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.rollout_world import Sim
from tests.unit.plan.test_deployment_shadow import begun, shadowed, sometimes

from fairlead.api.review import LONGEST_INPUT, ReviewInput
from fairlead.cli.given import lines
from fairlead.manifests.meta import Json
from fairlead.plan.deployment.excerpts import of_input
from fairlead.plan.requests import Failed, KeptInput, ReadInput
from fairlead.signals.answers import kept_input
from fairlead.signals.aside import Aside
from fairlead.signals.errors import SignalError
from fairlead.signals.http import Outside

REVIEW: Json = {"metric": "review", "minEvents": 12}
LONG = {"shadow": "100%", "for": "1h", "requests": 10_000}


def reviewed(**more: object) -> Sim:
    body = shadowed({"metric": "errors"}, REVIEW, steps=[LONG], inputs=True)
    return begun(body, says={"m-2": sometimes(0.3)}, **more)


def inputs(sim: Sim) -> list[Json | None]:
    return [pair.get("input") for pair in sim.candidate["review"]["pairs"]]


# --- read from the recorders ---------------------------------------------------------------------------------------


def test_each_pair_gets_the_request_that_both_answered() -> None:
    sim = reviewed()
    sim.run(20, 40)
    pairs = sim.candidate["review"]["pairs"]
    for pair in [pair for pair in pairs if pair.get("input")]:
        assert json.loads(pair["input"]["text"]) == {"inputs": [{"name": pair["request"]}]}
    assert sum(pair.get("input") is not None for pair in pairs) > 15


def test_without_inputs_nothing_is_asked_for_or_shown() -> None:
    body = shadowed({"metric": "errors"}, REVIEW, steps=[LONG])
    sim = begun(body, says={"m-2": sometimes(0.3)})
    asked: list[ReadInput] = []
    sim._input = lambda request: asked.append(request) or KeptInput("{}")  # type: ignore[method-assign,func-returns-value]
    sim.run(5, 40)
    assert not asked
    assert set(map(str, inputs(sim))) == {"None"}


def test_a_recorder_that_is_away_is_asked_again_and_one_that_has_forgotten_is_not() -> None:
    sim = reviewed()
    sim._input = lambda _: Failed("Timeout", "it hangs")  # type: ignore[method-assign]
    sim.run(10, 40)
    assert inputs(sim)
    assert not any(inputs(sim))
    sim._input = lambda _: KeptInput(None)  # type: ignore[method-assign]
    sim.run(12, 0)
    assert {json.dumps(one) for one in inputs(sim)} == {json.dumps({"text": "", "length": 0, "cut": False})}


# --- shortened -----------------------------------------------------------------------------------------------------


def test_json_is_shortened_to_json_and_says_where() -> None:
    one = {"name": "x", "shape": [1, 784], "data": [i / 7 for i in range(784)]}
    body = json.dumps({"inputs": [one], "s": "ä" * 999})
    found = of_input(body)
    assert (found.length, found.cut) == (len(body), True)
    told = json.loads(found.text)
    data = told["inputs"][0]["data"]
    assert data[0] == 0.0
    assert data[-1] == 783 / 7
    assert [one for one in data if isinstance(one, str)] == [f"… {784 - len(data) + 1} more …"]
    assert told["s"].strip("ä") == "…"
    assert told["inputs"][0]["shape"] == [1, 784]


@pytest.mark.parametrize(
    ("body", "text", "cut"),
    [
        ('{"a":[1,2.5]}', '{"a": [1, 2.5]}', False), ("What is\nthis?", "What is\nthis?", False), ("", "", False),
        ("x" * 1001, "x" * 1000 + "…", True), ('"\\ud800"', '"?"', False), ("[" * 10**5, "[" * 1000 + "…", True),
        (json.dumps({str(i): 1 for i in range(300)}), None, True),
    ],
)  # fmt: skip
def test_what_a_body_becomes(body: str, text: str | None, cut: bool) -> None:
    found = of_input(body)
    assert (found.length, found.cut) == (len(body), cut)
    assert text in (None, found.text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=9), inner, max_size=60),
    max_leaves=300,
)


@settings(max_examples=60, deadline=None)
@given(JSON, st.integers(20, 200), st.integers(8, 80))
def test_any_body_fits_into_the_status_and_the_terminal(value: object, columns: int, rows: int) -> None:
    body = json.dumps(value)
    found = of_input(body)
    assert len(found.text) <= LONGEST_INPUT + 1
    assert found.cut or json.loads(found.text) == value
    shown = lines(found, columns, rows)
    assert len(shown) <= max(6, rows // 2) + 1
    assert all(len(line) <= max(columns, 22) for line in shown[1:] if not line.endswith("shows them"))
    assert all(line.isprintable() for line in shown)


def test_json_stands_in_lines_that_fit() -> None:
    shown = lines(of_input(json.dumps({"model": "m", "shape": [1, 4], "data": [1.25] * 9, "none": []})), 40, 60)
    assert shown[1:] == [
        "  {", '    "model": "m",', '    "shape": [1, 4],', '    "data": [', "      1.25, 1.25, 1.25, 1.25, 1.25,",
        "      1.25, 1.25, 1.25, 1.25", "    ],", '    "none": []', "  }",
    ]  # fmt: skip
    few = lines(of_input(json.dumps(list(range(200)))), 40, 12)
    assert len(few) == 7
    assert few[-1].endswith("more lines: --list -o json shows them")
    assert lines(ReviewInput()) == ["input: not kept (no text, more than 256 KiB, or gone before it was read)"]


# --- over HTTP -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def recorder() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        one = request.match_info["id"]
        if one == "gone":
            return web.Response(status=404)
        known = {"a b": '{"answers":[],"input":"{}"}', "empty": '{"input":null}', "bad": "[]"}
        return web.Response(text=known.get(one), status=200 if one in known else 503)

    app = web.Application()
    app.router.add_get("/answers/{id}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/answers"))


async def test_a_request_is_read_from_a_recorder(recorder: str) -> None:
    async with aiohttp.ClientSession() as session:
        for one, text in (("a b", "{}"), ("empty", None), ("gone", None)):
            assert await kept_input(Outside(session, Aside()), ReadInput(recorder, one)) == KeptInput(text)
        for one, reason in (("bad", "BadAnswer"), ("away", "HttpStatus")):
            with pytest.raises(SignalError) as found:
                await kept_input(Outside(session, Aside()), ReadInput(recorder, one))
            assert found.value.reason == reason
