"""Somebody scales: a HorizontalPodAutoscaler of Fairlead's, one of somebody else's, or a person."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.experiment.test_experiment_way import begun, experiment
from tests.unit.plan.rollout_world import METRICS, Sim, spec

from fairlead.plan.core import AUTOSCALER, POD, WORKLOAD
from fairlead.plan.deployment.serving import scaling

Json = dict[str, Any]
CPU: Json = {"min": 2, "max": 40, "target": {"cpu": "70%"}}


def scaled(count: int, *, steps: Any = ((10, "3s", 10), (50, "3s", 20)), **more: Any) -> Sim:
    """A world in which somebody else scales, with so many pods live."""
    sim = Sim(spec(steps=steps, replicas={"min": 2, "external": True, "count": count, **more}))
    sim.version("m-1", age=1000)
    sim.look()
    settle(sim)
    assert sim.status["live"]["version"] == "m-1"
    return sim


def ask(sim: Sim, count: int) -> None:
    """Whoever scales writes a number."""
    sim.spec = {**sim.spec, "replicas": {**sim.spec["replicas"], "count": count}}
    sim.look()


def wants(sim: Sim, version: str) -> int:
    """Pods that a version's workload shall have."""
    (workload,) = sim.select(WORKLOAD, {"fairlead.dev/version": version})
    return int(workload["spec"]["replicas"])


def settle(sim: Sim) -> None:
    """Workloads get the pods that they shall have, and all of them become ready."""
    for workload in sim.select(WORKLOAD):
        version, wanted = workload["metadata"]["labels"]["fairlead.dev/version"], workload["spec"]["replicas"]
        for pod in sim.pods(version)[wanted:]:
            del sim.of(POD)[pod["metadata"]["uid"]]
        sim.ready(version)
    sim.look()


def started(sim: Sim, name: str = "m-2") -> None:
    """A candidate has its first pods, ready and warm, and its first share."""
    sim.version(name)
    sim.look()
    settle(sim)
    assert sim.candidate["step"] == 0


def test_b20_where_nobody_scales_all_is_as_it_was() -> None:
    sim = Sim(spec(replicas={"min": 3}))
    sim.go_live()
    sim.begin()
    assert (wants(sim, "m-1"), wants(sim, "m-2")) == (3, 3)
    assert "scaling" not in sim.status
    assert sim.candidate["pods"] == 0
    assert sim.condition("Scaled") == {}
    assert sim.status["selector"] == "fairlead.dev/deployment=web,fairlead.dev/version=m-1"
    assert sim.status["replicas"] == 3


def test_b20_a_candidate_has_what_its_next_step_needs_before_it_is_in_it() -> None:
    sim = scaled(20)
    assert wants(sim, "m-1") == 20
    sim.version("m-2")
    sim.look()
    assert wants(sim, "m-2") == 2  # 10 % of 20
    settle(sim)
    assert (sim.candidate["step"], wants(sim, "m-2")) == (0, 10)  # it has been given 10 %, and gets ready for 50 %
    sim.run(8, 500)
    assert sim.candidate["step"] == 0
    assert "2 of the 10 pods that m-2 needs for step 2 are ready" in sim.condition("Progressing")["message"]
    settle(sim)
    sim.run(2, 500)
    assert (sim.candidate["step"], wants(sim, "m-2")) == (1, 20)
    sim.run(8, 500)
    assert "10 of the 20 pods that m-2 needs for all requests are ready" in sim.condition("Progressing")["message"]
    settle(sim)
    sim.run(4, 500)
    assert sim.status["live"]["version"] == "m-2"
    assert wants(sim, "m-2") == 20


def test_b20_the_live_version_is_not_scaled_in_while_another_one_gets_requests() -> None:
    sim = scaled(20)
    started(sim)
    ask(sim, 4)
    assert wants(sim, "m-1") == 20
    assert sim.condition("Scaled")["reason"] == "Kept"
    sim.errors["m-2"] = 0.5
    sim.run(10, 500)
    assert sim.status["history"][0]["result"] == "RolledBack"
    sim.tick()
    assert wants(sim, "m-1") == 20  # what is measured now was measured of a part of the requests
    sim.tick(seconds=scaling.HOLD - 30)
    assert wants(sim, "m-1") == 20
    sim.tick(seconds=31)
    assert wants(sim, "m-1") == 4
    assert sim.condition("Scaled")["reason"] == "AsAsked"


def test_b20_in_a_long_step_the_number_follows_what_is_measured_of_a_share() -> None:
    sim = scaled(20, steps=((20, "10m", 100_000),))
    started(sim)
    settle(sim)
    ask(sim, 8)
    assert wants(sim, "m-1") == 20
    sim.tick(seconds=scaling.HOLD + 1)
    assert wants(sim, "m-1") == 10  # 8 for 80 % of them
    assert sim.condition("Scaled")["reason"] == "Shared"
    ask(sim, 12)
    assert wants(sim, "m-1") == 15
    sim.errors["m-2"] = 0.5
    sim.run(10, 500)
    assert sim.status["history"][0]["result"] == "RolledBack"
    assert wants(sim, "m-1") == 15


def test_b20_where_scaling_begins_the_pods_that_are_there_stay_until_somebody_has_measured() -> None:
    sim = Sim(spec(replicas={"min": 10}))
    sim.go_live()
    sim.spec = {**sim.spec, "replicas": CPU | {"count": 1}}
    sim.look()
    assert wants(sim, "m-1") == 10
    ask(sim, 7)
    sim.tick(seconds=scaling.HOLD + 1)
    assert wants(sim, "m-1") == 7


def test_b20_more_requests_during_a_rollout_give_both_versions_more_pods() -> None:
    sim = scaled(20, steps=((25, "3s", 10), (30, "3s", 10)))
    started(sim)
    assert wants(sim, "m-2") == 7  # by what was measured before it got its quarter
    ask(sim, 40)
    assert (wants(sim, "m-1"), wants(sim, "m-2")) == (40, 14)  # 40 for three quarters of them: a quarter needs 13.3


@pytest.mark.parametrize(("weight", "measured"), [(10, "m-1"), (49, "m-1"), (50, "m-2"), (90, "m-2")])
def test_b20_what_is_measured_is_the_version_that_gets_most(weight: int, measured: str) -> None:
    sim = scaled(4, steps=((weight, "3s", 10),))
    started(sim)
    settle(sim)
    assert sim.status["selector"] == f"fairlead.dev/deployment=web,fairlead.dev/version={measured}"
    assert sim.status["replicas"] == len(sim.pods(measured)) == 4


def test_b20_number_and_bounds() -> None:
    sim = scaled(1, max=6)
    assert wants(sim, "m-1") == 2
    assert sim.condition("Scaled")["reason"] == "AtMin"
    ask(sim, 0)  # KEDA asks for none where nothing is to be done
    assert wants(sim, "m-1") == 2
    ask(sim, 9)
    assert wants(sim, "m-1") == 6
    assert sim.condition("Scaled")["reason"] == "AtMax"


def test_b20_going_back_needs_as_many_pods_as_answer_and_gets_as_many_as_are_needed() -> None:
    sim = scaled(6, steps=((50, "3s", 10),))
    started(sim)
    settle(sim)
    sim.run(8, 500)
    assert sim.status["live"]["version"] == "m-2"
    sim.tick(seconds=60)
    assert not sim.pods("m-1")
    override = {"action": "Rollback", "version": "m-1", "reason": "a person", "at": "2026-11-20T10:00:00Z"}
    sim.spec = {**sim.spec, "override": override}
    sim.look()
    assert wants(sim, "m-1") == 6
    for pod in sim.pods("m-1")[:5]:
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    sim.select(WORKLOAD, {"fairlead.dev/version": "m-1"})[0]["status"]["readyReplicas"] = 5
    sim.look()
    assert sim.status["live"]["version"] == "m-2"
    sim.pods("m-2")[0]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


def test_b20_a_person_who_promotes_waits_for_the_pods_that_all_requests_need() -> None:
    sim = scaled(20)
    started(sim)
    override = {"action": "Promote", "version": "m-2", "reason": "a person", "at": "2026-11-20T10:00:00Z"}
    sim.spec = {**sim.spec, "override": override}
    sim.look()
    assert sim.candidate["version"] == "m-2"
    assert wants(sim, "m-2") == 20
    settle(sim)
    assert sim.status["live"]["version"] == "m-2"
    assert wants(sim, "m-2") == 20


def test_b20_a_larger_weight_by_edit_waits_for_its_pods() -> None:
    sim = scaled(20, steps=((10, "3s", 10), (20, "3s", 20)))
    started(sim)
    sim.spec = {**sim.spec, "rollout": {**sim.spec["rollout"], "steps": [{"weight": 80, "for": "3s", "requests": 10}]}}
    sim.tick(100)
    assert sim.candidate["weight"] == 10
    for _ in range(3):
        settle(sim)
        sim.tick(100)
    assert sim.candidate["weight"] == 80


def test_b20_each_version_of_an_experiment_may_have_to_take_any_share() -> None:
    external = {"min": 2, "external": True, "count": 6}
    sim = begun(experiment() | {"replicas": external})
    assert sim.shares() == {"m-1": 40, "m-2": 30, "m-3": 30}
    assert [wants(sim, version) for version in ("m-1", "m-2", "m-3")] == [6, 6, 6]
    ask(sim, 3)  # what is measured may be from before
    assert wants(sim, "m-1") == 6
    sim.tick(100, seconds=scaling.HOLD + 1)
    assert wants(sim, "m-1") == 6  # 3 for 40 % of them; more than 6 does not follow


def test_b20_a_candidate_with_gpus_asks_for_all_that_it_will_need() -> None:
    sim = scaled(20)
    server = {"runtime": "custom", "image": "server:1", "metrics": METRICS, "resources": {"gpu": {"count": 2}}}
    sim.version("m-2", server=server)
    sim.tick()
    sim.tick(seconds=2)
    place = sim.candidate["place"]
    assert (place["state"], place["gpus"]) == ("Held", 40)
    assert wants(sim, "m-2") == 2
    for pod in sim.pods("m-2"):
        pod["spec"]["nodeName"] = "node-1"
    settle(sim)
    sim.tick(seconds=700)  # all that it shall have now has a node
    assert sim.candidate["place"]["state"] == "Held"
    assert sim.candidate["step"] == 0


def test_b20_nobody_scales_any_more() -> None:
    sim = scaled(20)
    started(sim)
    sim.spec = {**sim.spec, "replicas": {"min": 2, "count": 20}}
    sim.look()
    assert (wants(sim, "m-1"), wants(sim, "m-2")) == (2, 2)
    assert "scaling" not in sim.status


def test_b20_a_workload_that_somebody_else_scales_is_set_back_and_it_is_said() -> None:
    sim = Sim(spec(replicas={"min": 2}))
    sim.go_live()
    (workload,) = sim.select(WORKLOAD)
    workload["spec"]["replicas"] = 5
    sim.look()
    assert wants(sim, "m-1") == 2
    assert sim.events.count("SetBack") == 1
    sim.look()
    assert sim.events.count("SetBack") == 1


# --- an autoscaler of ours -----------------------------------------------------------------------------------------


def says(sim: Sim, type_: str, status: str, reason: str) -> None:
    """The autoscaler's controller says something of it."""
    raw = sim.of(AUTOSCALER)["web"]
    raw["status"] = {"conditions": [{"type": type_, "status": status, "reason": reason, "message": "so it is"}]}
    sim.look()


def test_an_autoscaler_of_ours_scales_the_deployment_itself() -> None:
    sim = Sim(spec(replicas=CPU))
    sim.go_live()
    (raw,) = sim.of(AUTOSCALER).values()
    assert raw["spec"]["scaleTargetRef"] == {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Deployment", "name": "web"}
    assert (raw["spec"]["minReplicas"], raw["spec"]["maxReplicas"]) == (2, 40)
    (metric,) = raw["spec"]["metrics"]
    assert metric["containerResource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert sim.condition("Scaled")["status"] == "Unknown"
    says(sim, "ScalingActive", "False", "FailedGetContainerResourceMetric")
    assert (sim.condition("Scaled")["status"], sim.condition("Scaled")["reason"]) == (
        "False", "FailedGetContainerResourceMetric",
    )  # fmt: skip
    assert "metrics-server" in sim.condition("Scaled")["message"]
    assert sim.status["problem"].startswith("FailedGetContainerResourceMetric: so it is")
    says(sim, "ScalingActive", "True", "ValidMetricFound")
    ask(sim, 7)
    assert wants(sim, "m-1") == 7
    assert sim.condition("Scaled")["status"] == "True"
    sim.spec = {**sim.spec, "replicas": {"min": 2, "count": 7}}
    sim.look()
    assert not sim.of(AUTOSCALER)
    assert wants(sim, "m-1") == 2


def test_an_autoscaler_of_ours_by_requests_names_the_metric_that_it_needs() -> None:
    sim = Sim(spec(replicas={"min": 1, "max": 4, "target": {"requestsPerSecond": "50"}}))
    sim.go_live()
    (metric,) = sim.of(AUTOSCALER)["web"]["spec"]["metrics"]
    assert metric == {
        "type": "Pods",
        "pods": {"metric": {"name": "requests_per_second"}, "target": {"type": "AverageValue", "averageValue": "50"}},
    }
    says(sim, "ScalingActive", "False", "FailedGetPodsMetric")
    assert "requests_per_second" in sim.condition("Scaled")["message"]
