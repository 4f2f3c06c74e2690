"""A version is the object that was chosen, not whoever has its name: pinned by uid and digest, served as recorded."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, dump, spec

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pinned import RECORD
from fairlead.plan.core import MODEL_VERSION, WORKLOAD, Json, rfc3339
from fairlead.plan.model.identity import pin, unpin

EVIL = {
    "artifact": {"uri": "s3://elsewhere/evil", "sha256": "e" * 64}, "approval": {"required": 3, "expires": "1h"},
}  # fmt: skip


def replaced(sim: Sim, name: str, phase: str = "Approved", **more: Any) -> Json:
    """The ModelVersion is deleted, and made again under its name."""
    sim.now += 10
    made = sim.version(name, phase=phase, **(EVIL | more))
    made["metadata"]["uid"] = f"uid-{name}-again-{sim.now}"
    return made


def promoted(**more: Any) -> Sim:
    sim = Sim(spec(**more))
    sim.go_live()
    sim.begin("m-2")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    sim.tick(seconds=20)
    return sim


def template(sim: Sim, name: str) -> Json:
    (found,) = sim.select(WORKLOAD, {"fairlead.dev/version": name})
    pod: Json = found["spec"]["template"]
    return copy.deepcopy(pod)


@pytest.mark.parametrize("phase", ["Pending", "Approved", "Rejected"])
def test_identity_a_live_version_made_again_with_other_bytes_goes_on_as_it_was(phase: str) -> None:
    sim = promoted()
    before = template(sim, "m-2")
    replaced(sim, "m-2", phase)
    sim.tick(50)
    assert template(sim, "m-2") == before
    assert sim.shares() == {"m-2": 100}
    said = sim.condition("VersionReplaced")
    assert said["status"] == "True"
    assert "ModelVersion m-2" in said["message"]
    assert "make it under a new name" in said["message"]
    assert sim.condition("Ready")["status"] == "True"
    assert sim.events.count("VersionReplaced") == 1
    assert "candidate" not in sim.status
    assert "evil" not in str(sim.objects[WORKLOAD])


def test_identity_pods_of_a_replaced_live_version_can_be_changed_by_its_record() -> None:
    sim = promoted()
    replaced(sim, "m-2")
    sim.spec["replicas"] = {"min": 3}
    sim.look()
    (workload,) = sim.select(WORKLOAD, {"fairlead.dev/version": "m-2"})
    assert workload["spec"]["replicas"] == 3
    assert "evil" not in str(workload)


def test_identity_a_live_version_whose_object_is_gone_is_served_and_watched_as_recorded() -> None:
    sim = promoted()
    counted = sim.status["watch"]["guards"][0]["live"]["requests"]
    del sim.of(MODEL_VERSION)["m-2"]
    sim.spec["replicas"] = {"min": 2}
    sim.look()
    sim.ready("m-2")
    for _ in range(4):
        sim.tick(100, seconds=12)
    assert sim.status["watch"]["guards"][0]["live"]["requests"] > counted
    assert "recorded" in sim.condition("Ready")["message"]
    sim.version("m-3")
    sim.look()
    sim.ready("m-3")
    sim.look()
    sim.errors["m-3"] = 0.9
    sim.run(20, 100)
    assert sim.status["refused"] == ["m-3"]
    assert sim.shares() == {"m-2": 100}


def test_identity_a_rollback_starts_the_bytes_that_were_live_before_not_the_stranger_with_their_name() -> None:
    sim = promoted()
    replaced(sim, "m-1", age=-5)
    sim.look()
    assert sim.condition("VersionReplaced")["status"] == "True"
    assert sim.condition("RollbackReady")["status"] == "True"
    sim.errors["m-2"] = 0.9
    for _ in range(5):
        sim.tick(100, seconds=12)
    sim.ready("m-1")
    sim.look()
    for _ in range(5):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-1"
    assert "s3://bucket/m-1" in str(template(sim, "m-1"))
    assert "evil" not in str(sim.objects[WORKLOAD])


def test_identity_a_holdback_goes_on_as_it_was() -> None:
    sim = promoted(rollout={"afterPromotion": {"holdback": "10%"}})
    before = template(sim, "m-1")
    replaced(sim, "m-1")
    for _ in range(3):
        sim.tick(100, seconds=12)
    assert sim.shares() == {"m-1": 10, "m-2": 90}
    assert template(sim, "m-1") == before
    assert sim.status["watch"]["guards"][0]["previous"]["requests"] > 0


def test_identity_a_stranger_under_the_name_of_the_way_back_is_not_rolled_out_as_a_newer_version() -> None:
    sim = promoted()
    replaced(sim, "m-1", age=-5)
    sim.tick(10)
    assert "candidate" not in sim.status
    assert sim.status["live"]["version"] == "m-2"
    sim.spec["model"] = {"version": "m-1"}
    sim.look()
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == "VersionReplaced"
    assert "make it under a new name" in sim.condition("Progressing")["message"]


@pytest.mark.parametrize("bytes_", [EVIL, {}])
def test_identity_a_candidate_made_again_ends_and_nothing_of_it_runs_on_the_old_ones_evidence(bytes_: Json) -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin("m-2")
    sim.tick(100)
    assert sim.shares()["m-2"] == 10
    again = sim.version("m-2", age=-1, **bytes_)
    again["metadata"]["uid"] = "uid-of-the-second"
    sim.look()
    assert "candidate" not in sim.status
    assert sim.status["history"][0]["reason"] == "VersionReplaced"
    assert sim.shares() == {"m-1": 100}
    sim.tick(100)
    assert "candidate" not in sim.status, "its name is taken while the pods of the first one leave"
    sim.now += 20
    sim.look()
    sim.look()
    began = sim.candidate  # as another version, with nothing seen so far
    assert (began["version"], began["answered"].get("requests", 0), began["step"]) == ("m-2", 0, -1)
    (pinned,) = [one for one in sim.status["versions"] if one["name"] == "m-2"]
    assert pinned["uid"] == "uid-of-the-second"


def test_identity_a_paused_candidate_made_again_leaves_too() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin("m-2")
    sim.spec["paused"] = True
    sim.look()
    replaced(sim, "m-2")
    sim.look()
    assert "candidate" not in sim.status


def test_identity_an_override_goes_back_to_the_recorded_bytes() -> None:
    sim = promoted()
    replaced(sim, "m-1")
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "it is better", "at": rfc3339(sim.now)}
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert sim.status["refused"] == ["m-2"]
    assert "evil" not in str(sim.objects[WORKLOAD])


def test_identity_the_same_bytes_applied_again_are_the_same_version_once_they_are_approved_again() -> None:
    sim = promoted()
    first = copy.deepcopy(sim.of(MODEL_VERSION)["m-2"])
    again = copy.deepcopy(first)
    again["metadata"] |= {"uid": "uid-2", "creationTimestamp": rfc3339(sim.now)}
    again["status"]["phase"] = "Pending"
    sim.of(MODEL_VERSION)["m-2"] = again
    sim.look()
    pins = {one["name"]: one for one in sim.status["versions"]}
    assert pins["m-2"]["uid"] == "uid-m-2"
    assert sim.condition("VersionReplaced") == {}
    again["status"]["phase"] = "Approved"
    sim.look()
    pins = {one["name"]: one for one in sim.status["versions"]}
    assert pins["m-2"]["uid"] == "uid-2"
    assert pins["m-2"]["created"] == first["metadata"]["creationTimestamp"]
    assert "candidate" not in sim.status


def test_identity_who_revokes_the_same_bytes_speaks_of_what_is_served_a_stranger_does_not() -> None:
    sim = promoted()
    again = copy.deepcopy(sim.of(MODEL_VERSION)["m-2"])
    again["metadata"]["uid"] = "uid-2"
    again["spec"]["revoked"] = "leaks"
    sim.of(MODEL_VERSION)["m-2"] = again
    sim.look()
    assert sim.condition("Ready")["reason"] == "LiveRevoked"
    replaced(sim, "m-2", revoked="mine")
    sim.look()
    assert sim.condition("Available")["reason"] == "Serving"


# --- upgrades, and bounds --------------------------------------------------------------------------------------------


def of_an_older_release(sim: Sim) -> None:
    sim.status.pop("versions")


def test_identity_a_status_without_pins_is_completed_at_the_first_look() -> None:
    sim = promoted()
    before = copy.deepcopy(sim.status["versions"])
    of_an_older_release(sim)
    DeploymentStatus.model_validate(sim.status)
    sim.look()
    assert sim.status["versions"] == before


def test_identity_a_stranger_that_came_before_the_upgrade_is_not_pinned() -> None:
    sim = promoted()
    before = template(sim, "m-2")
    of_an_older_release(sim)
    replaced(sim, "m-2")
    sim.look()
    assert template(sim, "m-2") == before
    assert sim.condition("VersionReplaced")["status"] == "True"
    assert "nobody recorded all of what" in sim.condition("VersionReplaced")["message"]
    pins = {one["name"]: one for one in sim.status["versions"]}
    assert "record" not in pins["m-2"] or not pins["m-2"]["record"]
    sim.tick(50)
    assert template(sim, "m-2") == before


def test_identity_a_record_that_is_too_large_is_not_kept_and_the_stranger_is_still_refused() -> None:
    sim = Sim(spec())
    sim.version("m-1", age=1000)["spec"]["server"]["args"] = ["x" * 4000] * 8
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    (one,) = sim.status["versions"]
    assert one["uid"] == "uid-m-1"
    assert not one["record"]
    before = template(sim, "m-1")
    replaced(sim, "m-1")
    sim.spec["replicas"] = {"min": 3}
    sim.look()
    assert template(sim, "m-1") == before
    assert "can't be changed" in sim.condition("Ready")["message"]


def test_identity_the_status_keeps_only_what_is_in_use() -> None:
    sim = promoted()
    for number in range(3, 8):
        sim.now += 30
        sim.begin(f"m-{number}")
        sim.run(60, 100)
        assert sim.status["live"]["version"] == f"m-{number}"
    sim.tick(seconds=60)
    assert [one["name"] for one in sim.status["versions"]] == ["m-6", "m-7"]
    assert len(str(sim.status["versions"])) < 2 * RECORD


def test_identity_records_are_counted_in_bytes() -> None:
    sim = Sim(spec())
    sim.version("m-1", age=1000)["spec"]["server"]["args"] = ["ä" * 4000] * 5
    sim.look()
    assert [(one["name"], one.get("record")) for one in sim.status["versions"]] == [("m-1", "")]


def test_identity_many_records_leave_the_status_small_and_the_live_version_has_its_own() -> None:
    names = [f"m-{number}" for number in range(2, 6)]
    reward = {"total": "total:{{version}}", "successes": "successes:{{version}}"}
    trial = {"versions": names, "share": "80%", "reward": reward, "for": "5s", "requests": 50, "then": "Promote"}
    sim = Sim(spec(experiment=trial), wrong={"m-1": 0.5, "m-2": 0.5, "m-3": 0.5, "m-4": 0.5, "m-5": 0.1})
    for group in (["m-1"], names):
        for name in group:
            sim.version(name, age=1000)["spec"]["server"]["args"] = ["x" * 4000] * 5
        sim.look()
        for name in group:
            sim.ready(name)
        sim.look()
    records = {one["name"]: one["record"] for one in sim.status["versions"]}
    assert [name for name, one in records.items() if one] == ["m-1", "m-2", "m-3", "m-4"]
    assert list(records) == ["m-1", *names]
    assert sum(map(len, records.values())) <= 4 * RECORD
    for _ in range(200):
        sim.tick(100)
        if sim.status["experiment"]["phase"] == "Ended":
            break
    assert sim.status["live"]["version"] == "m-5"
    records = {one["name"]: one["record"] for one in sim.status["versions"]}
    assert records["m-5"]
    assert records["m-1"]


@pytest.mark.parametrize("record", ["", "{", "[]", '{"spec": {}}', '{"spec": null}'])
def test_identity_a_record_that_can_not_be_read_harms_nobody(record: str) -> None:
    sim = promoted()
    before = template(sim, "m-2")
    for one in sim.status["versions"]:
        one["record"] = record
    sim.tick(50)
    assert template(sim, "m-2") == before
    assert sim.shares() == {"m-2": 100}
    assert dump(DeploymentStatus.model_validate(sim.status)) == sim.status


def after_three(**more: Any) -> Sim:
    sim = promoted(**more)
    sim.begin("m-3")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-3"
    sim.tick(seconds=20)
    return sim


def taken_back(sim: Sim) -> None:
    """m-3 becomes bad, and m-2 takes its place."""
    sim.errors["m-3"] = 0.9
    for _ in range(10):
        sim.tick(100, seconds=12)
        sim.ready("m-2")
    assert sim.status["live"]["version"] == "m-2"


def test_identity_who_has_the_name_of_an_older_version_does_not_become_the_way_back_of_the_way_back() -> None:
    sim = after_three()
    sim.spec["paused"] = True  # or else it would be rolled out, as any new version
    replaced(sim, "m-1")
    taken_back(sim)
    assert "previous" not in sim.status
    assert "evil" not in str(sim.status["versions"])


def test_identity_an_older_version_that_is_still_what_it_was_becomes_the_way_back_of_the_way_back() -> None:
    sim = after_three()
    taken_back(sim)
    assert sim.status["previous"] == "m-1"


@pytest.mark.parametrize("there", [True, False])
def test_identity_after_a_restore_the_older_versions_bytes_are_known_though_it_had_no_pin(there: bool) -> None:
    sim = promoted()
    sim.status["versions"] = [one for one in sim.status["versions"] if one["name"] != "m-1"]
    sim.status["live"]["since"] = rfc3339(sim.now + 60)  # as of the restore
    if not there:
        replaced(sim, "m-1")
    sim.look()
    (pin,) = (one for one in sim.status["versions"] if one["name"] == "m-1")
    assert pin["uid"] == "uid-m-1"
    assert ("VersionReplaced" in sim.events) is not there
    assert bool(pin["record"]) is there


def test_identity_a_rollback_by_hand_after_an_upgrade_does_not_take_who_has_the_name_by_now() -> None:
    sim = after_three()
    del sim.status["served"]  # the release before noted none
    sim.spec["paused"] = True
    made = replaced(sim, "m-1")
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "odd", "at": rfc3339(sim.now)}
    sim.look()
    assert sim.events[-1] == "OverrideIgnored"
    assert sim.status["live"]["version"] == "m-3"
    made["metadata"]["creationTimestamp"] = rfc3339(sim.now - 3600)  # it is the one that was live, after all
    sim.spec["override"]["reason"] = "once more"
    sim.look()
    assert sim.status["wayBack"]["version"] == "m-1"


def test_a_profile_takes_no_record_away() -> None:
    """A version whose description just fits keeps it, as before there were profiles."""
    learnt = {"digest": "d" * 64, "uri": f"s3://models/{'k' * 900}", "rows": 3, "features": 2, "message": "x" * 400}
    kept: dict[int, tuple[bool, bool]] = {}
    for size in (100, RECORD - 1000, RECORD):
        raw = {
            "metadata": {"name": "m-1", "uid": "u"},
            "spec": {"model": "m", "artifact": {"uri": "s3://models/m", "sha256": "0" * 64},
                     "server": {"runtime": "custom", "image": "example.com/m",
                                "args": ["a" * 4096] * (size // 4096) + ["a" * (size % 4096)]}},
            "status": {"evidence": {"digest": "e", "profile": learnt}},
        }  # fmt: skip
        one = pin(raw)
        assert one is not None
        found = unpin(one)
        evidence = found.status.evidence if found else None
        kept[size] = (bool(one.record), bool(evidence and evidence.profile))
    assert kept == {100: (True, True), RECORD - 1000: (True, False), RECORD: (False, False)}
