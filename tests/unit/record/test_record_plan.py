"""What a Deployment with `record` consists of."""

from __future__ import annotations

import json

from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.tasks import RecordTask
from fairlead.manifests.meta import Json
from fairlead.plan.core import POD_MONITOR, SERVICE, WORKLOAD
from fairlead.plan.deployment.experiment import users
from fairlead.worker.record import counts


def live(store: bool = True, **record: object) -> Sim:
    sim = Sim(spec({"metric": "errors"}, record=record), store=store)
    sim.go_live()
    return sim


def pod(sim: Sim) -> Json:
    (workload,) = sim.of(WORKLOAD).values()
    return dict(workload["spec"]["template"]["spec"])


def task(sim: Sim) -> RecordTask:
    recorder = next(one for one in pod(sim)["initContainers"] if one["name"] == "recorder")
    env = {one["name"]: one.get("value") for one in recorder["env"]}
    return RecordTask.model_validate_json(env["FAIRLEAD_TASK"])


def test_each_version_has_a_folder_of_its_own() -> None:
    told = task(live(sample="10%", every="5m", inputs=True, output={"path": "/a"}))
    assert told.store is not None
    assert told.store.prefix == "team/deployments/web/predictions/version=m-1/"
    assert (told.probability, told.every, told.inputs, told.path) == (26 / 256, 300.0, True, "/a")


def test_without_a_store_the_newest_answers_are_held_all_the_same() -> None:
    assert task(live(store=False)).store is None


def test_requests_come_to_the_proxy_by_the_name_of_its_port() -> None:
    sim = live()
    (service,) = sim.select(SERVICE, {"fairlead.dev/version": "m-1"})  # beside it stands the one for copies
    (port,) = service["spec"]["ports"]
    everyone = [*pod(sim)["containers"], *pod(sim)["initContainers"]]
    named = {one["name"]: number["name"] for one in everyone for number in one.get("ports", []) if "name" in number}
    at = [name for name, ports in named.items() if port["targetPort"] in ports]
    ports = [n for one in everyone for n in one.get("ports", []) if n.get("name") == port["targetPort"]]
    assert [one["containerPort"] for one in ports] == [8090], at
    (server,) = pod(sim)["containers"]
    assert server["readinessProbe"]["httpGet"]["port"] == 8090
    assert server["startupProbe"]["httpGet"]["port"] == 8080
    numbers = [number["containerPort"] for one in everyone for number in one.get("ports", [])]
    assert len(numbers) == len(set(numbers)), "server-side apply takes each port once"


def test_sidecars_start_after_the_fetch_and_end_after_the_server() -> None:
    made = pod(live())
    assert [one["name"] for one in made["initContainers"]] == ["fetch", "recorder", "proxy"]
    assert [one.get("restartPolicy") for one in made["initContainers"]] == [None, "Always", "Always"]


def test_without_record_nothing_of_it_is_there() -> None:
    sim = Sim(spec({"metric": "errors"}))
    sim.go_live()
    assert [one["name"] for one in pod(sim)["initContainers"]] == ["fetch"]
    assert "proxy" not in json.dumps(pod(sim))
    assert [len(one["spec"]["podMetricsEndpoints"]) for one in sim.of(POD_MONITOR).values()] in ([], [1])


def test_without_a_proxys_image_the_condition_says_what_to_do() -> None:
    sim = Sim(spec({"metric": "errors"}, record={}))
    images = sim.config.images.model_copy(update={"proxy": None})
    sim.config = sim.config.model_copy(update={"images": images})
    sim.version("m-1")
    sim.look()
    (said,) = {one["message"] for one in sim.status["conditions"] if one["reason"] == "NoImage"}
    assert "images.proxy" in said
    assert not sim.of(WORKLOAD)


def test_an_upgrade_of_fairlead_leaves_the_sidecars_as_they_were() -> None:
    """Whatever a later version of Fairlead would tell them; but what a user asks for is done."""
    sim = live()
    (workload,) = sim.of(WORKLOAD).values()
    proxy = workload["spec"]["template"]["spec"]["initContainers"][2]
    proxy["args"] = ["--config-yaml", "as it was"]
    workload["status"] = {"readyReplicas": 1}
    sim.look()
    assert pod(sim)["initContainers"][2]["args"] == ["--config-yaml", "as it was"]
    sim.spec["record"] = {"sample": "1%"}
    sim.look()
    assert pod(sim)["initContainers"][2]["args"] != ["--config-yaml", "as it was"]


def test_the_operator_reads_the_counter_that_the_recorder_has() -> None:
    (family,) = counts.NEW_USERS.collect()
    assert users.NEW_USERS in [sample.name for sample in family.samples]
