"""A live version under watch on the real cluster: it turns bad under traffic, and the one before it answers again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hack.bench.load import Load
from hack.install.chart import environment
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import LEARNT, deploy, is_live, make_version, traffic, turn_bad
from kubernetes import client

from fairlead.manifests.presets import PORT


def promote(team: Team, **rollout: object) -> None:
    """m-2 goes live over m-1; needs traffic."""
    deploy(team, **rollout)
    make_version(team, "m-2")
    team.wait("deployment", "web", is_live("m-2"), 90, "live with m-2")


def turn_pods_bad(team: Team, version: str, share: float) -> None:
    """The same for a version that no request reaches: its pods are told through the API server."""
    pods = team.cluster.list("pod", team.namespace, f"fairlead.dev/deployment=web,fairlead.dev/version={version}")
    assert pods
    for pod in pods:
        client.CoreV1Api(team.cluster.api).connect_post_namespaced_pod_proxy_with_path(
            f"{pod['metadata']['name']}:{PORT}", team.namespace, f"error-rate/{share}"
        )


def status(team: Team) -> Json:
    """The Deployment's status."""
    found = team.get("deployment", "web")
    assert found
    return dict(found["status"])


def went_back(obj: Json) -> bool:
    """Whether m-1 answers again, and nothing is on its way."""
    found = obj["status"]
    return found["live"]["version"] == "m-1" and "wayBack" not in found and found["history"][0]["version"] == "m-2"


def only_m1_answers(load: Load, seconds: float = 3) -> None:
    """After the route has settled, for a while."""
    time.sleep(LEARNT)  # that it has can't be watched from here
    since = len(load.answers)
    time.sleep(seconds)
    after = load.answers[since:]
    assert after
    assert {(answer.version, answer.code) for answer in after} == {("m-1", 200)}


@pytest.mark.long
def test_a_version_that_turns_bad_after_its_promotion_goes_back(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 90, "live with m-1")
    with traffic(team, 50) as load:
        promote(team)
        assert status(team)["watch"]["against"] == "m-1"
        assert condition(team.get("deployment", "web") or {}, "RollbackReady")["status"] == "True"
        assert not load.failed(), load.failed()[:5]
        turn_bad(team, "m-2", 0.5)
        done = team.wait("deployment", "web", went_back, 60, "back to m-1")
        only_m1_answers(load)
    record = done["status"]["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "ErrorsWorseAfterPromotion")
    assert done["status"]["refused"] == ["m-2"]
    assert "watch" not in done["status"]
    assert {answer.version for answer in load.failed()} == {"m-2"}  # nothing was lost on the way back


def world_changed(obj: Json) -> bool:
    """Whether it was found out that it is not the version."""
    return condition(obj, "WorldChanged").get("status") == "True" and "confirmation" not in obj["status"]["watch"]


@pytest.mark.long
def test_b01_where_both_versions_turn_bad_it_is_the_world_and_nothing_is_rolled_back(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 90, "live with m-1")
    with traffic(team, 50) as load:
        promote(team, afterPromotion={"standby": "10m", "confirm": {"for": "10s", "share": "50%"}})
        for version in ("m-1", "m-2"):
            turn_pods_bad(team, version, 0.5)
        done = team.wait("deployment", "web", world_changed, 90, "WorldChanged")
    found = done["status"]
    assert found["live"]["version"] == "m-2"
    assert not found.get("refused")
    assert found["history"][0]["result"] == "Live"
    assert "at the same time" in condition(done, "WorldChanged")["message"]
    assert {answer.version for answer in load.failed()} == {"m-1", "m-2"}


@pytest.mark.long
def test_a_holdback_answers_its_share_and_takes_over_at_once(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 90, "live with m-1")
    with traffic(team, 50) as load:
        promote(team, afterPromotion={"holdback": "20%"})
        time.sleep(2)
        since = len(load.answers)
        time.sleep(5)
        held = [answer.version for answer in load.answers[since:]]
        turn_bad(team, "m-2", 0.5)
        done = team.wait("deployment", "web", went_back, 60, "back to m-1")
        only_m1_answers(load)
    assert 0.05 < held.count("m-1") / len(held) < 0.4, len(held)
    record = done["status"]["history"][0]
    assert record["weight"] == 80
    assert record["stable"]["requests"] > 0
    assert {answer.version for answer in load.failed()} == {"m-2"}


@pytest.mark.long
def test_a_rollback_by_hand_starts_pods_that_are_gone_and_loses_no_request(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 90, "live with m-1")
    with traffic(team, 50) as load:
        promote(team)
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
        command = [str(Path(sys.executable).with_name("fairlead")), "rollback", "web", "--reason", "a test"]
        subprocess.run([*command, "-n", team.namespace], env=environment(), check=True, timeout=30)
        done = team.wait("deployment", "web", went_back, 60, "back to m-1")
        only_m1_answers(load)
    record = done["status"]["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "Forced")
    assert "a test" in record["message"]
    assert not load.failed(), load.failed()[:5]
