"""People judge pairs of answers on the real cluster, by what was asked, and a version whose answers are worse goes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hack.install.chart import environment
from hack.testbed.cluster import Json, Team
from hack.testbed.serving import deploy, is_live, make_version, traffic

from tests.cluster.test_evidence import check

STEPS: list[Json] = [{"shadow": "100%", "for": "10m", "requests": 100}]
GUARDS: list[Json] = [{"metric": "errors"}, {"metric": "review", "minEvents": 15}]
KEPT: Json = {"record": {"inputs": True, "output": {"type": "number"}}}
FEW = 15
"""Pairs all of which go against a version are enough."""


def review(team: Team, *words: str) -> str:
    """What `fairlead review` says, as a person at this machine."""
    command = [str(Path(sys.executable).parent / "fairlead"), "review", "deployment/web", "-n", team.namespace, *words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def waiting(obj: Json) -> list[Any]:
    """Pairs that can be judged, with what was asked."""
    pairs = ((obj["status"].get("candidate") or {}).get("review") or {}).get("pairs", [])
    return [pair for pair in pairs if pair.get("input")]


@pytest.mark.long
def test_people_who_find_its_answers_worse_take_it_back(team: Team) -> None:
    make_version(team, "m-1")
    deploy(team, steps=STEPS, guard=GUARDS, more=KEPT)
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 50) as load:
        make_version(team, "m-2", wrongRate=0.5)
        team.wait("deployment", "web", lambda o: len(waiting(o)) >= FEW, 180, "offering pairs")
        # one that has just come into the sample has its input a look later
        pairs = [pair for pair in json.loads(review(team, "--list", "-o", "json")) if pair["input"]]
        assert json.loads(pairs[0]["input"]["text"]) == json.loads(load.body)
        assert {pair["a"] for pair in pairs} | {pair["b"] for pair in pairs} == {"[1.0]", "[2.0]"}
        assert len({pair["a"] for pair in pairs}) == 2, "nobody can tell by the place which version it is"
        said = [f"{pair['id']}={'a' if pair['a'] == '[1.0]' else 'b'}" for pair in pairs]
        review(team, *(word for one in said for word in ("--judge", one)))
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 60, "rolled back")
    assert done["status"]["history"][0]["reason"] == "ReviewWorse"
    assert {answer.version for answer in load.answers} == {"m-1"}
    assert check(team, "RolledBack")["verdict"] == "harm"
