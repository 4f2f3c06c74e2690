"""A version that nothing is measured of: approved at once, verified by its first pods, or by a Job if it has none."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.indexing import Others
from tests.unit.plan.littleworld import CONFIG, Crash, LittleWorld, stopped
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import FetchTask, TaskResult
from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION, REPLICA_SET, Json
from fairlead.plan.model.plan import SPEC, UNTAKEN
from fairlead.plan.model.waking import by_deployment, heeded, settled

ONE, DIGEST = "delay-2", "a" * 64
EVALUATION = {
    "features": ["x"], "target": "y", "metrics": ["mae"],
    "data": {"artifact": {"uri": "s3://store/test/", "sha256": "b" * 64}}
}  # fmt: skip


@pytest.fixture
def world() -> LittleWorld:
    """With nothing but the operator's configuration."""
    images = {"images": {"worker": "worker:1", "runtimes": {"sklearn": "sklearn:1"}}}
    return LittleWorld(config=OperatorConfig.model_validate(CONFIG.model_dump() | images))


def version(name: str = ONE, **more: Any) -> Json:
    artifact = {"uri": f"s3://store/{name}/", "sha256": DIGEST}
    return {"kind": "ModelVersion", "metadata": {"name": name}, "spec": {"model": "delay", "artifact": artifact} | more}


def status(world: LittleWorld) -> Json:
    return world.status(MODEL_VERSION, ONE)


def verified(world: LittleWorld) -> tuple[str, str]:
    (found,) = [c for c in status(world)["conditions"] if c["type"] == "Verified"]
    return found["status"], found["reason"]


def uid(world: LittleWorld) -> str:
    found: str = world.objects["ModelVersion", ONE]["metadata"]["uid"]
    return found


def front(world: LittleWorld, reason: str = "", name: str = "front", of: str = "") -> None:
    """A Deployment has the version, and its pods have found something."""
    found: Json = {"versions": [{"name": ONE, "uid": of or uid(world)}]}
    if reason:
        found["findings"] = [{"version": ONE, "uid": of or uid(world), "reason": reason, "message": "restore it"}]
    world.put({"kind": "Deployment", "metadata": {"name": name}, "spec": {}, "status": found})
    world.settle(SPEC, ONE)


def failed(reason: str, **more: Any) -> str:
    error = {"reason": reason, "message": f"{reason}: repair it", **more}
    return TaskResult.model_validate({"error": error}).model_dump_json(by_alias=True, exclude_defaults=True)


@pytest.fixture
def approved(world: LittleWorld) -> LittleWorld:
    """A version that was just made."""
    world.put(version())
    plan = world.settle(SPEC, ONE)
    assert plan.requeue_after is not None
    assert 0 < plan.requeue_after <= UNTAKEN
    return world


# --- the ModelVersion --------------------------------------------------------------------------------------------


def test_it_is_approved_at_once_and_no_job_is_made(approved: LittleWorld) -> None:
    assert (status(approved)["phase"], verified(approved)) == ("Approved", ("Unknown", "ByEveryPod"))
    assert status(approved)["evidence"]["digest"] == DIGEST
    assert not approved.created
    assert not settled(approved.objects["ModelVersion", ONE])


def test_what_a_pod_has_found_is_taken_over_and_nothing_is_verified_twice(approved: LittleWorld) -> None:
    front(approved, "Verified")
    assert verified(approved) == ("True", "Verified")
    assert settled(approved.objects["ModelVersion", ONE])
    approved.now += 10 * UNTAKEN
    front(approved, "DigestMismatch", "another")
    assert status(approved)["phase"] == "Approved", "who finds other bytes later finds that they were changed"
    assert not approved.created


def test_b16_wrong_bytes_reject_a_version_for_good(approved: LittleWorld) -> None:
    front(approved, "DigestMismatch")
    assert (status(approved)["phase"], verified(approved)) == ("Rejected", ("False", "DigestMismatch"))
    assert "restore it" in status(approved)["message"]
    assert settled(approved.objects["ModelVersion", ONE])


def test_bytes_that_one_deployment_found_right_are_right(approved: LittleWorld) -> None:
    approved.put({"kind": "Deployment", "metadata": {"name": "another"}, "spec": {}, "status": {
        "findings": [{"version": ONE, "uid": uid(approved), "reason": "DigestMismatch"}]}})  # fmt: skip
    front(approved, "Verified")
    assert (status(approved)["phase"], verified(approved)) == ("Approved", ("True", "Verified"))


def test_what_was_found_of_another_object_of_the_name_does_not_count(approved: LittleWorld) -> None:
    front(approved, "DigestMismatch", of="another")
    assert (status(approved)["phase"], verified(approved)) == ("Approved", ("Unknown", "ByEveryPod"))


def test_an_object_that_is_missing_is_said_and_waited_for(approved: LittleWorld) -> None:
    front(approved, "ObjectMissing")
    assert (status(approved)["phase"], verified(approved)) == ("Approved", ("Unknown", "ObjectMissing"))
    front(approved)
    assert verified(approved) == ("Unknown", "ByEveryPod")
    front(approved, "Verified")
    assert verified(approved) == ("True", "Verified")


def test_a_version_that_a_deployment_has_waits_for_its_pods(approved: LittleWorld) -> None:
    front(approved)
    approved.now += 10 * UNTAKEN
    assert approved.settle(SPEC, ONE).requeue_after is None
    assert not approved.created
    approved.remove(DEPLOYMENT, "front")
    approved.settle(SPEC, ONE)
    assert len(approved.created) == 1


def untaken(world: LittleWorld) -> Json:
    """Nobody wants the version: its Job."""
    world.now += UNTAKEN
    world.settle(SPEC, ONE)
    (job,) = world.jobs(modelversion=ONE)
    assert status(world)["phase"] == "Approved"
    return job


def test_a_version_that_no_deployment_takes_is_verified_by_a_job(approved: LittleWorld) -> None:
    approved.pod(untaken(approved), "Succeeded", containerStatuses=[stopped("fetch", 0, '{"fetched": 12}')])
    approved.settle(SPEC, ONE)
    assert (status(approved)["phase"], verified(approved)) == ("Approved", ("True", "Verified"))
    assert settled(approved.objects["ModelVersion", ONE])
    approved.now += 1000
    approved.settle(SPEC, ONE)
    assert len(approved.created) == 1


def test_b16_a_job_that_finds_wrong_bytes_rejects_at_once(approved: LittleWorld) -> None:
    approved.pod(untaken(approved), "Failed", containerStatuses=[stopped("fetch", 1, failed("DigestMismatch"))])
    approved.settle(SPEC, ONE)
    assert (status(approved)["phase"], verified(approved)) == ("Rejected", ("False", "DigestMismatch"))
    approved.now += 1000
    approved.settle(SPEC, ONE)
    assert len(approved.created) == 1


def test_a_missing_object_is_looked_for_again_until_pods_find_it(approved: LittleWorld) -> None:
    for attempt in range(1, 4):
        job = untaken(approved) if attempt == 1 else approved.jobs(modelversion=ONE)[0]
        approved.pod(job, "Failed", containerStatuses=[stopped("fetch", 1, failed("ObjectMissing"))])
        approved.settle(SPEC, ONE)
        assert (status(approved)["phase"], verified(approved)) == ("Approved", ("Unknown", "ObjectMissing"))
        approved.now += 300
        approved.settle(SPEC, ONE)
        assert len(approved.created) == attempt + 1
    front(approved, "Verified")
    assert verified(approved) == ("True", "Verified")
    assert not approved.jobs(modelversion=ONE)


def test_a_job_whose_pod_would_never_end_goes_before_the_version_settles(approved: LittleWorld) -> None:
    job = untaken(approved)
    beside = {"name": "beside", "image": "mesh:1", "state": {"running": {}}}
    pod = approved.pod(job, "Running", containerStatuses=[stopped("fetch", 0, '{"fetched": 12}'), beside])
    pod["spec"]["containers"].append({"name": "beside", "image": "mesh:1"})
    for _ in range(4):
        try:
            approved.look(SPEC, ONE, crash_after=1)
        except Crash:
            continue
    approved.settle(SPEC, ONE)
    assert verified(approved) == ("True", "Verified")
    assert not approved.jobs(modelversion=ONE)
    assert len(approved.created) == 1


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_between_any_two_writes_verifies_once(world: LittleWorld, writes: int) -> None:
    world.put(version())
    for _ in range(3):
        try:
            world.look(SPEC, ONE, crash_after=writes)
        except Crash:
            world.now += UNTAKEN
    world.settle(SPEC, ONE)
    world.now += UNTAKEN
    world.settle(SPEC, ONE)
    assert len(world.created) == 1


def test_revoking_ends_a_job_that_verifies_late(approved: LittleWorld) -> None:
    untaken(approved)
    approved.objects["ModelVersion", ONE]["spec"]["revoked"] = "wrong rows"
    approved.settle(SPEC, ONE)
    assert status(approved)["phase"] == "Revoked"
    assert not approved.jobs(modelversion=ONE)


def test_a_version_whose_job_an_older_fairlead_began_is_approved_when_that_has_ended(world: LittleWorld) -> None:
    world.put(version(approval={"required": 1}))
    world.settle(SPEC, ONE)
    del world.objects["ModelVersion", ONE]["spec"]["approval"]  # an older Fairlead verified each version like this
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Verifying"
    (job,) = world.jobs(modelversion=ONE)
    world.pod(job, "Succeeded", containerStatuses=[stopped("fetch", 0, '{"fetched": 12}')])
    world.settle(SPEC, ONE)
    assert (status(world)["phase"], verified(world)) == ("Approved", ("True", "Verified"))


def test_a_version_that_an_older_fairlead_approved_is_not_verified_again(world: LittleWorld) -> None:
    world.put(version() | {"status": {
        "phase": "Approved", "observedGeneration": 1, "evidence": {"digest": DIGEST},
        "approvedAt": "2026-01-01T00:00:00Z",
    }})  # fmt: skip
    for _ in range(2):
        world.settle(SPEC, ONE)
        assert status(world)["phase"] == "Approved"
        assert settled(world.objects["ModelVersion", ONE])
        world.now += 10 * UNTAKEN
    assert not world.created


@pytest.mark.parametrize(("dest", "phase"), [
    ("/fairlead/model", "Rejected"), ("/fairlead/in/data", "Rejected"), ("/fairlead/champion", "Verifying"),
])  # fmt: skip
def test_b16_an_evaluation_rejects_what_the_version_names_itself(world: LittleWorld, dest: str, phase: str) -> None:
    world.put(version(evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    (job,) = world.jobs(modelversion=ONE)
    world.pod(job, "Failed", initContainerStatuses=[stopped("fetch", 1, failed("DigestMismatch", dest=dest))])
    world.settle(SPEC, ONE)
    assert (status(world)["phase"], verified(world)) == (phase, ("False", "DigestMismatch"))


def test_a_deployment_wakes_the_versions_that_it_says_something_of(approved: LittleWorld) -> None:
    front(approved)
    (before,) = approved.select(DEPLOYMENT)
    before = before | {"status": dict(before["status"])}
    front(approved, "Verified")
    (after,) = approved.select(DEPLOYMENT)
    assert heeded(before) != heeded(after)
    assert ONE in by_deployment(after, Others(MODEL_VERSION, approved.select(MODEL_VERSION)))
    assert approved.indexed(MODEL_VERSION, "unverified") == []
    approved.put(version("delay-3"))
    approved.settle(SPEC, "delay-3")
    gone = after | {"status": {}}
    assert by_deployment(gone, Others(MODEL_VERSION, approved.select(MODEL_VERSION))) == ["delay-3"]


# --- the Deployment ----------------------------------------------------------------------------------------------

UNSEEN = {"type": "Verified", "status": "Unknown", "reason": "ByEveryPod", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def unseen(sim: Sim, name: str) -> Json:
    """A version whose bytes nobody has looked at."""
    made = sim.version(name)
    made["status"]["conditions"] = [dict(UNSEEN)]
    return made


def ends(sim: Sim, name: str, message: str, code: int) -> None:
    """`fetch` of a version's pods ends."""
    for pod in sim.pods(name):
        end = {"terminated": {"exitCode": code, "message": message}}
        pod["status"]["initContainerStatuses"] = [
            {"name": "fetch", "image": "worker:1", "restartCount": 0, "state": end}
        ]
    sim.look()


@pytest.fixture
def sim() -> Sim:
    """With a live version, and one that starts."""
    made = Sim(spec())
    made.go_live("m-1")
    made.now += 5
    unseen(made, "m-2")
    made.look()
    assert made.candidate["version"] == "m-2"
    return made


def known(sim: Sim) -> dict[str, str]:
    return {one["version"]: one["reason"] for one in sim.status.get("findings", [])}


def test_what_pods_find_is_recorded_until_the_version_knows_it(sim: Sim) -> None:
    ends(sim, "m-2", '{"fetched": 12}', 0)
    assert known(sim) == {"m-2": "Verified"}
    sim.of(MODEL_VERSION)["m-2"]["status"]["conditions"][0]["status"] = "True"
    sim.look()
    assert known(sim) == {}
    sim.ready("m-2")
    sim.look()
    assert sim.candidate["weight"] == 10


def test_b16_a_version_with_wrong_bytes_is_refused_at_once_and_got_no_request(sim: Sim) -> None:
    ends(sim, "m-2", failed("DigestMismatch"), 1)
    assert "candidate" not in sim.status
    last = sim.status["history"][0]
    assert (last["version"], last["result"], last["reason"]) == ("m-2", "Failed", "DigestMismatch")
    assert "got no request" in last["message"]
    assert "m-1 stays" in last["message"]
    assert sim.condition("Progressing")["reason"] == "DigestMismatch"
    assert "m-2" not in sim.served
    sim.now += 60
    sim.look()
    assert not sim.pods("m-2")
    assert known(sim) == {"m-2": "DigestMismatch"}, "the pods are gone, and the version does not know it yet"
    assert "candidate" not in sim.status
    sim.of(MODEL_VERSION)["m-2"]["status"]["phase"] = "Rejected"
    sim.look()
    assert known(sim) == {}
    assert sim.status["live"]["version"] == "m-1"


@pytest.mark.parametrize("model", [{"name": "m"}, {"version": "m-1"}])
def test_b16_a_first_version_with_wrong_bytes_leaves_nothing_live(model: Json) -> None:
    sim = Sim(spec() | {"model": model})
    unseen(sim, "m-1")
    sim.look()
    ends(sim, "m-1", failed("DigestMismatch"), 1)
    assert "live" not in sim.status
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == "DigestMismatch"
    assert "repair it" in sim.status["message"]


def test_an_object_of_the_name_that_was_made_again_is_tried(sim: Sim) -> None:
    ends(sim, "m-2", failed("DigestMismatch"), 1)
    sim.now += 60
    sim.look()
    unseen(sim, "m-2")["metadata"]["uid"] = "another"
    sim.look()
    assert sim.candidate["version"] == "m-2"
    assert known(sim) == {}


def test_a_missing_object_is_told_in_both_and_heals(sim: Sim) -> None:
    ends(sim, "m-2", failed("ObjectMissing"), 1)
    assert known(sim) == {"m-2": "ObjectMissing"}
    assert sim.condition("Progressing")["reason"] == "ObjectMissing"
    assert sim.candidate["version"] == "m-2"
    ends(sim, "m-2", '{"fetched": 12}', 0)
    assert known(sim) == {"m-2": "Verified"}


def test_a_version_that_is_verified_is_not_refused_by_one_pod(sim: Sim) -> None:
    sim.of(MODEL_VERSION)["m-2"]["status"]["conditions"][0]["status"] = "True"
    ends(sim, "m-2", failed("DigestMismatch"), 1)
    assert known(sim) == {}
    assert sim.candidate["version"] == "m-2"
    assert sim.condition("Progressing")["reason"] == "DigestMismatch"


def test_a_pod_that_only_has_the_labels_says_nothing(sim: Sim) -> None:
    for pod in sim.pods("m-2"):
        pod["metadata"]["ownerReferences"] = []
    ends(sim, "m-2", failed("DigestMismatch"), 1)
    assert known(sim) == {}
    assert sim.candidate["version"] == "m-2"


# --- an image that is the model ----------------------------------------------------------------------------------

IMAGE = f"registry.example.com/scorer@sha256:{'c' * 64}"
SCORER = {"runtime": "custom", "image": IMAGE, "metrics": {"requests": "total", "failures": "failed"}}


def scorer(world: LittleWorld, **more: Any) -> None:
    made = version(server=SCORER, **more)
    del made["spec"]["artifact"]
    world.put(made)
    world.settle(SPEC, ONE)


def test_an_image_is_approved_at_once_and_no_job_ever_looks_at_it(world: LittleWorld) -> None:
    scorer(world)
    assert (status(world)["phase"], verified(world)) == ("Approved", ("Unknown", "ByEveryPod"))
    assert len(status(world)["evidence"]["digest"]) == 64
    world.now += 10 * UNTAKEN
    assert world.settle(SPEC, ONE).requeue_after is None
    assert not world.created
    front(world, "Verified")
    assert verified(world) == ("True", "Verified")
    assert settled(world.objects["ModelVersion", ONE])


def test_an_images_evidence_speaks_of_all_that_its_pods_are_made_of(world: LittleWorld) -> None:
    scorer(world, approval={"required": 1})
    assert status(world)["phase"] == "AwaitingApproval"
    first = status(world)["evidence"]["digest"]
    world.remove(MODEL_VERSION, ONE)
    scorer(world, approval={"required": 1}, model="another")
    assert status(world)["evidence"]["digest"] != first


def test_an_image_is_evaluated_like_any_other_model(world: LittleWorld) -> None:
    scorer(world, evaluation=EVALUATION)
    (job,) = world.jobs(modelversion=ONE)
    fetch, challenger = job["spec"]["template"]["spec"]["initContainers"]
    (task,) = [one["value"] for one in fetch["env"] if one["name"] == "FAIRLEAD_TASK"]
    assert [one.dest for one in FetchTask.model_validate_json(task).items] == ["/fairlead/in/data"]
    assert "/fairlead/model" not in [one["mountPath"] for one in challenger["volumeMounts"]]
    assert challenger["image"] == IMAGE
    assert "c" * 64 in str(job["spec"]["template"]["spec"]["containers"])


def images(sim: Sim, name: str, ran: str) -> None:
    """What nodes say that they ran."""
    for pod in sim.pods(name):
        pod["status"]["containerStatuses"][0] |= {"image": IMAGE, "imageID": ran}
    sim.look()


@pytest.fixture
def running() -> Sim:
    """With a live version that has an artifact, and an image that starts."""
    made = Sim(spec())
    made.go_live("m-1")
    made.now += 5
    unseen(made, "m-2")["spec"] = {"model": "m", "server": SCORER}
    made.look()
    return made


def test_an_image_has_neither_a_fetch_nor_a_volume_for_a_model(running: Sim) -> None:
    (pod,) = running.pods("m-2")
    assert "initContainers" not in pod["spec"]
    assert "model" not in [one["name"] for one in pod["spec"]["volumes"]]
    assert pod["spec"]["containers"][0]["image"] == IMAGE


@pytest.mark.parametrize("ran", [
    f"mirror.example.com/scorer@sha256:{'c' * 64}",
    f"docker-pullable://registry.example.com/scorer@sha256:{'c' * 64}",
    f"registry.example.com/scorer@sha256:{'d' * 64}",  # the manifest of the node's platform; c is the index's
    f"sha256:{'e' * 64}",  # of the image's configuration
])  # fmt: skip
def test_an_image_is_verified_by_a_node_that_has_it_and_goes_live(running: Sim, ran: str) -> None:
    images(running, "m-2", ran)
    assert known(running) == {"m-2": "Verified"}
    running.ready("m-2")
    running.look()
    running.run(12, 60)
    assert running.status["live"]["version"] == "m-2"
    assert running.status["previous"] == "m-1"


@pytest.mark.parametrize("image", [
    f"mirror.example.com/scorer@sha256:{'d' * 64}", "mirror.example.com/scorer:latest",
])  # fmt: skip
def test_an_image_that_is_another_one_is_said(running: Sim, image: str) -> None:
    for made in (*running.of(REPLICA_SET).values(), *running.pods("m-2")):  # a policy has rewritten the workload
        made.get("spec", {}).get("template", made)["spec"]["containers"][0]["image"] = image
    ran = f"mirror.example.com/scorer@sha256:{'d' * 64}"
    images(running, "m-2", ran)
    (found,) = running.status["findings"]
    assert found["reason"] == "ImageChanged"
    assert f"the node runs {ran}, not {IMAGE}" in found["message"]


def test_a_node_that_does_not_say_what_it_ran_says_nothing(running: Sim) -> None:
    images(running, "m-2", "")
    assert known(running) == {}


def test_an_image_is_a_way_back_that_no_store_is_asked_for(running: Sim) -> None:
    running.ready("m-2")
    running.look()
    running.run(12, 60)
    running.version("m-3")
    running.look()
    running.ready("m-3")
    running.look()
    running.run(12, 60)
    assert (running.status["live"]["version"], running.status["previous"]) == ("m-3", "m-2")
    running.now += 60
    running.look()
    assert running.condition("RollbackReady")["status"] == "True"
    assert running.status.get("stored", {}).get("version") != "m-2"
