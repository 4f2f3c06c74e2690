"""An experiment as people see it."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.cli.test_views import DEPLOYMENT, NOW, START

from fairlead.cli.blocks import plain
from fairlead.cli.get import view

BOUND = "4.605170185988091"


def shown(**more: Any) -> str:
    raw = copy.deepcopy(DEPLOYMENT)
    guard = {"guard": "0/errors", "state": "Watching", "bound": BOUND, "candidate": {"requests": 50, "failures": 1}}
    experiment = {
        "key": "k", "since": START, "against": "m-1", "phase": "Running", "observed": "42", "bound": BOUND,
        "contenders": [
            {"version": "m-1", "state": "In", "share": 50, "users": 510, "total": 400, "successes": 40, "rate": "0.1",
             "low": "0.07", "high": "0.14", "best": "0.2", "loss": "0.01"},
            {"version": "m-2", "state": "In", "share": 50},
            {"version": "m-3", "state": "Out", "reason": "ErrorsWorse"},
        ],
        "comparisons": [{"better": "m-1", "worse": "m-2", "logEvidence": "-1"},
                        {"better": "m-2", "worse": "m-1", "logEvidence": "2.302585092994046"}],
        "arms": [{"version": "m-2", "since": START, "against": "m-1", "guards": [guard]}],
    }  # fmt: skip
    raw["status"] = {"phase": "Live", "live": {"version": "m-1", "since": START}, "experiment": experiment | more}
    return plain(view("deployment", raw, NOW))


def line(text: str, word: str) -> str:
    return next(one for one in text.splitlines() if word in one)


def test_who_gets_what_and_what_it_is_worth() -> None:
    text = shown()
    assert "experiment m-2, m-3  Running  against m-1, for 1m00s" in text
    row = line(text, " 510 ")
    for part in ("m-1", "400", "40", "10.00 %", "7.00 % … 14.00 %", "20.0 %", "1.00 %"):
        assert part in row
    assert "Out (ErrorsWorse)" in text
    assert "10 of 100 (m-2)" in row
    assert "m-2 against m-1" in text
    assert "0/errors" in text


def test_how_it_ended() -> None:
    text = shown(phase="Ended", result="Won", winner="m-2", message="m-2 has won", endedAt="2025-12-31T23:59:30Z")
    assert "experiment m-2, m-3  Won  against m-1, for 30s" in text
    assert "m-2 has won" in text
    assert "0/errors" not in text
    assert "reward: Prometheus is away" in shown(silent="Unreachable", said="Prometheus is away")
