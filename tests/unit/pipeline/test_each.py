"""A step for each item of a list, case by case."""

from __future__ import annotations

import copy
import json
import random

import pytest
from tests.unit.pipeline.each_world import REGIONS, REPORT, TRAIN, EachWorld, jobs_left, members
from tests.unit.plan.littleworld import stopped
from tests.unit.plan.test_run_plan import container, task_of

from fairlead.api.each import SHOWN
from fairlead.api.items import mask_of, text_of
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan import terse
from fairlead.plan.core import JOB, PIPELINE_RUN, POD, Invalid, Json, rfc3339
from fairlead.plan.pipeline import dag, run
from fairlead.plan.requests import UNDERWAY, Failed


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
    rest = [[f"r{n}", "0"] for n in range(600)]
    where.answer_items([["NE", "{{params.x}}"], [None, "$(HOME) 'x'"], ["ÜÄ", None], *rest])
    assert where.items()["total"] == 603
    jobs = where.alive()
    assert [container(jobs[n], "step")["command"] for n in (0, 1, 2)] == [
        ["t", "NE", "{{params.x}}"], ["t", "", "$$(HOME) 'x'"], ["t", "ÜÄ", ""],
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
    where.pod(job, "Failed", containerStatuses=[stopped("items", 1, said)])
    found = where.step()
    assert (found["phase"], found["reason"], found["message"]) == (
        "Failed", "BadData", "there is no column region; it has a, b")  # fmt: skip


# --- how large it is -----------------------------------------------------------------------------------------------

WIDE = {"matrix": {"a": [f"value-{n}" for n in range(100)], "b": [f"other-{n}" for n in range(100)]}}


def in_the_middle(parallel: int, *, failing: bool) -> EachWorld:
    """Ten thousand items, of which half are over; failing: every second one has failed, and many wait."""
    where = EachWorld().begin(
        TRAIN | {"each": WIDE | {"maxParallel": parallel, "failures": "Continue"}, "env": [],
                 "command": ["train", "{{each.a}}"], "retry": {"limit": 1, "backoff": "1h"}},
    )  # fmt: skip
    where.look_on()
    if failing:
        where.fail(*where.alive())
        where.look_on()
    items = where.status(PIPELINE_RUN, "p-1")["steps"][0]["items"]
    begun = [one["item"] for one in items["live"]]
    shift = 5000 - max(begun)
    for one in items["live"]:
        one["item"] += shift
        one["jobUid"] = one.get("jobUid") or "0" * 36
    items["next"] = max(begun) + shift + 1
    if failing:
        failed = sum(1 << number for number in range(0, min(begun) + shift, 2))
        items |= {"failed": text_of(failed), "stopped": text_of(failed << 1), "leftOut": text_of(failed << 5000),
                  "tally": "x" * 344, "why": [
                      {"item": number, "values": "v" * 128, "reason": "UserError", "message": "m" * 160}
                      for number in range(SHOWN)
                  ]}  # fmt: skip
    return where


@pytest.mark.parametrize(("parallel", "failing", "most"), [(10, False, 8_000), (10, True, 20_000), (100, True, 32_768)])
def test_a_status_of_ten_thousand_items_is_small(parallel: int, failing: bool, most: int) -> None:
    status = in_the_middle(parallel, failing=failing).status(PIPELINE_RUN, "p-1")
    assert len(status["steps"][0]["items"]["live"]) >= parallel
    assert len(json.dumps(status, separators=(",", ":"))) <= most


def test_a_set_of_items_is_what_it_was_however_it_is_written() -> None:
    drawn = random.Random(7)
    for _ in range(200):
        chance = drawn.random()
        chosen = {number for number in range(drawn.randrange(1, 10_000)) if drawn.random() < chance}
        text = text_of(sum(1 << number for number in chosen))
        assert members(text) == chosen
        assert len(text) <= 1_700
    assert [text_of(mask) for mask in (0, 1, 0b1011, 1 << 9_999)] == ["", "0", "0-1,3", "9999"]
    for wrong in ("3-1", "10000", "a", "1-", "bits:%"):
        with pytest.raises(ValueError, match=r"invalid|names no items|Only base64|Incorrect padding"):
            mask_of(wrong)


@pytest.mark.parametrize(("step", "path", "said"), [
    ({"each": {"matrix": {"a": [str(n) for n in range(101)], "b": [str(n) for n in range(100)]}}}, ".each.matrix",
     "it has 10100 items"),
    ({"each": {"matrix": {"a": ["x" * 200 + str(n) for n in range(30)]}}}, ".each.matrix", "use each.dataset"),
    ({"each": {"itemsOf": "plain"}}, ".each.itemsOf", "steps with `each` before it: lists"),
    ({"each": {"itemsOf": "work"}}, ".each.itemsOf", "has no items"),
    ({"each": {"itemsOf": "nobody"}}, ".each.itemsOf", "has no items"),
    ({"each": {"itemsOf": "lists"}, "command": ["{{each.size}}"]}, ".command[0]", "its items have region"),
    ({"command": ["{{each.region}}"]}, ".command[0]", "the step has no `each`"),
    ({"inputs": {"x": {"output": "plain.y", "item": {"region": "NE"}}}}, ".inputs.x.item", "remove item"),
    ({"inputs": {"x": {"output": "lists.y", "item": {"size": "large"}}}}, ".inputs.x.item", "by region"),
    ({"inputs": {"x": {"output": "lists.y", "item": {"region": "XX"}}}}, ".inputs.x.item.region", "not in the list"),
])  # fmt: skip
def test_what_makes_no_sense_is_named_with_its_field(step: Json, path: str, said: str) -> None:
    lists = {"name": "lists", "image": "i", "each": {"matrix": {"region": ["NE"]}}, "outputs": {"y": {}}}
    plain = {"name": "plain", "image": "i", "outputs": {"y": {}}}
    spec = PipelineSpec.model_validate({"steps": [lists, plain, {"name": "work", "image": "i"} | step]})
    with pytest.raises(Invalid, match=said) as caught:
        dag.validate(spec)
    assert caught.value.field_path == f"spec.steps[2]{path}"


def test_a_model_of_each_item_is_not_made_in_silence() -> None:
    spec = PipelineSpec.model_validate(
        {"steps": [TRAIN], "produces": [{"model": "delay", "from": "train.model", "version": {}}]}
    )
    with pytest.raises(
        Invalid, match=r"leaves one for each of its items: add a step that reads train\.model"
    ) as caught:
        dag.validate(spec)
    assert caught.value.field_path == "spec.produces[0].from"


# --- it is stopped -------------------------------------------------------------------------------------------------


def test_a_cancelled_run_ends_when_the_pods_of_all_items_are_gone() -> None:
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 2}})
    where.look_on()
    where.succeed(0)
    where.look_on()
    where.objects["PipelineRun", "p-1"]["spec"]["cancel"] = "now"
    found = where.look_on()
    step = found["steps"][0]
    assert (found["phase"], step["phase"], step["reason"]) == ("Aborted", "Aborted", "Cancelled")
    assert (step["items"]["completed"], members(step["items"]["stopped"])) == (1, {1, 2})
    assert jobs_left(where) == []


def test_a_run_that_is_drained_ends_when_its_items_have_and_none_of_them_is_tried_again() -> None:
    where = EachWorld().begin(TRAIN | {
        "each": REGIONS | {"maxParallel": 2, "failures": "Continue"}, "retry": {"limit": 1, "backoff": "1h"},
    })  # fmt: skip
    where.look_on()
    where.fail(0)
    where.look_on()
    where.objects["PipelineRun", "p-1"]["spec"]["cancel"] = "drain"
    assert where.look_on()["phase"] == "Running"
    assert len(where.alive()) == 2  # item 2 had begun in the place of the one that waits
    where.succeed(1, 2)
    found = where.look_on()
    step = found["steps"][0]
    assert (found["phase"], step["phase"], step["reason"]) == ("Aborted", "Aborted", "Cancelled")
    assert (step["items"]["completed"], members(step["items"]["stopped"])) == (2, {0})


def test_a_run_that_is_drained_does_not_ask_again_for_its_items() -> None:
    where = EachWorld().begin(TRAIN | {
        "each": {"dataset": "flights", "distinct": ["region"]}, "env": [],
    })  # fmt: skip
    where.look_on()
    (job,) = where.jobs(step="train")
    where.pod(job, "Failed", reason="Evicted")
    where.look_on()
    where.objects["PipelineRun", "p-1"]["spec"]["cancel"] = "drain"
    found = where.look_on()
    assert (found["phase"], found["steps"][0]["phase"], found["steps"][0]["reason"]) == (
        "Aborted",
        "Aborted",
        "Cancelled",
    )


OF_DATA = TRAIN | {"each": {"dataset": "flights", "distinct": ["region"]}, "env": []}


def asked(where: EachWorld) -> list[str]:
    """Names of the Jobs that were made to ask for items, in order."""
    return [name for kind, name in where.created if kind == "Job"]


def set_spec(where: EachWorld, **fields: object) -> None:
    """A person changes the run."""
    where.objects["PipelineRun", "p-1"]["spec"] |= fields


def test_a_run_that_is_suspended_asks_no_data_again_and_goes_on_when_it_may() -> None:
    where = EachWorld().begin(OF_DATA)
    where.look_on()
    (job,) = where.jobs(step="train")
    where.pod(job, "Failed", reason="Evicted")
    assert where.step()["items"]["asked"]["notBefore"]
    set_spec(where, suspend=True)
    where.now += 3600
    found = where.look_on()
    assert found["message"].startswith("spec.suspend is set")
    assert len(asked(where)) == 1
    set_spec(where, suspend=False)
    assert where.step()["items"]["asked"]["attempt"] == 2
    assert len(asked(where)) == 2
    where.answer_items([["NE"]])
    where.look_on()
    assert len(where.alive()) == 1


def test_of_a_run_that_is_suspended_a_job_that_asks_goes_on_and_its_items_wait() -> None:
    where = EachWorld().begin(OF_DATA)
    where.look_on()
    set_spec(where, suspend=True)
    where.answer_items([["NE"], ["SW"]])
    assert where.items()["total"] == 2
    assert where.look_on()["message"].startswith("spec.suspend is set")
    assert len(asked(where)) == 1
    set_spec(where, suspend=False)
    where.look_on()
    assert len(where.alive()) == 2


@pytest.mark.parametrize("cancel", ["now", "finally", "drain"])
def test_a_run_that_is_suspended_and_cancelled_asks_no_data_again(cancel: str) -> None:
    where = EachWorld().begin(OF_DATA)
    where.look_on()
    (job,) = where.jobs(step="train")
    where.pod(job, "Failed", reason="Evicted")
    where.look_on()
    set_spec(where, suspend=True, cancel=cancel)
    where.now += 3600
    found = where.look_on()
    assert (found["phase"], found["steps"][0]["phase"], len(asked(where))) == ("Aborted", "Aborted", 1)


@pytest.mark.parametrize("cancel", ["now", "finally"])
def test_a_cancel_stops_a_job_that_asks(cancel: str) -> None:
    where = EachWorld().begin(OF_DATA)
    where.look_on()
    set_spec(where, cancel=cancel)
    found = where.look_on()
    assert (found["phase"], found["steps"][0]["phase"], jobs_left(where)) == ("Aborted", "Aborted", [])


def test_when_another_step_has_failed_the_data_are_not_asked_again() -> None:
    where = EachWorld().begin(OF_DATA, {"name": "beside", "image": "i:1"})
    where.look_on()
    where.pod(where.jobs(step="train")[0], "Failed", reason="Evicted")
    where.look_on()
    where.pod(where.jobs(step="beside")[0], "Failed", initContainerStatuses=[stopped("step", 1)])
    where.now += 3600
    found = where.look_on()
    assert (found["phase"], found["steps"][0]["phase"], len(asked(where))) == ("Failed", "Aborted", 2)


def test_when_another_step_fails_items_that_run_may_end_and_no_further_ones_begin() -> None:
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 2}}, {"name": "beside", "image": "i:1"})
    where.look_on()
    where.pod(where.alive()[1], "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    where.pod(where.jobs(step="beside")[0], "Failed", initContainerStatuses=[stopped("step", 1)])
    assert where.look_on()["phase"] == "Running"
    where.succeed(0, 1)
    found = where.look_on()
    assert (found["phase"], found["steps"][0]["phase"], found["steps"][0]["items"]["completed"]) == (
        "Failed", "Aborted", 2)  # fmt: skip
    assert len([one for one in where.created if one[0] == "Job"]) == 3


def test_a_job_of_an_item_that_this_record_does_not_know_is_left_alone() -> None:
    """Another operator may be further: a look with an old record must not end what that one has begun."""
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 1}})
    where.look_on()
    old = copy.deepcopy(where.status(PIPELINE_RUN, "p-1"))
    where.succeed(0)
    where.look_on()
    newer = where.alive()
    assert list(newer) == [1]
    where.objects["PipelineRun", "p-1"]["status"] = old
    plan = where.plan(run.SPEC, "p-1")
    assert newer[1]["metadata"]["name"] not in [gone.name for gone in plan.delete]


def test_values_that_the_store_does_not_give_are_waited_for_and_said() -> None:
    where = EachWorld().begin(TRAIN | {"each": {"dataset": "flights", "distinct": ["region"]}, "env": []})
    where.look_on()
    where.answer_items([["NE"], ["NW"]])
    pages = {key: where.told.documents[key] for key in list(where.told.documents) if "/pages/" in key}
    for key in pages:
        del where.told.documents[key]
    found = where.step()
    assert (found["phase"], found["reason"]) == ("Pending", "ObjectMissing")
    assert "can't be read from the store" in found["message"]
    assert not where.alive()
    where.told.documents |= pages
    where.look_on()
    assert sorted(where.alive()) == [0, 1]


def test_the_log_of_an_item_is_waited_for_before_its_job_goes() -> None:
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 1}})
    where.look_on()
    where.logs = Failed(UNDERWAY, "")
    where.succeed(0)
    items = where.items()
    assert (items["completed"], items["live"][0]["item"]) == (0, 0)
    assert items["live"][0]["endedAt"]
    where.now += 21
    items = where.items()
    assert (items["completed"], items["live"][0]["item"]) == (1, 1)  # it is not waited for any longer


# --- what holds of every attempt holds of items --------------------------------------------------------------------


def test_an_item_that_ran_out_of_memory_has_more_the_next_time() -> None:
    step = TRAIN | {"resources": {"memory": "1Gi"}, "retry": {"limit": 2, "backoff": "1s", "memory": "4Gi"}}
    where = EachWorld().begin(step)
    where.look_on()
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    where.pod(where.alive()[2], "Failed", initContainerStatuses=[{"name": "step", "state": {"terminated": ended}}])
    where.look_on()
    where.now += 2
    where.look_on()
    sizes = {n: container(job, "step")["resources"]["limits"]["memory"] for n, job in where.alive().items()}
    assert (sizes[2], sizes[3]) == ("2Gi", "1Gi")
    where.succeed(*range(6))
    assert where.step()["phase"] == "Completed"


def test_an_item_that_runs_longer_than_it_may_is_stopped_and_the_others_are_not() -> None:
    each = REGIONS | {"failures": "Continue", "minSuccess": "50%"}
    where = EachWorld().begin(TRAIN | {"each": each, "timeout": "1m"})
    where.look_on()
    begun = {"running": {"startedAt": rfc3339(where.now)}}
    where.pod(where.alive()[1], "Running", initContainerStatuses=[{"name": "step", "state": begun}])
    where.look_on()
    where.now += 61
    where.look_on()
    assert len(jobs_left(where)) == 5
    where.succeed(0, 2, 3, 4, 5)
    found = where.step()
    assert (found["phase"], found["items"]["why"][0]["reason"]) == ("Completed", "DeadlineExceeded")
    assert "longer than timeout allows" in found["items"]["why"][0]["message"]


def test_gpus_of_all_items_are_counted_for_the_step_whatever_becomes_of_their_pods() -> None:
    where = EachWorld().begin(TRAIN | {"resources": {"gpu": {"count": 2}}})
    where.look_on()
    placed = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(where.now)}]
    for number in (0, 1):
        where.pod(where.alive()[number], "Running", conditions=placed)
    where.look_on()
    where.now += 100
    where.succeed(0)
    assert where.step()["gpuSeconds"] == 200
    job = where.alive()[1]["metadata"]["name"]
    where.remove(POD, f"{job}-x")
    where.remove(JOB, job)
    assert where.step()["gpuSeconds"] == 400


def test_what_stops_one_item_for_its_clock_does_not_stop_the_others() -> None:
    each = REGIONS | {"failures": "Continue", "maxParallel": 2}
    where = EachWorld().begin(TRAIN | {"queueTimeout": "1m", "each": each})
    where.look_on()
    placed = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(where.now)}]
    where.pod(where.alive()[0], "Pending", conditions=placed)
    where.look_on()
    where.now += 61
    items = where.items()
    assert [one["reason"] for one in items["why"]] == ["QueueTimeout"]
    assert sorted(where.alive()) == [0, 2]


def test_a_step_with_items_that_is_skipped_has_none_and_so_has_who_takes_them() -> None:
    skipped = TRAIN | {"name": "prepare", "if": [{"param": "all", "in": ["yes"]}], "outputs": {"rows": {}}}
    taking = TRAIN | {"each": {"itemsOf": "prepare"}}
    where = EachWorld().begin(skipped, taking, REPORT, params={"all": "no"})
    found = where.look_on()
    assert [(one["phase"], one["reason"]) for one in found["steps"]] == [("Completed", "Skipped")] * 3
    assert not where.created


def test_the_cache_says_that_it_knows_no_items_and_compares_what_they_leave_together() -> None:
    known = {"cache": True, "image": f"registry/i@sha256:{'a' * 64}"}
    where = EachWorld().begin(TRAIN | {"each": REGIONS | {"maxParallel": 2}} | known, REPORT | known)
    for _ in range(6):
        where.look_on()
        where.succeed(*where.alive())
    found = {one["name"]: one for one in where.look_on()["steps"]}
    assert (found["train"]["phase"], found["train"]["items"]["completed"]) == ("Completed", 6)
    assert found["train"]["cache"]["outcome"] == "NotCacheable"
    assert found["report"]["key"]
    assert found["report"]["cache"]["outcome"] == "Asks"  # the store, whether an earlier run has made it


def test_what_is_decided_stays_where_the_api_server_finds_a_status_too_large() -> None:
    whole = PipelineRunStatus.model_validate(in_the_middle(100, failing=True).status(PIPELINE_RUN, "p-1"))
    (small,) = terse.of_run(whole)
    before, after = whole.steps[0].items, small.steps[0].items
    assert before is not None
    assert after is not None
    assert len(after.model_dump_json(exclude_none=True)) < len(before.model_dump_json(exclude_none=True)) - 2_000
    told = {"why", "live"}
    assert after.model_dump(exclude=told) == before.model_dump(exclude=told)
    assert [(one.item, one.attempt, one.job_uid, one.not_before) for one in after.live] == [
        (one.item, one.attempt, one.job_uid, one.not_before) for one in before.live
    ]
