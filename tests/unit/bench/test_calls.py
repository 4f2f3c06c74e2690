"""What the counting of a window's cost is made of: who called what how often, and which of two trees did more."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hack.bench import calls, counting


@pytest.fixture
def handlers() -> Iterator[None]:
    """The signals' handlers are as before afterwards."""
    before = {one: signal.getsignal(one) for one in (counting.BEGIN, counting.END)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("handlers")
def test_what_is_called_between_the_signals_is_counted(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"

    def program(arguments: list[str]) -> int:
        assert arguments == ["operator", "--port", "1"]
        call(1000)
        os.kill(os.getpid(), counting.BEGIN)
        call(500)
        os.kill(os.getpid(), counting.END)
        call(1000)
        return 3

    assert counting.main([str(counts), "operator", "--port", "1"], program) == 3
    found = calls.read(counts)
    here = sum(number for room, number in found.items() if room != counting.NATIVE)
    assert 500 <= here < 600
    assert json.loads(counts.read_text()) == found


def call(times: int) -> None:
    def nothing() -> None:
        pass

    for _ in range(times):
        nothing()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/a/operator/fairlead/plan/deployment/rollout/lines.py", "fairlead/plan/deployment"),
        ("/a/operator/fairlead/plan/memo.py", "fairlead/plan"),
        ("/a/operator/fairlead/engine/write.py", "fairlead/engine"),
        ("/a/lib/python3.11/site-packages/aiohttp/client.py", "aiohttp"),
        ("/a/lib/python3.11/site-packages/typing_extensions.py", "typing_extensions.py"),
        ("/a/lib/python3.11/json/decoder.py", "python"),
        ("~", "native"),
    ],
)
def test_where_a_function_lives(file: str, expected: str) -> None:
    assert counting.room(file) == expected


def test_trees_are_compared_by_the_medians_of_their_rounds_and_what_is_called_most_stands_first() -> None:
    def figures(total: float, plan: float) -> calls.Figures:
        return {calls.CALLS: total, calls.REQUESTS: 1.0, calls.LOOKS: 1.0, "fairlead/plan": plan}

    before = [figures(10, 1), figures(30, 3), figures(20, 2)]
    now = [figures(12, 8) | {"fairlead/signals": 50.0}]
    assert calls.compared(before, now) == [
        (calls.CALLS, 20, 12), (calls.REQUESTS, 1, 1), (calls.LOOKS, 1, 1),
        ("fairlead/signals", 0, 50), ("fairlead/plan", 2, 8),
    ]  # fmt: skip
