"""A run that changes nothing is not started again and again: one for each case, some more after pauses, then a person
is asked. Each no is one decision, and no look without news is a write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.pipeline.trigger_examples import eta
from tests.unit.plan.littleworld import START, Crash, LittleWorld

from fairlead.api.pipeline import PipelineStatus
from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION, PIPELINE, PIPELINE_RUN, Json, Plan, rfc3339
from fairlead.plan.gauges import of_pipeline
from fairlead.plan.pipeline import plan as pipeline

HOUR = 3600.0
TRIGGER = {"condition": {"deployment": "eta", "type": "WorldChanged"}}
NAME = "condition/eta WorldChanged"
STEPS: list[Json] = [{"name": "train", "image": "i", "outputs": {"model": {"type": "model"}}}]
MAKES: list[Json] = [{"model": "eta", "from": "train.model", "version": {}}]


def world(**spec: Any) -> LittleWorld:
    """A Pipeline that makes models, and a Deployment with which all is well."""
    where = LittleWorld()
    eta(where, 0)
    write(where, **spec)
    look(where)
    return where


def write(where: LittleWorld, **spec: Any) -> None:
    """Somebody writes the Pipeline."""
    known = where.objects.get(("Pipeline", "p"), {})
    generation = known["metadata"]["generation"] + 1 if known else 1
    where.put({
        "kind": "Pipeline", "metadata": {"name": "p", "generation": generation},
        "spec": {"steps": STEPS, "triggers": [TRIGGER], "produces": MAKES} | spec, "status": known.get("status", {}),
    })  # fmt: skip


def look(where: LittleWorld) -> Json:
    """The status after looking until nothing changes."""
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def wait(where: LittleWorld, seconds: float) -> Json:
    """Time passes."""
    where.now += seconds
    return look(where)


def runs(where: LittleWorld) -> list[str]:
    return [run["metadata"]["name"] for run in where.select(PIPELINE_RUN)]


def end(where: LittleWorld, run: str, phase: str = "Rejected", **status: Any) -> None:
    """A run is completed, and its version has come so far."""
    name = f"eta-of-{run}"
    where.objects["PipelineRun", run]["status"] = {"phase": "Completed", "message": "", "models": [name]}
    told = {"type": "Approved", "status": "True", "lastTransitionTime": rfc3339(where.now)}
    where.put({
        "kind": "ModelVersion",
        "metadata": {
            "name": name, "labels": {"fairlead.dev/run": run, "fairlead.dev/pipeline": "p"},
            "annotations": {"fairlead.dev/created-by-uid": where.objects["PipelineRun", run]["metadata"]["uid"]},
        },
        "spec": {"model": "eta", "artifact": {"uri": "s3://b/m", "sha256": "0" * 64}},
        "status": {"phase": phase, "message": "so it is", "conditions": [told] if phase == "Approved" else []} | status,
    })  # fmt: skip


def fails(where: LittleWorld, run: str) -> None:
    where.objects["PipelineRun", run]["status"] = {"phase": "Failed", "message": "step train: exit code 1"}


def by_hand(where: LittleWorld, name: str) -> None:
    """A person starts a run."""
    labels = {"fairlead.dev/pipeline": "p"}
    where.put({"kind": "PipelineRun", "metadata": {"name": name, "labels": labels}, "spec": {"pipeline": "p"}})


def condition(status: Json, type_: str) -> Json:
    return next((one for one in status["conditions"] if one["type"] == type_), {})


def because(status: Json) -> str:
    return str(status["decisions"][0]["because"])


def plan(where: LittleWorld) -> Plan:
    return where.settle(pipeline.SPEC, "p")


def give_up(where: LittleWorld) -> Json:
    """Three versions are rejected."""
    eta(where, 1)
    look(where)
    for number in (1, 2, 3):
        end(where, f"p-{number}")
        status = look(where)
        if number < 3:
            status = wait(where, HOUR)
    return status


# --- one case, one run ---------------------------------------------------------------------------------------------


def test_a_version_that_is_rejected_is_tried_again_after_a_pause_and_then_a_person_is_asked() -> None:
    where = world()
    eta(where, 1)
    look(where)
    for number in (1, 2):
        assert runs(where) == [f"p-{n}" for n in range(1, number + 1)]
        end(where, f"p-{number}")
        status = look(where)
        assert because(status) == "BackOff"
        assert f"eta-of-p-{number} is Rejected" in status["decisions"][0]["reason"]
        assert plan(where).requeue_after == pytest.approx(HOUR)
        assert len(runs(where)) == number
        status = wait(where, HOUR)
        assert f"(try {number + 1} of 3, for eta-of-p-{number} is Rejected" in status["decisions"][0]["reason"]
    end(where, "p-3")
    events = [event for _ in range(2) for event in where.look(pipeline.SPEC, "p").events]
    assert [(event.reason, event.warning) for event in events] == [("GaveUp", True)]
    for _ in range(50):
        status = wait(where, HOUR)
    assert (runs(where), because(status)) == (["p-1", "p-2", "p-3"], "GaveUp")
    told = condition(status, "GaveUp")
    assert (told["status"], told["reason"]) == ("True", "NoBetterVersion")
    assert "3 runs in a row" in told["message"]
    assert "kubectl fairlead run" in told["message"]
    assert status["problem"].startswith("NoBetterVersion")
    shown = {one.name: one.value for one in of_pipeline(where.objects["Pipeline", "p"])}
    assert shown["fairlead_pipeline_gave_up"] == 1.0


def test_cooldown_is_the_pause_where_it_is_longer() -> None:
    where = world(cooldown="3h")
    eta(where, 1)
    look(where)
    end(where, "p-1")
    look(where)
    wait(where, 2 * HOUR)
    assert runs(where) == ["p-1"]
    wait(where, HOUR)
    assert runs(where) == ["p-1", "p-2"]


def test_an_approved_version_ends_it_though_the_condition_stays_true() -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", "Approved")
    for _ in range(30):
        status = wait(where, HOUR)
    assert runs(where) == ["p-1"]
    assert (status["seen"][0]["last"]["outcome"], status["seen"][0]["state"]) == ("Approved", "Asks")


def test_an_approved_version_that_was_taken_back_is_no_better() -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", "Approved", deployments=[{"name": "eta", "role": "Candidate"}])
    look(where)
    end(where, "p-1", "Approved", deployments=[{"name": "eta", "role": "Refused"}])
    status = look(where)
    assert (status["seen"][0]["last"]["outcome"], because(status)) == ("Refused", "BackOff")
    wait(where, HOUR)
    assert runs(where) == ["p-1", "p-2"]


@pytest.mark.parametrize(("phase", "word"), [
    ("AwaitingApproval", "AwaitingApproval"), ("Evaluating", "Proving"), ("Pending", "Proving"),
])  # fmt: skip
def test_a_version_that_waits_holds_back_what_asks_and_every_new_case(phase: str, word: str) -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", phase)
    assert because(wait(where, 10 * HOUR)) == word
    eta(where, 0)
    look(where)
    where.now += HOUR
    eta(where, 100)
    status = wait(where, 10 * HOUR)
    assert (runs(where), because(status)) == (["p-1"], word)
    end(where, "p-1", "Rejected")
    assert because(look(where)) == "BackOff"
    wait(where, HOUR)
    assert runs(where) == ["p-1", "p-2"]


@pytest.mark.parametrize("phase", ["Rejected", "Approved"])
def test_what_flickers_waits_as_what_stays_does(phase: str) -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", phase)
    for _ in range(5):
        eta(where, 0)
        wait(where, 60)
        eta(where, 1)
        status = wait(where, 60)
    assert (runs(where), because(status)) == (["p-1"], "BackOff")
    wait(where, HOUR)
    assert runs(where) == ["p-1", "p-2"]


def test_versions_that_help_for_some_days_are_no_circle_however_long_the_cooldown() -> None:
    where = world(cooldown="7d")
    for number in range(1, 7):
        eta(where, 1)
        status = look(where)
        assert runs(where)[-1] == f"p-{number}"
        end(where, f"p-{number}", "Approved")
        look(where)
        eta(where, 0)
        look(where)
        wait(where, 167 * HOUR)
        eta(where, 1)
        assert because(look(where)) == "CoolDown"
        status = wait(where, HOUR)
    assert condition(status, "GaveUp") == {}


def test_another_case_after_a_version_that_was_no_better_need_not_wait() -> None:
    where = world(cooldown="0s", limits={"backoff": "10m"})
    eta(where, 1)
    look(where)
    end(where, "p-1")
    eta(where, 0)
    look(where)
    wait(where, 600)
    eta(where, 1)
    status = look(where)
    assert runs(where) == ["p-1", "p-2"]
    assert "try" not in status["decisions"][0]["reason"]


def test_a_run_that_fails_and_one_that_is_gone_count_as_tries() -> None:
    where = world()
    eta(where, 1)
    look(where)
    fails(where, "p-1")
    assert "p-1 has ended as Failed: step train" in look(where)["decisions"][0]["reason"]
    wait(where, HOUR)
    where.remove(PIPELINE_RUN, "p-2")
    status = look(where)
    assert (status["seen"][0]["last"]["outcome"], status["seen"][0]["last"]["tries"]) == ("Gone", 2)


def test_what_came_of_a_run_stays_known_when_it_is_cleared_away() -> None:
    where = world()
    eta(where, 1)
    look(where)
    end(where, "p-1", "AwaitingApproval")
    look(where)
    where.remove(PIPELINE_RUN, "p-1")
    assert because(wait(where, 5 * HOUR)) == "AwaitingApproval"
    where.objects["ModelVersion", "eta-of-p-1"]["status"]["phase"] = "Approved"
    look(where)
    where.objects.pop(("ModelVersion", "eta-of-p-1"))
    status = wait(where, 5 * HOUR)
    assert (runs(where), status["seen"][0]["last"]["outcome"]) == ([], "Approved")


def test_another_version_that_goes_live_while_it_stays_true_is_another_case_after_a_pause() -> None:
    where = world()
    eta(where, 1)
    since = where.objects["Deployment", "eta"]["status"]["conditions"][0]["lastTransitionTime"]
    look(where)
    end(where, "p-1", "Approved")
    look(where)
    eta(where, 2, live="eta-2", lastTransitionTime=since)
    assert because(look(where)) == "BackOff"
    wait(where, HOUR)
    assert runs(where) == ["p-1", "p-2"]


# --- what clears it --------------------------------------------------------------------------------------------------


def test_it_asks_again_when_the_condition_was_false_for_a_while_and_not_when_it_flickers() -> None:
    where = world()
    assert condition(give_up(where), "GaveUp")["status"] == "True"
    eta(where, 0)
    assert condition(look(where), "GaveUp") == {}
    where.now += 60
    eta(where, 1)
    assert (because(look(where)), runs(where)) == ("GaveUp", ["p-1", "p-2", "p-3"])
    eta(where, 0)
    look(where)
    wait(where, HOUR)
    eta(where, 1)
    look(where)
    assert runs(where)[-1] == "p-4"


def test_it_asks_again_when_the_spec_is_edited() -> None:
    where = world()
    give_up(where)
    where.now += 1
    write(where, cooldown="1s")
    status = look(where)
    assert (runs(where)[-1], condition(status, "GaveUp")) == ("p-4", {})


def test_a_run_by_hand_is_another_beginning() -> None:
    where = world()
    give_up(where)
    where.now += 5
    by_hand(where, "mine")
    assert condition(look(where), "GaveUp") == {}
    end(where, "mine")
    assert because(look(where)) == "BackOff"
    wait(where, HOUR)
    assert "p-4" in runs(where)
    assert "(try 2 of 3" in where.objects["PipelineRun", "p-4"]["spec"]["reason"]


def approved(where: LittleWorld, name: str, **labels: str) -> None:
    """Another version of the model is approved."""
    told = {"type": "Approved", "status": "True", "lastTransitionTime": rfc3339(where.now)}
    where.put({
        "kind": "ModelVersion", "metadata": {"name": name, "labels": labels}, "spec": {"model": "eta"},
        "status": {"phase": "Approved", "conditions": [told]},
    })  # fmt: skip


def test_another_version_that_was_approved_has_its_chance_first() -> None:
    where = world()
    give_up(where)
    since = where.objects["Deployment", "eta"]["status"]["conditions"][0]["lastTransitionTime"]
    where.now += 5
    approved(where, "mine")
    assert condition(look(where), "GaveUp") == {}
    wait(where, 5 * HOUR)
    assert runs(where)[-1] == "p-3"
    eta(where, 2, live="mine", lastTransitionTime=since)
    look(where)
    assert runs(where)[-1] == "p-4", "it is live, and nothing is better"


def test_one_of_another_run_that_is_taken_back_counts_as_a_try() -> None:
    where = world()
    give_up(where)
    where.now += 5
    by_hand(where, "p-by-data")
    look(where)
    end(where, "p-by-data", "Approved")
    assert look(where)["seen"][0]["last"]["tries"] == 0
    end(where, "p-by-data", "Approved", deployments=[{"name": "eta", "role": "Refused"}])
    status = look(where)
    assert (status["seen"][0]["last"]["tries"], because(status)) == (1, "BackOff")


def take_back(where: LittleWorld, run: str) -> None:
    """Its version is approved, on its way, and taken back where it was rolled out."""
    for role in ("Candidate", "Refused"):
        end(where, run, "Approved", deployments=[{"name": "eta", "role": role}])
        look(where)
        where.now += 1


def test_versions_that_pass_their_gates_and_are_taken_back_each_time_come_to_an_end_too() -> None:
    where = world()
    eta(where, 1)
    look(where)
    for number in (1, 2, 3):
        take_back(where, f"p-{number}")
        status = wait(where, 2 * HOUR)
    assert (runs(where), because(status)) == (["p-1", "p-2", "p-3"], "GaveUp")
    assert condition(status, "GaveUp")["status"] == "True"


def test_versions_that_are_better_and_live_and_the_case_stays_come_to_an_end_too() -> None:
    where = world()
    eta(where, 1)
    since = where.objects["Deployment", "eta"]["status"]["conditions"][0]["lastTransitionTime"]
    look(where)
    for number in (1, 2, 3):
        end(where, f"p-{number}", "Approved")
        assert condition(look(where), "GaveUp") == {}, "first it has its chance"
        eta(where, 2, live=f"eta-of-p-{number}", lastTransitionTime=since)
        status = wait(where, 2 * HOUR)
    assert (runs(where), because(status)) == (["p-1", "p-2", "p-3"], "GaveUp")
    assert "eta-of-p-3 is approved, and yet it is so" in condition(status, "GaveUp")["message"]
    eta(where, 0)
    look(where)
    wait(where, HOUR)
    eta(where, 1)
    assert condition(look(where), "GaveUp") == {}
    assert runs(where)[-1] == "p-4", "it was otherwise for long enough: another case"


def test_two_pipelines_of_one_model_give_each_other_no_new_tries() -> None:
    where = world()
    eta(where, 1)
    look(where)
    for number in range(1, 12):
        for name in runs(where):
            if not where.objects["PipelineRun", name].get("status"):
                take_back(where, name)
        where.now += 60
        approved(where, f"eta-of-q-{number}", **{"fairlead.dev/run": f"q-{number}", "fairlead.dev/pipeline": "q"})
        look(where)
        where.objects["ModelVersion", f"eta-of-q-{number}"]["status"]["deployments"] = [
            {"name": "eta", "role": "Refused"}
        ]
        look(where)
        status = wait(where, 2 * HOUR)
    assert because(status) == "GaveUp"
    assert len(runs(where)) <= 3


def test_a_refusal_that_a_deployment_has_forgotten_stays_one() -> None:
    where = world()
    eta(where, 1)
    look(where)
    take_back(where, "p-1")
    where.objects["ModelVersion", "eta-of-p-1"]["status"]["deployments"] = []
    status = look(where)
    assert (status["seen"][0]["last"]["outcome"], because(status)) == ("Refused", "BackOff")


def test_a_version_of_its_model_wakes_it_whoever_has_made_it() -> None:
    where = world()
    pipelines: Any = where.select(PIPELINE)
    wakes = pipeline.SPEC.mappers[MODEL_VERSION]
    assert "p" in list(wakes({"metadata": {"name": "mine"}, "spec": {"model": "eta"}}, pipelines))
    assert "p" not in list(wakes({"metadata": {"name": "mine"}, "spec": {"model": "other"}}, pipelines))


STALE = {"stale": {"model": "eta", "after": "12h"}}


def test_a_model_that_is_made_anew_in_time_is_another_case_however_long_the_pause() -> None:
    where = world(triggers=[STALE], cooldown="24h")
    approved(where, "eta-0")
    look(where)
    for number in range(1, 8):
        wait(where, 25 * HOUR)
        assert runs(where)[-1] == f"p-{number}"
        end(where, f"p-{number}", "Approved")
        status = look(where)
        assert f"eta-of-p-{number}" in status["seen"][0]["message"], "of which version it speaks"


def test_a_newer_version_that_somebody_deletes_leaves_a_model_that_is_stale_again() -> None:
    where = world(triggers=[STALE])
    approved(where, "eta-0")
    wait(where, 13 * HOUR)
    for number in (1, 2, 3):
        assert runs(where)[-1] == f"p-{number}"
        end(where, f"p-{number}", "Approved")
        assert look(where)["seen"][0]["state"] == "Quiet"
        where.objects.pop(("ModelVersion", f"eta-of-p-{number}"))
        look(where)
        assert runs(where)[-1] == f"p-{number}", "a tool that deletes them makes no circle"
        status = wait(where, HOUR)
    assert (runs(where)[-1], because(status)) == ("p-3", "GaveUp")


def test_another_reason_for_a_while_is_another_case_though_it_was_true_all_the_time() -> None:
    where = world(triggers=[{"condition": TRIGGER["condition"] | {"reasons": ["MoreWrong"]}}])
    eta(where, 1)
    since = where.objects["Deployment", "eta"]["status"]["conditions"][0]["lastTransitionTime"]
    look(where)
    end(where, "p-1", "Approved")
    look(where)
    eta(where, 1, reason="BothFail", lastTransitionTime=since)
    look(where)
    where.now += HOUR
    eta(where, 1, reason="MoreWrong", lastTransitionTime=since)
    look(where)
    assert runs(where) == ["p-1", "p-2"]


def test_versions_that_are_stale_when_they_are_approved_come_to_an_end() -> None:
    where = world(triggers=[STALE])
    approved(where, "eta-0")
    wait(where, 13 * HOUR)
    for _ in range(8):
        for name in runs(where):
            if not where.objects["PipelineRun", name].get("status"):
                end(where, name, "AwaitingApproval")
                wait(where, 13 * HOUR)
                end(where, name, "Approved")
                where.objects["ModelVersion", f"eta-of-{name}"]["metadata"]["creationTimestamp"] = rfc3339(
                    where.now - 13 * HOUR
                )
        look(where)
        status = wait(where, HOUR)
    assert (runs(where), because(status)) == (["p-1", "p-2", "p-3"], "GaveUp")


# --- what is seen ----------------------------------------------------------------------------------------------------


def test_for_counts_from_when_it_is_true_and_the_version_is_live() -> None:
    where = world(triggers=[{"condition": TRIGGER["condition"] | {"for": "30m"}}])
    eta(where, 1)
    status = look(where)
    assert (runs(where), status["seen"][0]["state"]) == ([], "Holding")
    assert plan(where).requeue_after == pytest.approx(1800)
    wait(where, 1799)
    assert runs(where) == []
    wait(where, 1)
    assert runs(where) == ["p-1"]


@pytest.mark.parametrize(("said", "reason"), [
    ({"type": "Other"}, "NotSeen"), ({"status": "Unknown", "reason": "TooFewRequests"}, "TooFewRequests"),
])  # fmt: skip
def test_what_nobody_knows_starts_nothing_and_is_told_once(said: Json, reason: str) -> None:
    where = world()
    eta(where, 1, **said)
    status = look(where)
    told = condition(status, "TriggersObserved")
    assert (told["status"], told["reason"], because(status)) == ("Unknown", reason, reason)
    assert bool(status["problem"]) is (reason != "NotSeen")
    writes = where.writes
    for _ in range(20):
        wait(where, HOUR)
    assert (runs(where), where.writes) == ([], writes)


def test_reasons_why_nobody_knows_that_come_and_go_push_no_decision_out() -> None:
    where = world()
    give_up(where)
    for number in range(50):
        eta(where, 1, status="Unknown", reason=f"Reason{number % 2}")
        status = wait(where, 60)
    assert [one["because"] for one in status["decisions"]] == ["Reason1", "GaveUp", "", "BackOff", "", "BackOff", ""]


def test_only_with_a_reason_that_is_asked_for() -> None:
    where = world(triggers=[{"condition": TRIGGER["condition"] | {"reasons": ["MoreWrong"]}}])
    eta(where, 1, reason="BothFail")
    status = look(where)
    assert (runs(where), status["seen"][0]["state"]) == ([], "Quiet")
    eta(where, 1, reason="MoreWrong")
    look(where)
    assert runs(where) == ["p-1"]


def test_a_deployment_that_is_missing_is_told_with_what_to_do() -> None:
    where = world()
    where.remove(DEPLOYMENT, "eta")
    told = condition(look(where), "TriggersObserved")
    assert (told["reason"], "create it" in told["message"]) == ("DeploymentMissing", True)


@pytest.mark.parametrize("time", ["2026-03-02T09:00:60Z", "9999-12-31T23:59:59-23:00", "", "yesterday"])
def test_a_time_that_is_none_is_told_and_stops_nothing(time: str) -> None:
    where = world()
    eta(where, 1, lastTransitionTime=time)
    told = condition(look(where), "TriggersObserved")
    assert (told["reason"], runs(where)) == ("DeploymentUnreadable", [])


@pytest.mark.parametrize(
    "said", [[{"type": "Approved", "lastTransitionTime": "2026-03-02T09:00:60Z"}], ["Approved"], 7]
)
def test_a_version_of_another_form_is_no_chance_and_stops_nothing(said: Any) -> None:
    where = world()
    give_up(where)
    approved(where, "mine")
    where.objects["ModelVersion", "mine"]["status"]["conditions"] = said
    assert because(look(where)) == "GaveUp"


def test_words_of_others_make_no_large_status() -> None:
    types = [f"Kind{number}" for number in range(15)]
    where = world(triggers=[{"condition": {"deployment": "eta", "type": one}} for one in types], concurrency="Allow")
    eta(where, 1)
    said = where.objects["Deployment", "eta"]["status"]["conditions"][0]
    for number in range(6):
        at = rfc3339(where.now)
        where.objects["Deployment", "eta"]["status"]["conditions"] = [
            said | {"type": one, "message": "\U0001f4a5" * 1024, "lastTransitionTime": at} for one in types
        ]
        status = look(where)
        for name in runs(where):
            end(where, name, "Rejected", message="\U0001f4a5" * 1024)
        status = wait(where, HOUR * (number % 2))
    size = len(json.dumps(status, ensure_ascii=False).encode())
    assert size < 100_000, "each character has four bytes here"
    assert len(status["seen"]) == 15


def test_while_it_is_suspended_it_says_that_it_would_run() -> None:
    where = world(suspend=True)
    eta(where, 1)
    status = look(where)
    assert (runs(where), because(status)) == ([], "Suspended")
    writes = where.writes
    wait(where, HOUR)
    assert where.writes == writes


def test_a_standing_no_is_one_decision_and_looks_write_nothing() -> None:
    where = world()
    give_up(where)
    status, writes = look(where), where.writes
    for _ in range(100):
        wait(where, 600)
    assert where.writes == writes
    assert look(where)["decisions"] == status["decisions"]
    assert [one["because"] for one in status["decisions"]] == ["GaveUp", "", "BackOff", "", "BackOff", ""]


def test_a_status_of_an_earlier_release_is_read() -> None:
    told = {"at": rfc3339(START), "trigger": "dataset/flights", "key": "v1", "run": "", "reason": "waits"}
    assert PipelineStatus.model_validate({"decisions": [told], "handled": {}}).decisions[0].because == ""


# --- whatever happens ------------------------------------------------------------------------------------------------

MOVES = st.sampled_from([
    *["reject", "hour", "look"] * 4, *["true"] * 2, "fail", "crash0", "crash1", "crash2", "wait", "false", "unknown",
    "edit", "approve", "approve", "live", "take back", "of others",
])  # fmt: skip


# it was quiet for long enough before nobody knew
@example(["true", "reject", "hour", "reject", "look", "false", "hour", "unknown", "true"])
@settings(max_examples=30, deadline=None)
@given(st.lists(MOVES, min_size=20, max_size=40))
def test_no_more_than_the_tries_between_two_resets_and_one_run_at_a_time(moves: list[str]) -> None:
    where = world(limits={"giveUp": 2})
    tries, quiet, status = 0, where.now, look(where)
    number, true = 0, False
    for move in [*moves, "look"]:
        under_way = [name for name in runs(where) if not where.objects["PipelineRun", name].get("status")]
        before = len(runs(where))
        match move:
            case "true" if not true:
                number, true = number + 1, True
                where.now += 1
                tries = 0 if where.now - quiet >= HOUR else tries
                eta(where, 1)
            case "false" if true:
                true, quiet = False, where.now
                eta(where, 0)
            case "unknown":
                tries = 0 if not true and where.now - quiet >= HOUR else tries
                true, quiet = False, where.now + HOUR  # that it was not the case, nobody knows
                eta(where, 1, status="Unknown")
            case "reject" if under_way:
                end(where, under_way[0])
            case "approve" if under_way:
                end(where, under_way[0], "Approved")
            case "live":
                where.objects["Deployment", "eta"]["status"]["live"] = {
                    "version": f"eta-at-{int(where.now)}", "since": rfc3339(where.now)
                }  # fmt: skip
            case "take back":
                for version in where.select(MODEL_VERSION):
                    version["status"]["deployments"] = [{"name": "eta", "role": "Refused"}]
            case "of others":
                where.now += 1
                name = f"eta-{int(where.now)}"
                approved(where, name, **{"fairlead.dev/run": f"q-{name}"})
            case "fail" if under_way:
                fails(where, under_way[0])
            case "wait":
                where.now += 300
            case "hour":
                where.now += HOUR
            case "edit":
                write(where, limits={"giveUp": 2}, cooldown="1s")
                tries = 0
        if move.startswith("crash"):
            try:
                where.look(pipeline.SPEC, "p", int(move[-1]))
            except Crash:
                continue
        else:
            status = look(where)
        tries += len(runs(where)) - before
        assert sum(not run.get("status") for run in where.select(PIPELINE_RUN)) <= 1
        assert tries <= 2
        assert len(status.get("decisions", [])) <= pipeline.DECISIONS
    assert status["runs"] == len(runs(where)) == sum(status["starts"]["days"].values()) if runs(where) else True
