"""Objects applied again from a backup, without status: what was live, and what was taken back, comes from the store."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator

import pytest
from tests.effort import few
from tests.unit.plan.rollout_world import START, Sim, spec

from fairlead.plan.core import MODEL_VERSION, WORKLOAD, Json, rfc3339
from fairlead.plan.requests import Failed

AWAY = Failed("Unreachable", "http://s3:9000 can't be reached: nothing listens there; start the store")
FOLDER = "team/state/web/"


def a_life() -> Sim:
    """m-2 is live after m-1; m-3 was taken back; m-0 is older and never was live; m-9 waits for its approval."""
    sim = Sim(spec(), store=True)
    sim.version("m-0", age=2000)
    sim.go_live("m-1")
    sim.begin("m-2")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    sim.now += 20
    sim.begin("m-3")
    sim.errors["m-3"] = 0.9
    sim.run(60, 100)
    assert sim.status["refused"] == ["m-3"]
    sim.now += 20
    sim.version("m-9", phase="AwaitingApproval")
    for _ in range(3):
        sim.tick(10)
    return sim


def documents(sim: Sim) -> list[str]:
    return sorted(key for key in sim.documents if key.startswith(FOLDER))


def newest(sim: Sim) -> Json:
    found: Json = json.loads(sim.documents[documents(sim)[-1]])
    return found


def lost(sim: Sim) -> dict[str, Json]:
    """The cluster is gone; the backup has the ModelVersions without status."""
    backup = {name: {"spec": one["spec"]} for name, one in copy.deepcopy(sim.of(MODEL_VERSION)).items()}
    sim.objects.clear()
    sim.counted.clear()
    sim.status = {}
    sim.events.clear()
    sim.now += 3600
    return backup


def apply(sim: Sim, name: str, backup: dict[str, Json], phase: str = "Pending") -> None:
    """One more object is applied: it has another uid, and is as old as the moment."""
    made = {"name": name, "uid": f"again-{name}", "creationTimestamp": rfc3339(sim.now), "labels": {}}
    evidence = {"digest": "d", "sample": '{"inputs":[]}'}
    sim.of(MODEL_VERSION)[name] = copy.deepcopy(backup[name]) | {
        "metadata": made, "status": {"phase": phase, "evidence": evidence},
    }  # fmt: skip


def in_any_order(sim: Sim, backup: dict[str, Json], seed: int) -> Iterator[None]:
    """Everything is applied in some order, the Deployment (from the first look on) somewhere in between; versions are
    proven again in another order."""
    draw, names = random.Random(seed), sorted(backup)
    draw.shuffle(names)
    for _ in range(draw.randrange(len(names) + 1)):
        sim.now += draw.choice([0.0, 1.0])
        apply(sim, names.pop(), backup)
    yield
    while names:
        sim.now += draw.choice([0.0, 1.0])
        apply(sim, names.pop(), backup)
        yield
    again = sorted(set(backup) - {"m-9"})
    draw.shuffle(again)
    for name in again:
        sim.now += draw.choice([0.0, 1.0])
        sim.of(MODEL_VERSION)[name]["status"]["phase"] = "Approved"
        yield


def settle(sim: Sim) -> None:
    for version in ("m-1", "m-2"):
        sim.ready(version)
    for _ in range(4):
        sim.tick(20)


@pytest.mark.parametrize("seed", range(few(8, 20)))
def test_b08_whatever_the_order_what_was_live_is_live_and_what_was_refused_is_not_tried(seed: int) -> None:
    sim = a_life()
    backup = lost(sim)
    for _ in in_any_order(sim, backup, seed):
        sim.look()
        assert sim.status["live"]["version"] == "m-2"
        assert "candidate" not in sim.status
    settle(sim)
    assert sim.shares() == {"m-2": 100}
    assert (sim.status["previous"], sim.status["refused"]) == ("m-1", ["m-3"])
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"
    assert "s3://fairlead/" in sim.status["history"][0]["ledger"]
    assert sim.condition("RollbackReady")["status"] == "True"
    assert "Restored" in sim.events
    assert {one["uid"] for one in sim.status["versions"]} == {"again-m-1", "again-m-2"}
    sim.of(MODEL_VERSION)["m-9"]["status"]["phase"] = "Approved"  # what is newer may come, as before
    sim.look()
    assert sim.candidate["version"] == "m-9"


@pytest.mark.parametrize("seed", range(few(8, 20)))
def test_b08_with_the_store_away_nothing_goes_live_by_itself_and_then_the_right_one(seed: int) -> None:
    sim = a_life()
    backup = lost(sim)
    sim.store_says = AWAY
    for _ in in_any_order(sim, backup, seed):
        sim.look()
        assert "live" not in sim.status
        assert "candidate" not in sim.status
        said = sim.condition("Available")
        assert (said["status"], said["reason"]) == ("Unknown", "RestoreUnknown")
        assert "start the store" in said["message"]
    assert sim.objects.get(WORKLOAD, {}) == {}
    assert sim.plan().requeue_after == 10.0
    sim.store_says = None
    sim.tick(seconds=10)
    settle(sim)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["refused"] == ["m-3"]
    assert sim.shares() == {"m-2": 100}


def test_b08_the_live_bytes_are_served_though_no_modelversion_comes_back() -> None:
    sim = a_life()
    lost(sim)
    sim.look()
    settle(sim)
    assert sim.shares() == {"m-2": 100}
    assert "s3://bucket/m-2" in str(sim.objects[WORKLOAD])


def test_b08_who_comes_back_with_other_bytes_under_the_live_name_is_a_stranger() -> None:
    sim = a_life()
    backup = lost(sim)
    backup["m-2"]["spec"]["artifact"] = {"uri": "s3://elsewhere/evil", "sha256": "e" * 64}
    apply(sim, "m-2", backup, "Approved")
    sim.look()
    settle(sim)
    assert sim.condition("VersionReplaced")["status"] == "True"
    assert "evil" not in str(sim.objects[WORKLOAD])
    assert sim.shares() == {"m-2": 100}


def test_b08_a_decision_of_a_person_that_was_carried_out_is_not_carried_out_again() -> None:
    sim = a_life()
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "odd", "at": rfc3339(START)}
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    sim.now += 20
    sim.annotations["fairlead.dev/retry"] = "m-2"
    sim.tick(10)
    sim.ready("m-2")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2"
    backup = lost(sim)
    for name in backup:
        apply(sim, name, backup, "AwaitingApproval" if name == "m-9" else "Approved")
    sim.look()
    settle(sim)
    assert sim.status["live"]["version"] == "m-2"
    assert "wayBack" not in sim.status
    assert sim.status["refused"] == ["m-3"]


def test_b08_a_rollback_that_was_under_way_goes_on() -> None:
    sim = a_life()
    sim.tick(seconds=20)
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "odd", "at": rfc3339(START)}
    sim.look()
    assert sim.status["wayBack"]["version"] == "m-1"
    backup = lost(sim)
    for name in backup:
        apply(sim, name, backup)
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


# --- what is written, and when ---------------------------------------------------------------------------------------


def test_b08_a_promotion_by_evidence_waits_until_the_store_knows_of_it() -> None:
    sim = Sim(spec(), store=True)
    sim.go_live()
    sim.begin("m-2")
    for _ in range(60):
        was = sim.status["live"]["version"]
        found = sim.plan()
        if found.status.live.version != was:  # type: ignore[attr-defined]
            assert (newest(sim)["live"], newest(sim)["previous"]) == ("m-2", "m-1")
        sim.carry_out(found)
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["memory"]["promise"] == ""
    assert newest(sim)["history"][0]["result"] == "Live"


def until_promised(sim: Sim) -> None:
    """The candidate has shown all, and the store is about to be told."""
    while not sim.status["memory"]["promise"]:
        sim.traffic(100)
        sim.now += 1.0
        sim.carry_out(sim.plan())


def test_b08_it_waits_for_a_store_that_is_away_and_says_so() -> None:
    sim = Sim(spec(steps=[(50, "3s", 10)]), store=True)
    sim.go_live()
    sim.begin("m-2")
    until_promised(sim)
    sim.store_says = AWAY
    sim.tick(50)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("StateSaved")["reason"] == "Unreachable"
    assert sim.condition("Progressing")["reason"] == "Frozen"
    assert "goes live when the store knows of it" in sim.condition("Progressing")["message"]
    sim.store_says = None
    sim.tick(50, seconds=10)
    assert sim.status["live"]["version"] == "m-2"


def impatient(*steps: tuple[int, str, int]) -> Sim:
    sim = Sim(spec(steps=steps, rollout={"patience": "10m"}), store=True)
    sim.go_live()
    sim.begin("m-2")
    return sim


def test_b08_who_waits_for_the_store_for_hours_is_not_taken_back_for_it() -> None:
    sim = impatient((50, "3s", 10))
    until_promised(sim)
    sim.store_says = AWAY
    for _ in range(100):
        sim.tick(50, seconds=60)
    assert sim.candidate["version"] == "m-2"
    again = sim.plan().requeue_after
    assert again is not None
    assert again > 0.5
    sim.store_says = None
    for _ in range(3):
        sim.tick(50, seconds=10)
    assert sim.status["live"]["version"] == "m-2"


def test_b08_a_store_that_was_away_costs_no_patience_and_the_rest_of_it_counts() -> None:
    sim = impatient((20, "3s", 10), (50, "3s", 1_000_000))
    sim.store_says = AWAY
    for _ in range(100):
        sim.tick(50, seconds=60)
    assert sim.candidate["step"] == 0
    sim.store_says = None
    for _ in range(40):  # three minutes had passed when the store was first asked
        sim.tick(50, seconds=10)
    assert sim.candidate["step"] == 1
    for _ in range(10):
        sim.tick(50, seconds=10)
    assert sim.status["history"][0]["reason"] == "PatienceExceeded"


def test_b08_while_it_waits_for_the_store_harm_and_people_end_it_as_ever() -> None:
    sim = impatient((50, "3s", 10))
    until_promised(sim)
    sim.store_says = AWAY
    for _ in range(20):
        sim.tick(50, seconds=60)
    before = dict(sim.status)
    sim.errors["m-2"] = 0.9
    sim.run(20, 100)
    assert (sim.status["history"][0]["result"], sim.shares()) == ("RolledBack", {"m-1": 100})
    sim.status = before
    sim.spec["override"] = {"action": "Promote", "version": "m-2", "reason": "now", "at": rfc3339(START)}
    sim.look()
    assert sim.status["live"]["version"] == "m-2", "a person's word waits for no store"


def test_b08_a_rollback_waits_for_nothing_and_is_saved_when_the_store_is_back() -> None:
    sim = Sim(spec(), store=True)
    sim.go_live()
    sim.begin("m-2")
    sim.tick(50)
    sim.store_says = AWAY
    sim.errors["m-2"] = 0.9
    sim.run(10, 100)
    assert sim.shares() == {"m-1": 100}
    assert sim.status["refused"] == ["m-2"]
    assert sim.status["memory"]["due"] is True
    assert sim.condition("StateSaved")["status"] == "False"
    assert newest(sim)["refused"] == []
    sim.store_says = None
    sim.tick(seconds=10)
    assert newest(sim)["refused"] == ["m-2"]
    assert sim.condition("StateSaved")["status"] == "True"


def test_b08_a_promise_that_is_not_kept_is_taken_back() -> None:
    sim = Sim(spec(steps=[(50, "3s", 10)]), store=True)
    sim.go_live()
    sim.begin("m-2")
    until_promised(sim)
    sim.plan()  # the store has it, and the operator dies before it says so
    assert (newest(sim)["live"], sim.status["live"]["version"]) == ("m-2", "m-1")
    sim.of(MODEL_VERSION)["m-2"]["spec"]["revoked"] = "leaks"
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert (newest(sim)["live"], newest(sim).get("previous")) == ("m-1", None)


def test_b08_a_document_of_a_leader_that_died_is_followed_by_the_next_number() -> None:
    sim = a_life()
    number = sim.status["memory"]["number"]
    for more in (1, 2):
        sim.documents[f"{FOLDER}{number + more:09}.json"] = '{"deployment":"team/web","live":"m-3"}'
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "odd", "at": rfc3339(START)}
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert newest(sim)["live"] == "m-1"
    assert sim.status["memory"]["number"] > number + 2


@pytest.mark.parametrize("seed", range(few(2, 4)))
def test_b08_whenever_the_operator_dies_the_newest_document_says_what_the_status_says(seed: int) -> None:
    draw = random.Random(seed)
    sim = Sim(spec(steps=[(50, "3s", 10)]), store=True, seed=seed)
    sim.go_live()
    for number in range(2, 6):
        name = f"m-{number}"
        sim.now += 20
        sim.version(name)
        sim.errors[name] = draw.choice([0.0, 0.9])
        for _ in range(40):
            sim.traffic(100)
            sim.now += 1.0
            for _ in range(4):
                sim.ready(name)
                found = sim.plan()  # what it asks the store to keep is kept
                if draw.random() < 0.5:  # and then it dies, or its status is based on a stale view
                    sim.carry_out(found)
    sim.look()
    said, status = newest(sim), sim.status
    assert said["live"] == status["live"]["version"]
    assert said.get("previous") == status.get("previous")
    assert said["refused"] == status["refused"]
    assert not status["memory"]["due"]


def test_b08_nothing_is_written_while_nothing_changes() -> None:
    sim = a_life()
    before = documents(sim)
    for _ in range(30):
        sim.tick(50)
    assert documents(sim) == before
    assert len(before) <= 8, "one a decision, not one a look"


def test_b08_of_a_status_of_an_older_release_a_document_is_written_at_once() -> None:
    sim = a_life()
    sim.status.pop("memory")
    sim.documents.clear()
    sim.look()
    assert (newest(sim)["live"], newest(sim)["refused"]) == ("m-2", ["m-3"])
    assert newest(sim)["older"] == ["m-0", "m-1"]


# --- new ones --------------------------------------------------------------------------------------------------------


def test_b08_a_new_deployment_begins_when_the_store_says_that_there_is_nothing() -> None:
    sim = Sim(spec(), store=True, store_says=AWAY)
    sim.version("m-1")
    sim.look()
    assert sim.condition("Ready")["reason"] == "RestoreUnknown"
    assert "also where this Deployment is new" in sim.status["message"]
    sim.store_says = None
    sim.tick(seconds=10)
    assert sim.candidate["version"] == "m-1"


@pytest.mark.parametrize("reason", ["CredentialsForbidden", "CredentialsMissing"])
def test_b08_where_nobody_has_allowed_the_store_a_minute_is_waited_for_it(reason: str) -> None:
    sim = Sim(spec(), store=True, store_says=Failed(reason, "allow it by: kubectl …"))
    sim.version("m-1")
    sim.look()
    assert sim.condition("Ready")["reason"] == "RestoreUnknown"
    assert "kubectl …" in sim.condition("Ready")["message"]
    sim.tick(seconds=61)
    sim.ready("m-1")
    sim.look()
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("StateSaved")["reason"] == reason
    sim.begin("m-2")
    sim.run(60, 100)
    assert sim.status["live"]["version"] == "m-2", "a promotion does not wait for what nobody has set up"


def test_b08_a_document_that_is_none_is_named() -> None:
    sim = a_life()
    backup = lost(sim)
    for name in backup:
        apply(sim, name, backup, "Approved")
    sim.documents[f"{FOLDER}000000999.json"] = "not what Fairlead writes"
    sim.look()
    assert "live" not in sim.status
    assert "000000999.json" in sim.condition("Ready")["message"]
    del sim.documents[f"{FOLDER}000000999.json"]
    sim.tick(seconds=10)
    assert sim.status["live"]["version"] == "m-2"


def test_b08_who_wants_to_begin_anew_says_so() -> None:
    sim = a_life()
    backup = lost(sim)
    for name in backup:
        apply(sim, name, backup, "Approved" if name == "m-3" else "Pending")
    sim.annotations["fairlead.dev/begin-anew"] = "the models are others now"
    sim.look()
    assert sim.candidate["version"] == "m-3"
    sim.ready("m-3")
    sim.look()
    assert sim.status["live"]["version"] == "m-3"
    assert newest(sim)["live"] == "m-3", "it counts from now on"


def test_b08_without_a_store_all_is_as_before() -> None:
    sim = Sim(spec())
    sim.go_live()
    assert "memory" not in sim.status
    assert sim.condition("StateSaved") == {}
