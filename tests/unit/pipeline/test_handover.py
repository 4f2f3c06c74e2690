"""What a run takes over of another Pipeline: from its completion to the lineage of the model that is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.pipeline.trigger_examples import prepared
from tests.unit.plan.littleworld import START, LittleWorld
from tests.unit.plan.test_run_plan import live, succeed, task_of
from tests.unit.plan.test_run_plan import look as look_at_run

from fairlead.api.modelversion import ModelVersion
from fairlead.api.pipeline import Pipeline
from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import show_run, show_why
from fairlead.cli.blocks import plain
from fairlead.cli.lineage import tree
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Invalid, Json, rfc3339
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run

NAME = "after/prepare"
TRAIN = {
    "name": "train", "image": "i", "inputs": {"rows": {"after": {"pipeline": "prepare", "output": "s.rows"}}},
    "outputs": {"model": {"type": "model"}},
}  # fmt: skip
OWN_STORE = {"bucket": "theirs", "endpoint": "http://their-s3:9000", "credentials": {"name": "their-keys"}}


def ended(where: LittleWorld, number: int, *outputs: str, phase: str = "Completed", **meta: Any) -> None:
    """The n-th run of `prepare` has ended, with these outputs of its step `s`."""
    prepared(where, number, phase)
    records = [
        {"name": name, "type": "dataset", "uri": f"s3://theirs/{number}/{name}/", "sha256": f"{number}" * 64}
        for name in outputs
    ]
    raw = where.objects["PipelineRun", f"prepare-{number}"]
    raw["metadata"] |= meta
    raw["status"] |= {
        "template": {"steps": [{"name": "s", "image": "i"}], "store": OWN_STORE},
        "steps": [{"name": "s", "phase": "Completed", "outputs": records}],
    }


def world(**spec: Any) -> LittleWorld:
    """A Pipeline that comes after `prepare` and reads of it."""
    where = LittleWorld()
    prepared(where, 0)
    produces = [{"model": "m", "from": "train.model", "version": {}}]
    said = {"steps": [TRAIN], "triggers": [{"after": {"pipeline": "prepare"}}], "produces": produces}
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": said | spec})
    return where


def look(where: LittleWorld, name: str = "delay") -> Json:
    where.settle(pipeline.SPEC, name)
    return where.status(PIPELINE, name)


def start(where: LittleWorld, name: str = "delay-1", **spec: Any) -> Json:
    """A run by hand, if it is not there yet; its status."""
    if ("PipelineRun", name) not in where.objects:
        where.put({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "delay"} | spec})
    where.settle(run.SPEC, name)
    return where.status(PIPELINE_RUN, name)


def test_from_a_completed_run_to_the_lineage_of_a_model() -> None:
    where = world()
    ended(where, 1, "rows")
    look(where)
    made = where.objects["PipelineRun", "delay-1"]
    assert made["spec"]["after"] == {"prepare": "prepare-1"}
    assert made["spec"]["reason"] == "run prepare-1 of Pipeline prepare has completed"
    where.objects["PipelineRun", "delay-7"] = made | {"metadata": made["metadata"] | {"name": "delay-7"}}
    status = look_at_run(where)
    (taken,) = status["after"]
    assert (taken["pipeline"], taken["output"], taken["run"]) == ("prepare", "s.rows", "prepare-1")
    assert taken["runUid"] == where.objects["PipelineRun", "prepare-1"]["metadata"]["uid"]
    where.remove(PIPELINE_RUN, "prepare-1")
    where.remove(PIPELINE, "prepare")  # all is pinned that is needed
    job = live(where, "train")
    (item,) = task_of(job, "fetch")["items"]
    assert (item["uri"], item["sha256"], item["dest"]) == ("s3://theirs/1/rows/", "1" * 64, "/fairlead/in/rows")
    assert item["access"]["endpoint"] == "http://their-s3:9000"
    mounted = {v["secret"]["secretName"] for v in job["spec"]["template"]["spec"]["volumes"] if "secret" in v}
    assert {"their-keys", "keys"} <= mounted, "theirs to read by, and ours to write by"
    status = succeed(where, "train")
    version = where.objects["ModelVersion", status["models"][0]]
    assert version["spec"]["lineage"]["after"] == {"prepare-1/s.rows": "1" * 64}
    found = tree("m", ModelVersion.model_validate(version), {}, [], where.now)
    assert "output prepare-1/s.rows sha256:1111" in plain([found])
    shown = plain(show_run.blocks("delay-7", PipelineRun.model_validate(where.objects["PipelineRun", "delay-7"]), 0.0))
    assert "after    prepare-1 s.rows 1111" in shown


def test_the_run_that_has_started_it_is_read_though_there_is_a_newer_one() -> None:
    where = world()
    ended(where, 1, "rows")
    look(where)
    ended(where, 2, "rows")
    assert start(where)["after"][0]["run"] == "prepare-1"
    assert start(where, "by-hand")["after"][0]["run"] == "prepare-2"


def test_a_run_that_took_longer_than_a_later_one_is_older_all_the_same() -> None:
    where = world()
    prepared(where, 1, "Running")
    ended(where, 2, "rows")
    assert look(where)["lastRun"]["key"].endswith("/prepare-2")
    where.objects["PipelineRun", "delay-1"]["status"] = {"phase": "Completed"}
    ended(where, 1, "rows")
    assert look(where)["runs"] == 1
    where.remove(PIPELINE_RUN, "prepare-2")
    assert look(where)["runs"] == 1, "what is left when newer ones are cleared away is no news"


def test_of_two_in_the_same_second_the_higher_number_is_the_later_one() -> None:
    where = world()
    made = rfc3339(START + 600)
    for number in (9, 10):
        ended(where, number, "rows", creationTimestamp=made)
    assert look(where)["lastRun"]["key"] == f"{made}/prepare-10"


@pytest.mark.parametrize("phase", ["", "Pending", "Running", "Failed", "Aborted"])
def test_one_that_has_not_succeeded_starts_nothing(phase: str) -> None:
    where = world()
    prepared(where, 1, phase)
    status = look(where)
    assert (status["runs"], status["decisions"]) == (0, [])
    text = plain(show_why.blocks("delay", Pipeline.model_validate(where.objects["Pipeline", "delay"]), where.now))
    assert "no run of Pipeline prepare has completed so far" in text
    assert "a run when a run of Pipeline prepare has completed" in text


# --- what can't be taken over -----------------------------------------------------------------------------------------


def test_without_a_completed_run_it_waits_and_says_for_what() -> None:
    where = world()
    status = start(where)
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Pending", "AfterMissing")
    assert status["message"].endswith("it waits for one: kubectl fairlead run prepare")
    ended(where, 1, "rows")
    assert start(where)["phase"] == "Running"


def test_without_that_output_it_waits_for_a_newer_run() -> None:
    where = world()
    ended(where, 1, "other")
    status = start(where)
    assert status["phase"] == "Pending"
    assert "run prepare-1 of Pipeline prepare has no output rows of a step s; it has s.other" in status["message"]
    ended(where, 2, "rows")
    assert start(where)["after"][0]["run"] == "prepare-2"


def test_what_items_leave_is_not_handed_over_and_said() -> None:
    where = world()
    ended(where, 1, "rows")
    where.objects["PipelineRun", "prepare-1"]["status"]["steps"][0]["items"] = {"total": 2, "completed": 2}
    assert "step s of Pipeline prepare has items, and what they leave is not handed over" in start(where)["message"]


@pytest.mark.parametrize(("named", "says"), [
    ({"prepare": "prepare-9"}, "there is no run prepare-9 of it"),
    ({"prepare": "delay-0"}, "there is no run delay-0 of it"),
    ({"prepare": "prepare-1"}, "run prepare-1 has ended as Failed"),
    ({"prepare": "prepare-2"}, "has no output rows"),
    ({"other": "other-1"}, "no step reads anything of other"),
])  # fmt: skip
def test_a_run_that_names_what_will_never_be_there_ends(named: dict[str, str], says: str) -> None:
    where = world()
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-0"}, "spec": {"pipeline": "delay"}})
    prepared(where, 1, "Failed")
    ended(where, 2, "strange")
    status = start(where, after=named)
    assert status["phase"] == "Failed"
    assert says in status["message"]
    assert "make a new run" in status["message"]


def test_a_run_that_names_one_under_way_waits_for_it() -> None:
    where = world()
    prepared(where, 1, "Running")
    status = start(where, after={"prepare": "prepare-1"})
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Pending", "AfterRunning")
    ended(where, 1, "rows")
    assert start(where)["phase"] == "Running"


def test_a_record_that_cannot_be_read_is_waited_for() -> None:
    where = world()
    ended(where, 1, "rows")
    good = dict(where.objects["PipelineRun", "prepare-1"]["status"])
    for strange in (
        {"steps": "all"},
        {"steps": [{"name": "s", "outputs": [{"name": "rows", "uri": "?", "sha256": ""}]}]},
    ):
        where.objects["PipelineRun", "prepare-1"]["status"] = good | strange
        assert start(where)["phase"] == "Pending"
    where.objects["PipelineRun", "prepare-1"]["status"] = good
    assert start(where)["phase"] == "Running"


def test_a_pipeline_does_not_read_of_itself_nor_of_more_than_a_run_can_pin() -> None:
    own = {**TRAIN, "inputs": {"rows": {"after": {"pipeline": "delay", "output": "train.model"}}}}
    with pytest.raises(Invalid) as told:
        look(world(steps=[own]))
    assert told.value.field_path == "spec.steps[0].inputs.rows.after.pipeline"
    where = world(steps=[own])
    assert start(where)["message"].startswith("Pipeline delay: spec.steps[0].inputs.rows.after")
    for number, fits in ((32, True), (33, False)):
        many = [
            {"name": f"s{n}", "image": "i", "inputs": {"x": {"after": {"pipeline": f"p{n}", "output": "s.rows"}}}}
            for n in range(number)
        ]
        where = world(steps=many, produces=[], triggers=[])
        if fits:
            assert look(where)["conditions"][-1]["reason"] == "PipelineMissing"
        else:
            with pytest.raises(Invalid, match="33 outputs of other Pipelines"):
                look(where)


def test_a_pipeline_that_is_not_there_is_named() -> None:
    where = world(triggers=[])
    where.remove(PIPELINE, "prepare")
    told = next(one for one in look(where)["conditions"] if one["type"] == "Reconciling")
    assert told["message"] == "there is no Pipeline prepare in this namespace; create it"


# --- circles ----------------------------------------------------------------------------------------------------------


def after(where: LittleWorld, name: str, *others: str) -> None:
    where.put({
        "kind": "Pipeline", "metadata": {"name": name},
        "spec": {"steps": [{"name": "s", "image": "i"}], "triggers": [{"after": {"pipeline": one}} for one in others]},
    })  # fmt: skip


@pytest.mark.parametrize(("waits", "way"), [
    ({"a": ["a"]}, "a → a"), ({"a": ["b"], "b": ["a"]}, "a → b → a"),
    ({"a": ["b"], "b": ["c"], "c": ["d", "a"], "d": []}, "a → c → b → a"),
    ({"a": ["x", "b"], "x": [], "b": ["b", "a"]}, "a → b → a"),
])  # fmt: skip
def test_pipelines_that_wait_for_each_other_start_nothing_and_say_so(waits: dict[str, list[str]], way: str) -> None:
    where = LittleWorld()
    for name, others in waits.items():
        after(where, name, *others)
    for name in {*waits, *waits["a"]}:
        made = {"name": f"{name}-1", "labels": {"fairlead.dev/pipeline": name}}
        where.put(
            {"kind": "PipelineRun", "metadata": made, "spec": {"pipeline": name}, "status": {"phase": "Completed"}}
        )
    status = look(where, "a")
    told = next(one for one in status["conditions"] if one["type"] == "TriggersObserved")
    assert (told["status"], told["reason"]) == ("Unknown", "Circle")
    assert f"Pipelines wait for each other: {way}; take one of these triggers away" in told["message"]
    named = {one["trigger"]: one["run"] for one in status["decisions"]}
    assert named[f"after/{waits['a'][-1]}"] == ""
    assert [one["trigger"] for one in status["decisions"] if one["run"]] == (["after/x"] if "x" in waits else [])


def test_a_circle_that_it_only_waits_for_is_not_its_own() -> None:
    where = LittleWorld()
    after(where, "a", "b")
    after(where, "b", "c")
    after(where, "c", "b")
    where.put({"kind": "PipelineRun", "metadata": {"name": "b-1"}, "spec": {"pipeline": "b"},
               "status": {"phase": "Completed"}})  # fmt: skip
    assert look(where, "a")["runs"] == 1
    assert look(where, "b")["runs"] == 0


# --- history, and what wakes --------------------------------------------------------------------------------------


def test_a_run_that_another_one_still_has_to_take_over_from_is_not_cleared_away() -> None:
    where = world()
    where.objects["Pipeline", "prepare"]["spec"]["history"] = {"succeeded": 1}
    for number in (1, 2):
        ended(where, number, "rows", labels={"fairlead.dev/pipeline": "prepare"})
        where.objects["Pipeline", "prepare"]["spec"]["history"] = {"succeeded": 1}
        if number == 1:
            where.put({"kind": "PipelineRun", "metadata": {"name": "delay-1"},
                       "spec": {"pipeline": "delay", "after": {"prepare": "prepare-1"}}})  # fmt: skip
    look(where, "prepare")
    assert ("PipelineRun", "prepare-1") in where.objects
    assert start(where)["after"][0]["run"] == "prepare-1"
    where.objects["PipelineRun", "delay-1"]["status"]["phase"] = "Failed"
    look(where, "prepare")
    assert ("PipelineRun", "prepare-1") not in where.objects


def test_a_run_and_a_pipeline_wake_whoever_comes_after() -> None:
    where = world()
    pipelines: Any = where.select(PIPELINE)
    woken = pipeline.SPEC.mappers

    def by(pipeline: str, phase: str) -> list[str]:
        ended = {"metadata": {"name": "x"}, "spec": {"pipeline": pipeline}, "status": {"phase": phase}}
        return sorted(woken[PIPELINE_RUN](ended, pipelines))

    assert by("prepare", "Completed") == ["delay", "prepare"]
    assert by("prepare", "Running") == ["prepare"], "it is nobody else's matter yet"
    assert by("delay", "Completed") == ["delay"]
    assert list(woken[PIPELINE]({"metadata": {"name": "prepare"}}, pipelines)) == ["delay"]
    assert list(woken[PIPELINE]({"metadata": {"name": "delay"}}, pipelines)) == []
    same = pipeline.SPEC.heeds[PIPELINE]
    waits = {"spec": {"triggers": [{"after": {"pipeline": "x"}}]}}
    assert same({"spec": {}, "status": {"runs": 1}}) == same({"spec": {}, "status": {"runs": 2}}) != same(waits)
