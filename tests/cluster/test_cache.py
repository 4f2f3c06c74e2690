"""Real pods, a real store: the same is made once, what was erased is made again, and a run goes on from another one."""

from __future__ import annotations

import json
from typing import Any

from hack.testbed.cluster import Team
from hack.testbed.loop import worker_image

from fairlead.store.layout import split
from tests.cluster.test_step_errors import fairlead

Json = dict[str, Any]
PREPARE = "import pathlib; pathlib.Path('/fairlead/out/rows').write_text('1 2 3')"
TRAIN = (
    "import os, pathlib; total = sum(map(int, pathlib.Path('/fairlead/in/rows/rows').read_text().split())); "
    "pathlib.Path('/fairlead/out/model').write_text(str(total * int(os.environ['TIMES'])))"
)


def pipeline(team: Team) -> Json:
    image, resources = worker_image(team), {"cpu": "50m"}
    return {
        "kind": "Pipeline", "metadata": {"name": "cached"},
        "spec": {"steps": [
            {"name": "prepare", "image": image, "cache": True, "command": ["python3", "-c", PREPARE],
             "outputs": {"rows": {}}, "resources": resources},
            {"name": "train", "image": image, "cache": True, "command": ["python3", "-c", TRAIN],
             "env": [{"name": "TIMES", "value": "2"}], "inputs": {"rows": {"output": "prepare.rows"}},
             "outputs": {"model": {}}, "resources": resources},
        ]},
    }  # fmt: skip


def start(team: Team, name: str, **spec: Any) -> None:
    team.apply({"kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipeline": "cached"} | spec})


def ended(team: Team, name: str) -> tuple[list[str], Json]:
    """What became of the steps' questions, and the run."""
    done = team.wait("pipelinerun", name, lambda o: o.get("status", {}).get("phase") == "Completed", 180, "Completed")
    return [step["cache"]["outcome"] for step in done["status"]["steps"]], done


def programs(team: Team, name: str) -> list[str]:
    """Steps of a run's Jobs."""
    jobs = (job["metadata"]["labels"] for job in team.cluster.list("job", team.namespace))
    return sorted(one["fairlead.dev/step"] for one in jobs if one.get("fairlead.dev/run") == name)


def test_results_of_earlier_runs_are_taken(team: Team) -> None:
    assert "@sha256:" in worker_image(team), "what is compared is a digest"
    team.apply(pipeline(team))
    start(team, "cached-1")
    start(team, "cached-2")
    (first, one), (second, two) = ended(team, "cached-1"), ended(team, "cached-2")
    assert sorted(first + second) == ["Hit", "Hit", "Miss", "Miss"]
    assert sorted([*programs(team, "cached-1"), *programs(team, "cached-2")]) == ["prepare", "train"]
    assert [step["outputs"] for step in one["status"]["steps"]] == [step["outputs"] for step in two["status"]["steps"]]

    bucket, key = split(one["status"]["steps"][0]["outputs"][0]["uri"])
    team.s3.delete_object(Bucket=bucket, Key=key)
    start(team, "cached-3")
    third, three = ended(team, "cached-3")
    assert (third, programs(team, "cached-3")) == (["Miss", "Hit"], ["prepare"])
    assert "output rows is gone" in three["status"]["steps"][0]["cache"]["message"]

    edit = {"step": "train", "env": [{"name": "TIMES", "value": "3"}]}
    start(team, "cached-4", resumeFrom="cached-3", edit=edit)
    fourth, four = ended(team, "cached-4")
    assert (fourth, programs(team, "cached-4")) == (["Resumed", "Miss"], ["train"])
    assert team.read(four["status"]["steps"][1]["outputs"][0]["uri"]) == b"18"
    said = json.loads(fairlead(team, "why", "run/cached-4", "--cache", "-o", "json"))
    assert [(one["part"], one["before"], one["after"]) for one in said["train"]["differs"]] == [
        ("env TIMES", '"2"', '"3"')
    ]  # fmt: skip
