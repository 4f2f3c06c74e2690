"""What the soak calls a fault: anything taken back that is not bad by construction, and minutes that prove nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hack import soak
from hack.demo.kube import Kube, KubeError
from hack.demo.numbers import Users
from hack.demo.world import World
from hack.soak import Counts, Soak, taken_back, too_quiet
from rich.console import Console

Json = dict[str, Any]
BAD = {"delay-3", "delay-4"}


def record(number: int, result: str, ended: int | None = None) -> Json:
    """How a rollout, or what came after it, ended."""
    at = f"2026-01-01T00:00:{number if ended is None else ended:02d}Z"
    return {"version": f"delay-{number}", "result": result, "reason": "x", "message": "because", "endedAt": at}


PLAYED = [
    record(6, "Live"), record(5, "Live"), record(4, "RolledBack"), record(3, "RolledBack"), record(2, "Live"),
    record(1, "Live"),
]  # fmt: skip


def deployment(history: list[Json], live: str = "delay-6", **more: Any) -> Json:
    meta = {"name": "delay", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": str(len(history))}
    return {"metadata": meta, "status": {"history": history, "live": {"version": live}, **more}}


def test_the_demo_as_it_ends_has_no_fault() -> None:
    assert taken_back(deployment(PLAYED), BAD, "delay-6") == []


def test_b01_a_good_version_that_was_taken_back_is_a_fault() -> None:
    (text,) = taken_back(deployment([record(2, "RolledBack", 50), *PLAYED]), BAD, "delay-6")
    assert text == "delay-2 was taken back at 2026-01-01T00:00:50Z: x: because"
    both = taken_back(deployment([record(6, "RolledBack", 50), *PLAYED], live="delay-2"), BAD, "delay-6")
    assert both[0].startswith("delay-6 was taken back")
    assert both[1] == "delay-2 is live instead of delay-6"


def test_b01_a_rollback_under_way_is_a_fault_before_it_has_ended() -> None:
    leaving = {"leaves": "delay-6", "version": "delay-2", "reason": "OutcomesWorse", "message": "it rained"}
    (text,) = taken_back(deployment(PLAYED, wayBack=leaving), BAD, "delay-6")
    assert text == "delay-6 is being taken back: OutcomesWorse: it rained"
    assert taken_back(deployment(PLAYED, wayBack={**leaving, "leaves": "delay-4"}), BAD, "delay-6") == []


def test_a_newer_version_may_go_live() -> None:
    assert taken_back(deployment([record(7, "Live"), *PLAYED], live="delay-7"), BAD, "delay-6") == []
    assert taken_back(deployment(PLAYED, live=""), BAD, "delay-6") == ["nothing is live instead of delay-6"]


def test_minutes_without_requests_prove_nothing() -> None:
    some, none = Counts(1200, 0, 900, 300), Counts(0, 0, 0, 0)
    assert too_quiet([some] * 10) == ""
    assert too_quiet([*[some] * 9, None]) == ""
    assert too_quiet([*[some] * 8, None, none]).startswith("in 2 of 10 minutes no request")
    assert too_quiet([])


def test_counts_are_added_up_and_told() -> None:
    now = soak.total({"delay-6": Users({"200": 1300, "500": 2}, 900, 300), "delay-4": Users({"200": 10}, 0, 10)})
    assert now.since(Counts(112, 1, 0, 10)) == Counts(1200, 1, 900, 300)
    assert str(now.since(Counts(112, 1, 0, 10))) == "1,200 requests, 1 failed, 25 % of 1,200 wrong"


class Silent(Kube):
    """A cluster that is not asked anything but what is made up here."""

    def __init__(self) -> None:
        super().__init__({})

    def call(self, *words: str, **_: Any) -> str:
        if "namespace" in words:
            return ""
        raise KubeError(f"not asked: {words}")


def world(history: list[Json], live: str = "delay-6") -> World:
    made = World()
    data = {"versions": [{"version": str(n), "files": n, "rows": n} for n in (1, 2, 3)]}
    made.receive("Dataset", "ADDED", {"metadata": deployment([])["metadata"] | {"name": "flights"}, "status": data})
    runs = [(1, "1", ""), (2, "2", ""), (3, "2", "linear-age"), (4, "2", "leaky"), (5, "3", ""), (6, "3", "")]
    for number, version, model in runs:
        meta = deployment([])["metadata"] | {"name": f"run-{number}"}
        spec = {"reason": "WorldChanged"} if number == 6 else {"params": {"model": model}} if model else {}
        status = {"datasets": [{"name": "flights", "version": version}], "models": [f"delay-{number}"]}
        made.receive("PipelineRun", "ADDED", {"metadata": meta, "spec": spec, "status": status})
    made.receive("Deployment", "ADDED", deployment(history, live))
    return made


def soaked(made: World, monkeypatch: pytest.MonkeyPatch, counts: list[Json]) -> tuple[int, str]:
    """Three minutes of no length, with what users have seen at the beginning and after each."""
    monkeypatch.setattr(soak, "MINUTE", 0.0)
    told = iter([{"delay-6": Users(codes)} for codes in counts])
    monkeypatch.setattr("hack.demo.numbers.Numbers.users", lambda _: next(told))
    text = io.StringIO()
    ended = Soak(Silent(), made, Console(file=text, width=200)).run(3)
    return ended, text.getvalue()


def test_three_good_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, text = soaked(world(PLAYED), monkeypatch, [{"200": 1000 * n} for n in range(4)])
    assert ended == 0, text
    assert text.count("delay-6 is live: 1,000 requests, 0 failed") == 3
    assert "bad by construction are delay-3, delay-4" in text


def test_without_traffic_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, text = soaked(world(PLAYED), monkeypatch, [{"200": 1000}] * 4)
    assert ended == 1
    assert "nothing is proven" in text


def test_b01_it_ends_with_the_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [record(6, "RolledBack", 50), *PLAYED]
    ended, text = soaked(world(history, live="delay-2"), monkeypatch, [{"200": 1000 * n} for n in range(4)])
    assert ended == 1
    assert "✗ delay-6 was taken back at 2026-01-01T00:00:50Z: x: because" in text
    assert "--- warnings" in text


def test_a_demo_that_was_not_played_is_no_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, text = soaked(world(PLAYED[1:], live="delay-2"), monkeypatch, [])
    assert ended == 2
    assert "December comes" in text
