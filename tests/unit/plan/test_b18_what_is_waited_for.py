"""From the first look on a status says what is waited for; and a server that listens elsewhere is not taken for one
without memory. Statuses of pods are as a kubelet 1.35 has written them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import START, Sim, spec

from fairlead.plan.core import POD, rfc3339
from fairlead.plan.requests import Answer, AskReady, Failed, ReadySaid

READY = ":8080/v2/health/ready"
ARTIFACT = {"uri": "s3://bucket/m-2", "sha256": "a" * 64, "credentials": {"name": "keys"}}


@pytest.fixture
def sim() -> Sim:
    """m-1 is live, and m-2 has just been chosen: its pod is there."""
    found = Sim(spec())
    found.go_live()
    found.version("m-2", artifact=ARTIFACT)
    found.look()
    return found


def pod(sim: Sim) -> dict[str, Any]:
    (found,) = sim.pods("m-2")
    return found


def condition(type_: str, status: str, since: float = START, **more: Any) -> dict[str, Any]:
    return {"type": type_, "status": status, "lastTransitionTime": rfc3339(since), **more}


def created(name: str, reason: str = "ContainerCreating") -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1", "restartCount": 0, "state": {"waiting": {"reason": reason}}}


def running(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1", "restartCount": 0, "state": {"running": {"startedAt": rfc3339(START)}},
            "started": False, **more}  # fmt: skip


DONE = {"name": "fetch", "restartCount": 0, "state": {"terminated": {"exitCode": 0, "message": "{}"}}}
NOT_MOUNTED = condition("PodReadyToStartContainers", "False")
LIFE: list[tuple[str, bool, dict[str, Any], str]] = [
    ("new", False, {"conditions": []}, "its pod waits for a node"),
    ("scheduled", True, {"conditions": [NOT_MOUNTED]}, "its pod waits for its volumes (needs Secret keys)"),
    ("pulls", True, {"initContainerStatuses": [created("fetch", "PodInitializing")]},
     "container fetch is made; its image fetch:1 is pulled if the node lacks it"),
    ("fetches", True, {"initContainerStatuses": [running("fetch")],
                       "containerStatuses": [created("server", "PodInitializing")]},
     "the model is fetched, and its digest is compared"),
    ("pulls the server", True, {"initContainerStatuses": [DONE], "containerStatuses": [created("server")]},
     "container server is made; its image server:1 is pulled if the node lacks it"),
    ("loads", True, {"initContainerStatuses": [DONE], "containerStatuses": [running("server")]},
     f"the server loads its model: nothing answers GET {READY} yet; it may take 120 s (spec.server.timeout)"),
    ("started", True, {"initContainerStatuses": [DONE], "containerStatuses": [running("server", started=True)]},
     "the server has started, and is asked whether it is ready"),
]  # fmt: skip


@pytest.mark.parametrize(("placed", "status", "words"), [one[1:] for one in LIFE], ids=[one[0] for one in LIFE])
def test_what_is_waited_for_is_said_at_once(sim: Sim, placed: bool, status: dict[str, Any], words: str) -> None:
    one = pod(sim)
    ip = one["status"]["podIP"]
    one["status"] = {"phase": "Pending", "conditions": [], "podIP": ip, **status}
    one["spec"] |= {"nodeName": "node-1"} if placed else {}
    sim.look()
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("True", "Starting")
    assert sim.status["message"] == f"the pods of m-2 start and are warmed up: {words}"


def test_a_server_that_answers_something_else_each_time_is_told_of_once(sim: Sim) -> None:
    pod(sim)["status"] |= {
        "conditions": [], "initContainerStatuses": [DONE], "containerStatuses": [running("server")],
    }  # fmt: skip
    told = set()
    for at in range(5):
        text = f'{{"loading": 0.{at}, "at": "2026-01-01T00:00:0{at}Z", "request": "a{at}-9f"}}'
        sim.unready = ReadySaid(503, text)
        sim.look()
        told.add(sim.status["message"])
    assert len(told) == 1
    assert """is answered 503 '{"loading": …, "at": "…", "request": "…"}'""" in told.pop()


def test_a_secret_that_is_not_there_is_named_with_what_to_do(sim: Sim) -> None:
    one = pod(sim)
    one["status"] = {"phase": "Pending", "conditions": [NOT_MOUNTED]}
    one["spec"] |= {"nodeName": "node-1"}
    sim.now = START + 11
    sim.look()
    assert sim.condition("Progressing")["reason"] == "NotMounted"
    assert "check that these exist in namespace team: Secret keys" in sim.status["message"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ReadySaid(404, "Not Found"), f"GET {READY} is answered 404 'Not Found'; it may take"),
        (ReadySaid(503, ""), f"GET {READY} is answered 503; it may take"),
        (Failed("Timeout", "x"), f"GET {READY} gets no answer; it may take"),
        (Failed("Unreachable", "x"), f"nothing answers GET {READY} yet; it may take"),
        (ReadySaid(200, ""), f"nothing answers GET {READY} yet; it may take"),
    ],
)
def test_b18_while_a_server_starts_people_see_what_it_answers(sim: Sim, answer: Answer, words: str) -> None:
    sim.unready = answer
    sim.look()
    assert words in sim.status["message"]
    assert sim.condition("Progressing")["status"] == "True", "a server may take its time"


def test_b18_a_server_on_another_port_is_said_with_what_it_says_itself(sim: Sim) -> None:
    end = {"exitCode": 137, "reason": "Error", "message": "Listening on 0.0.0.0:9000\n",
           "startedAt": rfc3339(START), "finishedAt": rfc3339(START + 125)}  # fmt: skip
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    server = {"name": "server", "restartCount": 4, "started": False, "state": waiting, "lastState": {"terminated": end}}
    pod(sim)["status"] |= {"containerStatuses": [server]}
    sim.look()
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("False", "NotAnswering")
    assert f"nothing answered GET {READY} with 200 for 120 s" in told["message"]
    assert "Listening on 0.0.0.0:9000" in told["message"]
    assert "spec.server.port" in told["message"]
    server |= {"state": running("server")["state"]}
    sim.unready = ReadySaid(404, "")
    sim.look()
    assert f"GET {READY} is answered 404 instead of 200 for 120 s" in sim.condition("Progressing")["message"]


def test_only_servers_that_have_not_started_are_asked_and_few_of_them(sim: Sim) -> None:
    def asked() -> list[str]:
        return [one.url for one in sim.requests() if isinstance(one, AskReady)]

    assert asked() == [f"http://{pod(sim)['status']['podIP']}{READY}"]
    sim.spec["replicas"] = {"min": 9}
    sim.look()
    assert len(sim.pods("m-2")) == 9
    assert len(asked()) == 3 + 3, "of the live version too: its new pods start as well"
    for one in sim.select(POD):
        one["status"]["containerStatuses"][0]["started"] = True
    assert asked() == []


def test_b15_a_server_that_crashes_says_its_last_words(sim: Sim) -> None:
    log = 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nModuleNotFoundError: no mylib\n'
    end = {"exitCode": 1, "reason": "Error", "message": log, "finishedAt": rfc3339(START)}
    server = {"name": "server", "restartCount": 1, "state": {"terminated": end}, "lastState": {"terminated": end}}
    pod(sim)["status"] |= {"containerStatuses": [server]}
    sim.look()
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("False", "ServerFailed")
    assert "exit code 1 instead of serving: ModuleNotFoundError: no mylib" in told["message"]
