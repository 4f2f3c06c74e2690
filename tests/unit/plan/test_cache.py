"""Results of earlier runs: when they are taken, when not, and what is said of it (rules 8 and 9)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.plan.cache_world import A, B, CacheWorld, gone, made, outcomes, program, publishing, step
from tests.unit.plan.indexing import Others
from tests.unit.plan.littleworld import Crash
from tests.unit.plan.test_run_plan import dataset

from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Json
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run, template
from fairlead.plan.pipeline.cache import audit, others
from fairlead.plan.requests import Failed, ImageSeen


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    return made(monkeypatch)


def test_the_same_again_is_taken_without_a_pod_and_says_from_where(where: CacheWorld) -> None:
    first = where.whole("delay-1")
    assert outcomes(first) == ["Miss", "Miss"]
    second = where.whole("delay-2")
    assert (second["phase"], outcomes(second)) == ("Completed", ["Hit", "Hit"])
    assert where.programs() == ["delay-1/prepare", "delay-1/train"]
    for name in ("prepare", "train"):
        old, new = step(first, name), step(second, name)
        assert (new["key"], new["outputs"], new["image"]) == (old["key"], old["outputs"], f"r/app@{A}")
        assert new["attempt"] == 0
        assert (new["cache"]["run"], new["cache"]["runUid"], new["cache"]["attempt"]) == (
            "delay-1", where.objects["PipelineRun", "delay-1"]["metadata"]["uid"], 1,
        )  # fmt: skip


def test_what_takes_a_hit_still_names_the_run_that_made_it(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.whole("delay-2")
    third = where.whole("delay-3")
    assert {one["cache"]["run"] for one in third["steps"]} == {"delay-1"}


CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("image", {"train__image": f"r/app@{B}"}, {}, ["Hit", "Miss"]),
    ("another name of the same image", {"train__image": f"mirror/app@{A}"}, {}, ["Hit", "Hit"]),
    ("command", {"prepare__command": ["other"]}, {}, ["Miss", "Miss"]),
    ("args", {"train__args": ["x"]}, {}, ["Hit", "Miss"]),
    ("env", {"train__env": [{"name": "SEED", "value": "2"}]}, {}, ["Hit", "Miss"]),
    ("a secret's name", {"train__secrets": ["other"]}, {}, ["Hit", "Miss"]),
    ("the product", {"train__resources": {"gpu": {"count": 1, "product": "H200"}}}, {}, ["Hit", "Miss"]),
    ("GPUs", {"train__resources": {"gpu": {"count": 2, "product": "A100"}}}, {}, ["Hit", "Miss"]),
    ("CPU and memory", {"train__resources": {"cpu": "4", "memory": "8Gi", "gpu": {"count": 1, "product": "A100"}}}, {},
     ["Hit", "Hit"]),
    ("no GPU", {"train__resources": {}}, {}, ["Hit", "Miss"]),
    ("any GPU", {"train__resources": {"gpu": {}}}, {}, ["Hit", "Miss"]),
    ("nodes", {"train__nodeSelector": {"kubernetes.io/arch": "arm64"}}, {}, ["Hit", "Miss"]),
    ("tolerations", {"train__tolerations": [{"key": "spot", "operator": "Exists"}]}, {}, ["Hit", "Hit"]),
    ("a timeout and retries", {"train__timeout": "1h", "train__retry": {"limit": 3}}, {}, ["Hit", "Hit"]),
    ("a parameter", {}, {"params": {"horizon": "48"}}, ["Miss", "Miss"]),
    ("an older version", {}, {"datasets": {"flights": "v1"}}, ["Miss", "Miss"]),
    ("an output's type", {"train__outputs": {"model": {}}}, {}, ["Hit", "Miss"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "spec", "expected"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_what_can_change_a_result_is_part_of_the_key_and_nothing_else(
    where: CacheWorld, changes: Json, spec: Json, expected: list[str]
) -> None:
    where.whole("delay-1")
    where.pipeline(**changes)
    assert outcomes(where.whole("delay-2", **spec)) == expected


def test_a_new_version_runs_what_reads_it_and_what_follows(where: CacheWorld) -> None:
    where.whole("delay-1")
    dataset(where, "v3", "v2")
    assert outcomes(where.whole("delay-2")) == ["Miss", "Miss"]


def test_a_step_that_makes_the_same_from_other_data_spares_those_that_follow(where: CacheWorld) -> None:
    first = where.whole("delay-1")
    dataset(where, "v3", "v2")
    where.run("delay-2")
    (job,) = where.live("delay-2")
    task = publishing(job)
    old = step(first, "prepare")["outputs"]
    where.pod(job, "Succeeded", containerStatuses=[_said({"attempt": task.attempt, "outputs": old})])
    assert outcomes(where.look_at("delay-2")) == ["Miss", "Hit"]


def _said(result: Json) -> Json:
    message = json.dumps({"publish": result})
    return {"name": "publish", "state": {"terminated": {"exitCode": 0, "message": message}}}


def test_without_cache_nothing_is_asked_or_left_and_the_key_is_there_all_the_same(where: CacheWorld) -> None:
    where.pipeline(prepare__cache=False, train__cache=False)
    first, second = where.whole("delay-1"), where.whole("delay-2")
    assert outcomes(first) == outcomes(second) == ["", ""]
    assert not [key for key in where.bucket.objects if "/cache/" in key]
    keys = [one["key"] for one in first["steps"]]
    assert keys == [one["key"] for one in second["steps"]]
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize("why", ["UnknownImage", "Unreachable"])
def test_a_tag_that_nobody_can_resolve_is_not_cacheable_and_runs_as_usual(where: CacheWorld, why: str) -> None:
    where.pipeline(train__image="r/app:1")
    where.registry["r/app:1"] = Failed(why, "the registry says no")
    for name in ("delay-1", "delay-2"):
        train = step(where.whole(name), "train")
        assert train["cache"]["outcome"] == "NotCacheable"
        assert "r/app:1: the registry says no; write it with its digest" in train["cache"]["message"]
        assert train["attempt"] == 1
        assert len(train["key"]) == 64, "of the image that ran"


def test_a_tag_is_resolved_when_a_run_starts_and_what_is_compared_is_what_runs(where: CacheWorld) -> None:
    where.pipeline(train__image="r/app:1")
    where.registry["r/app:1"] = ImageSeen(A)
    first = where.whole("delay-1")
    assert (first["images"], outcomes(first)) == ({"r/app:1": A}, ["Miss", "Miss"])
    (job,) = where.jobs(run="delay-1", step="train")
    assert program(job).startswith(f'["r/app@{A}"')
    assert outcomes(where.whole("delay-2")) == ["Hit", "Hit"]
    where.registry["r/app:1"] = ImageSeen(B)
    third = where.whole("delay-3")
    assert (outcomes(third), step(third, "train")["cache"]["outcome"]) == (["Hit", "Miss"], "Miss")
    where.pipeline(train__image="r/app:again")
    where.registry["r/app:again"] = ImageSeen(A)
    assert outcomes(where.whole("delay-4")) == ["Hit", "Hit"], "what counts is what a name means"


def test_a_registry_that_is_slow_is_waited_for_before_the_run_starts(where: CacheWorld) -> None:
    where.pipeline(train__image="r/app:1")
    where.registry["r/app:1"] = Failed("Underway", "")
    status = where.run("delay-1")
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Pending", "ImageLookup")
    where.registry["r/app:1"] = ImageSeen(A)
    assert where.to_the_end("delay-1")["images"] == {"r/app:1": A}


def test_registries_are_not_asked_for_pipelines_that_take_nothing_from_earlier_runs(where: CacheWorld) -> None:
    where.pipeline(prepare__cache=False, train__cache=False, train__image="r/app:1")
    assert where.whole("delay-1")["images"] == {}
    where.run("delay-2")
    assert where.asked == []


@pytest.mark.parametrize(("image", "pinned"), [
    ("app", "app@D"), ("app:1", "app@D"), ("r:5000/app", "r:5000/app@D"), ("r:5000/team/app:1.2", "r:5000/team/app@D"),
])  # fmt: skip
def test_an_image_by_its_digest(image: str, pinned: str) -> None:
    assert template.pinned(image, {image: "D"}) == pinned
    assert template.pinned(image, {}) == image


def test_a_value_that_texts_are_filled_with_is_part_of_the_key(where: CacheWorld) -> None:
    search = {"name": "search", "image": f"r/app@{A}", "outputs": {"best": {"type": "value"}}}
    where.pipeline(train__args=["--c={{steps.search.best}}"], train__needs=["search"])
    where.objects["Pipeline", "delay"]["spec"]["steps"].append(search)
    found = []
    for number, value in enumerate(["a", "a", "b"], 1):
        name = f"delay-{number}"
        where.run(name)
        (job,) = where.jobs(run=name, step="search")
        said = where.publish(publishing(job), value)
        said["outputs"][0]["value"] = value
        where.pod(job, "Succeeded", containerStatuses=[_said(said)])
        found.append(step(where.to_the_end(name), "train")["cache"]["outcome"])
    assert found == ["Miss", "Hit", "Miss"]


# --- what was left is gone, or is something else -------------------------------------------------------------------


def test_an_output_that_was_erased_is_made_again_and_found_from_then_on(where: CacheWorld) -> None:
    first = where.whole("delay-1")
    gone(where, step(first, "prepare")["outputs"][0])
    second = where.whole("delay-2")
    assert outcomes(second) == ["Miss", "Hit"], "it made the same again"
    assert "output rows is gone" in step(second, "prepare")["cache"]["message"]
    third = where.whole("delay-3")
    assert (outcomes(third), step(third, "prepare")["cache"]["run"]) == (["Hit", "Hit"], "delay-2")


@pytest.mark.parametrize(("body", "words"), [(b"x", "bytes instead of"), (None, "was written again since")])
def test_an_output_that_is_another_one_is_not_taken(where: CacheWorld, body: bytes | None, words: str) -> None:
    where.whole("delay-1")
    key = next(one for one in where.bucket.objects if one.endswith("/prepare/1/rows/part"))
    old = where.bucket.objects[key]
    where.bucket.objects[key] = body if body is not None else bytes(len(old))
    second = where.whole("delay-2")
    assert step(second, "prepare")["cache"]["outcome"] == "Miss"
    assert words in step(second, "prepare")["cache"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"key": "x"}', b"[" * 1000, b"0" * (1 << 20)])
def test_an_entry_that_is_none_is_never_a_hit_and_the_next_one_takes_its_place(where: CacheWorld, body: bytes) -> None:
    where.whole("delay-1")
    for key in [one for one in where.bucket.objects if "/cache/" in one]:
        where.bucket.objects[key] = body
    assert outcomes(where.whole("delay-2")) == ["Miss", "Miss"]
    assert outcomes(where.whole("delay-3")) == ["Hit", "Hit"]


def test_an_entry_under_another_key_is_never_a_hit(where: CacheWorld) -> None:
    train = step(where.whole("delay-1"), "train")["key"]
    where.pipeline(train__args=["x"])
    other = step(where.whole("delay-2"), "train")["key"]
    entries = [f"fairlead/team/cache/delay/{key}/000000001.json" for key in (train, other)]
    where.bucket.objects[entries[1]] = where.bucket.objects[entries[0]]
    status = where.whole("delay-3")
    assert step(status, "train")["cache"]["outcome"] == "Miss"
    assert "is of another key" in step(status, "train")["cache"]["message"]


def test_a_late_pod_does_not_overwrite_what_is_there(where: CacheWorld) -> None:
    where.run("delay-1")
    (job,) = where.live("delay-1")
    where.succeed(job)
    entries = {key: body for key, body in where.bucket.objects.items() if "/cache/" in key}
    where.publish(publishing(job).model_copy(update={"attempt": 2}), "a zombie's")
    assert {key: body for key, body in where.bucket.objects.items() if "/cache/" in key} == entries


def test_what_is_older_than_max_age_is_made_again(where: CacheWorld) -> None:
    where.pipeline(cache={"maxAge": "30d"})
    where.whole("delay-1")
    where.now += 29 * 86400
    assert outcomes(where.whole("delay-2")) == ["Hit", "Hit"]
    where.now += 2 * 86400
    status = where.whole("delay-3")
    assert outcomes(status) == ["Miss", "Miss"]
    assert "maxAge 30d" in step(status, "prepare")["cache"]["message"]
    where.now += 29 * 86400
    assert outcomes(where.whole("delay-4")) == ["Hit", "Hit"], "its age is that of what was made again"


def test_a_store_that_is_slow_is_waited_for_and_one_that_refuses_is_not(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.says = Failed("Underway", "not yet")
    status = where.run("delay-2")
    assert (step(status, "prepare")["phase"], step(status, "prepare")["reason"]) == ("Pending", "CacheLookup")
    assert where.settle(run.SPEC, "delay-2").requeue_after == 0.5
    assert where.live("delay-2") == []
    where.says = None
    assert outcomes(where.look_at("delay-2")) == ["Hit", "Hit"]
    where.says = Failed("AccessDenied", "the store says no")
    status = where.run("delay-3")
    assert step(status, "prepare")["cache"]["message"].endswith("the store says no")
    assert [publishing(job).cache for job in where.live("delay-3")] == [None], (
        "where nobody could look, nothing is left"
    )


def test_a_step_is_completed_though_nothing_could_be_left(where: CacheWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairlead.store.errors import StoreError

    def refuses(_key: str, _body: bytes) -> bool:
        raise StoreError("AccessDenied", "no")

    monkeypatch.setattr(where.bucket, "put_if_absent", refuses)
    status = where.whole("delay-1")
    assert status["phase"] == "Completed"
    assert step(status, "train")["cache"]["message"] == "nothing is left for later runs: no"


# --- the same at the same time ---------------------------------------------------------------------------------------


def test_of_several_runs_with_the_same_one_makes_it_and_the_others_take_it(where: CacheWorld) -> None:
    names = [f"delay-{n}" for n in range(1, 6)]
    for name in names:
        where.run(name)
    assert where.programs() == ["delay-1/prepare"]
    for name in names[1:]:
        one = step(where.look_at(name), "prepare")
        assert (one["reason"], one["cache"]["waits"]) == ("CacheWaits", "delay-1/prepare")
        assert "delay-1/prepare makes the same just now" in one["message"]
    _to_the_end(where, names)
    assert where.programs() == ["delay-1/prepare", "delay-1/train"]
    assert {tuple(outcomes(where.status(PIPELINE_RUN, name))) for name in names[1:]} == {("Hit", "Hit")}


def _to_the_end(where: CacheWorld, names: list[str]) -> None:
    for _ in range(20):
        for name in names:
            for job in where.live(name):
                where.succeed(job)
            where.look_at(name)
    assert {where.status(PIPELINE_RUN, name)["phase"] for name in names} == {"Completed"}


def test_if_the_one_fails_the_next_makes_it_and_only_that(where: CacheWorld) -> None:
    names = ["delay-1", "delay-2", "delay-3"]
    for name in names:
        where.run(name)
    for name in names:
        where.look_at(name)
    (job,) = where.live("delay-1")
    where.fail(job)
    assert where.look_at("delay-1")["phase"] == "Failed"
    for name in names[1:]:
        where.look_at(name)
    assert where.programs() == ["delay-1/prepare", "delay-2/prepare"]
    assert step(where.look_at("delay-3"), "prepare")["cache"]["waits"] == "delay-2/prepare"
    _to_the_end(where, names[1:])
    assert outcomes(where.status(PIPELINE_RUN, "delay-3")) == ["Hit", "Hit"]


def test_one_that_is_tried_again_is_still_waited_for(where: CacheWorld) -> None:
    where.pipeline(prepare__retry={"limit": 1, "backoff": "1h"})
    where.run("delay-1")
    where.run("delay-2")
    where.fail(where.live("delay-1")[0])
    assert step(where.look_at("delay-1"), "prepare")["notBefore"]
    where.now += 1800
    assert step(where.look_at("delay-2"), "prepare")["reason"] == "CacheWaits"


@pytest.mark.parametrize("held", ["cancelled", "deleted", "stuck"])
def test_one_that_does_not_begin_keeps_nobody_waiting_for_good(where: CacheWorld, held: str) -> None:
    where.says = Failed("Underway", "")
    where.run("delay-1")
    where.says = None
    assert step(where.run("delay-2"), "prepare")["cache"]["waits"] == "delay-1/prepare"
    if held == "cancelled":
        where.objects["PipelineRun", "delay-1"]["spec"]["cancel"] = "now"
    elif held == "deleted":
        where.remove(PIPELINE_RUN, "delay-1")
    else:
        where.now += others.PATIENCE + 1
    assert step(where.look_at("delay-2"), "prepare")["attempt"] == 1


def test_a_run_wakes_those_that_wait_for_it(where: CacheWorld) -> None:
    where.run("delay-1")
    where.run("delay-2")
    peers = Others(PIPELINE_RUN, where.select(PIPELINE_RUN))
    mapper = run.SPEC.mappers[PIPELINE_RUN]
    assert list(mapper(where.objects["PipelineRun", "delay-1"], peers)) == ["delay-2"]
    assert list(mapper({"metadata": {"name": "x"}, "spec": {"pipeline": "delay"}}, peers)) == []


def test_runs_of_other_pipelines_are_not_waited_for(where: CacheWorld) -> None:
    where.run("delay-1")
    other = json.loads(json.dumps(where.objects["Pipeline", "delay"]))
    where.put({"kind": "Pipeline", "metadata": {"name": "other"}, "spec": other["spec"]})
    where.run("other-1", pipeline="other")
    assert where.programs() == ["delay-1/prepare", "other-1/prepare"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_that_ask_at_once_one_stands_back_whoever_is_looked_at_first(
    where: CacheWorld, order: tuple[int, int]
) -> None:
    """Each has seen the other before either has begun."""
    where.says = Failed("Underway", "")
    for number in (1, 2):
        where.run(f"delay-{number}")
        where.now += 0.01
    where.says = None
    for _ in range(3):
        for number in order:
            where.look(run.SPEC, f"delay-{number}")
    (made,) = where.programs()
    other = {"delay-1/prepare": "delay-2", "delay-2/prepare": "delay-1"}[made]
    assert step(where.look_at(other), "prepare")["cache"]["waits"] == made


def test_two_that_have_both_stood_back_do_not_wait_for_each_other(where: CacheWorld) -> None:
    where.says = Failed("Underway", "")
    for number in (1, 2):
        where.run(f"delay-{number}")
        where.now += 0.01
    where.says = None
    for number, other in ((1, 2), (2, 1)):
        record = where.objects["PipelineRun", f"delay-{number}"]["status"]["steps"][0]["cache"]
        record["waits"] = f"delay-{other}/prepare"
    for _ in range(4):
        for number in (2, 1):
            where.look(run.SPEC, f"delay-{number}")
    assert where.programs() == ["delay-1/prepare"]


def test_of_many_that_wait_for_one_that_is_stuck_one_begins(where: CacheWorld) -> None:
    where.says = Failed("Underway", "")
    where.run("delay-0")
    where.says = None
    names = [f"delay-{number}" for number in range(1, 6)]
    for name in names:
        where.now += 0.01
        where.run(name)
    where.now += others.PATIENCE + 1
    for name in names:
        where.look_at(name)
    assert len(where.programs()) == 1


# --- audit ---------------------------------------------------------------------------------------------------------


def test_an_audit_that_agrees_leaves_everything_as_it_is(where: CacheWorld) -> None:
    where.pipeline(cache={"audit": "100%"})
    where.whole("delay-1")
    before = {key: body for key, body in where.bucket.objects.items() if "/cache/" in key}
    status = where.whole("delay-2")
    assert outcomes(status) == ["Agreed", "Agreed"]
    assert {key: body for key, body in where.bucket.objects.items() if "/cache/" in key} == before
    where.pipeline()
    assert step(where.whole("delay-3"), "train")["cache"]["run"] == "delay-1"


def test_an_audit_that_differs_is_told_and_drops_what_was_kept(where: CacheWorld) -> None:
    where.whole("delay-1")
    where.pipeline(cache={"audit": "100%"})
    where.run("delay-2")
    (job,) = where.live("delay-2")
    where.succeed(job, salt="a clock: ")
    seen = where.look(run.SPEC, "delay-2").events
    status = where.look_at("delay-2")
    prepare = step(status, "prepare")
    old = step(where.status(PIPELINE_RUN, "delay-1"), "prepare")
    assert prepare["cache"]["outcome"] == "Mismatch"
    told = [event for event in seen if event.reason == audit.MISMATCH]
    assert [event.warning for event in told] == [True]
    for words in ("step prepare", prepare["key"], old["outputs"][0]["sha256"], prepare["outputs"][0]["sha256"]):
        assert words in told[0].message
    where.pipeline()
    third = where.whole("delay-3")
    assert step(third, "prepare")["cache"]["outcome"] == "Miss"
    assert "run delay-2 made other outputs of the same: rows" in step(third, "prepare")["cache"]["message"]
    assert step(where.whole("delay-4"), "prepare")["cache"]["run"] == "delay-3"


def test_the_audited_share_is_the_asked_one_and_always_the_same() -> None:
    drawn = [audit.chosen("1%", f"uid-{n}", "train") for n in range(20_000)]
    assert drawn == [audit.chosen("1%", f"uid-{n}", "train") for n in range(20_000)]
    assert 140 < sum(drawn) < 260  # 200 ± 4 standard deviations
    assert not any(audit.chosen("0%", f"uid-{n}", "train") for n in range(2_000))
    assert all(audit.chosen("100%", f"uid-{n}", "train") for n in range(2_000))


def test_what_differs_and_can_not_be_dropped_is_tried_again(
    where: CacheWorld, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from fairlead.store.errors import StoreError

    where.whole("delay-1")
    where.pipeline(cache={"audit": "100%"})
    where.run("delay-2")
    task = publishing(where.live("delay-2")[0])

    def refuses(_key: str, _body: bytes) -> bool:
        raise StoreError("Unreachable", "away", transient=True)

    monkeypatch.setattr(where.bucket, "put_if_absent", refuses)
    with pytest.raises(StoreError):
        where.publish(task, "other")


# --- crashes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(3))
def test_killed_at_any_write_it_makes_nothing_twice(where: CacheWorld, at: int) -> None:
    for name in ("delay-1", "delay-2", "delay-3"):
        where.put({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "delay"}})
    for _ in range(60):
        for name in ("delay-1", "delay-2", "delay-3"):
            try:
                where.look(run.SPEC, name, at)
            except Crash:
                where.look(run.SPEC, name)
            for job in where.live(name):
                where.succeed(job)
    assert len(where.created) == len(set(where.created))
    assert sorted(one.partition("/")[2] for one in where.programs()) == ["prepare", "train"]
    assert {where.status(PIPELINE_RUN, f"delay-{n}")["phase"] for n in (1, 2, 3)} == {"Completed"}


def test_what_is_left_in_the_store_is_a_result_and_who_made_it(where: CacheWorld) -> None:
    where.whole("delay-1")
    for key, body in where.bucket.objects.items():
        if "/cache/" in key:
            assert set(json.loads(body)) <= {"key", "run", "runUid", "step", "at", "image", "result", "seals"}


# --- what a Pipeline and a version say of it -------------------------------------------------------------------------


def test_a_pipeline_counts_hits_and_audits_and_says_which_one_differed(where: CacheWorld) -> None:
    label = {"fairlead.dev/pipeline": "delay"}

    def settled() -> Json:
        for (kind, _), one in where.objects.items():
            if kind == "PipelineRun":
                one["metadata"]["labels"] = label
        where.settle(pipeline.SPEC, "delay")
        return where.status(PIPELINE, "delay")

    where.pipeline(train__cache=False, prepare__cache=False)
    where.whole("delay-0")
    assert "cache" not in settled()
    where.pipeline()
    where.whole("delay-1")
    where.whole("delay-2")
    assert settled()["cache"] == {"hits": 2, "audits": 0, "mismatches": 0}
    where.pipeline(cache={"audit": "100%"})
    where.run("delay-3")
    where.succeed(where.live("delay-3")[0], salt="a clock")
    where.to_the_end("delay-3")
    status = settled()
    assert status["cache"] == {"hits": 2, "audits": 1, "mismatches": 1}
    (told,) = [one for one in status["conditions"] if one["type"] == "CacheMismatch"]
    assert (told["status"], told["reason"]) == ("True", "OutputsDiffer")
    assert told["message"].startswith("run delay-3, step prepare: key ")
    gauges = {tuple(one.labels.values()): one.value for one in pipeline.SPEC.gauges(where.objects["Pipeline", "delay"])
              if one.name == "fairlead_pipeline_cache_steps"}  # fmt: skip
    assert gauges == {("team", "delay", "hits"): 2, ("team", "delay", "audits"): 1, ("team", "delay", "mismatches"): 1}
    where.remove(PIPELINE_RUN, "delay-3")
    assert "CacheMismatch" not in {one["type"] for one in settled()["conditions"]}


def test_a_version_names_the_runs_that_made_what_it_is_made_of(where: CacheWorld) -> None:
    produces = [{"model": "late", "from": "train.model", "version": {}}]
    where.pipeline(produces=produces)
    where.whole("delay-1")
    where.pipeline(produces=produces, train__args=["x"])
    where.whole("delay-2")
    lineage = where.objects["ModelVersion", "late-2"]["spec"]["lineage"]
    assert lineage["reused"] == {"prepare": "delay-1/1"}
    assert lineage["images"] == {"prepare": f"r/app@{A}", "train": f"step@sha256:{'a' * 64}"}
    assert "reused" not in where.objects["ModelVersion", "late-1"]["spec"]["lineage"]


def test_nobody_waits_for_a_run_that_is_suspended_between_two_attempts(where: CacheWorld) -> None:
    where.run("delay-1")
    where.succeed(where.live("delay-1")[0])
    where.look_at("delay-1")
    where.fail(where.live("delay-1")[0])
    where.look_at("delay-1")
    assert step(where.run("delay-2"), "train")["reason"] == "CacheWaits"
    where.objects["PipelineRun", "delay-1"]["spec"]["suspend"] = True
    where.look_at("delay-1")
    assert step(where.look_at("delay-2"), "train")["attempt"] == 1
    where.objects["PipelineRun", "delay-1"]["spec"]["suspend"] = False
    assert where.to_the_end("delay-2")["phase"] == "Completed"
