"""The course of a run: when, if, values, cancel, suspend, its time. Case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.pipeline.courses import Course

from fairlead.api.pipeline import PipelineSpec
from fairlead.plan.core import MODEL_VERSION, PIPELINE_RUN, POD, Invalid, Json
from fairlead.plan.pipeline import dag, judging, run

A: Json = {"name": "a"}
B: Json = {"name": "b", "needs": ["a"]}
NOTIFY: Json = {"name": "notify", "when": "always"}
MEND: Json = {"name": "mend", "when": "failed"}


# --- when ----------------------------------------------------------------------------------------------------------


def test_after_success_always_steps_run_once_and_failed_ones_are_skipped() -> None:
    course = Course(NOTIFY, MEND, A, B)
    assert course.look()["steps"][0]["phase"] == "Pending"
    assert course.live() == ["a"]
    course.succeed("a")
    course.look()
    assert course.live() == ["b"], "the last steps wait for all that decide"
    course.succeed("b")
    course.look()
    assert course.live() == ["notify"]
    assert course.status["phase"] == "Running"
    assert course.status["message"].startswith("Completed: all steps completed; after that come notify")
    assert course.condition("FinallySucceeded")["status"] == "Unknown"  # type: ignore[index]
    end = course.play()
    assert (end["phase"], end["progress"]) == ("Completed", "4/4")
    assert course.phases(["notify", "mend"]) == {"notify": "Completed", "mend": "Skipped"}
    assert course.begun() == ["a", "b", "notify"]
    assert course.condition("FinallySucceeded")["status"] == "True"  # type: ignore[index]


def test_after_a_failure_both_run() -> None:
    course = Course(NOTIFY, MEND, A, B)
    end = course.play(lambda name: name != "a")
    assert (end["phase"], course.begun()) == ("Failed", ["a", "mend", "notify"])
    assert course.phases() == {"notify": "Completed", "mend": "Completed", "a": "Failed", "b": "Aborted"}
    assert end["verdict"]["reason"] == "UserError"


@pytest.mark.parametrize("phase", ["Completed", "Failed"])
def test_a_last_step_that_fails_is_told_and_changes_nothing(phase: str) -> None:
    course = Course(A, NOTIFY)
    end = course.play(lambda name: name == "a" and phase == "Completed")
    assert end["phase"] == phase
    assert "step notify, which changes nothing in that, failed: UserError" in end["message"]
    told = course.condition("FinallySucceeded")
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", "UserError")
    assert course.condition("Succeeded")["status"] == str(phase == "Completed")  # type: ignore[index]


def test_a_last_step_that_fails_is_a_warning() -> None:
    course = Course(A, NOTIFY)
    course.look()
    course.succeed("a")
    course.look()
    course.fail("notify")
    events = course.world.look(run.SPEC, "p-1").events
    assert [(e.reason, e.warning) for e in events] == [("StepFailed", True), ("RunCompleted", False)]


def test_last_steps_have_their_own_order_and_retries() -> None:
    first = NOTIFY | {"name": "first", "retry": {"limit": 1, "backoff": "1s"}}
    course = Course(A, first, NOTIFY | {"needs": ["first", "a"]})
    course.look()
    course.succeed("a")
    course.look()
    assert course.live() == ["first"]
    course.fail("first")
    course.look()
    course.world.now += 2
    course.look()
    assert (course.live(), course.step("first")["attempt"]) == (["first"], 2)
    course.fail("first")
    course.look()
    assert course.live() == ["notify"], "what comes after a last step waits until that is over, however it went"
    assert course.play()["phase"] == "Completed"


def test_versions_are_made_before_the_last_steps_end() -> None:
    train = A | {"outputs": {"m": {"type": "model"}}}
    course = Course(train, NOTIFY, produces=[{"model": "m", "from": "a.m", "version": {}}])
    course.look()
    course.succeed("a")
    course.look()
    assert (course.live(), course.world.get(MODEL_VERSION, "m-1") is not None) == (["notify"], True)
    course.fail("notify")
    assert (course.look()["phase"], course.status["models"]) == ("Completed", ["m-1"])


# --- if ------------------------------------------------------------------------------------------------------------


def judged(condition: Json, metrics: dict[str, str], values: dict[str, str]) -> Course:
    """A pipeline whose second step goes by the first, which has ended."""
    first = A | {"outputs": {"best": {"type": "value"}}}
    course = Course(first, B | {"if": [condition]}, {"name": "c", "needs": ["b"]}, params={"region": "NE", "n": "12"})
    course.look()
    course.succeed("a", values, metrics)
    course.look()
    return course


RUNS, SKIPS, FAILS = "Running", "Skipped", "Failed"


@pytest.mark.parametrize(("condition", "metrics", "value", "word"), [
    ({"metric": "a.rows", "above": "1000"}, {"rows": "1001"}, "", RUNS),
    ({"metric": "a.rows", "above": "1000"}, {"rows": "1000.0"}, "", SKIPS),
    ({"metric": "a.rows", "below": "1e3"}, {"rows": "999.99999999999999999999999"}, "", RUNS),
    ({"metric": "a.rows", "below": "1e3"}, {"rows": "1e3"}, "", SKIPS),
    ({"metric": "a.rows", "above": "0"}, {"other": "1"}, "", FAILS),
    *(({"value": "a.best", "above": "0"}, None, text, FAILS)
      for text in ("NaN", "Infinity", "-inf", "sNaN", "1e999999999999999999999", "", "12%", "0x10")),
    ({"param": "region", "in": ["NW", "NE"]}, None, "", RUNS),
    ({"param": "region", "in": ["NW"]}, None, "", SKIPS),
    ({"param": "n", "above": "11"}, None, "", RUNS),
    ({"param": "region", "above": "11"}, None, "", FAILS),
    ({"value": "a.best", "in": ["x"]}, None, "x", RUNS),
    ({"value": "a.best", "in": ["x"]}, None, "y", SKIPS),
    ({"value": "a.best", "below": "3"}, None, "2.5", RUNS),
])  # fmt: skip
def test_if(condition: Json, metrics: dict[str, str] | None, value: str, word: str) -> None:
    course = judged(condition, metrics or {}, {"best": value})
    found = course.phases()
    if word == RUNS:
        assert course.live() == ["b"]
    elif word == SKIPS:
        assert (found["b"], course.live()) == ("Skipped", ["c"]), "what only needs it goes on"
        assert course.step("b")["message"].startswith("if: ")
        assert course.play()["progress"] == "3/3"
    else:
        assert (found["b"], course.status["phase"], course.live()) == ("Failed", "Failed", [])
        assert course.step("b")["reason"] in ("MetricMissing", "NotANumber")
        assert course.status["verdict"]["reason"] == course.step("b")["reason"]


def test_unknown_is_no_no_even_beside_a_no() -> None:
    conditions = [{"param": "region", "in": ["XX"]}, {"metric": "a.rows", "above": "1"}]
    course = Course(A, B | {"if": conditions}, params={"region": "NE"})
    course.look()
    course.succeed("a")
    assert (course.look()["phase"], course.step("b")["reason"]) == ("Failed", "MetricMissing")


def test_what_reads_from_a_skipped_step_is_skipped_too_and_its_version_is_not_made() -> None:
    train = {
        "name": "train",
        "if": [{"param": "go", "in": ["yes"]}],
        "outputs": {"m": {"type": "model"}, "v": {"type": "value"}},
    }
    course = Course(
        train, {"name": "test", "inputs": {"m": {"output": "train.m"}}},
        {"name": "say", "needs": ["train"], "args": ["{{steps.train.v}}"]}, {"name": "also", "needs": ["test"]},
        {"name": "by", "if": [{"metric": "train.rmse", "above": "1"}]},
        NOTIFY | {"inputs": {"m": {"output": "train.m"}}},
        params={"go": "no"}, produces=[{"model": "m", "from": "train.m", "version": {}}],
    )  # fmt: skip
    end = course.play()
    assert course.phases() == dict.fromkeys(("train", "test", "say", "by", "notify"), "Skipped") | {"also": "Completed"}
    assert (end["phase"], end["models"]) == ("Completed", [])
    assert end["message"] == "all steps completed; not made: m, for step train was skipped"


def test_of_two_versions_only_that_of_a_skipped_step_is_not_made() -> None:
    train = {"outputs": {"m": {"type": "model"}}}
    skipped = {"name": "b", "if": [{"param": "go", "in": ["yes"]}]} | train
    versions = [{"model": f"m{one}", "from": f"{one}.m", "version": {}} for one in "ab"]
    course = Course(skipped, A | train, params={"go": "no"}, produces=versions)
    assert (course.play()["models"], course.status["message"]) == (
        ["ma-1"], "made ma-1; not made: mb, for step b was skipped")  # fmt: skip


def test_a_step_that_is_tried_again_is_not_judged_again() -> None:
    course = Course(
        A | {"retry": {"limit": 1, "backoff": "1s"}, "if": [{"param": "p", "in": ["1"]}]}, params={"p": "1"}
    )
    course.look()
    course.fail("a")
    course.look()
    course.status["params"]["p"] = "2"
    course.world.now += 2
    course.look()
    assert course.live() == ["a"]


# --- values --------------------------------------------------------------------------------------------------------


def test_a_value_is_used_as_it_is_and_never_expanded() -> None:
    use = {"command": ["x", "--best={{steps.a.best}}"], "env": [{"name": "E", "value": "<{{ steps.a.best }}>"}]}
    course = Course(A | {"outputs": {"best": {"type": "value"}}}, B | use)
    course.look()
    course.succeed("a", {"best": "$(HOME) {{params.x}}"})
    course.look()
    assert course.step("a")["outputs"][0]["value"] == "$(HOME) {{params.x}}"
    step = course.job("b")["spec"]["template"]["spec"]["initContainers"][-1]
    assert step["command"] == ["x", "--best=$$(HOME) {{params.x}}"]
    assert {"name": "E", "value": "<$$(HOME) {{params.x}}>"} in step["env"]


# --- cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_now_begins_nothing_and_ends_when_the_pods_are_gone() -> None:
    course = Course(A, {"name": "c"}, B, NOTIFY)
    course.look()
    course.runs("a")
    course.ask(cancel="now")
    end = course.play()
    assert (end["phase"], end["verdict"]["reason"], course.live()) == ("Aborted", "Cancelled", [])
    assert course.phases() == dict.fromkeys(("a", "b", "c", "notify"), "Aborted")


def test_cancel_finally_stops_what_runs_and_then_runs_always_steps_only() -> None:
    course = Course(A, B, NOTIFY, MEND)
    course.look()
    course.runs("a")
    course.ask(cancel="finally")
    course.stop()
    assert course.live() == ["notify"]
    end = course.play()
    assert (end["phase"], end["verdict"]["reason"]) == ("Aborted", "Cancelled")
    assert course.phases() == {"a": "Aborted", "b": "Aborted", "notify": "Completed", "mend": "Skipped"}


@pytest.mark.parametrize("mode", ["finally", "now"])
def test_a_cancelled_run_waits_until_its_pods_are_gone(mode: str) -> None:
    """A node that does not answer holds the run, the last steps, and whoever waits for its turn."""
    course = Course(A, NOTIFY)
    course.look()
    pod = course.runs("a")
    course.look()
    course.ask(cancel=mode)
    for _ in range(5):
        course.world.look(run.SPEC, "p-1")
        course.world.objects[("Pod", pod["metadata"]["name"])] = pod  # whatever became of its Job
        course.world.now += 60
    status = course.status
    assert (status["phase"], course.step("notify")["attempt"], course.step("a")["phase"]) == ("Running", 0, "Running")
    course.world.remove(POD, pod["metadata"]["name"])
    course.look()
    assert (course.live(), course.step("a")["phase"]) == (["notify"] if mode == "finally" else [], "Aborted")
    assert "stage" not in course.step("a"), "no clock runs any more"


def test_cancel_drain_lets_running_steps_end_and_begins_no_other() -> None:
    course = Course(A, {"name": "c"}, B, NOTIFY)
    course.look()
    course.ask(cancel="drain")
    course.succeed("a")
    assert course.look()["message"] == "cancelled; waiting for the steps that still run: c"
    assert course.live() == ["c"]
    course.succeed("c")
    course.look()
    assert course.live() == ["notify"]
    assert course.play()["phase"] == "Aborted"
    assert course.phases() == {"a": "Completed", "c": "Completed", "b": "Aborted", "notify": "Completed"}


def test_drain_is_made_stronger() -> None:
    course = Course(A, NOTIFY)
    course.look()
    course.runs("a")
    course.ask(cancel="drain")
    course.look()
    assert course.live() == ["a"]
    course.ask(cancel="finally")
    course.stop()
    assert course.live() == ["notify"]
    course.ask(cancel="now")
    assert course.play()["phase"] == "Aborted"
    assert course.phases() == {"a": "Aborted", "notify": "Aborted"}


@pytest.mark.parametrize("mode", ["drain", "finally", "now"])
@pytest.mark.parametrize("phase", ["Completed", "Failed"])
def test_a_cancel_after_the_verdict_does_not_change_it(mode: str, phase: str) -> None:
    course = Course(A, NOTIFY)
    course.look()
    (course.succeed if phase == "Completed" else course.fail)("a")
    course.look()
    course.ask(cancel=mode)
    end = course.play()
    assert end["phase"] == phase
    assert course.phases(["notify"]) == {"notify": "Aborted" if mode == "now" else "Completed"}
    assert course.condition("FinallySucceeded")["status"] == str(mode != "now")  # type: ignore[index]


def test_drain_does_not_try_again() -> None:
    course = Course(A | {"retry": {"limit": 5, "backoff": "10m"}})
    course.look()
    course.ask(cancel="drain")
    course.fail("a")
    assert (course.look()["phase"], course.step("a")["phase"]) == ("Aborted", "Aborted")


# --- suspend, and the run's time -------------------------------------------------------------------------------------


def test_suspend_lets_what_runs_go_on_and_begins_nothing() -> None:
    course = Course(A, B, NOTIFY)
    course.look()
    course.ask(suspend=True)
    course.succeed("a")
    assert course.look()["message"] == "spec.suspend is set: no step begins"
    assert (course.live(), course.step("a")["phase"]) == ([], "Completed")
    course.ask(suspend=False)
    course.look()
    assert course.live() == ["b"]
    course.succeed("b")
    course.ask(suspend=True)
    course.look()
    assert course.live() == [], "the last steps are steps, too"
    course.ask(suspend=False)
    assert course.play()["phase"] == "Completed"


def test_a_suspended_run_does_not_start_and_can_be_cancelled() -> None:
    course = Course(A, NOTIFY, run_spec={"suspend": True})
    assert (course.look()["phase"], course.status.get("template")) == ("Pending", None)
    course.ask(suspend=False)
    course.look()
    course.ask(suspend=True, cancel="finally")
    assert course.play()["phase"] == "Aborted"
    assert course.phases(["notify"]) == {"notify": "Completed"}


def test_a_run_that_takes_too_long_is_stopped_and_then_the_last_steps_run() -> None:
    course = Course(A, B, NOTIFY, MEND, timeout="1h")
    course.look()
    course.runs("a")
    assert course.world.plan(run.SPEC, "p-1").requeue_after == pytest.approx(3600)
    course.world.now += 3599
    course.look()
    assert course.live() == ["a"]
    course.world.now += 1
    course.stop()
    assert course.live() == ["mend", "notify"]
    course.world.now += 86400  # theirs is their own
    course.look()
    assert course.live() == ["mend", "notify"]
    end = course.play()
    assert (end["phase"], end["verdict"]["reason"]) == ("Failed", "RunTimeout")
    assert (course.step("a")["phase"], course.step("a")["reason"]) == ("Aborted", "RunTimeout")


def test_a_run_that_is_done_in_time_is_not_late_afterwards() -> None:
    course = Course(A, timeout="1h")
    course.look()
    course.succeed("a")
    course.world.now += 7200
    assert course.look()["phase"] == "Completed"


# --- what is refused -----------------------------------------------------------------------------------------------


def spec_of(*steps: Json, **spec: Any) -> PipelineSpec:
    """A pipeline's spec."""
    return PipelineSpec.model_validate({"steps": [{"image": "i"} | one for one in steps], **spec})


VALUE: Json = A | {"outputs": {"v": {"type": "value"}, "f": {}, "m": {"type": "model"}}}


@pytest.mark.parametrize(("steps", "spec", "words"), [
    ([NOTIFY], {}, "at least one must have none"),
    ([A | {"needs": ["notify"]}, NOTIFY], {}, "step notify has `when: always` and comes after a"),
    ([A | {"if": [{"metric": "notify.x", "above": "1"}]}, NOTIFY], {}, "spec.steps[0]: step notify has `when: always`"),
    ([A | {"if": [{"param": "p", "in": ["1"]}]}], {}, "spec.steps[0].if[0].param: parameter 'p' is not declared"),
    ([A | {"if": [{"metric": "x.y", "above": "1"}]}], {}, "spec.steps[0].if[0].metric: there is no step 'x'"),
    ([A | {"if": [{"metric": "a.y", "above": "1"}]}], {}, "a → a"),
    ([VALUE, B | {"if": [{"value": "a.f", "in": ["1"]}]}], {}, "only an output of type value is a text"),
    ([VALUE, B | {"if": [{"value": "a.w", "in": ["1"]}]}], {}, "step 'a' has no output 'w'"),
    ([VALUE, B | {"args": ["{{steps.a.f}}"]}], {}, "spec.steps[1].args[0]: a.f has type file"),
    ([VALUE, {"name": "c", "args": ["{{steps.a.v}}"]}], {}, "step c does not come after a; add a to its needs"),
    ([VALUE, {"name": "c", "args": ["{{steps.z.v}}"]}], {}, "there is no step 'z'"),
    ([A, *({"name": f"v{i}", "outputs": {f"o{j}": {"type": "value"} for j in range(6)}} for i in range(3))], {},
     "18 outputs of type value; a run keeps 16"),
    ([A, NOTIFY | {"outputs": {"m": {"type": "model"}}}],
     {"produces": [{"model": "m", "from": "notify.m", "version": {}}]}, "versions are made before it runs"),
    ([A | {"retry": {"limit": 1, "memory": "8Gi"}}], {}, "it must be more than resources.memory"),
    ([A | {"retry": {"limit": 1, "memory": "8Gi"}, "resources": {"memory": "8192Mi"}}], {}, "it must be more than"),
    ([A | {"retry": {"memory": "8Gi"}, "resources": {"memory": "4Gi"}}], {}, "set retry.limit, too"),
])  # fmt: skip
def test_refused(steps: list[Json], spec: Json, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        dag.validate(spec_of(*steps, **spec))
    assert words in str(caught.value)


@pytest.mark.parametrize("steps", [
    [VALUE, B, {"name": "c", "needs": ["b"], "args": ["{{steps.a.v}}"]}],
    [VALUE, {"name": "c", "inputs": {"f": {"output": "a.f"}}, "args": ["{{steps.a.v}}"]}],
    [VALUE, NOTIFY | {"args": ["{{steps.a.v}}"]}],
    [A, NOTIFY | {"needs": ["a", "mend"]}, MEND],
    [A | {"retry": {"limit": 1, "memory": "8Gi"}, "resources": {"memory": "500Mi"}}],
])  # fmt: skip
def test_taken(steps: list[Json]) -> None:
    dag.validate(spec_of(*steps))


def test_what_is_said_of_a_status_of_an_older_release() -> None:
    """It has no verdict and no metrics: the run goes on, and ends."""
    course = Course(A, B)
    course.look()
    course.succeed("a")
    course.look()
    status = course.world.objects[("PipelineRun", "p-1")]["status"]
    for one in status["steps"]:
        for new in ("stage", "stageAt", "ran", "memory", "metrics"):
            one.pop(new, None)
    assert json.dumps(status)
    assert course.play()["phase"] == "Completed"
    assert judging.SKIPPED not in course.phases().values()
    assert course.world.status(PIPELINE_RUN, "p-1")["progress"] == "2/2"
