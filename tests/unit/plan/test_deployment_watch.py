"""A live version under watch after its promotion, in a tiny world: rolled back when it fails, and only then."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.plan.rollout_world import OUTCOMES, Json, Sim, spec

from fairlead.manifests.route import services
from fairlead.plan.core import HTTP_ROUTE, MODEL_VERSION, POD, WORKLOAD, epoch, rfc3339

PROMOTED: dict[str, Sim] = {}


def promoted(*guards: Json, errors: dict[str, float] | None = None, seed: int = 0, **after: Any) -> Sim:
    """m-2 has just gone live over m-1. The way there is gone once for all who ask for the same."""
    wanted = repr((guards, errors, seed, after))
    if wanted not in PROMOTED:
        PROMOTED[wanted] = gone_live(*guards, errors=errors, seed=seed, **after)
    return copy.deepcopy(PROMOTED[wanted])


def gone_live(*guards: Json, errors: dict[str, float] | None, seed: int, **after: Any) -> Sim:
    sim = Sim(spec(*guards, rollout={"afterPromotion": after}), errors=dict(errors or {}), seed=seed)
    sim.go_live()
    sim.traffic(300)
    sim.begin()
    sim.run(60, 100)
    assert live(sim) == "m-2", sim.status
    return sim


def live(sim: Sim) -> str:
    return str(sim.status["live"]["version"])


def watch(sim: Sim) -> Json:
    found: Json = sim.status.get("watch", {})
    return found


def windows(sim: Sim, number: int, requests: int = 100) -> int:
    """So many windows pass; how many it took until the watch was over."""
    for index in range(number):
        if not watch(sim):
            return index
        since = epoch(watch(sim)["since"])
        sim.tick(requests, seconds=min(60.0, max(10.0, 0.01 * (sim.now - since))))
    return number


def settle(sim: Sim, version: str = "m-1") -> None:
    """Pods that were started become ready."""
    sim.ready(version)
    sim.look()


def asked(sim: Sim) -> Json:
    """The question that an alarm asks."""
    found: Json = watch(sim).get("confirmation", {})
    return found


def back(sim: Sim, version: str = "m-1", most: int = 60) -> int:
    """The pods of the version before become ready, and it is asked until it is live; the seconds that this took."""
    settle(sim, version)
    for second in range(most):
        if live(sim) == version:
            return second
        sim.tick(50)
    raise AssertionError(sim.status)


def versions(sim: Sim) -> set[str]:
    return {w["metadata"]["labels"]["fairlead.dev/version"] for w in sim.select(WORKLOAD)}


def test_healthy_all_the_time_stays_and_the_watch_ends() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01})
    assert sim.condition("Watched")["reason"] == "Watching"
    windows(sim, 1000)
    assert live(sim) == "m-2"
    assert "watch" not in sim.status
    assert sim.condition("Watched") == {}
    assert "WatchEnded" in sim.events
    assert sim.rests()


def test_a_failure_that_begins_an_hour_after_the_promotion_is_rolled_back_to_warm_pods() -> None:
    sim = promoted(errors={"m-1": 0.01, "m-2": 0.01}, **{"for": "3h"})
    while sim.now < epoch(watch(sim)["since"]) + 3600:
        windows(sim, 1)
    assert versions(sim) == {"m-2"}  # the old pods are gone
    sim.errors["m-2"] = 0.2
    taken = 0
    while not asked(sim) and taken < 10:
        windows(sim, 1)
        taken += 1
    assert taken <= 3
    assert sim.shares() == {"m-2": 100}  # nothing goes to pods that are not warm
    assert versions(sim) == {"m-1", "m-2"}
    assert (sim.status["phase"], sim.condition("Progressing")["reason"]) == ("Progressing", "Confirming")
    assert back(sim) <= 10
    assert sim.shares() == {"m-1": 100}
    record = sim.status["history"][0]
    assert (record["version"], record["result"], record["reason"]) == ("m-2", "RolledBack", "ErrorsWorseAfterPromotion")
    assert "m-2 is worse than m-1" in record["message"]
    assert sim.status["refused"] == ["m-2"]
    assert sim.status["phase"] == "RolledBack"
    assert live(sim) == "m-1"
    # nothing goes to and fro
    assert "watch" not in sim.status
    assert "previous" not in sim.status
    sim.errors["m-1"] = 0.9
    sim.run(50, 100)
    assert live(sim) == "m-1"
    sim.tick(seconds=60)
    assert versions(sim) == {"m-1"}
    assert len(services(sim.of(HTTP_ROUTE)["web"])) == 1


def test_pods_of_a_workload_that_was_just_deleted_are_not_taken_for_warm_ones() -> None:
    sim = promoted()
    old = [dict(pod) for pod in sim.pods("m-1")]
    sim.tick(100, seconds=20)  # the workload goes …
    assert versions(sim) == {"m-2"}
    for pod in old:
        sim.of(POD)["old"] = pod  # … its pods are not told yet
    sim.errors["m-2"] = 0.9
    windows(sim, 3)
    assert asked(sim)["warmed"]
    assert sim.shares() == {"m-2": 100}
    back(sim)
    assert sim.shares() == {"m-1": 100}


def test_a_holdback_compares_on_the_same_traffic() -> None:
    sim = promoted(errors={"m-1": 0.02, "m-2": 0.02}, holdback="10%")
    assert sim.shares() == {"m-1": 10, "m-2": 90}
    assert sim.condition("Watched")["message"].startswith("m-2 is compared with m-1, which answers 10 %")
    assert sim.condition("RollbackReady")["reason"] == "Running"
    sim.errors = {"m-1": 0.5, "m-2": 0.5}  # a dependency of both fails
    windows(sim, 30)
    assert live(sim) == "m-2"
    sim.errors = {"m-1": 0.02, "m-2": 0.5}
    assert windows(sim, 10) <= 3
    assert sim.shares() == {"m-1": 100}  # at once: its pods were warm
    assert "at the same time" in sim.status["history"][0]["message"]


def test_without_a_holdback_a_dependency_that_fails_is_an_alarm_that_asks() -> None:
    sim = promoted(errors={"m-1": 0.02, "m-2": 0.02})
    sim.errors = {"m-1": 0.5, "m-2": 0.5}
    windows(sim, 10)
    assert "Confirming" in sim.events
    settle(sim)
    windows(sim, 20)
    assert "RollingBack" not in sim.events


def test_the_holdback_ends_with_the_watch_and_the_old_pods_drain() -> None:
    sim = promoted(holdback="5%", **{"for": "5m"})
    windows(sim, 200)
    assert sim.shares() == {"m-2": 100}
    assert [one["version"] for one in sim.status["retiring"]] == ["m-1"]
    sim.tick(seconds=20)
    assert versions(sim) == {"m-2"}


def test_a_holdback_without_ready_pods_loses_its_share_and_the_watch_goes_on() -> None:
    sim = promoted(holdback="10%")
    sim.ready("m-1", False)
    sim.look()
    assert sim.shares() == {"m-2": 100}
    assert "HoldbackEnded" in sim.events
    sim.errors["m-2"] = 0.5
    windows(sim, 5)
    assert "Confirming" in sim.events
    back(sim)


def test_places_in_the_route_are_kept() -> None:
    sim = promoted(holdback="10%")
    route = sim.of(HTTP_ROUTE)["web"]["spec"]["rules"]
    assert [len(rule["backendRefs"]) for rule in route] == [2, 1, 1]
    before = [ref["name"] for ref in route[0]["backendRefs"]]
    sim.errors["m-2"] = 0.9
    windows(sim, 10)
    after = sim.of(HTTP_ROUTE)["web"]["spec"]["rules"]
    assert [len(rule["backendRefs"]) for rule in after] == [2, 1, 1]
    names = [(ref["name"], ref["weight"]) for ref in after[0]["backendRefs"]]
    assert {weight for _, weight in names} == {99, 1}
    assert names[before.index(sim_child(sim, "m-1"))][1] == 99


def sim_child(sim: Sim, version: str) -> str:
    found = [w for w in sim.select(WORKLOAD) if w["metadata"]["labels"]["fairlead.dev/version"] == version]
    return str(found[0]["metadata"]["name"])


def test_standby_keeps_the_old_pods_without_requests() -> None:
    sim = promoted(standby="10m")
    sim.tick(100, seconds=30)
    assert versions(sim) == {"m-1", "m-2"}
    assert sim.shares() == {"m-2": 100}
    sim.errors["m-2"] = 0.9
    windows(sim, 3)
    assert live(sim) == "m-1"  # at once
    other = promoted(standby="1m")
    other.tick(100, seconds=61)
    other.tick(100, seconds=20)
    assert versions(other) == {"m-2"}
    assert watch(other)


def test_each_request_after_the_promotion_is_counted_once() -> None:
    sim = promoted(errors={"m-1": 0.02, "m-2": 0.02}, holdback="20%")
    start = dict(sim.served)
    counted = {v: sim.status["history"][0][k]["requests"] for v, k in (("m-1", "stable"), ("m-2", "candidate"))}
    for step in range(40):
        sim.tick(50, seconds=10.0)
        if step % 9 == 4:
            sim.now += 100  # nobody looked
        if step % 11 == 5:
            sim.tick(seconds=10.0)
            sim.restart("m-2")
    guard = watch(sim)["guards"][0]
    assert guard["live"]["requests"] + counted["m-2"] == sim.served["m-2"] > start["m-2"]
    assert guard["previous"]["requests"] + counted["m-1"] >= sim.served["m-1"] - 300
    assert guard["live"]["failures"] <= sim.failed["m-2"]


@pytest.mark.parametrize("what", ["pods", "prometheus"])
def test_what_can_not_be_read_freezes_and_is_made_up_for(what: str) -> None:
    sim = promoted({"metric": "errors"}, OUTCOMES, errors={"m-2": 0.01})
    windows(sim, 5)
    if what == "pods":
        sim.unreadable.add("m-2")
    else:
        sim.prometheus_down = True
    index = 0 if what == "pods" else 1
    before = watch(sim)["guards"][index]["live"]
    windows(sim, 20)
    assert watch(sim)["guards"][index]["live"] == before
    assert sim.condition("Watched")["status"] == "False"
    assert sim.condition("Watched")["reason"] == "Unreachable"
    assert live(sim) == "m-2"
    sim.unreadable.clear()
    sim.prometheus_down = False
    windows(sim, 1)
    assert sim.condition("Watched")["status"] == "True"
    assert watch(sim)["guards"][index]["live"]["requests"] >= before["requests"] + 2000


def test_a_pod_that_does_not_answer_is_soon_asked_again() -> None:
    sim = promoted(**{"for": "10m"})
    windows(sim, 3)
    sim.unreadable.add("m-2")
    for later, pause in ((10.5, 2.5), (2.5, 2.5), (2.5, 10.0), (10.0, 10.0)):
        sim.now += later
        assert sim.look().requeue_after == pytest.approx(pause, abs=0.1), later


def test_silence_is_not_observation_and_is_not_written() -> None:
    sim = promoted(**{"for": "10m"})
    windows(sim, 3)
    sim.look()
    before, plans = json.dumps(watch(sim)), sim.plans
    for _ in range(30):
        sim.tick(0, seconds=10.0)
    assert json.dumps(watch(sim)) == before
    assert sim.plans <= plans + 33  # one look each, and one for the condition
    assert sim.condition("Watched")["reason"] == "NoTraffic"
    assert sim.plan().requeue_after == pytest.approx(10.0, abs=0.1)
    sim.tick(0, seconds=1200.0)
    assert "watch" not in sim.status  # it ends in any case


def test_pods_that_crash_go_back_though_nobody_could_count_their_failures() -> None:
    sim = promoted()
    for _ in range(3):
        sim.restart("m-2")
    sim.ready("m-2", False)
    sim.look()
    settle(sim)
    assert live(sim) == "m-1"
    assert sim.status["history"][0]["reason"] == "CrashedAfterPromotion"


def test_latency_and_outcomes_are_watched() -> None:
    slow = promoted({"metric": "latency"}, errors={})
    slow.slow["m-2"] = 0.5
    windows(slow, 6)
    back(slow)
    assert slow.status["history"][0]["reason"] == "LatencyWorseAfterPromotion"
    assert "took longer than" in slow.status["history"][0]["message"]
    wrong = promoted({"metric": "errors"}, OUTCOMES)
    wrong.wrong["m-2"] = 0.3
    windows(wrong, 6)
    back(wrong, most=200)
    assert wrong.status["history"][0]["reason"] == "OutcomesWorseAfterPromotion"


def test_a_way_back_that_is_gone_and_was_not_recorded_is_said_and_nothing_is_made_worse() -> None:
    sim = promoted(errors={"m-2": 0.0})
    record = sim.of(MODEL_VERSION).pop("m-1")
    sim.status["versions"] = []
    sim.look()
    assert sim.condition("RollbackReady")["reason"] == "VersionMissing"
    sim.errors["m-2"] = 0.5
    windows(sim, 5)
    assert sim.shares() == {"m-2": 100}
    assert sim.status["phase"] == "Holding"
    assert sim.condition("Progressing")["reason"] == "VersionMissing"
    assert sim.condition("WorldChanged")["status"] == "Unknown"
    assert "ModelVersion m-1" in sim.status["message"]
    sim.of(MODEL_VERSION)["m-1"] = record
    sim.look()
    back(sim)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spec": {"revoked": "it is biased"}}, "VersionRevoked"), ({"status": {"phase": "Rejected"}}, "NotApproved"),
        ({"spec": {"server": {"runtime": "sklearn"}}}, "Startable"),
        ({"status": {"conditions": [
            {"type": "Verified", "status": "False", "reason": "DigestMismatch", "lastTransitionTime": rfc3339(0)},
        ]}}, "DigestMismatch"),
    ],
)  # fmt: skip
def test_rollback_ready_says_what_is_missing(change: Json, reason: str) -> None:
    sim = promoted()
    sim.tick(seconds=20)
    assert sim.condition("RollbackReady")["reason"] == "Startable"
    old = sim.of(MODEL_VERSION)["m-1"]
    for key, values in change.items():
        old[key] |= values
    sim.look()
    assert sim.condition("RollbackReady")["reason"] == reason


def test_rollback_ready_looks_for_the_model_in_the_store_once_an_hour() -> None:
    sim = promoted()
    sim.tick(seconds=20)
    assert sim.status["stored"]["state"] == "Found"
    sim.lost.add("m-1")
    sim.tick(seconds=60)
    assert sim.condition("RollbackReady")["status"] == "True"
    sim.tick(seconds=3600)
    assert sim.condition("RollbackReady")["reason"] == "ObjectMissing"
    assert "s3://bucket/m-1" in sim.condition("RollbackReady")["message"]
    sim.lost.clear()
    sim.tick(seconds=300)
    assert sim.condition("RollbackReady")["status"] == "True"


def test_rollback_ready_compares_the_inputs() -> None:
    sim = promoted()
    evaluation = {"target": "y", "metrics": ["mae"], "data": {"dataset": {"name": "d"}}}
    sim.of(MODEL_VERSION)["m-1"]["spec"]["evaluation"] = evaluation | {"features": ["a", "old"]}
    sim.of(MODEL_VERSION)["m-2"]["spec"]["evaluation"] = evaluation | {"features": ["a", "b"]}
    sim.status["versions"] = []  # chosen as they are now
    sim.look()
    assert sim.condition("RollbackReady")["reason"] == "SchemaDiffers"
    assert "(old)" in sim.condition("RollbackReady")["message"]


def test_the_first_version_is_not_watched_and_has_no_way_back() -> None:
    sim = Sim(spec())
    sim.go_live()
    assert "watch" not in sim.status
    assert sim.condition("RollbackReady") == {}
    assert sim.rests()


def test_a_newer_version_is_compared_with_the_watched_one_which_stays_under_watch() -> None:
    sim = promoted(holdback="10%")
    sim.spec["rollout"]["steps"] = [{"weight": 10, "for": "1h"}]
    sim.now += 1
    sim.begin("m-3")
    assert sim.shares() == {"m-2": 90, "m-3": 10}
    assert "HoldbackEnded" in sim.events
    assert watch(sim)["version"] == "m-2"
    sim.errors = {"m-2": 0.6, "m-3": 0.6}
    for _ in range(80):
        sim.tick(60, seconds=10)
        if asked(sim).get("phase") == "Starting":  # after ten minutes the candidate waits
            break
    assert sim.candidate["step"] == -1
    back(sim)
    assert sim.candidate["version"] == "m-3"
    assert sim.candidate["against"] == "m-1"
    assert sim.status["refused"] == ["m-2"]


def test_a_newer_version_that_goes_live_is_watched_in_its_turn() -> None:
    sim = promoted()
    sim.now += 1
    sim.begin("m-3")
    sim.run(60, 100)
    assert live(sim) == "m-3"
    assert (watch(sim)["version"], watch(sim)["against"]) == ("m-3", "m-2")
    sim.errors["m-3"] = 0.5
    windows(sim, 5)
    back(sim, "m-2")
    assert sim.status["previous"] == "m-1"  # the last good one before it
    assert sim.condition("RollbackReady")["status"] == "True"


def test_paused_still_goes_back() -> None:
    sim = promoted()
    sim.spec["paused"] = True
    sim.errors["m-2"] = 0.5
    windows(sim, 5)
    back(sim)


def test_it_can_be_switched_off_at_any_time() -> None:
    assert not watch(promoted(**{"for": "0s"}))
    sim = promoted(holdback="10%")
    sim.spec["rollout"]["afterPromotion"] = {"for": "0s"}
    sim.look()
    assert not watch(sim)
    assert sim.shares() == {"m-2": 100}
    sim.tick(seconds=20)
    assert versions(sim) == {"m-2"}


def test_a_guard_that_is_changed_is_not_watched_any_more() -> None:
    sim = promoted({"metric": "errors"}, OUTCOMES)
    sim.spec["rollout"]["guard"][0]["worseBy"] = "5%"
    windows(sim, 2)
    assert [guard["guard"] for guard in watch(sim)["guards"]] == ["1/outcomes"]
    del sim.spec["rollout"]["guard"][1]
    windows(sim, 2)
    assert not watch(sim)


def test_its_status_is_small() -> None:
    sim = promoted({"metric": "errors"}, {"metric": "latency"}, OUTCOMES, OUTCOMES, holdback="10%")
    sim.spec["replicas"] = {"min": 20}
    sim.look()
    settle(sim)
    settle(sim, "m-2")
    windows(sim, 50)
    assert len(watch(sim)["guards"]) == 4
    kept = watch(sim)
    assert len(json.dumps(kept.pop("ledger"))) < 24576
    assert len(json.dumps(kept)) < 4096
