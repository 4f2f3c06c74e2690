"""A model that can't be loaded is said at the first crash, with what the server said, and rejected as soon as it is
known that trying again can't help; who crashes for another reason gets its chances."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.littleworld import START, LittleWorld, stopped
from tests.unit.plan.test_modelversion import (
    EVALUATION,
    ONE,
    SERVER_CONFIG,
    conditions,
    error,
    evaluated,
    fetched,
    job,
    later,
    live,
    status,
    version,
)

from fairlead.api.modelversion import ModelVersion
from fairlead.plan.core import Json, rfc3339
from fairlead.plan.deployment.serving import serverends
from fairlead.plan.model.plan import SPEC

LOG = "  File \"<string>\", line 1, in <module>\nModuleNotFoundError: No module named 'mylib'\nINFO: bye {}\n"
WORDS = "the challenger's server ends with exit code 1 instead of serving: ModuleNotFoundError: No module named 'mylib'"
LOOP = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.fixture
def world() -> LittleWorld:
    """A version is on its way, and its bytes are there."""
    found = LittleWorld(config=SERVER_CONFIG)
    live(found, "delay-1")
    found.put(version(evaluation=EVALUATION))
    found.settle(SPEC, ONE)
    return found


def end(at: float, log: str = LOG, code: int = 1, **more: Any) -> Json:
    return {
        "terminated": {"exitCode": code, "reason": "Error", "message": log.format(at), "finishedAt": rfc3339(at)} | more
    }


def crashed(world: LittleWorld, restarts: int, state: Json, last: Json, name: str = "challenger") -> None:
    """The kubelet says so of a server's container."""
    server = {"name": name, "image": "x", "restartCount": restarts, "state": state, "lastState": last}
    world.pod(job(world), "Pending", initContainerStatuses=[*fetched(), server])
    world.settle(SPEC, ONE)


def test_b15_the_first_crash_is_told_at_once_and_the_same_one_again_rejects(world: LittleWorld) -> None:
    crashed(world, 0, end(START), {})
    assert status(world)["message"].startswith(WORDS)
    assert "started again" in status(world)["message"]
    assert (status(world)["phase"], conditions(world)["Evaluated"]) == ("Verifying", ("Unknown", "ServerFailed"))
    for restarts, at in ((1, 1), (1, 12), (1, 29)):
        crashed(world, restarts, LOOP, end(START + at))
        assert status(world)["phase"] != "Rejected", "whatever it needs may have been away, or be starting too"
    crashed(world, 2, end(START + 32), end(START + 12))
    assert status(world)["phase"] == "Rejected"
    assert status(world)["message"].startswith(WORDS)
    assert "attempts" not in status(world)["message"]
    assert conditions(world)["Approved"] == ("False", "ServerFailed")
    assert not world.jobs(modelversion=ONE), "its pod goes"
    assert len(world.created) == 1, "nothing was fetched once more"


def test_a_server_that_answers_after_all_is_compared(world: LittleWorld) -> None:
    crashed(world, 0, end(START), {})
    server = {"name": "challenger", "image": "x", "restartCount": 1, "state": {"running": {}}, "ready": True,
              "lastState": end(START)}  # fmt: skip
    evaluate = {"name": "evaluate", "image": "worker:1", "state": {"running": {}}}
    world.pod(job(world), "Running", initContainerStatuses=[*fetched(), server], containerStatuses=[evaluate])
    world.settle(SPEC, ONE)
    assert status(world)["message"] == "comparing with delay-1"
    assert status(world)["job"]["crash"]["code"] == 1


def test_b15_the_first_crash_is_remembered_from_one_attempt_to_the_next(world: LittleWorld) -> None:
    crashed(world, 0, end(START), {})
    evaluated(world, error("ServerFailed"), 1, restartCount=1, lastState=end(START + 2))
    assert status(world)["phase"] == "Evaluating"
    later(world, 300)
    crashed(world, 0, end(START + 310), {})
    assert status(world)["phase"] == "Rejected"


@pytest.mark.parametrize(
    "ends",
    [
        [end(START, "no connection to a\n"), end(START + 32, "no connection to b\n")],
        [end(START, code=1), end(START + 32, code=2)],
        [end(START, ""), end(START + 32, "")],
        [end(START, code=137), end(START + 32, code=137)],
        [end(START, reason="OOMKilled"), end(START + 32, reason="OOMKilled")],
        [end(at, "create shim: no space left on device", 128, reason="StartError") for at in (START, START + 32)],
    ],
    ids=["other words", "other code", "no words", "signal", "memory", "the node"],
)
def test_what_may_do_better_the_next_time_is_not_rejected_at_once(world: LittleWorld, ends: list[Json]) -> None:
    crashed(world, 0, ends[0], {})
    crashed(world, 1, ends[1], ends[0])
    assert status(world)["phase"] != "Rejected"
    crashed(world, 4, LOOP, ends[1])
    assert status(world)["phase"] != "Rejected"
    assert status(world)["job"]["failures"] == 1
    assert not world.jobs(modelversion=ONE), "another attempt begins"


def test_a_command_that_is_not_in_the_image_is_rejected_too(world: LittleWorld) -> None:
    log = 'exec: "/nosuch": stat /nosuch: no such file or directory: unknown'
    crashed(world, 0, end(START, log, 128, reason="StartError"), {})
    crashed(world, 2, LOOP, end(START + 32, log, 128, reason="StartError"))
    assert status(world)["phase"] == "Rejected"
    assert "no such file" in status(world)["message"]


def test_what_a_runtime_says_is_spelt_out() -> None:
    status = {"state": end(START, 'exec: "\u202e\x1b[2Jx": not found', 128, reason="StartError")}
    told = serverends.told({}, "server", status)
    assert told is not None
    assert told.message.isprintable()


def test_the_champions_crash_is_not_the_challengers_fault(world: LittleWorld) -> None:
    for at in (0, 32, 64):
        crashed(world, 1 + at // 32, LOOP, end(START + at), "champion")
        later(world, 300)
    assert status(world)["phase"] != "Rejected"
    assert status(world)["job"]["failures"] == 0


def test_a_status_of_an_older_release_is_read() -> None:
    old = {"name": "m-evaluate", "attempt": 2, "failures": 1}
    found = ModelVersion.model_validate({"spec": version()["spec"], "status": {"job": old}})
    assert found.status.job is not None
    assert found.status.job.crash is None


def test_b20_what_a_version_waits_for_is_said_in_order(world: LittleWorld) -> None:
    def message(**pod: Any) -> str:
        world.pod(job(world), "Pending", **pod)
        world.settle(SPEC, ONE)
        found: str = status(world)["message"]
        return found

    assert status(world)["message"] == "its pod is being made"
    not_yet = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": rfc3339(START)}
    assert message(conditions=[not_yet]) == "its pod waits for its volumes (needs Secret keys)"
    assert "fetching" not in status(world)["message"]
    pulls = {"name": "fetch", "image": "worker:1", "state": {"waiting": {"reason": "PodInitializing"}}}
    assert "its image worker:1 is pulled" in message(initContainerStatuses=[pulls])
    runs = {"name": "fetch", "image": "worker:1", "state": {"running": {}}}
    assert message(initContainerStatuses=[runs]) == "fetching the bytes, and comparing their digests"
    server = {"name": "challenger", "image": "server:1", "state": {"waiting": {"reason": "PodInitializing"}}}
    assert "its image server:1 is pulled" in message(initContainerStatuses=[*fetched(), server])
    server["state"] = {"running": {}}
    evaluate = {"name": "evaluate", "image": "worker:1", "state": {"running": {}}}
    asked = "GET :8080/v2/models/delay/ready"
    loads = f"the challenger's server loads its model: {asked} has not been answered with 200 yet"
    assert message(initContainerStatuses=[*fetched(), server], containerStatuses=[evaluate]) == loads
    server["ready"] = True
    assert message(initContainerStatuses=[*fetched(), server], containerStatuses=[evaluate]).startswith("comparing")
    world.now += 11
    assert "Secret keys" in message(conditions=[not_yet])
    assert conditions(world)["Evaluated"] == ("Unknown", "NotMounted")


def test_a_pod_that_ended_says_nothing_of_its_servers_ends(world: LittleWorld) -> None:
    """The kubelet ends the servers after `evaluate`."""
    server = stopped("challenger", 137, restartCount=0)
    world.pod(job(world), "Failed", initContainerStatuses=[*fetched(), server],
              containerStatuses=[stopped("evaluate", 1, error("BadData"))])  # fmt: skip
    world.settle(SPEC, ONE)
    assert conditions(world)["Evaluated"] == ("Unknown", "BadData")
