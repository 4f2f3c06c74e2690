"""A ModelVersion from its first look to its approval; what goes wrong heals, or is refused with a reason."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from tests.unit.plan.indexing import Others
from tests.unit.plan.littleworld import CONFIG, Crash, LittleWorld, stopped

from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import EvaluateTask, FetchTask, TaskResult
from fairlead.plan.core import DEPLOYMENT, JOB, MODEL_VERSION, POD, Json, rfc3339
from fairlead.plan.jobs.attempt import LAG
from fairlead.plan.model import identity
from fairlead.plan.model.plan import SPEC
from fairlead.plan.model.waking import by_dataset, by_deployment, settled

DIGEST, ROWS, PROOF = "a" * 64, "b" * 64, "c" * 64
SERVER_CONFIG = OperatorConfig.model_validate(
    CONFIG.model_dump() | {"images": {"worker": "worker:1", "runtimes": {"sklearn": "sklearn:1"}}}
)
EVALUATION = {
    "features": ["x", "carrier"], "target": "y", "metrics": ["mae"],
    "data": {"artifact": {"uri": "s3://store/test/", "sha256": ROWS}},
    "gates": [{"metric": "mae", "max": "20"}, {"metric": "mae", "against": "champion", "margin": "1%"}],
}  # fmt: skip
ONE = "delay-2"


def version(name: str = ONE, **spec: Any) -> Json:
    artifact = {"uri": f"s3://store/{name}/", "sha256": DIGEST}
    return {"kind": "ModelVersion", "metadata": {"name": name}, "spec": {"model": "delay", "artifact": artifact} | spec}


@pytest.fixture
def world() -> LittleWorld:
    """With nothing but the operator's configuration."""
    return LittleWorld(config=SERVER_CONFIG)


def live(world: LittleWorld, name: str) -> None:
    """A Deployment serves this version."""
    world.put(version(name) | {"status": {"phase": "Approved", "observedGeneration": 1}})
    world.put({"kind": "Deployment", "metadata": {"name": "front"}, "spec": {},
               "status": {"live": {"version": name, "since": "2026-01-01T00:00:00Z"}}})  # fmt: skip


def job(world: LittleWorld) -> Json:
    (found,) = world.jobs(modelversion=ONE)
    return found


def status(world: LittleWorld) -> Json:
    return world.status(MODEL_VERSION, ONE)


def conditions(world: LittleWorld) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status(world)["conditions"]}


def said(**member: Any) -> str:
    return TaskResult.model_validate(member).model_dump_json(by_alias=True, exclude_none=True)


def error(reason: str, *, transient: bool = False) -> str:
    return said(error={"reason": reason, "message": f"{reason}: repair it", "transient": transient})


def proof(verdict: str = "Passed", digest: str = PROOF, **more: Any) -> str:
    gate = {"gate": "mae at most 20", "verdict": verdict, "value": "21", "message": "mae is 21, wanted at most 20"}
    scores = [{"subject": "challenger", "version": ONE, "values": {"mae": "21"}}]
    told = {"digest": digest, "report": "s3://store/r.json", "rows": 9, "data": ROWS, "gates": [gate], "scores": scores}
    return said(evaluate=told | more)


def fetched(message: str = '{"fetched": 12}', code: int = 0) -> list[Json]:
    return [stopped("fetch", code, message)]


def evaluated(world: LittleWorld, message: str, code: int = 0, **server_status: Any) -> None:
    """The Job's pod ends like this."""
    server = {"name": "challenger", "image": "x", "state": {"terminated": {"exitCode": 137}}} | server_status
    phase = "Failed" if code else "Succeeded"
    world.pod(job(world), phase, initContainerStatuses=[*fetched(), server],
              containerStatuses=[stopped("evaluate", code, message)])  # fmt: skip
    world.settle(SPEC, ONE)


def failed_fetch(world: LittleWorld, message: str) -> None:
    world.pod(job(world), "Failed", initContainerStatuses=fetched(message, 1))
    world.settle(SPEC, ONE)


def later(world: LittleWorld, seconds: float) -> None:
    world.now += seconds
    world.settle(SPEC, ONE)


# --- the way through ---------------------------------------------------------------------------------------------


def test_without_evaluation_people_are_asked_once_its_bytes_are_verified(world: LittleWorld) -> None:
    world.put(version(approval={"required": 1}))
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Verifying"
    pod = world.pod(job(world), "Running")
    assert [c["name"] for c in pod["spec"]["containers"]] == ["fetch"]
    world.settle(SPEC, ONE)
    world.pod(job(world), "Succeeded", containerStatuses=fetched())
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "AwaitingApproval"
    approve(world, ("ann", DIGEST))
    assert status(world)["phase"] == "Approved"
    assert status(world)["evidence"]["digest"] == DIGEST
    assert conditions(world) == {
        "Approved": ("True", "Approved"), "Evaluated": ("True", "NoEvaluation"),
        "Verified": ("True", "Verified"), "Ready": ("True", "Approved"),
    }  # fmt: skip
    assert settled(world.objects["ModelVersion", ONE])


def test_the_first_version_is_evaluated_without_a_champion(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    made = job(world)["spec"]["template"]["spec"]
    assert [c["name"] for c in made["initContainers"]] == ["fetch", "challenger"]
    assert made["initContainers"][1]["restartPolicy"] == "Always"
    task = task_of(made["containers"][0])
    assert [s.subject for s in task.subjects] == ["challenger"]
    world.pod(job(world), "Running", initContainerStatuses=fetched())
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Evaluating"
    assert conditions(world)["Verified"] == ("True", "Verified")
    evaluated(world, proof())
    assert status(world)["phase"] == "Approved"
    assert status(world)["evidence"]["data"] == ROWS


OWN = {"uri": "s3://models/profiles/delay.json", "digest": "c" * 64}


@pytest.mark.parametrize("evaluation", [None, EVALUATION])
def test_a_profile_that_came_with_the_model_is_the_evidence_s(world: LittleWorld, evaluation: Json | None) -> None:
    world.put(version(profile=OWN, **({"evaluation": evaluation} if evaluation else {"approval": {"required": 1}})))
    world.settle(SPEC, ONE)
    if evaluation:
        world.pod(job(world), "Running", initContainerStatuses=fetched())
        world.settle(SPEC, ONE)
        evaluated(world, proof(profile={"digest": "d" * 64, "uri": "s3://b/k"}))
    else:
        world.pod(job(world), "Succeeded", containerStatuses=fetched())
        world.settle(SPEC, ONE)
    assert status(world)["evidence"]["profile"] == {**OWN, "rows": 0, "features": 0, "message": "made elsewhere"}


@pytest.mark.parametrize(
    "told",
    [
        {"profile": {"digest": "d" * 64, "uri": "s3://b/k", "rows": 9, "features": 2, "message": ""}},
        {"noProfile": "no room"},
    ],
)
def test_the_evaluation_s_profile_is_in_the_evidence_and_goes_into_pins(world: LittleWorld, told: Json) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    world.pod(job(world), "Running", initContainerStatuses=fetched())
    world.settle(SPEC, ONE)
    evaluated(world, proof(**told))
    evidence = status(world)["evidence"]
    assert {key: evidence[key] for key in ("profile", "noProfile") if evidence.get(key)} == told
    pinned = identity.pin(world.objects["ModelVersion", ONE])
    assert pinned is not None
    kept = identity.unpin(pinned)
    assert kept is not None
    assert kept.status.evidence is not None
    found = kept.status.evidence.profile
    assert (found.model_dump() if found else None) == told.get("profile")


def task_of(container: Json) -> EvaluateTask:
    (text,) = [e["value"] for e in container["env"] if e["name"] == "FAIRLEAD_TASK"]
    return EvaluateTask.model_validate_json(text)


def test_it_is_compared_with_the_live_version_with_that_ones_own_features(world: LittleWorld) -> None:
    live(world, "delay-1")
    world.objects["ModelVersion", "delay-1"]["spec"]["evaluation"] = EVALUATION | {"features": ["x"]}
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    made = job(world)["spec"]["template"]["spec"]
    assert [c["name"] for c in made["initContainers"]] == ["fetch", "challenger", "champion"]
    challenger, champion = task_of(made["containers"][0]).subjects
    assert (champion.version, champion.features, challenger.features) == ("delay-1", ["x"], [])
    assert champion.url != challenger.url
    mounts = {c["name"]: {m["mountPath"]: m["name"] for m in c["volumeMounts"]} for c in made["initContainers"]}
    assert mounts["challenger"]["/fairlead/model"] != mounts["champion"]["/fairlead/model"]
    assert mounts["fetch"]["/fairlead/champion"] == mounts["champion"]["/fairlead/model"]
    (text,) = [e["value"] for e in made["initContainers"][0]["env"] if e["name"] == "FAIRLEAD_TASK"]
    dests = [i.dest for i in FetchTask.model_validate_json(text).items]
    assert dests == ["/fairlead/model", "/fairlead/champion", "/fairlead/in/data"]
    evaluated(world, proof())
    assert status(world)["evidence"]["champion"] == "delay-1"


def test_failed_gates_reject_with_the_numbers(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION, approval={"required": 1}))
    world.settle(SPEC, ONE)
    evaluated(world, proof("Failed"))
    assert status(world)["phase"] == "Rejected"
    assert "mae at most 20: mae is 21, wanted at most 20" in status(world)["message"]
    assert conditions(world)["Approved"] == ("False", "GatesFailed")
    assert settled(world.objects["ModelVersion", ONE])


# --- approval ----------------------------------------------------------------------------------------------------


def approve(world: LittleWorld, *pairs: tuple[str, str]) -> None:
    raw = world.objects["ModelVersion", ONE]
    raw["spec"]["approvals"] = [{"user": user, "evidence": evidence} for user, evidence in pairs]
    raw["metadata"]["generation"] += 1
    world.settle(SPEC, ONE)


def awaiting(world: LittleWorld, **approval: Any) -> None:
    world.put(version(evaluation=EVALUATION, approval=approval))
    world.settle(SPEC, ONE)
    evaluated(world, proof())
    assert status(world)["phase"] == "AwaitingApproval"


def test_approvals_count_by_person_and_only_for_this_evidence(world: LittleWorld) -> None:
    awaiting(world, required=2)
    assert f"kubectl fairlead approve {ONE}" in status(world)["message"]
    approve(world, ("ann", PROOF), ("ann", PROOF), ("bob", "d" * 64))
    assert status(world)["phase"] == "AwaitingApproval"
    assert "approval by bob speaks of other evidence" in status(world)["message"]
    approve(world, ("ann", PROOF), ("bob", PROOF))
    assert status(world)["phase"] == "Approved"
    assert status(world)["approvedBy"] == ["ann", "bob"]


def test_approval_expires(world: LittleWorld) -> None:
    awaiting(world, required=1, expires="1h")
    later(world, 3590)
    assert status(world)["phase"] == "AwaitingApproval"
    later(world, 20)
    assert (status(world)["phase"], conditions(world)["Approved"]) == ("Rejected", ("False", "ApprovalExpired"))
    approve(world, ("ann", PROOF))
    assert status(world)["phase"] == "Rejected"


def test_a_new_champion_voids_the_evidence_of_a_version_that_waits(world: LittleWorld) -> None:
    awaiting(world, required=1)
    approve(world, ("ann", "d" * 64))
    first = job(world)["metadata"]["name"]
    live(world, "delay-1")
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Verifying"
    assert "evidence" not in status(world)
    assert job(world)["metadata"]["name"] != first
    evaluated(world, proof(digest="e" * 64))
    approve(world, ("ann", PROOF))
    assert status(world)["phase"] == "AwaitingApproval", "that approval was for the old evidence"
    approve(world, ("ann", "e" * 64))
    assert status(world)["phase"] == "Approved"
    live(world, "delay-0")
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Approved", "what is approved stays approved"


def test_revoking_ends_everything(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    raw = world.objects["ModelVersion", ONE]
    raw["spec"]["revoked"] = "it was trained on the test rows"
    raw["metadata"]["generation"] += 1
    assert not settled(raw)
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Revoked"
    assert "trained on the test rows" in status(world)["message"]
    assert not world.jobs(modelversion=ONE)


# --- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "verified"),
    [
        ("DigestMismatch", "False"),  # of what is not the version's own: the champion, or a Dataset
        ("BucketMissing", "Unknown"),
        ("AccessDenied", "Unknown"),
        ("ObjectMissing", "Unknown"),
    ],
)
def test_bytes_that_are_wrong_or_out_of_reach_heal(world: LittleWorld, reason: str, verified: str) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    for _ in range(12):
        failed_fetch(world, error(reason))
        assert conditions(world)["Verified"] == (verified, reason)
        assert "repair it" in status(world)["message"]
        later(world, 300)
    assert len(set(world.created)) == 13
    evaluated(world, proof())
    assert status(world)["phase"] == "Approved"


def test_pauses_grow_to_five_minutes(world: LittleWorld) -> None:
    world.put(version(approval={"required": 1}))
    world.settle(SPEC, ONE)
    pauses = []
    for _ in range(9):
        world.pod(job(world), "Failed", containerStatuses=fetched(error("ObjectMissing"), 1))
        pause = world.settle(SPEC, ONE).requeue_after
        assert pause is not None
        pauses.append(pause)
        later(world, pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5.0, 300.0)


def test_a_server_that_stops_by_itself_three_times_rejects(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    for _ in range(3):
        assert status(world)["phase"] != "Rejected"
        evaluated(world, error("ServerFailed"), 1, restartCount=1, lastState={"terminated": {"exitCode": 3}})
        later(world, 300)
    assert (status(world)["phase"], conditions(world)["Evaluated"]) == ("Rejected", ("False", "ServerFailed"))
    assert "exit code 3" in status(world)["message"]
    assert "after 3 attempts" in status(world)["message"]


def test_a_server_that_is_slow_gets_more_chances(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    for _ in range(9):
        evaluated(world, error("ServerFailed"), 1)
        assert status(world)["phase"] == "Evaluating"
        later(world, 300)
    evaluated(world, error("ServerFailed"), 1)
    assert status(world)["phase"] == "Rejected"


@pytest.mark.parametrize(("name", "failures"), [("challenger", 1), ("champion", 0)])
def test_a_server_that_crashes_in_a_loop_is_given_up_and_its_pod_goes(
    world: LittleWorld, name: str, failures: int
) -> None:
    live(world, "delay-1")
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    last = {"terminated": {"exitCode": 1, "reason": "OOMKilled"}}
    crashed = {"name": name, "image": "x", "restartCount": 1, "lastState": last,
               "state": {"waiting": {"reason": "CrashLoopBackOff"}}}  # fmt: skip
    world.pod(job(world), "Running", initContainerStatuses=[*fetched(), crashed])
    world.settle(SPEC, ONE)
    assert conditions(world)["Evaluated"] == ("Unknown", "ServerFailed")
    assert f"the {name}'s server ran out of memory" in status(world)["message"]
    assert not world.jobs(modelversion=ONE)
    assert status(world)["job"]["failures"] == failures


def test_an_image_that_is_not_there_is_said_and_waited_for(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    waiting = {"name": "challenger", "image": "nowhere:1", "restartCount": 0,
               "state": {"waiting": {"reason": "ImagePullBackOff", "message": "x"}}}  # fmt: skip
    world.pod(job(world), "Pending", initContainerStatuses=[*fetched(), waiting])
    world.settle(SPEC, ONE)
    assert conditions(world)["Evaluated"] == ("Unknown", "ImagePull")
    assert "nowhere:1" in status(world)["message"]
    evaluated(world, proof())
    assert status(world)["phase"] == "Approved"


def test_a_pod_that_is_gone_is_repeated_under_another_name(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    first = job(world)["metadata"]["name"]
    world.remove(JOB, first)
    later(world, 0)
    later(world, 10)
    assert job(world)["metadata"]["name"] != first
    assert status(world)["job"]["failures"] == 0


def test_a_pod_that_is_seen_after_its_job_has_ended_is_waited_for(world: LittleWorld) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": rfc3339(world.now)}
    job(world)["status"] = {"conditions": [ended]}
    assert world.settle(SPEC, ONE).requeue_after == pytest.approx(LAG, abs=0.1)
    evaluated(world, proof())
    assert status(world)["phase"] == "Approved"
    assert len(world.created) == 1


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_between_any_two_writes_makes_one_job(world: LittleWorld, writes: int) -> None:
    world.put(version(evaluation=EVALUATION))
    with pytest.raises(Crash) if writes < 2 else nullcontext():
        world.look(SPEC, ONE, crash_after=writes)
    live(world, "delay-1")
    world.settle(SPEC, ONE)
    assert len(world.created) == 1
    pinned = task_of(job(world)["spec"]["template"]["spec"]["containers"][0])
    recorded = status(world)["job"].get("champion") or None
    assert recorded == next((s.version for s in pinned.subjects if s.subject == "champion"), None)


def pinned(world: LittleWorld, name: str) -> Json:
    """A Deployment serves this version, and has recorded what it is."""
    live(world, name)
    raw = world.get(MODEL_VERSION, name)
    front = world.get(DEPLOYMENT, "front")
    assert raw
    assert front
    one = identity.pin(raw)
    assert one
    front["status"]["versions"] = [one.model_dump(mode="json", by_alias=True, exclude_none=True)]
    return raw


def test_identity_the_champion_is_what_is_served_not_who_has_its_name(world: LittleWorld) -> None:
    raw = pinned(world, "delay-1")
    evil = raw["spec"] | {"artifact": {"uri": "s3://store/evil/", "sha256": "e" * 64}}
    world.remove(MODEL_VERSION, "delay-1")
    world.put({**raw, "metadata": {"name": "delay-1", "uid": "another"}, "spec": evil})
    world.put(version(evaluation=EVALUATION))
    world.look(SPEC, ONE)
    made = job(world)
    assert "s3://store/delay-1/" in str(made)
    assert "evil" not in str(made)
    assert status(world)["job"]["champion"] == "delay-1"


def test_identity_the_champion_is_known_though_its_object_is_gone(world: LittleWorld) -> None:
    pinned(world, "delay-1")
    world.remove(MODEL_VERSION, "delay-1")
    world.put(version(evaluation=EVALUATION))
    (front,) = world.select(DEPLOYMENT)
    assert by_deployment(front, Others(MODEL_VERSION, world.select(MODEL_VERSION))) == [ONE, "delay-1"]
    world.look(SPEC, ONE)
    assert "s3://store/delay-1/" in str(job(world))


def test_identity_evidence_against_other_bytes_under_the_champions_name_does_not_count(world: LittleWorld) -> None:
    pinned(world, "delay-1")
    gate = {"gate": "mae against champion", "verdict": "Passed"}
    world.put(version(evaluation=EVALUATION, approval={"required": 1}) | {"status": {
        "phase": "AwaitingApproval", "evaluatedAt": rfc3339(world.now),
        "evidence": {"digest": PROOF, "champion": "delay-1", "championDigest": "f" * 64, "gates": [gate]},
    }})  # fmt: skip
    world.look(SPEC, ONE)
    assert conditions(world)["Approved"] == ("Unknown", "ChampionChanged")


def test_a_champion_that_vanishes_before_the_job_is_made_is_chosen_anew(world: LittleWorld) -> None:
    live(world, "delay-1")
    world.put(version(evaluation=EVALUATION))
    with pytest.raises(Crash):
        world.look(SPEC, ONE, crash_after=1)
    world.remove(MODEL_VERSION, "delay-1")
    world.settle(SPEC, ONE)
    assert status(world)["job"].get("champion", "") == ""
    assert len(world.jobs(modelversion=ONE)) == 1


# --- rows of a Dataset -------------------------------------------------------------------------------------------


def test_rows_of_a_dataset_are_waited_for_and_pinned(world: LittleWorld) -> None:
    evaluation = EVALUATION | {"data": {"dataset": {"name": "rides"}}}
    world.put(version(evaluation=evaluation))
    world.settle(SPEC, ONE)
    assert (status(world)["phase"], conditions(world)["Evaluated"]) == ("Pending", ("Unknown", "DatasetMissing"))
    source = {"s3": {"bucket": "rides", "prefix": "in/"}}
    rides = {"kind": "Dataset", "metadata": {"name": "rides"}, "spec": {"source": source, "format": "csv"}}
    world.put(rides)
    world.settle(SPEC, ONE)
    assert conditions(world)["Evaluated"] == ("Unknown", "NoVersion")
    found = {"version": "b" * 16, "digest": ROWS, "manifest": "s3://store/m.json", "at": "2026-01-01T00:00:00Z"}
    world.put(rides | {"status": {"current": found, "versions": [found]}})
    world.settle(SPEC, ONE)
    task = task_of(job(world)["spec"]["template"]["spec"]["containers"][0])
    assert (task.data_sha256, task.data_format) == (ROWS, "csv")
    assert status(world)["job"]["datasetVersion"] == "b" * 16


def test_attack_07_an_evaluation_has_room_for_the_rows(world: LittleWorld) -> None:
    rows = {"version": "b" * 16, "digest": ROWS, "manifest": "s3://store/m.json", "at": "2026-01-01T00:00:00Z"}
    rows["bytes"] = 100 << 30
    spec = {"source": {"s3": {"bucket": "rides", "prefix": "in/"}}, "format": "csv"}
    status = {"current": rows, "versions": [rows]}
    world.put({"kind": "Dataset", "metadata": {"name": "rides"}, "spec": spec, "status": status})
    world.put(version(evaluation=EVALUATION | {"data": {"dataset": {"name": "rides"}}}))
    world.settle(SPEC, ONE)
    pod = job(world)["spec"]["template"]["spec"]
    for one in (pod["initContainers"][0], pod["containers"][0]):
        assert one["resources"]["limits"]["ephemeral-storage"] == f"{501 << 10}Mi"
        assert one["resources"]["requests"]["ephemeral-storage"] == f"{100 << 10}Mi"


def test_rows_of_a_version_that_only_the_store_still_has(world: LittleWorld) -> None:
    old = "0123456789abcdef"
    world.put(version(evaluation=EVALUATION | {"data": {"dataset": {"name": "rides", "version": old}}}))
    source = {"s3": {"bucket": "src"}}
    world.put({"kind": "Dataset", "metadata": {"name": "rides"}, "spec": {"source": source, "format": "csv"}})
    world.settle(SPEC, ONE)
    spec = job(world)["spec"]["template"]["spec"]
    texts = [e["value"] for e in spec["initContainers"][0]["env"] if e["name"] == "FAIRLEAD_TASK"]
    (rows,) = [item for item in json.loads(texts[0])["items"] if item["manifest"]]
    assert (rows["uri"], rows["sha256"]) == (f"s3://store/fairlead/team/datasets/rides/versions/{old}.json", old)
    world.put(version(evaluation=EVALUATION | {"data": {"dataset": {"name": "rides", "version": "../x"}}}))
    assert "has no version ../x" in str(world.plan(SPEC, ONE).status)


def test_who_is_woken_by_what() -> None:
    waits = version() | {"status": {"phase": "AwaitingApproval"}}
    waits["spec"]["evaluation"] = EVALUATION | {"data": {"dataset": {"name": "rides"}}}
    done = version("delay-1") | {"status": {"phase": "Approved"}}
    other = version("fares-1", model="fares")
    deployment = {"metadata": {"name": "d"}, "status": {"live": {"version": "delay-1"}}}
    known = Others(MODEL_VERSION, [waits, done, other])
    assert by_deployment(deployment, known) == [ONE, "delay-1"]
    assert by_deployment({"metadata": {"name": "d"}}, known) == []
    assert by_dataset({"metadata": {"name": "rides"}}, known) == [ONE]
    assert list(SPEC.mappers[POD]({"metadata": {"labels": {"fairlead.dev/modelversion": ONE}}}, [])) == [ONE]


def test_a_dataset_that_vanished_when_the_champion_changed_is_waited_for(world: LittleWorld) -> None:
    source = {"s3": {"bucket": "rides", "prefix": "in/"}}
    found = {"version": "b" * 16, "digest": ROWS, "manifest": "s3://store/m.json", "at": "2026-01-01T00:00:00Z"}
    rides = {"kind": "Dataset", "metadata": {"name": "rides"}, "spec": {"source": source, "format": "parquet"},
             "status": {"current": found}}  # fmt: skip
    world.put(rides)
    evaluation = EVALUATION | {"data": {"dataset": {"name": "rides"}}}
    world.put(version(evaluation=evaluation, approval={"required": 1}))
    world.settle(SPEC, ONE)
    evaluated(world, proof())
    assert status(world)["phase"] == "AwaitingApproval"
    del world.objects["Dataset", "rides"]
    live(world, "delay-1")
    world.settle(SPEC, ONE)
    assert (status(world)["phase"], conditions(world)["Evaluated"]) == ("Pending", ("Unknown", "DatasetMissing"))
    world.put(rides)
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Verifying"
    assert status(world)["job"]["champion"] == "delay-1"
