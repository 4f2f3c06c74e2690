"""Reading the page of a recorder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairlead.signals.answers import parse

ROW: list[Any] = [7, "r-7", 1_800_000_000.5, 200, 12.5, [1], False, 1.0]


def page(*rows: list[Any], **more: Any) -> str:
    return json.dumps({"boot": "b", "next": 9, "dropped": 2, "answers": list(rows), **more})


def test_a_page() -> None:
    found = parse(page(ROW, [8, "r-8", 1_800_000_000.6, 503, 1, None, True, 0.25]))
    assert (found.boot, found.next, found.dropped, found.more) == ("b", 9, 2, False)
    first, second = found.answers
    assert (first.number, first.request_id, first.output, first.shadow) == (7, "r-7", [1], False)
    assert (second.status, second.output, second.shadow, second.probability) == (503, None, True, 0.25)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        json.dumps({"boot": "b"}),
        page([1, "r"]),
        page(ROW, ROW),
        page([*ROW[:7], 0]),
        page([7, "r", "soon", *ROW[3:]]),
    ],
)
def test_what_is_no_page(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse(text)
