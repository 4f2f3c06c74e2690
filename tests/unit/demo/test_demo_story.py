"""The demo's story is recognised from the objects alone, at any point of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hack.demo import story, verify
from hack.demo.numbers import Users
from hack.demo.story import CHAPTERS
from hack.demo.world import World

FIRST, ERRORS, SECOND, OUTCOMES, THIRD = CHAPTERS
Json = dict[str, Any]


def item(name: str, at: int, **body: Any) -> Json:
    """An object as the API server sends it."""
    meta = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{at:02d}Z", "resourceVersion": str(at)}
    return {"metadata": meta, **body}


def run(number: int, version: str, model: str | None = None, phase: str = "Completed") -> tuple[str, Json]:
    """A run and the model that it made."""
    spec = {"pipeline": "delay"} | ({"params": {"model": model}} if model else {})
    made = [f"delay-{number}"] if phase == "Completed" else []
    status = {"phase": phase, "datasets": [{"name": "flights", "version": version}], "models": made, "steps": []}
    return "PipelineRun", item(f"delay-run-{number}", number, spec=spec, status=status)


def record(number: int, result: str, guard: str = "") -> Json:
    """How a rollout ended."""
    guards = [{"guard": f"0/{guard}", "state": "Harm"}] if guard else []
    return {"version": f"delay-{number}", "result": result, "reason": "x", "endedAt": f"t{number}", "guards": guards}


LOADED = {"type": "AlertsLoaded", "status": "True"}


def world(*objects: tuple[str, Json], history: list[Json], live: str = "") -> World:
    """A world with three versions of the data, some runs and a Deployment."""
    made = World()
    versions = [{"version": v, "files": n, "rows": n} for v, n in (("a", 2), ("b", 3), ("c", 4))]
    made.receive("Dataset", "ADDED", item("flights", 1, status={"versions": versions}))
    status = {"history": history, "live": {"version": live}, "conditions": [LOADED]}
    made.receive("Deployment", "ADDED", item("delay", 1, status=status))
    for kind, one in objects:
        made.receive(kind, "ADDED", one)
    return made


def whole() -> World:
    """The story as it must end."""
    ended = [
        record(1, "Live"), record(2, "RolledBack", "errors"), record(3, "Live"), record(4, "RolledBack", "outcomes"),
        record(5, "Live"),
    ]  # fmt: skip
    made = [run(1, "a"), run(2, "a", "linear-age"), run(3, "b"), run(4, "b", "leaky"), run(5, "c")]
    return world(*made, history=list(reversed(ended)), live="delay-5")


def test_every_chapter_of_a_whole_story_is_recognised() -> None:
    assert [story.version(whole(), c) for c in CHAPTERS] == [f"delay-{n}" for n in range(1, 6)]
    assert all(story.done(whole(), c) and not story.lost(whole(), c) for c in CHAPTERS)


def test_a_story_half_told() -> None:
    half = world(run(1, "a"), run(2, "b", phase="Running"), history=[record(1, "Live")], live="delay-1")
    assert story.done(half, FIRST)
    assert not story.done(half, SECOND)
    assert not story.lost(half, SECOND)
    assert story.where(half, SECOND) == "run delay-run-2: starting"


def test_a_failed_run_is_named_and_can_be_repeated() -> None:
    broken = world(run(1, "a", phase="Failed"), history=[])
    assert "delay-run-1 failed" in story.lost(broken, FIRST)
    assert story.must_start_again(broken, FIRST)
    repaired = world(run(1, "a", phase="Failed"), run(2, "a"), history=[record(2, "Live")])
    assert story.done(repaired, FIRST)


def test_a_good_version_that_is_rolled_back_loses_the_story() -> None:
    wrong = world(run(1, "a"), run(2, "b"), history=[record(2, "RolledBack", "latency"), record(1, "Live")])
    assert "should have ended as Live" in story.lost(wrong, SECOND)


def facts(failed: int = 8, wrong: int = 60, lost: int = 0, empty: Sequence[str] = ()) -> verify.Facts:
    """What Prometheus would tell of a whole story."""
    users = {
        "delay-1": Users({"200": 3000, "500": lost}, 2300, 700), "delay-2": Users({"200": 40, "500": failed}),
        "delay-4": Users({"200": wrong}, 0, wrong),
    }  # fmt: skip
    return verify.Facts(whole(), users, ["FairleadRolledBack"], {"FairleadRolledBack": 1}, empty, 80)


def test_all_claims_hold() -> None:
    assert [text for good, text in verify.checks(facts()) if not good] == []


@pytest.mark.parametrize(
    "changed", [{"failed": 0}, {"failed": 1000}, {"wrong": 5000}, {"lost": 100}, {"empty": ["models/Phase"]}]
)
def test_what_does_not_hold_is_told(changed: dict[str, Any]) -> None:
    assert len([text for good, text in verify.checks(facts(**changed)) if not good]) == 1


def test_the_guard_that_saw_the_harm_must_be_the_right_one() -> None:
    ended = [record(2, "RolledBack", "latency")]
    found = verify.Facts(world(run(2, "a", "linear-age"), history=ended), {}, [], {}, [], 0)
    assert (False, "delay-2: RolledBack by the guard on latency") in list(verify.endings(found))


def test_the_first_rollback_is_the_second_thing_that_is_seen() -> None:
    assert [chapter.ends for chapter in CHAPTERS[:2]] == ["Live", "RolledBack"]
    known = set[int]()
    for chapter in CHAPTERS:
        assert known <= set(chapter.months), "data arrives, and none goes away"
        known = set(chapter.months)
