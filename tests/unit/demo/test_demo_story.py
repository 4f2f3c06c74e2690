"""The demo's story is recognised from the objects alone, at any point of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hack.demo import story, verify
from hack.demo.numbers import Users
from hack.demo.story import CHAPTERS
from hack.demo.world import World

FIRST, ERRORS, SECOND, OUTCOMES, THIRD, WORLD = CHAPTERS
Json = dict[str, Any]


def item(name: str, at: int, **body: Any) -> Json:
    """An object as the API server sends it."""
    meta = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{at:02d}Z", "resourceVersion": str(at)}
    return {"metadata": meta, **body}


CHANGED = "WorldChanged of Deployment delay is True (MoreWrong) since 2013-12-09"


def run(
    number: int, version: str, model: str | None = None, phase: str = "Completed", reason: str = "new data"
) -> tuple[str, Json]:  # fmt: skip
    """A run and the model that it made."""
    spec = {"pipeline": "delay", "reason": reason} | ({"params": {"model": model}} if model else {})
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
    versions = [{"version": v, "files": n, "rows": n} for v, n in (("a", 1), ("b", 2), ("c", 3))]
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
        record(5, "Live"), record(6, "Live"),
    ]  # fmt: skip
    made = [
        run(1, "a"), run(2, "a", "linear-age"), run(3, "b"), run(4, "b", "leaky"), run(5, "c"),
        run(6, "c", reason=CHANGED),
    ]  # fmt: skip
    return world(*made, history=list(reversed(ended)), live="delay-6")


def test_every_chapter_of_a_whole_story_is_recognised() -> None:
    assert [story.version(whole(), c) for c in CHAPTERS] == [f"delay-{n}" for n in range(1, 7)]
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


SEEN = {"delay-5": {"quality", "drift"}}


def facts(
    failed: int = 8, wrong: int = 60, lost: int = 0, empty: Sequence[str] = (),
    alarms: dict[str, set[str]] | None = None,
) -> verify.Facts:  # fmt: skip
    """What Prometheus would tell of a whole story."""
    users = {
        "delay-1": Users({"200": 3000, "500": lost}, 2300, 700), "delay-2": Users({"200": 40, "500": failed}),
        "delay-4": Users({"200": wrong}, 0, wrong),
    }  # fmt: skip
    fired = {"FairleadRolledBack": 1}
    return verify.Facts(whole(), users, ["FairleadRolledBack"], fired, alarms or SEEN, empty, 80)


def test_all_claims_hold() -> None:
    assert [text for good, text in verify.checks(facts()) if not good] == []


@pytest.mark.parametrize(
    "changed", [{"failed": 0}, {"failed": 1000}, {"wrong": 5000}, {"lost": 100}, {"empty": ["models/Phase"]}]
)
def test_what_does_not_hold_is_told(changed: dict[str, Any]) -> None:
    assert len([text for good, text in verify.checks(facts(**changed)) if not good]) == 1


def test_the_guard_that_saw_the_harm_must_be_the_right_one() -> None:
    ended = [record(2, "RolledBack", "latency")]
    found = verify.Facts(world(run(2, "a", "linear-age"), history=ended), {}, [], {}, {}, [], 0)
    assert (False, "delay-2: RolledBack by the guard on latency") in list(verify.endings(found))


def test_the_first_rollback_is_the_second_thing_that_is_seen() -> None:
    assert [chapter.ends for chapter in CHAPTERS[:2]] == ["Live", "RolledBack"]
    known = set[int]()
    for chapter in CHAPTERS:
        assert known <= set(chapter.months), "data arrives, and none goes away"
        known = set(chapter.months)


@pytest.mark.parametrize("alarms", [SEEN | {"delay-1": {"drift"}}, {"delay-5": {"drift"}}])
def test_an_alarm_before_the_world_changes_and_none_after_it_are_told(alarms: dict[str, set[str]]) -> None:
    assert len([text for good, text in verify.checks(facts(alarms=alarms)) if not good]) == 1


def test_a_run_of_a_changed_world_is_no_run_of_new_data_though_the_data_is_the_same() -> None:
    made = world(run(5, "c"), run(6, "c", reason=CHANGED), history=[record(5, "Live")], live="delay-5")
    assert [story.version(made, one) for one in (THIRD, WORLD)] == ["delay-5", "delay-6"]
    assert story.done(made, THIRD)
    assert not story.done(made, WORLD)


def test_until_the_run_begins_it_is_told_what_the_monitors_say() -> None:
    made = world(run(5, "c"), history=[record(5, "Live")], live="delay-5")
    assert story.lines(made) == {}
    lines = [{"monitor": "quality", "state": "Harmed", "message": "m"}]
    asked = {"against": "delay-3", "pairs": 40}
    kept = {"version": "delay-5", "lines": lines, "labels": {"labelled": 700}, "question": asked}
    body = {"live": {"version": "delay-5"}, "monitors": kept}
    made.receive("Deployment", "MODIFIED", item("delay", 2, status=body))
    assert story.where(made, WORLD) == "quality Harmed, 700 labels; delay-3 is asked: 40 pairs"
    made.receive("Deployment", "MODIFIED", item("delay", 3, status=body | {"live": {"version": "delay-6"}}))
    assert story.lines(made) == {}, "what was said of another version says nothing of this one"
