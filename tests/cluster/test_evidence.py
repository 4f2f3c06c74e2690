"""The evidence ledger on the real cluster: saved as a rollout goes on, judged once more, and a store that is away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hack.install.chart import environment
from hack.testbed.cluster import Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

from fairlead.api import halves
from tests.cluster.test_rollouts import go_live

STEPS = [{"weight": 10, "for": "6s", "requests": 20}, {"weight": 50, "for": "6s", "requests": 50}]


def replay(team: Team, *words: str, name: str = "web") -> dict[str, Any]:
    """What `fairlead replay` says, as a person at this machine."""
    return said_by(team, "replay", f"deployment/{name}", *words)


def said_by(team: Team, *words: str) -> dict[str, Any]:
    """What a command that reads the store says, as JSON."""
    command = [str(Path(sys.executable).parent / "fairlead"), *words, "-n", team.namespace]
    store = ["--endpoint", team.endpoint, "--credentials", "s3", "-o", "json"]
    done = subprocess.run([*command, *store], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def all_saved(team: Team) -> None:
    """Wait until the store has the whole ledger."""
    team.wait("deployment", "web", lambda o: not halves.own(o, "unsaved"), 60, "saved")


def check(team: Team, result: str) -> dict[str, Any]:
    """The replay of the last rollout: whole, and the same to the last bit."""
    all_saved(team)
    told = replay(team)
    record = (team.get("deployment", "web") or {})["status"]["history"][0]
    assert told["same"], told["different"]
    assert told["ended"]["result"] == record["result"] == result
    errors = told["end"]["metrics"]["errors"]
    assert errors["candidate"]["requests"] == record["guards"][0]["candidate"]["requests"]
    assert str(errors["logEvidence"]) == record["guards"][0]["logEvidence"]
    return told


def test_a_rollback_can_be_judged_once_more(team: Team) -> None:
    go_live(team)
    deploy(team, steps=STEPS)
    with traffic(team, 50):
        make_version(team, "m-2", errorRate=0.4)
        team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 120, "rolled back")
    assert check(team, "RolledBack")["verdict"] == "harm"


@pytest.mark.alone
def test_a_store_that_is_away_freezes_and_nothing_is_lost(team: Team) -> None:
    go_live(team)
    deploy(team, steps=STEPS)
    with traffic(team, 50):
        make_version(team, "m-2")
        team.wait("deployment", "web", lambda o: o["status"].get("candidate", {}).get("weight") == 10, 90, "sending")
        scale_store(team, 0)
        try:
            seen = team.wait_condition("deployment", "web", "EvidenceSaved", "False", timeout=60)
            assert seen["status"]["live"]["version"] == "m-1"
            weight = seen["status"]["candidate"]["weight"]
            # twice as long as the step takes, it is still where it was, and goes on counting
            more = seen["status"]["candidate"]["answered"]["requests"] + 60
            later = team.wait(
                "deployment", "web", lambda o: o["status"]["candidate"]["answered"]["requests"] >= more, 60, "counting"
            )
            assert later["status"]["candidate"]["weight"] == weight
            assert condition(later, "Progressing")["reason"] == "Frozen"
        finally:
            scale_store(team, 1)
        team.wait("deployment", "web", is_live("m-2"), 120, "live with m-2")
    check(team, "Live")


def scale_store(team: Team, replicas: int) -> None:
    """Stop or start the object store, and wait until it is so."""
    apps = team.cluster.dynamic.resources.get(api_version="apps/v1", kind="StatefulSet")
    apps.patch(
        name="s3", namespace="s3", body={"spec": {"replicas": replicas}}, content_type="application/merge-patch+json"
    )
    for event in apps.watch(namespace="s3", timeout=120):
        if int(event["raw_object"]["status"].get("readyReplicas", 0)) == replicas:
            return
    raise AssertionError(f"the store is not at {replicas} replicas")
