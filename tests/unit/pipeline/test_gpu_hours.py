"""GPU hours: counted by us for each attempt, whatever becomes of its pod, and added up once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pipeline.trigger_examples import flights
from tests.unit.plan.littleworld import START, Crash, LittleWorld, stopped
from tests.unit.plan.test_run_plan import dataset, fail, live, look, step, succeed

from fairlead.api.pipeline import GpuUse, Pipeline, Step
from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import show_pipeline, show_run, show_why
from fairlead.cli.blocks import plain
from fairlead.plan.core import PIPELINE, POD, Json, rfc3339
from fairlead.plan.pipeline import gpuhours, run
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline.types import registry as types

HOUR, DAY = 3600, 86400


def world(count: int = 2, **more: Any) -> LittleWorld:
    """A run whose step has GPUs."""
    where = LittleWorld()
    train = {"name": "train", "image": "i", "resources": {"gpu": {"count": count}},
             "outputs": {"m": {}}, "retry": {"limit": 3, "backoff": "0s"}}  # fmt: skip
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": [train | more]}})
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(where)
    return where


def on_node(where: LittleWorld, name: str = "train") -> None:
    """The attempt's pod comes to a node now."""
    said = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(where.now)}]
    running = {"name": "step", "state": {"running": {}}}
    where.pod(live(where, name), "Running", conditions=said, initContainerStatuses=[running])
    look(where)


def used(where: LittleWorld) -> tuple[int, bool]:
    """GPU seconds of the step, and whether it has GPUs now."""
    found = step(look(where), "train")
    return found.get("gpuSeconds", 0), "gpu" in found


def test_from_the_node_to_the_end_and_not_while_it_waits_for_one() -> None:
    where = world()
    where.now += 5 * HOUR  # no node
    assert used(where) == (0, False)
    on_node(where)
    assert step(look(where), "train")["gpu"] == {"since": rfc3339(where.now), "count": "2"}
    where.now += HOUR
    written = where.writes
    assert used(where) == (0, True)
    assert where.writes == written, "an hour more is no news"
    succeed(where, "train")
    assert used(where) == (2 * HOUR, False)
    where.now += HOUR
    assert used(where) == (2 * HOUR, False)
    shown = plain(show_run.blocks("delay-7", PipelineRun.model_validate(where.objects["PipelineRun", "delay-7"]), 0.0))
    assert "gpu      2.00 GPU hours, of attempts that are over" in shown


def test_attempts_are_added_up_and_the_pause_between_them_is_free() -> None:
    where = world(retry={"limit": 3, "backoff": "10m"})
    on_node(where)
    where.now += 100
    fail(where, "train", 1)
    assert used(where) == (200, False)
    where.now += 600
    look(where)
    on_node(where)
    where.now += 50
    succeed(where, "train")
    assert used(where) == (300, False)


def test_the_end_is_when_its_containers_have_stopped_though_nobody_looked() -> None:
    where = world()
    on_node(where)
    end = rfc3339(where.now + 1000)
    where.now += 9 * HOUR
    job = live(where, "train")
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 1, finishedAt=end)])
    assert used(where)[0] == 2000


def test_a_pod_that_came_and_ended_while_nobody_looked_is_counted() -> None:
    where = world()
    begun, end = rfc3339(where.now + 10), rfc3339(where.now + 110)
    where.now += 9 * HOUR
    said = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": begun}]
    ended = [stopped("step", 1, finishedAt=end)]
    where.pod(live(where, "train"), "Failed", conditions=said, initContainerStatuses=ended)
    assert used(where)[0] == 200


def test_a_pod_that_is_gone_has_let_them_go() -> None:
    where = world()
    on_node(where)
    where.now += 100
    where.remove(POD, live(where, "train")["metadata"]["name"] + "-x")  # a queue has suspended its Job
    assert used(where) == (200, False)
    where.now += HOUR
    assert used(where) == (200, False)
    on_node(where)
    where.now += 10
    succeed(where, "train")
    assert used(where) == (220, False)


def test_another_pod_of_the_same_attempt_is_another_time() -> None:
    where = world()
    on_node(where)
    where.now += 100
    name = live(where, "train")["metadata"]["name"] + "-x"
    del where.objects["Pod", name]
    said = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(where.now + 50)}]
    where.pod(live(where, "train"), "Running", conditions=said,
              initContainerStatuses=[{"name": "step", "state": {"running": {}}}])  # fmt: skip
    where.now += 60
    assert used(where) == (200, True), "until the other one was made"
    where.now += 40
    succeed(where, "train")
    assert used(where) == (300, False), "and the 50 seconds since it came to its node"


def gone(where: LittleWorld, *conditions: tuple[str, str, float]) -> None:
    """The pod goes while no operator looks; the Job says this (type, status, seconds from now)."""
    job, now = live(where, "train"), where.now
    where.remove(POD, job["metadata"]["name"] + "-x")
    said = [{"type": kind, "status": word, "lastTransitionTime": rfc3339(now + at)} for kind, word, at in conditions]
    job["status"] = {"conditions": said}


@pytest.mark.parametrize(("says", "until"), [
    ([("Failed", "True", 40)], 40),
    ([("FailureTarget", "True", 39), ("Failed", "True", 40)], 40),
    ([("Suspended", "True", 100)], 130),
    ([("Suspended", "True", -500)], 7200),  # of another pod, before
    ([("Suspended", "False", 100)], 130),
    ([("Complete", "False", 40)], 7200),
    ([], 7200),
])  # fmt: skip
def test_a_removal_that_nobody_saw_is_dated_by_the_job(says: list[tuple[str, str, float]], until: int) -> None:
    where = world()
    on_node(where)
    gone(where, *says)
    where.now += 2 * HOUR
    assert used(where) == (2 * until, False)


def test_a_pod_that_a_queue_took_and_gave_back_unseen() -> None:
    where = world()
    on_node(where)
    job = live(where, "train")
    gone(where, ("Suspended", "False", 1000))
    where.now += 1200
    said = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(where.now)}]
    where.pod(job, "Running", conditions=said, initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    assert used(where) == (2 * 1030, True)


def test_a_grace_of_its_own_counts() -> None:
    where = world()
    on_node(where)
    live(where, "train")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 300
    gone(where, ("Suspended", "True", 100))
    where.now += HOUR
    assert used(where) == (800, False)


def test_a_cancelled_run_pays_until_its_pods_are_gone() -> None:
    where = world()
    on_node(where)
    where.now += 100
    where.objects["PipelineRun", "delay-7"]["spec"]["cancel"] = "now"
    where.look(run.SPEC, "delay-7")
    assert used(where) == (200, False)


@pytest.mark.parametrize("written", range(3))
def test_a_kill_at_any_write_counts_the_same(written: int) -> None:
    where = world()
    on_node(where)
    where.now += 100
    job = live(where, "train")
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 1, finishedAt=rfc3339(where.now))])
    try:
        where.look(run.SPEC, "delay-7", crash_after=written)
    except Crash:
        where.now += 50
    assert used(where)[0] == 200


def test_steps_without_gpus_write_nothing_of_them() -> None:
    where = LittleWorld()
    dataset(where)
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": [{"name": "train", "image": "i"}]}})
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(where)
    on_node(where)
    assert "gpu" not in step(look(where), "train")
    assert used(where) == (0, False)


@pytest.mark.parametrize(("gpu", "count"), [
    (None, 0.0), ({}, 1.0), ({"count": 8}, 8.0), ({"mig": "1g.10gb"}, 1 / 7), ({"count": 2, "mig": "3g.40gb"}, 6 / 7),
    ({"resource": "amd.com/gpu", "count": 4}, 4.0),
])  # fmt: skip
def test_how_many_a_step_has(gpu: Json | None, count: float) -> None:
    asked = Step.model_validate({"name": "s", "image": "i"} | ({"resources": {"gpu": gpu}} if gpu is not None else {}))
    assert types.gpus(asked) == pytest.approx(count)


# --- of a Pipeline ----------------------------------------------------------------------------------------------------


def spent(where: LittleWorld, name: str, seconds: int, phase: str = "Completed", **step: Any) -> None:
    """A run of the Pipeline `p`, by hand, has used so much."""
    ended = {"finishedAt": rfc3339(where.now)} if phase != "Running" else {}
    where.put({
        "kind": "PipelineRun", "metadata": {"name": name, "labels": {"fairlead.dev/pipeline": "p"}},
        "spec": {"pipeline": "p"},
        "status": {"phase": phase, "steps": [{"name": "s", "gpuSeconds": seconds} | step]} | ended,
    })  # fmt: skip


def watched(**limits: Any) -> LittleWorld:
    where = LittleWorld()
    flights(where, 0)
    where.put({
        "kind": "Pipeline", "metadata": {"name": "p"},
        "spec": {"steps": [{"name": "s", "image": "i"}], "triggers": [{"dataset": {"name": "flights"}}],
                 "limits": limits, "concurrency": "Allow"},
    })  # fmt: skip
    return where


def seen(where: LittleWorld) -> Json:
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def total(status: Json) -> int:
    return sum((status.get("gpu") or {}).get("days", {}).values())


def test_runs_are_added_up_once_though_they_are_cleared_away() -> None:
    where = watched()
    spent(where, "a", 100)
    spent(where, "b", 30, "Running")
    for _ in range(3):
        assert total(seen(where)) == 130
    spent(where, "b", 50, "Running")
    assert total(seen(where)) == 150
    del where.objects["PipelineRun", "a"]
    where.now += 3 * HOUR
    spent(where, "b", 60, "Failed")
    assert total(seen(where)) == 160
    del where.objects["PipelineRun", "b"]
    where.now += 5 * HOUR
    spent(where, "c", 1)
    status = seen(where)
    assert total(status) == 161
    assert list(status["gpu"]["counted"].values()) == [1], "what ended long ago is not remembered by name"
    where.now += 31 * DAY
    spent(where, "d", 7)
    assert total(seen(where)) == 7


def test_the_budget_holds_triggers_until_enough_is_long_ago_and_no_run_by_hand() -> None:
    where = watched(gpuHoursPerMonth=10)
    spent(where, "a", 6 * HOUR)
    seen(where)
    where.now += 2 * DAY
    spent(where, "b", 4 * HOUR)
    flights(where, 1)
    status = seen(where)
    (held,) = status["decisions"]
    assert (held["because"], held["run"]) == ("GpuBudget", "")
    until = "2026-04-02T00:00:00.000000Z"
    assert (
        f"10.0 GPU hours were used in 30 days, and limits.gpuHoursPerMonth allows 10; waits until {until}"
        in held["reason"]
    )
    assert where.plan(pipeline.SPEC, "p").requeue_after == pytest.approx(29 * DAY - 9 * HOUR)
    found = Pipeline.model_validate(where.objects["Pipeline", "p"])
    for view in (show_why.blocks, show_pipeline.blocks):
        assert "its runs have used 10.0 of 10 GPU hours in 30 days" in plain(view("p", found, where.now))
    assert show_why.as_json(found, where.now)["gpuHours"] == {"month": 10.0, "limit": 10}
    assert show_why.rows(found, where.now)[0].state == "Waits"
    spent(where, "by-hand", HOUR)
    assert total(seen(where)) == 11 * HOUR
    where.now = START + 31 * DAY
    assert seen(where)["decisions"][0]["run"] == "p-1"


def test_what_is_under_way_counts_before_it_is_over() -> None:
    where = watched(gpuHoursPerMonth=10)
    since = rfc3339(where.now)
    items = {"live": [{"item": 3, "gpuSince": since, "gpus": "2"}, {"item": 4}]}
    spent(where, "a", 0, "Running", gpu={"since": since, "count": "2"}, items=items)
    flights(where, 1)
    where.now += 2 * HOUR
    assert seen(where)["decisions"][0]["run"] == "p-1"
    where.now += HOUR
    flights(where, 2)
    assert seen(where)["decisions"][0]["because"] == "GpuBudget"


def test_without_a_budget_nothing_is_held() -> None:
    where = watched()
    spent(where, "a", 10**9)
    flights(where, 1)
    assert seen(where)["decisions"][0]["run"] == "p-1"


@pytest.mark.parametrize("status", [
    {"steps": None}, {"steps": "x"}, {"steps": [1, None]}, {"steps": [{"gpuSeconds": "many", "gpu": 3}]},
    {"steps": [{"gpuSeconds": -5, "gpu": {"since": "soon", "count": "2"}}]},
    {"steps": [{"gpu": {"since": "2026-01-01T00:00:00Z", "count": "nan"}}]},
    {"steps": [{"items": 3}, {"items": {"live": 3}}, {"items": {"live": [3, {"gpuSince": 3, "gpus": []}]}}]},
    {"steps": [{"gpuSeconds": 5}], "phase": "Completed", "finishedAt": "x"},
])  # fmt: skip
def test_a_record_that_is_malformed_breaks_nothing(status: Json) -> None:
    odd = [{"metadata": {"uid": "u"}, "status": status}]
    found = gpuhours.added(None, odd, START)
    assert gpuhours.added(found, odd, START) is found
    assert 0 <= gpuhours.month(found, START) + gpuhours.held_now(odd, START) < 10
    assert gpuhours.over(1, found, odd, START) is None


def test_what_is_kept_is_bounded() -> None:
    use: GpuUse | None = None
    many = [
        {"metadata": {"uid": f"u{n}"}, "status": {"phase": "Completed", "finishedAt": rfc3339(START + n),
         "steps": [{"gpuSeconds": 1}]}} for n in range(1000)
    ]  # fmt: skip
    use = gpuhours.added(use, many, START + 1000)
    assert use is not None
    assert (gpuhours.month(use, START), len(use.counted) <= gpuhours.COUNTED) == (1000, True)
    assert gpuhours.added(use, many, START + 1001) is use
    for day in range(100):
        many[-1]["status"]["finishedAt"] = rfc3339(START + DAY * (day + 1))
        many[-1]["metadata"]["uid"] = f"day{day}"
        use = gpuhours.added(use, many, START + DAY * (day + 1))
    assert use is not None
    assert len(use.days) <= 32


EVENTS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["more", "end", "clear", "wait"]), st.integers(1, 500)),
                  max_size=40)  # fmt: skip


@given(EVENTS)
@settings(deadline=None, max_examples=100)
def test_whatever_runs_do_each_second_is_counted_once(events: list[tuple[int, str, int]]) -> None:
    now, runs, true, use, made = START, dict[int, Json](), 0, None, 0
    for which, what, amount in events:
        if what == "wait":
            now += amount * 20
        elif what == "clear":
            runs.pop(which, None)
        else:
            if which not in runs or runs[which]["status"].get("phase"):
                made += 1
                runs[which] = {"metadata": {"uid": f"u{made}"}, "status": {"steps": [{"gpuSeconds": 0}]}}
            runs[which]["status"]["steps"][0]["gpuSeconds"] += amount
            true += amount
            if what == "end":
                runs[which]["status"] |= {"phase": "Completed", "finishedAt": rfc3339(now)}
        use = gpuhours.added(use, list(runs.values()), now)
        assert gpuhours.month(use, now) == true
