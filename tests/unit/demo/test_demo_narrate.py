"""Changes of objects, in words."""

from __future__ import annotations

from typing import Any

from hack.demo.narrate import narrate

Json = dict[str, Any]


def item(name: str, **status: Any) -> Json:
    """An object with a status."""
    return {"metadata": {"name": name}, "spec": {}, "status": status}


def test_a_new_version_of_the_data() -> None:
    now = item("flights", current={"version": "7c1e", "files": 2, "rows": 51955})
    assert narrate("Dataset", item("flights"), now) == [
        "dataset flights: version 7c1e published (2 files, 51,955 rows)"
    ]
    assert narrate("Dataset", now, now) == []


def test_a_trouble_is_told_once() -> None:
    bad = {"status": "False", "reason": "BucketMissing", "message": "create it"}
    now = item("flights", conditions=[{"type": "Ready", **bad}, {"type": "SourceReachable", **bad}])
    assert narrate("Dataset", item("flights"), now) == [
        "dataset flights: SourceReachable is false (BucketMissing): create it"
    ]


def test_steps_that_begin_and_end() -> None:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:07Z"}
    before = item("delay-1", steps=[{"name": "prepare", "phase": "Running"}, {"name": "train", "phase": "Pending"}])
    now = item(
        "delay-1", steps=[{"name": "prepare", "phase": "Completed", **times}, {"name": "train", "phase": "Running"}]
    )
    assert narrate("PipelineRun", before, now) == [
        "run delay-1: prepare completed in 7 s",
        "run delay-1: train running",
    ]


def test_the_proof() -> None:
    scores = [
        {"subject": "challenger", "values": {"mae": "10.9012"}},
        {"subject": "champion", "values": {"mae": "11.8"}},
    ]
    gates = [{"gate": "mae at most 25", "verdict": "Passed", "message": "10.9"}]
    now = item("delay-2", phase="Approved", evidence={"rows": 6435, "scores": scores, "gates": gates})
    assert narrate("ModelVersion", item("delay-2", phase="Evaluating"), now) == [
        "model delay-2: approved; mae 10.9 (champion 11.8) on 6,435 rows", "    ✓ mae at most 25: 10.9",
    ]  # fmt: skip


def test_a_rollout_from_start_to_rollback() -> None:
    start = item("delay", candidate={"version": "delay-3", "against": "delay-2", "weight": 0})
    step = item("delay", candidate={"version": "delay-3", "against": "delay-2", "weight": 10})
    record = {
        "version": "delay-3",
        "result": "RolledBack",
        "reason": "Harm",
        "message": "errors: 5 of 40",
        "endedAt": "t",
    }
    end = item("delay", history=[record])
    assert narrate("Deployment", item("delay"), start) == ["deployment delay: delay-3 starts against delay-2"]
    assert narrate("Deployment", start, step) == ["deployment delay: delay-3 gets 10 % of the requests"]
    assert narrate("Deployment", step, end) == ["deployment delay: delay-3 ROLLED BACK: errors: 5 of 40"]


def test_a_promotion_is_not_told_twice() -> None:
    record = {"version": "delay-2", "result": "Live", "reason": "Promoted", "endedAt": "t",
              "message": "delay-2 goes live, after 212 requests, 0 failed; before it delay-1"}  # fmt: skip
    assert narrate("Deployment", item("delay"), item("delay", history=[record])) == [
        "deployment delay: delay-2 is live: after 212 requests, 0 failed; before it delay-1"
    ]


def test_trouble_is_told_once() -> None:
    condition = {"type": "SourceReachable", "status": "False", "reason": "BucketMissing", "message": "make it"}
    now = item("flights", conditions=[condition])
    assert narrate("Dataset", item("flights"), now) == [
        "dataset flights: SourceReachable is false (BucketMissing): make it"
    ]
    assert narrate("Dataset", now, now) == []


def lines(**states: str) -> list[Json]:
    """What monitors say."""
    return [{"monitor": monitor, "state": state, "message": "m"} for monitor, state in states.items()]


def test_monitors_and_what_follows_from_them() -> None:
    quiet = item("delay", monitors={"version": "delay-5", "lines": lines(drift="Ok", quality="Unknown")})
    assert narrate("Deployment", item("delay"), quiet) == []
    asked = {"against": "delay-3", "state": "Asking", "message": "harm"}
    kept = {"version": "delay-5", "lines": lines(drift="Ok", quality="Harmed"), "question": asked}
    harmed = item("delay", monitors=kept)
    assert narrate("Deployment", quiet, harmed) == [
        "deployment delay: quality of delay-5: Harmed: m", "deployment delay: is delay-3 better? harm",
    ]  # fmt: skip
    assert narrate("Deployment", harmed, harmed) == []
    said = {"type": "WorldChanged", "status": "True", "reason": "MoreWrong", "message": "both"}
    changed = item("delay", monitors=kept, conditions=[said])
    assert narrate("Deployment", harmed, changed) == ["deployment delay: THE WORLD HAS CHANGED: both"]


def test_each_version_of_the_feed_is_not_told() -> None:
    assert narrate("Dataset", item("landed"), item("landed", current={"version": "a", "files": 9, "rows": 9})) == []
