"""A rollout from its first pod to its end, in a tiny world."""

from __future__ import annotations

import pytest
from tests.unit.plan.rollout_world import OUTCOMES, Sim, spec

from fairlead.manifests.route import services
from fairlead.plan.core import HTTP_ROUTE, MODEL_VERSION, SERVICE, WORKLOAD
from fairlead.plan.deployment import alerting


def live(sim: Sim) -> str:
    return str(sim.status.get("live", {}).get("version", ""))


def test_first_version_goes_live_when_it_is_warm() -> None:
    sim = Sim(spec())
    sim.version("m-1")
    sim.look()
    assert live(sim) == ""
    assert sim.status["phase"] == "Pending"
    assert not sim.of(HTTP_ROUTE)
    sim.ready("m-1")
    sim.look()
    assert live(sim) == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert sim.status["phase"] == "Live"
    assert sim.status["address"] == "http://10.0.0.1/team/web"
    assert sim.condition("Ready")["status"] == "True"


def test_steady_state_asks_nothing_and_is_looked_at_once_an_hour() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.tick(seconds=alerting.SOON)
    before, asked = sim.plans, sim.rules_asked
    found = sim.look()
    assert sim.plans == before + 1
    assert found.requeue_after == pytest.approx(alerting.RARELY, abs=0.1)
    sim.tick(seconds=alerting.RARELY - 1)
    assert sim.rules_asked == asked


def test_promotion_step_by_step() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    assert sim.shares() == {"m-1": 90, "m-2": 10}
    workload = next(w for w in sim.select(WORKLOAD) if w["metadata"]["labels"]["fairlead.dev/version"] == "m-2")
    seen = []
    for _ in range(30):
        sim.tick(100)
        seen.append(sim.shares().get("m-2"))
        if "candidate" not in sim.status:
            break
    assert live(sim) == "m-2"
    assert [w for i, w in enumerate(seen) if i == 0 or w != seen[i - 1]] == [10, 50, 100]
    assert sim.status["previous"] == "m-1"
    assert sim.status["history"][0]["result"] == "Live"
    assert sim.get(WORKLOAD, workload["metadata"]["name"]) == workload
    assert [r["version"] for r in sim.status["retiring"]] == ["m-1"]
    sim.tick(seconds=10)
    assert len(sim.of(WORKLOAD)) == 2
    sim.tick(seconds=6)
    assert {w["metadata"]["labels"]["fairlead.dev/version"] for w in sim.select(WORKLOAD)} == {"m-2"}
    assert {w["metadata"]["labels"]["fairlead.dev/version"] for w in sim.select(SERVICE)} == {"m-2"}
    sim.tick(seconds=7200)  # the watch after the promotion ends, though it saw nothing
    assert sim.rests()


def test_errors_roll_back_and_the_record_says_why() -> None:
    sim = Sim(spec(), errors={"m-1": 0.01, "m-2": 0.4})
    sim.go_live()
    sim.traffic(500)
    sim.begin()
    sim.run(20, 100)
    assert live(sim) == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert sim.status["phase"] == "RolledBack"
    assert sim.status["refused"] == ["m-2"]
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "ErrorsWorse")
    assert "m-2 failed" in record["message"]
    assert "≥ bound 4.6" in record["message"]
    assert sim.served["m-2"] < 120
    assert record["candidate"]["requests"] <= sim.served["m-2"]
    route = sim.get(HTTP_ROUTE, "web")
    assert route
    assert len(services(route)) == 1
    sim.tick(100, seconds=20)
    assert "candidate" not in sim.status
    assert len(sim.of(WORKLOAD)) == 1


def test_latency_rolls_back() -> None:
    guard = {"metric": "latency", "quantile": "p95", "worseBy": "100%"}
    sim = Sim(spec(guard), slow={"m-2": 0.5})
    sim.go_live()
    sim.traffic(500)
    sim.begin()
    sim.run(20, 100)
    assert sim.status["history"][0]["reason"] == "LatencyWorse"
    assert "took longer than 100ms" in sim.status["history"][0]["message"]


def test_latency_waits_for_enough_requests_of_the_live_version() -> None:
    sim = Sim(spec({"metric": "latency"}))
    sim.go_live()
    sim.begin()
    sim.run(1, 100)
    assert sim.candidate["verdict"] == "NoEvidence"
    assert sim.condition("EvidenceAvailable")["reason"] == "TooFewSamples"
    sim.run(30, 100)
    assert live(sim) == "m-2"


def test_outcomes_roll_back_though_nothing_fails() -> None:
    sim = Sim(spec({"metric": "errors"}, OUTCOMES), wrong={"m-1": 0.1, "m-2": 0.6})
    sim.go_live()
    sim.traffic(500)
    sim.begin()
    sim.run(20, 100)
    record = sim.status["history"][0]
    assert record["reason"] == "OutcomesWorse"
    assert "was wrong in" in record["message"]


def test_prometheus_that_is_gone_freezes_and_goes_on_when_it_is_back() -> None:
    sim = Sim(spec({"metric": "errors"}, OUTCOMES))
    sim.go_live()
    sim.traffic(300)
    sim.prometheus_down = True
    sim.begin()
    sim.run(60, 100)
    assert sim.candidate["weight"] == 10
    assert sim.candidate["verdict"] == "NoEvidence"
    assert sim.status["phase"] == "Holding"
    assert "Prometheus" in sim.condition("EvidenceAvailable")["message"]
    sim.prometheus_down = False
    sim.run(30, 100)
    assert live(sim) == "m-2"


def test_errors_still_roll_back_without_prometheus() -> None:
    sim = Sim(spec({"metric": "errors"}, OUTCOMES), errors={"m-2": 0.5})
    sim.go_live()
    sim.prometheus_down = True
    sim.begin()
    sim.run(20, 100)
    assert sim.status["history"][0]["reason"] == "ErrorsWorse"


@pytest.mark.parametrize("silent", ["m-1", "m-2"])
def test_a_pod_that_can_not_be_read_freezes_either_arm(silent: str) -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(2, 100)
    counted = sim.candidate["answered"]
    sim.unreadable.add(silent)
    sim.run(9, 100)
    assert sim.candidate["weight"] == 10
    assert sim.candidate["answered"] == counted
    assert sim.condition("EvidenceAvailable")["status"] == "False"
    sim.unreadable.clear()
    sim.run(30, 100)
    assert live(sim) == "m-2"
    assert sim.status["history"][0]["candidate"]["requests"] == sim.served["m-2"]


def test_a_window_that_a_pod_did_not_answer_for_is_soon_tried_again_and_then_in_its_time() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(2, 100)
    sim.unreadable.add("m-2")
    for later, pause in ((1.05, 0.25), (0.25, 0.25), (0.25, 1.0), (1.0, 1.0)):
        sim.now += later
        assert sim.look().requeue_after == pytest.approx(pause, abs=0.01), later
    sim.unreadable.clear()
    sim.now += 1.0
    assert sim.look().requeue_after == pytest.approx(1.0, abs=0.01)


def test_nobody_is_sent_to_a_candidate_that_can_not_be_read_for_long() -> None:
    sim = Sim(spec(), errors={"m-2": 0.5})
    sim.go_live()
    sim.begin()
    sim.unreadable.add("m-2")
    said = []
    for _ in range(30):
        sim.run(1, 100)
        said.append(sim.condition("EvidenceAvailable").get("status", ""))
    assert "False" in said[:5]
    assert set(said[5:]) == {"False"}, "the alert goes on firing, without requests too"
    assert sim.condition("EvidenceAvailable")["reason"] == "Unreachable"
    assert sim.shares() == {"m-1": 100}
    assert (sim.candidate["step"], sim.status["phase"]) == (-1, "Holding")
    assert sim.served["m-2"] < 200
    sim.unreadable.clear()
    sim.run(5, 1)
    record = sim.status["history"][0]
    assert record["reason"] == "ErrorsWorse"  # by what it did while nobody could see it
    assert record["candidate"]["requests"] <= sim.served["m-2"]


def test_no_traffic_before_the_counters_can_be_read() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.unreadable.add("m-2")
    sim.begin()
    sim.run(5, 100)
    assert sim.candidate["step"] == -1
    assert sim.served.get("m-2", 0) == 0
    assert sim.condition("Progressing")["reason"] == "Unreachable"
    assert sim.status["phase"] == "Holding"


def test_without_requests_a_step_is_not_left() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(50, 0)
    assert sim.candidate["weight"] == 10
    assert sim.candidate["observed"] == "0"


def test_a_wrong_split_freezes_and_heals() -> None:
    sim = Sim(spec(steps=[(10, "30s", 500), (50, "3s", 10)]))
    sim.go_live()
    sim.begin()
    sim.split_by = {"m-1": 50, "m-2": 50}
    sim.run(20, 50)
    assert sim.condition("EvidenceAvailable")["reason"] == "SplitWrong"
    sim.run(60, 50)
    assert sim.candidate["weight"] == 10
    sim.split_by = None
    sim.run(120, 50)
    assert live(sim) == "m-2"


def test_each_request_is_counted_once_whatever_restarts() -> None:
    sim = Sim(spec(steps=[(50, "1h", 10)]), errors={"m-1": 0.02, "m-2": 0.02})
    sim.go_live()
    sim.begin()
    for step in range(30):
        sim.tick(20)
        if step % 7 == 3:
            sim.now += 25  # nobody looked
        if step % 11 == 5:
            sim.tick()
            sim.restart("m-1")
    guard = sim.candidate["guards"][0]
    assert guard["candidate"] == {"requests": sim.served["m-2"], "failures": sim.failed["m-2"]}
    assert guard["stable"] == {"requests": sim.served["m-1"], "failures": sim.failed["m-1"]}


def test_crashes_under_traffic_end_the_rollout() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(1, 50)
    for _ in range(3):
        sim.restart("m-2")
        sim.ready("m-2", False)
        sim.tick(50)
        if "candidate" in sim.status:
            assert "m-2" not in sim.shares()
        sim.ready("m-2")
        sim.tick(50)
    assert sim.status["history"][0]["reason"] == "CandidateCrashed"


def test_crashes_of_both_are_not_held_against_the_candidate() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    for _ in range(4):
        sim.tick(50)
        sim.restart("m-2")
        sim.restart("m-1")
    sim.run(30, 100)
    assert live(sim) == "m-2"


def test_a_candidate_without_ready_pods_gets_no_requests_until_it_has() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(2, 50)
    sim.ready("m-2", False)
    sim.tick()
    assert sim.shares() == {"m-1": 100}
    assert sim.candidate["step"] == -1
    sim.ready("m-2")
    sim.run(30, 100)
    assert live(sim) == "m-2"


def test_patience_takes_it_back() -> None:
    sim = Sim(spec(rollout={"patience": "1m"}))
    sim.go_live()
    sim.version("m-2")
    sim.look()
    sim.tick(seconds=61)
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("Failed", "PatienceExceeded")
    assert sim.status["refused"] == ["m-2"]
    assert sim.status["phase"] == "RolledBack"


def test_a_newer_version_starts_over_against_the_live_one() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(2, 50)
    sim.now += 1
    sim.version("m-3")
    sim.look()
    assert sim.candidate["version"] == "m-3"
    assert sim.candidate["against"] == "m-1"
    assert sim.shares() == {"m-1": 100}
    assert sim.status["history"][0]["result"] == "Superseded"
    assert sim.status["refused"] == []


def test_a_deleted_candidate_is_withdrawn() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    del sim.of(MODEL_VERSION)["m-2"]
    sim.look()
    assert "candidate" not in sim.status
    assert sim.shares() == {"m-1": 100}
    assert sim.status["phase"] == "Live"


def test_paused_begins_nothing_keeps_the_weight_and_still_rolls_back() -> None:
    sim = Sim(spec(paused=True))
    sim.spec = spec()
    sim.go_live()
    sim.spec = spec(paused=True)
    sim.version("m-2")
    sim.look()
    assert "candidate" not in sim.status
    assert sim.condition("Progressing")["reason"] == "Paused"
    sim.spec = spec()
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.spec = spec(paused=True)
    sim.run(30, 100)
    assert sim.candidate["weight"] == 10
    sim.errors = {"m-2": 0.9}
    sim.run(10, 100)
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_a_refused_version_is_tried_again_when_asked_for_once() -> None:
    sim = Sim(spec(), errors={"m-2": 0.9})
    sim.go_live()
    sim.begin()
    sim.run(10, 100)
    assert sim.status["refused"] == ["m-2"]
    sim.annotations = {"fairlead.dev/retry": "m-2"}
    sim.look()
    assert sim.candidate["version"] == "m-2"
    sim.run(10, 100)
    assert sim.status["refused"] == ["m-2"]
    sim.look()
    assert "candidate" not in sim.status


def test_a_pinned_version_goes_back_to_an_older_one() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.begin()
    sim.run(30, 100)
    assert live(sim) == "m-2"
    sim.spec = spec(model={"version": "m-1"})
    sim.look()
    assert sim.candidate["version"] == "m-1"
    assert sim.status["retiring"] == []
    sim.run(40, 100)
    assert live(sim) == "m-1"
    assert sim.status["previous"] == "m-2"


def test_the_live_version_without_ready_pods_is_degraded() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.ready("m-1", False)
    sim.look()
    assert sim.status["phase"] == "Degraded"
    assert sim.condition("Ready")["reason"] == "NoReadyPod"


def test_a_live_version_whose_record_is_gone_stays_as_it_is() -> None:
    sim = Sim(spec())
    sim.go_live()
    workloads = dict(sim.of(WORKLOAD))
    del sim.of(MODEL_VERSION)["m-1"]
    found = sim.look()
    assert sim.of(WORKLOAD) == workloads
    assert found.delete == []
    assert live(sim) == "m-1"


def test_edited_steps_are_followed() -> None:
    sim = Sim(spec(steps=[(10, "1h", 10), (50, "1h", 10)]))
    sim.go_live()
    sim.begin()
    sim.run(3, 50)
    sim.spec = spec(steps=[(25, "3s", 10)])
    sim.tick(50)
    assert sim.candidate["weight"] == 25
    sim.run(10, 100)
    assert live(sim) == "m-2"


def test_a_step_of_everything() -> None:
    sim = Sim(spec(steps=[(10, "2s", 5), (100, "3s", 10)]))
    sim.go_live()
    sim.begin()
    weights = set()
    for _ in range(20):
        sim.tick(50)
        weights.add(tuple(sorted(sim.shares().items())))
    assert (("m-2", 100),) in weights
    assert live(sim) == "m-2"
