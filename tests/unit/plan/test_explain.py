"""Answers are explained by a Job each `every`: when it begins, what it is told, what is known after it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.explain_world import DAY, Explains, answered, begun, first_of_an_evaluated_version
from tests.unit.plan.monitor_world import watched
from tests.unit.plan.rollout_world import METRICS, Json

from fairlead.api.explain import Reference
from fairlead.plan.core import JOB, epoch
from fairlead.plan.deployment.monitors import explaining


def days(sim: Explains, windows: int, **more: Any) -> None:
    """Windows that are explained, one a day."""
    for _ in range(windows):
        sim.now += DAY
        sim.look()
        sim.ends(answered(made=sim.task.made, **more))


def referenced(explain: Json | None = None) -> Explains:
    """The first Job has made the reference."""
    sim = begun(explain)
    sim.ends(answered())
    return sim


def test_without_being_asked_nothing_is_explained() -> None:
    sim = watched(made=Explains)
    sim.passes()
    assert "explained" not in sim.monitored
    assert not sim.of(JOB)
    assert [one for one in sim.monitored["lines"] if one["monitor"] == "explain"] == []


def test_the_cost_is_said_before_it_is_incurred() -> None:
    sim = watched({"explain": {"rows": 50}}, made=Explains)
    line = sim.line("explain")
    assert (line["state"], line["reason"]) == ("Unknown", "Waiting")
    assert "up to 3200 predictions a feature each time" in line["message"]


def test_the_first_job_asks_a_pod_of_the_live_version() -> None:
    sim = begun()
    spec, task = sim.job["spec"]["template"]["spec"], sim.task
    assert [one["name"] for one in spec["initContainers"]] == ["fetch", "server"]
    assert spec["initContainers"][1]["restartPolicy"] == "Always"
    assert "fairlead.dev/deployment" not in sim.job["spec"]["template"]["metadata"]["labels"], "it serves nobody"
    assert (task.version, task.model, task.rows, task.made, task.reference) == ("m-1", "m", 100, None, None)
    assert task.log.prefix == "team/deployments/web/predictions/version=m-1/"
    assert task.store.prefix == "team/deployments/web/explanations/version=m-1/"
    assert epoch(task.until) - epoch(task.since) == explaining.BACK
    assert task.profile is not None


def test_bodies_are_kept_for_it() -> None:
    sim = watched({"explain": {}}, made=Explains)
    env = [e for pod in sim.pods("m-1") for c in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
           for e in c["env"] if e["name"] == "FAIRLEAD_TASK"]  # fmt: skip
    assert any('"inputs":true' in one["value"] for one in env)


def test_what_was_found_is_told_and_the_job_goes() -> None:
    sim = referenced()
    found = sim.explained
    assert (found["rows"], found["asked"], found["calls"], found["explains"]) == (400, 1000, 10, "the answer")
    assert [one["feature"] for one in found["features"]] == ["a", "c"]
    assert found["uri"] == "s3://fairlead/team/deployments/web/explanations/version=m-1/"
    assert not sim.of(JOB)
    assert "job" not in found
    line = sim.line("explain")
    assert (line["state"], line["reason"]) == ("Unknown", "ReferenceMade")
    assert "most contribute a (50.0%)" in line["message"]


def test_the_next_window_begins_where_the_last_one_ended() -> None:
    sim = referenced()
    until = sim.explained["until"]
    sim.now += DAY
    sim.look()
    assert (sim.task.since, sim.task.made and sim.task.made.sha256) == (until, "e" * 64)
    sim.ends(answered(made=sim.task.made))
    assert sim.line("explain")["state"] == "Ok"
    assert "as in the reference. The reference are the first 400 requests" in sim.line("explain")["message"]


def test_contributions_that_move_are_said_once_and_are_over_when_they_are_as_before() -> None:
    sim = referenced()
    days(sim, 10)
    assert sim.line("explain")["state"] == "Ok"
    days(sim, 8, weights={"a": 1.0, "c": 4.0})
    line = sim.line("explain")
    assert (line["state"], line["reason"]) == ("Drifting", "ContributionsDrifting")
    assert "contributes" in line["message"]
    assert sim.condition("Drifting").get("status") != "True", "that is of the requests themselves"
    days(sim, 25)
    assert sim.line("explain")["state"] == "Ok"
    assert [one for one in sim.events if one in ("ContributionsDrifting", "ExplainOk")] == [
        "ContributionsDrifting", "ExplainOk",
    ]  # fmt: skip


def test_the_first_difference_is_no_alarm() -> None:
    sim = referenced()
    days(sim, 1, many=20, weights={"a": 1.0, "c": 4.0})
    assert (sim.line("explain")["state"], sim.line("explain")["reason"]) == ("Watch", "Differing")


@pytest.mark.parametrize(("more", "reason", "words"), [
    ({"rows": 3, "answered": 3}, "TooFewRequests", "3 requests were kept"),
    ({"rows": 0, "answered": 90, "without": 90}, "InputsNotKept", "of 90 of 90 requests no body was kept"),
    ({"rows": 10, "unread": {"binary": 80, "unlike": 3}}, "RequestsUnread", "most of them are no JSON"),
    ({"rows": 5, "late": 95, "answered": 100}, "NoTime", "95 requests could not be explained in time"),
    ({"varies": 0.3}, "AnswersVary", "differently each time, by 30.0%"),
])  # fmt: skip
def test_without_evidence_it_is_unknown_with_a_reason(more: Json, reason: str, words: str) -> None:
    sim = referenced()
    days(sim, 1)
    sim.now += DAY
    sim.look()
    sim.ends(answered(made=sim.task.made).model_copy(update=more))
    line = sim.line("explain")
    assert (line["state"], line["reason"]) == ("Unknown", reason)
    assert words in line["message"]
    days(sim, 1)
    assert sim.line("explain")["state"] == "Ok"


@pytest.mark.parametrize(
    "sums", [[10, 1e308, 1.0], [10, -5.0, 1.0], [0.5, 3.0, 1.0], [10.0, 3.0, 99.0], [1e308, 3.0, 2.0]]
)
def test_what_no_contributions_can_have_is_no_evidence_whatever_a_worker_says(sums: list[float]) -> None:
    sim = referenced()
    days(sim, 1)
    sim.now += DAY
    sim.look()
    found = answered(made=sim.task.made)
    odd = [one.model_copy(update={"share": sums}) for one in found.sums]
    sim.ends(found.model_copy(update={"sums": odd}))
    assert (sim.line("explain")["state"], sim.line("explain")["reason"]) == ("Unknown", "BadCounts")
    days(sim, 1)
    assert sim.line("explain")["state"] == "Ok"


def test_without_bodies_it_is_unknown_and_no_job_is_made() -> None:
    sim = begun(record={})
    assert not sim.of(JOB)
    assert (sim.line("explain")["state"], sim.line("explain")["reason"]) == ("Unknown", "InputsNotKept")
    assert "set spec.record.inputs" in sim.line("explain")["message"]
    sim.spec["record"] = {"inputs": True}
    sim.look()
    assert sim.of(JOB)


def test_a_server_of_another_protocol_is_not_asked() -> None:
    sim = Explains({**watched({"explain": {}}).spec}, store=True)
    sim.version("m-1", age=1000, server={"runtime": "custom", "image": "server:1", "protocol": "openai",
                                         "metrics": METRICS})  # fmt: skip
    sim.look()
    sim.ready("m-1")
    sim.now += explaining.FIRST + 1
    sim.look()
    sim.now += explaining.FIRST + 1
    sim.look()
    assert not sim.of(JOB)
    assert sim.line("explain")["reason"] == "OtherProtocol"


def test_what_the_model_does_wrong_is_tried_three_times_a_window() -> None:
    sim = begun()
    for _ in range(3):
        sim.ends({"reason": "BadData", "message": "the server refuses rows like those of its clients"})
        assert sim.line("explain")["reason"] == "BadData"
        sim.now += 400
        sim.look()
    assert "job" not in sim.explained
    sim.now += DAY
    sim.look()
    assert sim.explained["job"]["attempt"] == 1
    sim.ends(answered())
    assert sim.line("explain")["reason"] == "ReferenceMade"


def test_a_reference_that_is_gone_is_made_anew() -> None:
    sim = referenced()
    sim.now += DAY
    sim.look()
    sim.ends({"reason": "ObjectMissing", "message": "there is no backgrounds/x.json"})
    sim.now += 400
    sim.look()
    assert sim.task.made is None
    sim.ends(answered())
    assert sim.line("explain")["reason"] == "ReferenceMade"


def test_another_version_has_contributions_of_its_own() -> None:
    sim = begun(rollout={"afterPromotion": {"for": "0s"}})
    sim.ends(answered())
    sim.now += DAY
    sim.look()
    assert sim.of(JOB)
    sim.version("m-2")
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    assert not sim.of(JOB), "nobody waits for its answer"
    assert sim.explained.get("features", []) == []


def test_who_asks_no_more_has_nothing_left() -> None:
    sim = begun()
    assert sim.of(JOB)
    sim.spec["monitors"] = {}
    sim.look()
    assert not sim.of(JOB)
    assert "explained" not in sim.monitored


def test_the_held_out_rows_are_fetched_for_the_reference_and_only_for_it() -> None:
    sim = first_of_an_evaluated_version()
    assert "up to 6400 predictions each time" in sim.said_before
    assert (sim.task.reference, sim.task.target, sim.task.task) == ("/fairlead/in/rows", "y", "regression")
    fetch = sim.job["spec"]["template"]["spec"]["initContainers"][0]["env"]
    assert any("s3://store/test/" in one["value"] for one in fetch)
    made = answered().reference
    assert isinstance(made, Reference)
    sim.ends(answered(made=made.model_copy(update={"of": "evaluation"})))
    assert sim.line("explain")["state"] == "Ok"
    sim.now += DAY
    sim.look()
    assert sim.task.reference is None


def test_rows_that_can_not_be_fetched_are_done_without() -> None:
    sim = first_of_an_evaluated_version()
    for _ in range(2):
        sim.ends({"reason": "ObjectMissing", "message": "gone"})
        sim.now += 400
        sim.look()
    assert sim.task.reference is None
