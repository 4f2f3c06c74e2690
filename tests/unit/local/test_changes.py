"""What is told of the difference between two runs on this machine."""

from __future__ import annotations

import pytest

from fairlead.local import changes
from fairlead.plan.core import Json

SHORT = "select 1"
LONG = "select a,\n" * 100


def told(was: dict[str, str], now: dict[str, str]) -> list[str]:
    """The lines for these parameters."""

    def run(params: dict[str, str]) -> Json:
        return {"status": {"params": params}}

    return changes.between(run(was), run(now))


@pytest.mark.parametrize(("was", "now", "said"), [
    ({"q": SHORT}, {"q": "select 2"}, ["param q: select 1 → select 2"]),
    ({}, {"q": SHORT}, ["param q: none → select 1"]),
    ({"q": SHORT}, {}, ["param q: select 1 → none"]),
    ({"q": SHORT}, {"q": SHORT}, []),
    ({"q": ""}, {"q": SHORT}, ["param q:  → select 1"]),
])  # fmt: skip
def test_a_parameter(was: dict[str, str], now: dict[str, str], said: list[str]) -> None:
    assert told(was, now) == said


def test_of_a_long_one_the_part_is_shown_that_differs() -> None:
    (line,) = told({"q": LONG + "from x"}, {"q": LONG + "from y"})
    before = (LONG + "from ")[-60:]
    assert line == f"param q: …{before}x → …{before}y"
    (line,) = told({"q": LONG}, {"q": "x" + LONG})
    assert line == f"param q: {LONG[:160]}… → x{LONG[:159]}…"
    (line,) = told({"q": LONG}, {"q": LONG + "from x"})
    assert line == f"param q: …{LONG[-60:]} → …{LONG[-60:]}from x"
