"""Training on the real cluster: without a program of one's own, and in several pods that talk to each other."""

from __future__ import annotations

import json

import pytest
from hack.testbed.cluster import Json, Team
from hack.testbed.loop import step
from hack.testbed.serving import deploy, is_live

from tests.cluster.test_step_errors import fairlead

SMALL = {"resources": {"cpu": "100m", "memory": "512Mi"}}
SLOPE, NORTH = 2.0, 30.0
"""What is to be learnt: y is SLOPE times x, and NORTH more in the north."""
COUNT = """
import json, os, pathlib, socket, time
rank, port = int(os.environ['RANK']), int(os.environ['MASTER_PORT'])
if rank == 0:
    heard = []
    with socket.create_server(('', port)) as server:
        while len(heard) < int(os.environ['WORLD_SIZE']) - 1:
            with server.accept()[0] as one:
                heard.append(int(one.recv(64)))
    pathlib.Path('/fairlead/out/heard').write_text(json.dumps(sorted(heard)))
    raise SystemExit
for _ in range(120):
    try:
        with socket.create_connection((os.environ['MASTER_ADDR'], port), timeout=10) as first:
            first.sendall(str(rank).encode())
        break
    except OSError:
        time.sleep(0.5)
else:
    raise SystemExit('nobody answers')
print('worker', rank, 'has spoken')
"""


def feed(team: Team) -> None:
    """400 rows: a number, a place, and a target that some rows lack."""
    lines = ["id,x,place,y"]
    for number in range(400):
        place = "north" if number % 3 == 0 else "south"
        y = SLOPE * (number % 50) + (NORTH if place == "north" else 0.0)
        lines.append(f"{number},{number % 50},{place},{'' if number % 40 == 7 else y}")
    team.s3.put_object(Bucket=team.bucket, Key="rows/1.csv", Body="\n".join(lines).encode() + b"\n")
    source = {"bucket": team.bucket, "prefix": "rows/", "endpoint": team.endpoint, "credentials": {"name": "s3"}}
    team.apply({
        "kind": "Dataset", "metadata": {"name": "rows"},
        "spec": {"source": {"s3": source}, "format": "csv", "watch": {"every": "2s", "settle": "1s"}},
    })  # fmt: skip


def pipeline() -> Json:
    """Rows, their parts, a model, a version that must be nearly exact: all by components that come with Fairlead."""
    query = "select id, x, place, y from rows where y is not null order by id"
    features = ["x", "place"]
    return {
        "kind": "Pipeline", "metadata": {"name": "train"},
        "spec": {
            "triggers": [{"dataset": {"name": "rows"}}],
            "steps": [
                {"name": "prepare", "component": {"builtin": "sql"}, "params": {"query": query},
                 "inputs": {"rows": {"dataset": "rows"}}, **SMALL},
                {"name": "split", "component": {"builtin": "split"}, "params": {"test": "25%", "key": "id"},
                 "inputs": {"data": {"output": "prepare.data"}}, **SMALL},
                {"name": "train", "component": {"builtin": "train-sklearn"},
                 "params": {"target": "y", "task": "regression", "features": ",".join(features), "model": "linear"},
                 "inputs": {"data": {"output": "split.train"}}, **SMALL},
            ],
            "produces": [{
                "model": "line", "from": "train.model",
                "version": {
                    "server": {"runtime": "sklearn"},
                    "evaluation": {
                        "task": "regression", "features": features, "target": "y",
                        "data": {"output": "split.test"}, "metrics": ["mae"], "gates": [{"metric": "mae", "max": "1"}],
                    },
                },
            }],
        },
    }  # fmt: skip


@pytest.mark.long
def test_from_rows_to_a_served_model_without_a_program(team: Team) -> None:
    feed(team)
    team.apply(pipeline())
    deploy(team, model="line")
    team.wait("deployment", "web", is_live("line-1"), 400, "live with line-1")
    version = team.get("modelversion", "line-1")
    assert version is not None
    (gate,) = version["status"]["evidence"]["gates"]
    assert gate["verdict"] == "Passed", gate
    used = {one["step"]: one["name"] for one in run(team, "train-1")["components"]}
    assert used == {"prepare": "sql", "split": "split", "train": "train-sklearn"}
    for x, place in ((10, "south"), (40, "north")):
        said = fairlead(team, "ask", "deployment/web", "--row", json.dumps({"x": x, "place": place}), "-o", "json")
        answer = json.loads(said)
        assert (answer["status"], answer["version"]) == (200, "line-1"), said
        expected = SLOPE * x + (NORTH if place == "north" else 0.0)
        assert answer["answer"]["outputs"][0]["data"] == pytest.approx([expected], abs=1.0), said


def run(team: Team, name: str) -> Json:
    """The status of a run."""
    found = team.get("pipelinerun", name)
    assert found is not None
    status: Json = found["status"]
    return status


def test_workers_find_each_other_and_index_0_leaves_what_they_said(team: Team) -> None:
    gang = step(team, "count", COUNT, {}, {"heard": {}}) | {"workers": {"count": 3}}
    gang["resources"] = {"cpu": "20m", "memory": "64Mi"}
    team.apply({"kind": "Pipeline", "metadata": {"name": "gang"}, "spec": {"steps": [gang]}})
    team.apply({"kind": "PipelineRun", "metadata": {"name": "gang-1"}, "spec": {"pipeline": "gang"}})
    done = team.wait(
        "pipelinerun", "gang-1", lambda o: o.get("status", {}).get("phase") in ("Completed", "Failed"), 240, "over"
    )
    (only,) = done["status"]["steps"]
    assert (only["phase"], only["attempt"]) == ("Completed", 1), only
    assert json.loads(team.read(only["outputs"][0]["uri"])) == [1, 2]
    for index in (1, 2):
        log = fairlead(team, "logs", "run/gang-1", "count", "--worker", str(index))
        assert f"worker {index} has spoken" in log
