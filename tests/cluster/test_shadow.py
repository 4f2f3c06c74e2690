"""Shadow steps on the real cluster: copies through the gateway, and answers compared by what the recorders kept."""

from __future__ import annotations

import dataclasses
import time
import urllib.request
from typing import Any

import pytest
from hack.bench.load import Load
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

from tests.cluster.test_evidence import check

SHADOW: Json = {"shadow": "100%", "for": "5s", "requests": 100}
GUARDS: list[Json] = [{"metric": "errors"}, {"metric": "disagreement", "worseBy": "5%"}]
CHAT = "/v1/chat/completions"
NUMBERS: Json = {"record": {"output": {"type": "number"}}}


def go_live(team: Team, *steps: Json, **settings: Any) -> None:
    """A first version behind a route with these steps, whose answers are kept."""
    make_version(team, "m-1", **settings)
    deploy(team, steps=list(steps) or [SHADOW], guard=GUARDS, more=NUMBERS)
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")


def rolled_back(obj: Json) -> bool:
    return bool(obj["status"].get("phase") == "RolledBack")


def test_another_answer_with_the_same_status_codes_is_found_without_labels(team: Team) -> None:
    go_live(team)
    with traffic(team, 50) as load:
        make_version(team, "m-2", wrongRate=0.4)
        done = team.wait("deployment", "web", rolled_back, 180, "rolled back")
    record = done["status"]["history"][0]
    assert record["reason"] == "AnswersDiffer"
    assert {a.version for a in load.answers} == {"m-1"}
    assert not load.failed()
    assert check(team, "RolledBack")["verdict"] == "harm"


def test_a_version_that_answers_alike_goes_live_through_shadow_and_canary(team: Team) -> None:
    go_live(team, SHADOW, {"weight": 50, "for": "5s", "requests": 50})
    with traffic(team, 50) as load:
        make_version(team, "m-2", wrongRate=0.01)
        during = team.wait(
            "deployment", "web", lambda o: o["status"].get("candidate", {}).get("copies", {}).get("pairs", 0) >= 50,
            180, "comparing answers",
        )  # fmt: skip
        assert {a.version for a in load.answers} == {"m-1"}
        copies = during["status"]["candidate"]["copies"]
        assert copies.get("alone", 0) <= copies["pairs"] * 0.1, copies
        team.wait("deployment", "web", is_live("m-2"), 180, "live with m-2")
    assert not load.failed()
    check(team, "Live")


def test_bodies_of_a_megabyte_are_copied_too(team: Team) -> None:
    go_live(team)
    with traffic(team, 10) as load:
        padded(load)
        make_version(team, "m-2", wrongRate=0.5)
        done = team.wait("deployment", "web", rolled_back, 180, "rolled back")
    assert done["status"]["history"][0]["reason"] == "AnswersDiffer"
    assert not load.failed()


def padded(load: Load) -> None:
    """Requests of a megabyte from now on."""
    body = load.body[:-1] + b"," + b'"parameters": {"padding": "' + b"x" * 1_000_000 + b'"}}'
    fresh = dataclasses.replace(load, body=body)
    load.request = fresh.request  # type: ignore[method-assign]


def test_an_answer_that_cannot_be_read_freezes_it(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team, steps=[SHADOW], guard=GUARDS, more={"record": {"output": {"type": "text"}}})
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 50):
        make_version(team, "m-2")
        found = team.wait_condition("deployment", "web", "EvidenceAvailable", "False", "OutputUnreadable", 180)
    assert "spec.record.output" in condition(found, "EvidenceAvailable")["message"]
    assert found["status"]["live"]["version"] == "m-1"


@pytest.mark.parametrize("gateway", ["public", pytest.param("traefik", marks=pytest.mark.soak)])
def test_streamed_answers_pass_at_once_and_are_compared(team: Team, gateway: str) -> None:
    make_version(team, "m-1")
    deploy(team, gateway=gateway, steps=[SHADOW], guard=GUARDS, more={"record": {"output": {"type": "text"}}})
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 20, gateway=gateway, path=CHAT) as load:
        times = [streamed(load) for _ in range(5)]
        make_version(team, "m-2", wrongRate=0.5)
        done = team.wait("deployment", "web", rolled_back, 180, "rolled back")
    assert min(first / whole for first, whole in times) < 0.5, "the first word comes long before the last one"
    assert done["status"]["history"][0]["reason"] == "AnswersDiffer"
    assert not load.failed()
    assert {a.version for a in load.answers} == {"m-1"}


def streamed(load: Load) -> tuple[float, float]:
    """Seconds until the first word of an answer came, and until the last one."""
    request = urllib.request.Request(f"http://{load.host}:{load.port}{load.path}", data=load.body, method="POST")
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert b"data:" in answer.readline()
        first = time.monotonic() - began
        assert b"[DONE]" in answer.read()
    return first, time.monotonic() - began
