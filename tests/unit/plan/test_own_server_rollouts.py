"""A server of one's own in rollouts and evaluations: it is asked where it listens, and runs as what it may run."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.littleworld import NAMESPACE, LittleWorld
from tests.unit.plan.rollout_world import METRICS, Sim, View, spec
from tests.unit.plan.test_deployment_rollout import live
from tests.unit.plan.test_modelversion import EVALUATION, ONE, SERVER_CONFIG, job, later, status, version
from tests.unit.plan.test_modelversion import live as serves

from fairlead.api.config import OperatorConfig
from fairlead.api.tasks import EvaluateTask
from fairlead.manifests.evaluation import CHALLENGER, CHAMPION
from fairlead.plan.core import WORKLOAD, Json
from fairlead.plan.deployment import plan as deployment
from fairlead.plan.model.plan import SPEC
from fairlead.plan.requests import AccountSeen, Failed, ReadAccount, Request, ScrapePod, WarmUp

FIXED: Json = {
    "runtime": "custom", "image": "scorer:1", "protocol": "http", "port": 9000, "ready": "/healthz", "metrics": METRICS,
}  # fmt: skip
BODY = '{"x": 1}'


def own(**more: Any) -> Json:
    return FIXED | more


# --- warm-ups and counters -------------------------------------------------------------------------------------------


def asked(sim: Sim) -> list[Request]:
    """What the next look asks of pods."""
    subject, world = sim.subject(), View(sim)
    found = deployment.observe(subject, world, sim.now)
    return [one for one in found if isinstance(one, WarmUp | ScrapePod)]


def starting(server: Json) -> Sim:
    """The first version's pods are there."""
    sim = Sim(spec())
    sim.version("m-1", server=server)
    sim.look()
    return sim


@pytest.mark.parametrize(
    ("server", "path", "body"),
    [
        (own(), ":9000/healthz", ""), (own(warmUp={"path": "/predict", "body": BODY}), ":9000/predict", BODY),
        (own(protocol="openai", port=None, ready=None), ":8080/health", ""),
        (own(protocol="oip", ready=None), ":9000/v2/models/m/infer", '{"inputs":[]}'),
    ],
)  # fmt: skip
def test_new_pods_are_warmed_by_a_request_that_they_understand(server: Json, path: str, body: str) -> None:
    sim = starting(server)
    sim.ready("m-1")
    warm = [one for one in asked(sim) if isinstance(one, WarmUp)]
    assert warm
    assert all(one.url.endswith(path) and one.body == body for one in warm)
    sim.look()
    assert live(sim) == "m-1"


@pytest.mark.parametrize(("port", "counted"), [(None, ":9000/metrics"), (9100, ":9100/metrics")])
def test_b18_the_counters_are_read_where_the_server_listens(port: int | None, counted: str) -> None:
    sim = starting(own(metrics=METRICS | {"port": port}))
    sim.ready("m-1")
    sim.look()
    sim.version("m-2", server=own(metrics=METRICS | {"port": port}))
    sim.look()
    sim.ready("m-2")
    sim.look()
    sim.now += 1
    scraped = [one for one in asked(sim) if isinstance(one, ScrapePod)]
    assert scraped
    assert all(one.url.endswith(counted) for one in scraped)


def test_a_warm_up_of_ones_own_that_is_not_counted_is_told_by_its_path() -> None:
    sim = starting(own(warmUp={"path": "/predict", "body": BODY}))
    sim.pages["m-1"] = lambda _: 'requests_total{code="200"} 0\nseconds_bucket{le="+Inf"} 0\nseconds_count 0\n'
    sim.ready("m-1")
    sim.look()
    told = sim.condition("Progressing")
    assert (told["reason"], live(sim)) == ("NotCounted", "")
    assert "answers to /predict" in told["message"]


# --- as which ServiceAccount -----------------------------------------------------------------------------------------

ACCOUNT = own(serviceAccount="scorer")


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (None, "ServiceAccountMissing", "there is no ServiceAccount scorer in team; create it"),
        (AccountSeen(True), "ServiceAccountNotGranted", "label serviceaccount scorer -n team fairlead.dev/serve=true"),
        (Failed("AccountForbidden", "no right"), "ServiceAccountUnknown", "no right"),
    ],
)  # fmt: skip
def test_pods_run_as_no_account_that_its_owner_has_not_granted(answer: Any, reason: str, words: str) -> None:
    sim = Sim(spec())
    if answer:
        sim.accounts["scorer"] = answer
    sim.version("m-1", server=ACCOUNT)
    again = sim.look().requeue_after
    assert not sim.of(WORKLOAD)
    told = sim.condition("Progressing")
    assert told["reason"] == reason
    assert words in told["message"]
    assert again is not None
    assert again < 6
    sim.accounts["scorer"] = AccountSeen(True, True)
    sim.look()
    (workload,) = sim.of(WORKLOAD).values()
    assert workload["spec"]["template"]["spec"]["serviceAccountName"] == "scorer"


def test_a_grant_that_is_taken_back_takes_nothing_down_and_is_needed_again_for_the_way_back() -> None:
    sim = Sim(spec(steps=[(10, "2s", 10)]))
    sim.accounts["scorer"] = AccountSeen(True, True)
    sim.go_live(server=ACCOUNT)
    sim.accounts["scorer"] = AccountSeen(True)
    sim.tick(10, seconds=60.0)
    assert len(sim.of(WORKLOAD)) == 1
    assert sim.condition("Ready")["status"] == "True"
    sim.begin()
    sim.run(60, 100)
    assert live(sim) == "m-2"
    sim.tick(seconds=60.0)
    assert [raw["metadata"]["labels"]["fairlead.dev/version"] for raw in sim.of(WORKLOAD).values()] == ["m-2"]
    told = sim.condition("RollbackReady")
    assert (told["status"], told["reason"]) == ("False", "ServiceAccountNotGranted")


def test_labels_that_the_installation_does_not_allow_keep_the_version_back() -> None:
    sim = Sim(spec())
    sim.version("m-1", server=own(labels={"example.com/team": "risk"}))
    sim.look()
    assert not sim.of(WORKLOAD)
    told = sim.condition("Progressing")
    assert told["reason"] == "NotAllowed"
    assert "pods.labels.allowed" in told["message"]


# --- in the proof ----------------------------------------------------------------------------------------------------

OIP = {key: value for key, value in FIXED.items() if key != "protocol"} | {"metrics": METRICS}


@pytest.fixture
def world() -> LittleWorld:
    """With nothing but the operator's configuration."""
    return LittleWorld(config=SERVER_CONFIG)


def task(world: LittleWorld) -> EvaluateTask:
    (main,) = job(world)["spec"]["template"]["spec"]["containers"]
    (found,) = [one["value"] for one in main["env"] if one["name"] == "FAIRLEAD_TASK"]
    return EvaluateTask.model_validate_json(found.replace("$$", "$"))


def pending(world: LittleWorld) -> tuple[str, str]:
    (told,) = [one for one in status(world)["conditions"] if one["type"] == "Evaluated"]
    assert status(world)["phase"] == "Pending"
    assert status(world)["message"] == told["message"]
    return told["reason"], told["message"]


def test_an_evaluation_asks_each_server_where_it_listens(world: LittleWorld) -> None:
    serves(world, "delay-1")
    world.put(version(server=OIP, evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    found = {one.subject: (one.url, one.ready) for one in task(world).subjects}
    assert found == {CHALLENGER: ("http://127.0.0.1:9000", "/healthz"), CHAMPION: ("http://127.0.0.1:8180", None)}


def test_an_evaluation_gives_both_servers_what_they_ask_for(world: LittleWorld) -> None:
    old = version("delay-1", server=OIP | {"port": 9001, "secrets": ["old"], "imagePullSecrets": ["a", "b"]})
    serves(world, "delay-1")
    world.put(old | {"status": {"phase": "Approved", "observedGeneration": 1}})
    world.answers[ReadAccount(NAMESPACE, "scorer")] = AccountSeen(True, True)
    new = OIP | {
        "files": [{"configMap": "words", "path": "/etc/scorer"}], "serviceAccount": "scorer", "runtimeClass": "kata",
        "imagePullSecrets": ["b", "c"], "priorityClass": "high", "resources": {"cpuLimit": "50m"},
    }  # fmt: skip
    world.put(version(server=new, evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    pod = job(world)["spec"]["template"]["spec"]
    servers = {one["name"]: one for one in pod["initContainers"]}
    assert {"/fairlead/secrets/old"} <= {one["mountPath"] for one in servers[CHAMPION]["volumeMounts"]}
    assert {"/etc/scorer"} <= {one["mountPath"] for one in servers[CHALLENGER]["volumeMounts"]}
    assert {one["name"] for one in pod["imagePullSecrets"]} == {"a", "b", "c"}
    assert (pod["serviceAccountName"], pod["runtimeClassName"]) == ("scorer", "kata")
    assert "priorityClassName" not in pod, "an evaluation puts nobody out"
    assert servers[CHALLENGER]["resources"] == {"limits": {"cpu": "50m"}, "requests": {}}
    names = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for server in servers.values() for one in server["volumeMounts"]} <= names


def test_two_servers_on_one_port_are_told_before_a_pod_is_made(world: LittleWorld) -> None:
    serves(world, "delay-1")
    old = version("delay-1", server=OIP)
    world.put(old | {"status": {"phase": "Approved", "observedGeneration": 1}})
    world.put(version(server=OIP, evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    reason, message = pending(world)
    assert reason == "PortTaken"
    assert 'args: ["--port=$(PORT)"]' in message
    assert not world.jobs()
    world.put(old | {"spec": old["spec"] | {"server": OIP | {"port": 9001}}, "status": {"phase": "Approved"}})
    world.settle(SPEC, ONE)
    assert job(world)


def test_a_champion_of_another_protocol_is_told_before_a_pod_is_made(world: LittleWorld) -> None:
    serves(world, "delay-1")
    world.put(version("delay-1", server=FIXED) | {"status": {"phase": "Approved", "observedGeneration": 1}})
    world.put(version(server=OIP, evaluation=EVALUATION))
    world.settle(SPEC, ONE)
    assert pending(world)[0] == "OtherProtocol"
    assert not world.jobs()


def test_a_version_waits_for_its_account_from_the_first_look(world: LittleWorld) -> None:
    world.put(version(server=ACCOUNT))
    world.answers[ReadAccount(NAMESPACE, "scorer")] = AccountSeen(True)
    assert world.settle(SPEC, ONE).requeue_after == 5.0
    assert pending(world)[0] == "ServiceAccountNotGranted"
    world.answers[ReadAccount(NAMESPACE, "scorer")] = AccountSeen(True, True)
    later(world, 5)
    assert status(world)["phase"] == "Approved"


def test_a_version_with_marks_that_are_not_allowed_says_so_from_the_first_look(world: LittleWorld) -> None:
    world.put(version(server=own(annotations={"iam.amazonaws.com/role": "admin"})))
    world.settle(SPEC, ONE)
    assert pending(world)[0] == "NotAllowed"
    world.config = OperatorConfig.model_validate(
        SERVER_CONFIG.model_dump() | {"pods": {"annotations": {"allowed": ["iam.amazonaws.com/role"]}}}
    )
    world.settle(SPEC, ONE)
    assert status(world)["phase"] == "Approved"
