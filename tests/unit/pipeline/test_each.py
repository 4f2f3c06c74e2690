"""A step for each item of a list, case by case."""

from __future__ import annotations

import json

import pytest
from tests.unit.pipeline.each_world import REGIONS, REPORT, TRAIN, EachWorld, jobs_left, members
from tests.unit.plan.test_run_plan import container, task_of

from fairlead.plan.core import JOB, Json


def env(job: Json, name: str) -> str:
    return str(next(one["value"] for one in container(job, "step")["env"] if one["name"] == name))


def test_every_item_has_a_job_with_its_values_and_the_next_step_reads_all_that_they_left() -> None:
    where = EachWorld().begin(TRAIN, REPORT)
    assert where.step()["message"] == "0 of 6 items, 6 under way"
    jobs = where.alive()
    assert sorted(jobs) == list(range(6))
    assert [(container(jobs[n], "step")["command"][1], env(jobs[n], "SIZE")) for n in (0, 1, 5)] == [
        ("--region=NE", "large"), ("--region=NE", "small"), ("--region=SE", "small"),
    ]  # fmt: skip
    assert json.loads(env(jobs[5], "FAIRLEAD_ITEM")) == {"region": "SE", "size": "small"}
    item = jobs[5]["metadata"]["labels"]["fairlead.dev/item"]
    task = task_of(jobs[5], "publish")
    assert task["store"]["prefix"].endswith(f"/train/items/{item}/")
    assert task["outcome"].endswith(f"/train/outcomes/{item}.json")
    assert task["item"] == {"region": "SE", "size": "small"}
    where.succeed(*range(6))
    found = where.step()
    assert (found["phase"], found["message"], found["items"]["completed"]) == ("Completed", "", 6)
    assert (found["items"]["live"], found["items"]["tally"]) == ([], "")
    (report,) = where.jobs(step="report")
    (fetched,) = task_of(report, "fetch")["items"]
    assert fetched["outcomes"] == {"output": "model", "count": 6, "without": ""}
    assert (fetched["uri"][-16:], fetched["sha256"]) == ("/train/outcomes/", found["items"]["digest"])
    assert jobs_left(where) == [report["metadata"]["name"]]  # Jobs of items that are recorded go


def test_so_many_run_at_a_time_and_each_end_makes_room_for_the_next_with_one_write() -> None:
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 2}})
    where.look_on()
    for first in range(4):
        assert sorted(where.alive()) == [first, first + 1]
        where.succeed(first)
        before = where.writes
        where.look_on()
        assert where.writes - before <= 4  # the end and the next beginning, its Job, the old Job away, the uid
    where.succeed(4, 5)
    assert where.step()["phase"] == "Completed"
    assert len(where.created) == 6


def test_by_default_the_first_item_that_fails_stops_the_others() -> None:
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 3}})
    where.look_on()
    where.succeed(0)
    where.look_on()
    where.fail(2)
    found = where.look_on()
    step = found["steps"][0]
    assert (found["phase"], step["phase"], step["reason"]) == ("Failed", "Failed", "ItemsFailed")
    assert "1 of 6 items failed; item 2 (region=NW, size=large): UserError" in step["message"]
    assert (members(step["items"]["failed"]), members(step["items"]["stopped"])) == ({2}, {1, 3})
    assert step["items"]["completed"] == 1
    assert len(where.created) == 4  # 4 and 5 never began
    assert len(jobs_left(where)) == 1  # that of the failed one stays for its log


@pytest.mark.parametrize(("least", "phase"), [(None, "Failed"), ("80%", "Completed"), ("84%", "Failed")])
def test_continue_lets_the_others_go_on_and_says_how_many_failed(least: str | None, phase: str) -> None:
    each = REGIONS | {"failures": "Continue"} | ({"minSuccess": least} if least else {})
    where = EachWorld().begin(TRAIN | {"each": each}, REPORT)
    where.look_on()
    where.fail(3)
    where.look_on()
    where.succeed(0, 1, 2, 4, 5)
    found = where.step()
    assert found["phase"] == phase
    assert members(found["items"]["failed"]) == {3}
    if phase == "Failed":
        assert "1 of 6 items failed" in found["message"]
        return
    assert found["message"] == "5 of 6 items; 1 failed"
    (fetched,) = task_of(where.jobs(step="report")[0], "fetch")["items"]
    assert fetched["outcomes"] == {"output": "model", "count": 5, "without": "3"}


def test_an_item_is_tried_again_as_a_step_is_and_leaves_its_place_to_another_meanwhile() -> None:
    retry = {"limit": 1, "backoff": "30s"}
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 1}, "retry": retry})
    where.look_on()
    where.fail(0)
    items = where.items()
    assert [one["item"] for one in items["live"]] == [0, 1]
    assert items["live"][0]["failures"] == 1
    assert "1 wait for another attempt" in where.step()["message"]
    where.now += 31
    where.succeed(1)
    where.look_on()
    assert sorted(where.alive()) == [0]  # it was due first
    assert env(where.alive()[0], "FAIRLEAD_ATTEMPT") == "2"
    where.fail(0)
    found = where.step()
    assert (found["phase"], found["items"]["why"][0]["item"]) == ("Failed", 0)


def test_a_disruption_of_an_item_does_not_spend_its_retries() -> None:
    where = EachWorld().begin(TRAIN)
    where.look_on()
    where.pod(where.alive()[4], "Failed", reason="Evicted")
    live = {one["item"]: one for one in where.items()["live"]}
    assert live[4]["disruptions"] == 1
    where.now += 3
    where.look_on()
    where.succeed(*range(6))
    assert where.step()["phase"] == "Completed"


def test_the_items_of_another_step_read_what_that_step_left_for_them() -> None:
    prepare = TRAIN | {"name": "prepare", "outputs": {"rows": {"type": "dataset"}},
                       "each": REGIONS | {"failures": "Continue", "minSuccess": "50%"}}  # fmt: skip
    train = TRAIN | {"each": {"itemsOf": "prepare"}, "inputs": {"rows": {"output": "prepare.rows"}}}
    one = {"name": "one", "image": "i:1",
           "inputs": {"m": {"output": "train.model", "item": {"region": "NE", "size": "small"}}}}  # fmt: skip
    where = EachWorld().begin(prepare, train, one)
    where.look_on()
    where.fail(2, step="prepare")
    where.look_on()
    where.succeed(0, 1, 3, 4, 5, step="prepare")
    assert where.step("prepare")["phase"] == "Completed"
    jobs = where.alive()
    assert sorted(jobs) == [0, 1, 3, 4, 5]
    for job in jobs.values():
        (fetched,) = task_of(job, "fetch")["items"]
        assert fetched["outcomes"]["only"] == job["metadata"]["labels"]["fairlead.dev/item"]
        assert "/prepare/outcomes/" in fetched["uri"]
    where.succeed(*jobs)
    found = where.step()
    assert (found["phase"], found["message"], members(found["items"]["leftOut"])) == ("Completed", "", {2})
    (fetched,) = task_of(where.jobs(step="one")[0], "fetch")["items"]
    assert fetched["outcomes"]["values"] == {"region": "NE", "size": "small"}


def test_the_items_of_a_dataset_are_asked_for_once_and_their_values_read_from_the_store() -> None:
    each = {"dataset": "flights", "distinct": ["region", "day"], "maxParallel": 3}
    where = EachWorld().begin(TRAIN | {"each": each, "env": [], "command": ["t", "{{each.region}}", "{{each.day}}"]})
    assert where.step()["items"]["asked"]["uid"]
    assert where.look_on()["datasets"][0]["version"] == "v2"
    where.answer_items([["NE", "1"], [None, "$(HOME) 'x'"], ["ÜÄ", None]] + [[f"r{n}", "0"] for n in range(600)])
    assert where.items()["total"] == 603
    jobs = where.alive()
    assert [container(jobs[n], "step")["command"] for n in (0, 1, 2)] == [
        ["t", "NE", "1"], ["t", "", "$$(HOME) 'x'"], ["t", "ÜÄ", ""],
    ]  # fmt: skip
    assert json.loads(env(jobs[1], "FAIRLEAD_ITEM").replace("$$", "$")) == {"region": None, "day": "$(HOME) 'x'"}
    done = 0
    while where.step()["phase"] != "Completed":
        alive = where.alive()
        where.succeed(*alive)
        done += len(alive)
        assert done <= 603
    assert where.items()["completed"] == 603
    assert len([one for one in where.created if one[0] == "Job"]) == 604


def test_a_dataset_without_that_column_fails_the_step_with_what_to_do() -> None:
    where = EachWorld().begin(TRAIN | {"each": {"dataset": "flights", "distinct": ["region"]}, "env": []})
    where.look_on()
    (job,) = where.select(JOB)
    said = json.dumps({"error": {"reason": "BadData", "message": "there is no column region; it has a, b"}})
    from tests.unit.plan.littleworld import stopped

    where.pod(job, "Failed", containerStatuses=[stopped("items", 1, said)])
    found = where.step()
    assert (found["phase"], found["reason"], found["message"]) == (
        "Failed", "BadData", "there is no column region; it has a, b")  # fmt: skip
