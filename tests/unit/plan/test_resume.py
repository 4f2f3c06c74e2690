"""A run that goes on from another one (rule 8): what it takes, what it makes anew, and that the old one stays as it
is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.plan.cache_world import A, B, CacheWorld, gone, made, outcomes, step
from tests.unit.plan.test_run_plan import dataset

from fairlead.plan.core import PIPELINE_RUN, Json
from fairlead.plan.pipeline import run
from fairlead.plan.requests import Failed


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    """Nothing is cached."""
    found = made(monkeypatch)
    found.pipeline(prepare__cache=False, train__cache=False)
    return found


def broken(where: CacheWorld, **spec: Any) -> Json:
    """The run delay-1, whose second step has failed."""
    where.run("delay-1", **spec)
    where.succeed(where.live("delay-1")[0])
    where.look_at("delay-1")
    for _ in range(2):
        where.fail(where.live("delay-1")[0])
        where.look_at("delay-1")
        where.now += 10
        where.look_at("delay-1")
    status = where.status(PIPELINE_RUN, "delay-1")
    assert status["phase"] == "Failed"
    return status


def test_what_was_completed_is_taken_and_the_rest_is_made(where: CacheWorld) -> None:
    old = copy.deepcopy(broken(where))
    where.created.clear()
    status = where.whole("delay-2", resumeFrom="delay-1")
    assert (status["phase"], outcomes(status)) == ("Completed", ["Resumed", "Miss"])
    assert where.programs() == ["delay-2/train"]
    taken = step(status, "prepare")
    assert taken["outputs"] == step(old, "prepare")["outputs"]
    assert (taken["attempt"], taken["job"], taken["cache"]["run"], taken["cache"]["attempt"]) == (0, "", "delay-1", 1)
    assert "it has not been completed there (Failed)" in step(status, "train")["cache"]["message"]
    assert where.status(PIPELINE_RUN, "delay-1") == old


def test_the_gpus_of_the_old_run_are_not_counted_once_more(where: CacheWorld) -> None:
    broken(where)
    step(where.status(PIPELINE_RUN, "delay-1"), "prepare")["gpuSeconds"] = 7200
    status = where.whole("delay-2", resumeFrom="delay-1")
    assert outcomes(status)[0] == "Resumed"
    assert step(status, "prepare").get("gpuSeconds", 0) == 0


def test_parameters_and_versions_are_those_of_the_old_run_unless_given(where: CacheWorld) -> None:
    broken(where, params={"horizon": "48"}, datasets={"flights": "v1"})
    dataset(where, "v3")
    status = where.run("delay-2", resumeFrom="delay-1")
    assert (status["params"], status["datasets"][0]["version"]) == ({"horizon": "48"}, "v1")
    assert outcomes(status) == ["Resumed", "Miss"]
    status = where.run("delay-3", resumeFrom="delay-1", params={"horizon": "12"}, datasets={"flights": "v3"})
    assert (status["params"], status["datasets"][0]["version"]) == ({"horizon": "12"}, "v3")
    assert outcomes(status)[0] == "Miss"


def test_a_parameter_that_the_pipeline_has_no_more_is_left_out(where: CacheWorld) -> None:
    where.pipeline(params={"horizon": "24", "old": "1"}, prepare__cache=False, train__cache=False)
    broken(where)
    where.pipeline(prepare__cache=False, train__cache=False)
    assert where.run("delay-2", resumeFrom="delay-1")["params"] == {"horizon": "24"}


EDITS: list[Json] = [
    {"image": f"r/app@{B}"}, {"command": ["x"]}, {"args": ["x"]}, {"env": [{"name": "SEED", "value": "7"}]},
    {"resources": {"gpu": {"count": 2}}},
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=[next(iter(one)) for one in EDITS])
def test_one_step_is_edited_for_this_run_only_and_what_follows_it_runs(where: CacheWorld, edit: Json) -> None:
    where.whole("delay-1")
    pipeline = copy.deepcopy(where.objects["Pipeline", "delay"])
    status = where.whole("delay-2", resumeFrom="delay-1", edit={"step": "train"} | edit)
    assert outcomes(status) == ["Resumed", "Miss"]
    assert step(status, "train")["cache"]["message"] == "its key is another one"
    assert where.objects["Pipeline", "delay"] == pipeline
    status = where.whole("delay-3", resumeFrom="delay-1", edit={"step": "prepare"} | edit)
    assert outcomes(status) == ["Miss", "Miss"]


def test_env_that_is_not_edited_stays(where: CacheWorld) -> None:
    where.whole("delay-1")
    edit = {"step": "train", "env": [{"name": "NEW", "value": "7"}]}
    status = where.whole("delay-2", resumeFrom="delay-1", edit=edit)
    env = {one["name"]: one["value"] for one in status["template"]["steps"][1]["env"]}
    assert env == {"SEED": "1", "NEW": "7"}


def test_memory_can_be_raised_without_making_anything_anew_that_is_there(where: CacheWorld) -> None:
    broken(where)
    resources = {"cpu": "1", "memory": "64Gi", "gpu": {"count": 1, "product": "A100"}}
    status = where.run("delay-2", resumeFrom="delay-1", edit={"step": "train", "resources": resources})
    assert outcomes(status) == ["Resumed", "Miss"]
    (job,) = where.live("delay-2")
    program = next(one for one in job["spec"]["template"]["spec"]["initContainers"] if one["name"] == "step")
    assert program["resources"]["limits"]["memory"] == "64Gi"


def test_what_only_waits_for_a_changed_step_runs_too(where: CacheWorld) -> None:
    """It reads nothing of it, so its key is the same."""
    spec = copy.deepcopy(where.objects["Pipeline", "delay"]["spec"])
    spec["steps"].append({"name": "tell", "image": f"r/app@{A}", "needs": ["train"]})
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": spec})
    where.whole("delay-1")
    status = where.whole("delay-2", resumeFrom="delay-1", edit={"step": "train", "args": ["x"]})
    assert outcomes(status) == ["Resumed", "Miss", "Miss"]
    assert step(status, "tell")["cache"]["message"] == "step train ran anew"
    assert outcomes(where.whole("delay-3", resumeFrom="delay-1")) == ["Resumed", "Resumed", "Resumed"]


EACH: dict[str, Any] = {
    "name": "search", "image": f"r/app@{A}", "args": ["{{each.region}}"],
    "each": {"matrix": {"region": ["NE", "NW"]}}, "outputs": {"m": {"type": "model"}},
}  # fmt: skip


def with_items(where: CacheWorld) -> None:
    """A pipeline with a step for each region, one that reads all that they leave, one that only waits for them, and one
    that only waits for that one."""
    spec = {"steps": [
        EACH,
        {"name": "pick", "image": f"r/app@{A}", "inputs": {"all": {"output": "search.m"}}},
        {"name": "tell", "image": f"r/app@{A}", "needs": ["search"]},
        {"name": "more", "image": f"r/app@{A}", "needs": ["tell"]},
    ]}  # fmt: skip
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": spec})


@pytest.mark.parametrize("edit", [{}, {"edit": {"step": "search", "args": ["{{each.region}}", "x"]}}])
def test_what_only_waits_for_items_runs_too_as_they_always_do(where: CacheWorld, edit: Json) -> None:
    """Its key knows nothing of them; that of who reads what they have left says also where it lies."""
    with_items(where)
    where.whole("delay-1")
    status = where.whole("delay-2", resumeFrom="delay-1", **edit)
    assert status["phase"] == "Completed"
    found = {name: step(status, name)["cache"] for name in ("search", "pick", "tell", "more")}
    assert (found["search"]["outcome"], step(status, "search")["items"]["completed"]) == ("NotCacheable", 2)
    said = {name: (one["outcome"], one["message"]) for name, one in found.items() if name != "search"}
    assert said == {
        "pick": ("Miss", "step search ran anew"), "tell": ("Miss", "step search ran anew"),
        "more": ("Miss", "step tell ran anew"),
    }  # fmt: skip


def test_items_that_were_skipped_keep_nothing_from_being_taken(where: CacheWorld) -> None:
    with_items(where)
    spec = where.objects["Pipeline", "delay"]["spec"] | {"params": {"search": "no"}}
    spec["steps"] = [EACH | {"if": [{"param": "search", "in": ["yes"]}]}, *spec["steps"][2:]]
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": spec})
    where.whole("delay-1")
    status = where.whole("delay-2", resumeFrom="delay-1")
    assert [step(status, name)["cache"]["outcome"] for name in ("tell", "more")] == ["Resumed", "Resumed"]


def test_what_comes_after_the_verdict_runs_in_each_run(where: CacheWorld) -> None:
    """It cleans up, or tells somebody: that it did so for the old run is nothing to go on from."""
    spec = copy.deepcopy(where.objects["Pipeline", "delay"]["spec"])
    spec["steps"].append({"name": "tidy", "image": f"r/app@{A}", "when": "always"})
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": spec})
    where.whole("delay-1")
    status = where.whole("delay-2", resumeFrom="delay-1")
    assert outcomes(status) == ["Resumed", "Resumed", ""]
    assert (step(status, "tidy")["phase"], step(status, "tidy")["attempt"]) == ("Completed", 1)


def test_an_output_that_is_gone_is_made_again(where: CacheWorld) -> None:
    gone(where, step(where.whole("delay-1"), "prepare")["outputs"][0])
    status = where.whole("delay-2", resumeFrom="delay-1")
    assert outcomes(status) == ["Miss", "Miss"]
    assert "output rows is gone" in step(status, "prepare")["cache"]["message"]


def test_a_chain_of_runs_keeps_who_has_made_it(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.whole("delay-2", resumeFrom="delay-1")
    uid = where.objects["PipelineRun", "delay-1"]["metadata"]["uid"]
    where.remove(PIPELINE_RUN, "delay-1")
    status = where.whole("delay-3", resumeFrom="delay-2")
    assert outcomes(status) == ["Resumed", "Resumed"]
    assert {(one["cache"]["run"], one["cache"]["runUid"]) for one in status["steps"]} == {("delay-1", uid)}


def test_an_old_run_that_goes_meanwhile_is_no_harm(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.says = Failed("Underway", "")
    where.run("delay-2", resumeFrom="delay-1")
    where.remove(PIPELINE_RUN, "delay-1")
    where.says = None
    status = where.to_the_end("delay-2")
    assert outcomes(status) == ["Miss", "Miss"]
    assert step(status, "prepare")["cache"]["message"] == "run delay-1 is gone"


@pytest.mark.parametrize(("spec", "phase", "reason"), [
    ({"resumeFrom": "nobody"}, "Failed", "InvalidResume"),
    ({"resumeFrom": "other-1"}, "Failed", "InvalidResume"),
    ({"resumeFrom": "delay-0"}, "Pending", "ResumeWaits"),
    ({"resumeFrom": "delay-1", "edit": {"step": "nothing", "args": []}}, "Failed", "InvalidEdit"),
    ({"resumeFrom": "delay-1", "edit": {"step": "train", "args": ["{{params.x}}"]}}, "Failed", "InvalidPipeline"),
])  # fmt: skip
def test_what_makes_no_sense_ends_at_once_and_what_is_under_way_is_waited_for(
    where: CacheWorld, spec: Json, phase: str, reason: str
) -> None:
    where.whole("delay-1")
    where.run("delay-0")
    other = {"kind": "PipelineRun", "metadata": {"name": "other-1"}, "spec": {"pipeline": "other"}}
    where.put(other | {"status": {"phase": "Completed"}})
    status = where.run("delay-2", **spec)
    assert (status["phase"], status["conditions"][0]["reason"]) == (phase, reason)


def test_with_cache_what_is_not_there_any_more_comes_from_the_cache(where: CacheWorld) -> None:
    where.pipeline()
    where.whole("delay-1")
    status = where.whole("delay-2", resumeFrom="delay-1", edit={"step": "train", "args": ["x"]})
    assert outcomes(status) == ["Resumed", "Miss"]
    status = where.whole("delay-3", resumeFrom="delay-1", edit={"step": "train", "args": ["x"]})
    assert (outcomes(status), step(status, "train")["cache"]["run"]) == (["Resumed", "Hit"], "delay-2")
    assert run.SPEC.settled(where.objects["PipelineRun", "delay-3"])
