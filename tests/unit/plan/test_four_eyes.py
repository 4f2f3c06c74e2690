"""Four eyes are not voluntary: what a Deployment, its Namespace and the installation ask of a version before it goes
live, whatever the version asks for itself; and that a person goes back only to what was live here."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, rfc3339, spec

from fairlead.api.config import OperatorConfig
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.requirement import Requirement
from fairlead.plan.core import MODEL_VERSION, Json
from fairlead.plan.deployment import requirements, served
from fairlead.plan.requests import Failed, NamespaceSeen

DIGEST = "d" * 64
GATE = {"metric": "mae", "max": "3"}
EVALUATION: Json = {"features": ["x"], "target": "y", "metrics": ["mae"], "gates": [GATE], "data": {
    "dataset": {"name": "rows"},
}}  # fmt: skip


def live(require: Json | None = None, **more: Any) -> Sim:
    """m-1 is live; only then the Deployment asks for something."""
    sim = Sim(spec(**more))
    sim.go_live()
    sim.spec["model"] = {"name": "m", "require": require or {}}
    sim.now += 1
    return sim


def approve(sim: Sim, version: str, *users: str, evidence: str = DIGEST) -> None:
    raw = sim.of(MODEL_VERSION)[version]
    raw["status"]["evidence"]["digest"] = DIGEST
    raw["spec"]["approvals"] = [{"user": user, "evidence": evidence} for user in users]


def evaluated(sim: Sim, version: str, *verdicts: str) -> None:
    raw = sim.of(MODEL_VERSION)[version]
    raw["spec"]["evaluation"] = EVALUATION | {"gates": [GATE] * max(1, len(verdicts))}
    raw["status"]["evidence"]["gates"] = [{"gate": f"mae max {i}", "verdict": v} for i, v in enumerate(verdicts)]


def waits(sim: Sim, reason: str = "RequirementUnmet") -> str:
    """That nothing is on its way, and why."""
    sim.look()
    assert "candidate" not in sim.status
    found = sim.condition("Progressing")
    assert (found["status"], found["reason"]) == ("False", reason)
    assert sim.status["message"] == found["message"]
    return str(found["message"])


def starts(sim: Sim, version: str = "m-2") -> None:
    sim.look()
    assert sim.candidate["version"] == version


# --- approvals ----------------------------------------------------------------------------------------------------


def test_four_eyes_a_version_that_asks_for_no_approval_waits_for_those_of_the_deployment() -> None:
    sim = live({"approvals": 2})
    sim.version("m-2")
    said = waits(sim)
    assert "m-1 is live; m-2 may not go live here yet: 0 of 2 approvals: kubectl fairlead approve m-2 -n team" in said
    assert "(asked for by spec.model.require)" in said
    approve(sim, "m-2", "bob")
    assert "1 of 2 approvals" in waits(sim)
    approve(sim, "m-2", "bob", "carol")
    starts(sim)


def test_four_eyes_approvals_of_other_evidence_do_not_count() -> None:
    sim = live({"approvals": 1})
    sim.version("m-2")
    approve(sim, "m-2", "bob", evidence="e" * 64)
    assert "0 of 1 approvals" in waits(sim)


def test_four_eyes_the_first_version_waits_too_and_an_older_one_that_has_all_is_taken_instead() -> None:
    sim = Sim(spec(model={"name": "m", "require": {"approvals": 1}}))
    sim.version("m-1", age=1000)
    sim.version("m-2")
    assert "m-2 may not go live here yet: 0 of 1" in waits(sim)
    approve(sim, "m-1", "bob")
    starts(sim, "m-1")


def test_four_eyes_a_named_version_is_asked_the_same() -> None:
    sim = live({"approvals": 1})
    sim.version("m-2")
    sim.spec["model"] = {"version": "m-2", "require": {"approvals": 1}}
    assert "0 of 1 approvals" in waits(sim)
    assert sim.shares() == {"m-1": 100}
    approve(sim, "m-2", "bob")
    starts(sim)


def test_four_eyes_who_takes_his_word_back_in_the_middle_takes_the_candidate_with_it() -> None:
    sim = live({"approvals": 1}, steps=[(10, "1h", 10)])
    sim.version("m-2")
    approve(sim, "m-2", "bob")
    starts(sim)
    sim.ready("m-2")
    sim.look()
    assert sim.shares() == {"m-1": 90, "m-2": 10}
    approve(sim, "m-2")
    assert "0 of 1 approvals" in waits(sim)
    assert sim.shares() == {"m-1": 100}
    assert sim.status["history"][0]["result"] == "Superseded"
    assert not sim.status["refused"]


def test_four_eyes_what_is_live_stays_live_and_stays_the_way_back() -> None:
    sim = live({"approvals": 1})
    sim.version("m-2")
    approve(sim, "m-2", "bob")
    sim.look()
    sim.ready("m-2")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.condition("RollbackReady")["status"] == "True"  # m-1 was never approved by anybody, and was live here
    sim.tick(seconds=20)
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "r", "at": rfc3339(sim.now)}
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


# --- the author ---------------------------------------------------------------------------------------------------


def test_four_eyes_an_author_does_not_approve_his_own_work() -> None:
    sim = live({"approvals": 1, "notAuthor": True})
    sim.version("m-2", author="alice")
    approve(sim, "m-2", "alice")
    assert "0 of 1 approvals, not counting its author alice: kubectl fairlead approve m-2" in waits(sim)
    approve(sim, "m-2", "alice", "bob")
    starts(sim)


def test_four_eyes_neither_who_wrote_the_pipeline_nor_who_started_it_approves() -> None:
    sim = live({"approvals": 1, "notAuthor": True})
    sim.version("m-2", author="alice", lineage={"pipeline": "p", "author": "carol"})
    approve(sim, "m-2", "alice", "carol")
    assert "0 of 1 approvals, not counting its author alice, carol" in waits(sim)
    approve(sim, "m-2", "alice", "carol", "bob")
    starts(sim)


def test_four_eyes_a_version_without_an_author_is_not_chosen() -> None:
    sim = live({"notAuthor": True})
    sim.version("m-2", lineage={"pipeline": "delay"})
    approve(sim, "m-2", "bob")
    said = waits(sim)
    assert "it has no author" in said
    assert "set spec.author of Pipeline delay" in said
    sim.version("m-3", author="alice")
    starts(sim, "m-3")


def test_four_eyes_the_approvals_that_a_version_itself_asks_for_are_not_its_authors_either() -> None:
    sim = live({"notAuthor": True})
    sim.version("m-2", author="alice", approval={"required": 2})
    approve(sim, "m-2", "alice", "bob")
    assert "1 of 2 approvals, not counting its author alice" in waits(sim)
    approve(sim, "m-2", "alice", "bob", "carol")
    starts(sim)


# --- gates --------------------------------------------------------------------------------------------------------


def test_four_eyes_no_evaluation_is_no_passed_gate() -> None:
    sim = live({"gates": True})
    sim.version("m-2")
    said = waits(sim)
    assert "it has passed no gate: make a new version with spec.evaluation.gates" in said
    evaluated(sim, "m-2", "Passed", "Passed")
    starts(sim)


@pytest.mark.parametrize("verdicts", [("Passed", "Failed"), ("Passed", "Skipped")])
def test_four_eyes_all_gates_are_passed(verdicts: tuple[str, ...]) -> None:
    sim = live({"gates": True})
    sim.version("m-2")
    evaluated(sim, "m-2", *verdicts)
    assert f"mae max 1 was not passed ({verdicts[1].lower()})" in waits(sim)


def test_four_eyes_fewer_results_than_gates_are_not_enough() -> None:
    sim = live({"gates": True})
    sim.version("m-2")
    evaluated(sim, "m-2", "Passed", "Passed")
    sim.of(MODEL_VERSION)["m-2"]["status"]["evidence"]["gates"].pop()
    assert "a gate was not passed (missing)" in waits(sim)


def test_four_eyes_the_first_version_has_no_champion_but_must_have_passed_something() -> None:
    sim = Sim(spec(model={"name": "m", "require": {"gates": True}}))
    sim.version("m-1")
    evaluated(sim, "m-1", "Skipped")
    assert "all its gates were skipped" in waits(sim)
    evaluated(sim, "m-1", "Skipped", "Passed")
    starts(sim, "m-1")


# --- the floor ----------------------------------------------------------------------------------------------------


def annotated(**fields: str) -> NamespaceSeen:
    return NamespaceSeen(tuple(sorted((requirements.PREFIX + k.replace("_", "-"), v) for k, v in fields.items())))


def test_four_eyes_a_namespace_asks_for_more_than_its_deployments() -> None:
    sim = live({"notAuthor": True})
    sim.floor = annotated(approvals="2", gates="true")
    sim.version("m-2", author="alice")
    approve(sim, "m-2", "alice", "bob")
    said = waits(sim)
    assert "1 of 2 approvals, not counting its author alice" in said
    assert "it has passed no gate" in said
    assert "(asked for by spec.model.require, Namespace team)" in said
    approve(sim, "m-2", "bob", "carol")
    evaluated(sim, "m-2", "Passed")
    starts(sim)


def test_four_eyes_the_installation_asks_too() -> None:
    sim = live()
    sim.config = OperatorConfig.model_validate(sim.config.model_dump() | {"require": {"approvals": 1}})
    sim.version("m-2")
    assert "(asked for by the installation)" in waits(sim)


@pytest.mark.parametrize(
    ("floor", "words"),
    [
        (annotated(approvals="one"), "is 'one'; it must be a whole number from 0 to 10"),
        (annotated(approvals="11"), "must be a whole number"), (annotated(approvals="-1"), "must be a whole number"),
        (annotated(approvals=""), "must be a whole number"), (annotated(gates="yes"), "must be true or false"),
        (annotated(aprovals="1"), "fairlead.dev/require-aprovals is unknown; there are fairlead.dev/require-approvals"),
        (Failed("NamespaceForbidden", "Fairlead may not read Namespace team"), "may not read Namespace team"),
        (Failed("Timeout", "no answer within 10 s"), "it isn't known what Namespace team asks of versions"),
    ],
)  # fmt: skip
def test_four_eyes_a_floor_that_cannot_be_read_is_never_no_floor(floor: NamespaceSeen | Failed, words: str) -> None:
    sim = live()
    sim.floor = floor
    sim.version("m-2")
    assert words in waits(sim, "RequirementUnknown")
    found = sim.plan()
    assert found.requeue_after is not None
    assert found.requeue_after <= requirements.AGAIN + 1
    sim.floor = annotated(approvals="0", gates="false", not_author="false")
    starts(sim)


def test_four_eyes_an_unknown_floor_neither_promotes_nor_takes_back() -> None:
    sim = live(steps=[(10, "3s", 10)])
    sim.version("m-2")
    starts(sim)
    sim.ready("m-2")
    sim.look()
    sim.floor = Failed("Timeout", "no answer within 10 s")
    for _ in range(20):
        sim.tick(100)
    assert sim.candidate["weight"] == 10
    found = sim.condition("Progressing")
    assert found["reason"] == "Frozen"
    assert "it isn't known what Namespace team asks" in found["message"]
    for _ in range(30):
        sim.tick(100, seconds=3600)
    assert sim.candidate["weight"] == 10, "no patience is lost by it"
    sim.floor = NamespaceSeen()
    sim.run(20, 100)
    assert sim.status["live"]["version"] == "m-2"


def test_four_eyes_an_unknown_floor_keeps_the_first_version_waiting_with_warm_pods() -> None:
    sim = Sim(spec())
    sim.version("m-1")
    starts(sim, "m-1")
    sim.floor = Failed("Timeout", "no answer within 10 s")
    sim.ready("m-1")
    sim.look()
    assert "live" not in sim.status
    sim.floor = NamespaceSeen()
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


def test_four_eyes_nothing_is_asked_where_nothing_could_be_chosen() -> None:
    sim = live()
    sim.look()
    sim.floor = annotated(approvals="nonsense")  # would be told if it were asked
    sim.look()
    assert sim.condition("Progressing")["reason"] == "Settled"


def test_four_eyes_the_stricter_holds_in_each_field() -> None:
    mine = Requirement(approvals=1, gates=True)
    assert mine.stricter(Requirement(approvals=2, not_author=True)) == Requirement(
        approvals=2, gates=True, not_author=True
    )
    assert mine.stricter(Requirement()) == mine


# --- a person's decision ------------------------------------------------------------------------------------------


def decide(sim: Sim, action: str, version: str) -> str:
    """What became of a decision: the words of the last event."""
    sim.now += 1
    sim.spec["override"] = {"action": action, "version": version, "reason": "because", "at": rfc3339(sim.now)}
    found = sim.plan()
    sim.carry_out(found)
    sim.look()
    return found.events[-1].message if found.events else ""


def test_four_eyes_force_needs_no_evidence_but_what_is_asked_for() -> None:
    sim = live(steps=[(10, "1h", 10)])
    sim.version("m-2")
    starts(sim)
    sim.ready("m-2")
    sim.look()
    sim.floor = annotated(approvals="1")
    said = decide(sim, "Promote", "m-2")
    assert sim.status["live"]["version"] == "m-1"
    assert "0 of 1 approvals" in said or "0 of 1 approvals" in sim.status["message"]


def test_four_eyes_force_waits_for_a_floor_that_is_not_known() -> None:
    sim = live(steps=[(10, "1h", 10)])
    sim.version("m-2")
    starts(sim)
    sim.ready("m-2")
    sim.look()
    sim.floor = Failed("Timeout", "no answer within 10 s")
    decide(sim, "Promote", "m-2")
    assert sim.status["live"]["version"] == "m-1"
    sim.floor = NamespaceSeen()
    sim.look()
    assert sim.status["live"]["version"] == "m-2"


@pytest.mark.parametrize("how", ["revoked", "deleted", "made again"])
def test_four_eyes_force_does_not_put_live_what_is_revoked_or_gone_at_that_moment(how: str) -> None:
    """The override is heeded before the candidate is taken out of the way."""
    sim = live()
    sim.version("m-2")
    starts(sim)
    sim.ready("m-2")
    sim.look()
    if how == "revoked":
        sim.of(MODEL_VERSION)["m-2"]["spec"]["revoked"] = "leaks"
    elif how == "deleted":
        del sim.of(MODEL_VERSION)["m-2"]
    else:
        sim.of(MODEL_VERSION)["m-2"]["metadata"]["uid"] = "another"
    decide(sim, "Promote", "m-2")
    assert "OverrideIgnored" in sim.events
    assert sim.status["live"]["version"] == "m-1"


def test_four_eyes_a_rollback_does_not_put_live_what_was_never_live_here() -> None:
    sim = live()
    sim.version("m-0", age=2000)  # older, approved, never live
    said = decide(sim, "Rollback", "m-0")
    assert "m-0 was never live here; to roll it out, name it in spec.model.version" in said
    assert sim.events[-1] == "OverrideIgnored"
    assert "wayBack" not in sim.status
    assert sim.shares() == {"m-1": 100}


def test_four_eyes_a_rollback_does_not_put_live_a_version_of_another_model() -> None:
    sim = live()
    sim.version("other-1", age=2000)["spec"]["model"] = "other"
    assert "other-1 was never live here" in decide(sim, "Rollback", "other-1")
    sim.status["served"].append({"name": "other-1"})  # this Deployment served another model once
    assert "other-1 is a version of model other, not of m" in decide(sim, "Rollback", "other-1")
    assert "wayBack" not in sim.status


def test_four_eyes_a_version_that_was_made_again_under_its_name_is_not_the_one_that_was_live() -> None:
    sim = live()
    sim.version("m-0", age=2000)["metadata"]["uid"] = "new"
    sim.status["served"].append({"name": "m-0", "uid": "old"})
    assert "m-0 was deleted and made again" in decide(sim, "Rollback", "m-0")
    sim.status["served"][-1]["uid"] = "new"
    decide(sim, "Rollback", "m-0")
    assert sim.status["wayBack"]["version"] == "m-0"


def test_four_eyes_what_was_live_longer_ago_than_the_history_reaches_is_remembered() -> None:
    sim = live()
    sim.tick(seconds=20)
    for number in range(2, 14):
        sim.now += 1
        sim.begin(f"m-{number}")
        sim.run(60, 100)
        sim.tick(seconds=20)
    assert sim.status["live"]["version"] == "m-13"
    assert "m-1" not in {record["version"] for record in sim.status["history"]}
    assert [one["name"] for one in sim.status["served"]] == [f"m-{n}" for n in range(13, 0, -1)]
    decide(sim, "Rollback", "m-1")
    assert sim.status["wayBack"]["version"] == "m-1"


def test_four_eyes_a_status_from_before_remembers_by_its_history() -> None:
    def record(version: str, result: str, against: str = "") -> Json:
        return {"version": version, "result": result, "against": against, "reason": "r", "startedAt": "", "endedAt": ""}

    old = DeploymentStatus.model_validate({
        "live": {"version": "m-5", "since": ""}, "previous": "m-3",
        "history": [record("m-5", "Live", "m-3"), record("m-4", "RolledBack", "m-3"), record("m-3", "Live", "m-2")],
    })  # fmt: skip
    assert [one.name for one in served.known(old)] == ["m-5", "m-3", "m-2"]


def test_four_eyes_what_was_live_is_remembered_when_the_status_is_lost() -> None:
    sim = Sim(spec(), store=True)
    sim.go_live()
    sim.tick(seconds=20)
    for number in range(2, 14):
        sim.now += 1
        sim.begin(f"m-{number}")
        sim.run(60, 100)
        sim.tick(seconds=20)
    assert sim.status["live"]["version"] == "m-13"
    before = sim.status["served"]
    sim.status = {}
    sim.look()
    assert (sim.status["live"]["version"], sim.status["served"]) == ("m-13", before)
    sim.ready("m-13")
    decide(sim, "Rollback", "m-1")
    assert sim.status["wayBack"]["version"] == "m-1"
