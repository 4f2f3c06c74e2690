"""Evaluation on the real cluster: real rows, real servers as sidecars, the live version as champion."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.loop import sklearn_image, worker_image
from hack.testbed.serving import METRICS, deploy, is_live, server_image

GATES = [
    {"metric": "mae", "max": "9"},
    {"metric": "mae", "against": "champion", "margin": "1%"},
    {"metric": "mae", "against": "baseline", "betterBy": "5%"},
]


def put(team: Team, key: str, body: bytes) -> Json:
    """Store an object; the artifact that names it."""
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=body)
    return {"uri": f"s3://{team.bucket}/{key}", "sha256": hashlib.sha256(body).hexdigest()}


def rows(team: Team, key: str, targets: list[float]) -> Json:
    """Rows with these targets."""
    out = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0] * len(targets), "y": targets}), out)
    return put(team, key, out.getvalue())


def propose(team: Team, name: str, model: bytes, **evaluation: Any) -> None:
    """A version of model `m` with this artifact, evaluated on targets 8 to 12; the baseline says 20."""
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {
            "model": "m", "artifact": put(team, f"models/{name}/model.json", model),
            "server": {"runtime": "custom", "image": server_image(), "metrics": METRICS,
                       "resources": {"cpu": "20m", "memory": "64Mi"}},
            "evaluation": {
                "features": ["x"], "target": "y", "metrics": ["mae"], "batch": 50, "gates": GATES,
                "data": {"artifact": rows(team, "test/rows.parquet", [8.0, 9.0, 10.0, 11.0, 12.0] * 40)},
                "baseline": {"reference": {"artifact": rows(team, "train/rows.parquet", [20.0])}},
            } | evaluation,
        },
    })  # fmt: skip


def answers(value: float) -> bytes:
    """A model that answers this to everything."""
    return json.dumps({"value": value}).encode()


def phase(team: Team, name: str, wanted: str, timeout: float = 150) -> Json:
    """Wait for a version's phase."""
    found = team.wait("modelversion", name, lambda o: o.get("status", {}).get("phase") == wanted, timeout, wanted)
    status: Json = found["status"]
    return status


def verdicts(status: Json) -> list[str]:
    """The gates' verdicts, in order."""
    return [gate["verdict"] for gate in status["evidence"]["gates"]]


def test_versions_prove_themselves_against_the_live_one(team: Team) -> None:
    propose(team, "m-1", answers(11.0))
    first = phase(team, "m-1", "Approved")
    assert verdicts(first) == ["Passed", "Skipped", "Passed"]
    deploy(team)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")

    propose(team, "m-2", answers(13.0))
    worse = phase(team, "m-2", "Rejected")
    assert worse["evidence"]["champion"] == "m-1"
    assert verdicts(worse) == ["Passed", "Failed", "Passed"]
    assert "allowed 1% worse" in worse["message"]

    propose(team, "m-3", answers(10.0))
    better = phase(team, "m-3", "Approved")
    evidence = better["evidence"]
    assert {s["subject"]: s["values"]["mae"] for s in evidence["scores"]} == {
        "challenger": "1.2", "champion": "1.4", "baseline": "10",
    }  # fmt: skip
    report = team.read(evidence["report"])
    assert hashlib.sha256(report).hexdigest() == evidence["digest"]
    assert json.loads(report)["data"]["rows"] == evidence["rows"] == 200
    team.wait("deployment", "web", lambda o: "m-3" in str(o["status"].get("candidate")), 60, "rolling out m-3")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (json.dumps({"errorRate": 1.0}).encode(), "answers every row: row 0 (x=1.0): the server answered 500"),
        (b'{"value": NaN}', "predictions are NaN or infinite"),
    ],
    ids=["fails", "nan"],
)
def test_a_model_that_cannot_answer_is_rejected(team: Team, model: bytes, words: str) -> None:
    propose(team, "m-1", model)
    assert words in phase(team, "m-1", "Rejected")["message"]


def test_b15_a_model_that_can_not_be_loaded_is_rejected_at_once_with_the_servers_last_words(team: Team) -> None:
    propose(team, "m-1", b"no JSON")
    words = "the challenger's server ends with exit code 1 instead of serving: json.decoder.JSONDecodeError: Expecting"
    assert phase(team, "m-1", "Rejected", 90)["message"].startswith(words)
    seen = team.get("modelversion", "m-1")
    assert seen is not None
    assert condition(seen, "Evaluated")["reason"] == "ServerFailed"
    assert condition(seen, "Verified")["status"] == "True"
    assert seen["status"]["job"]["attempt"] == 1, "nothing was fetched once more"


def test_rows_that_lack_a_column_are_said(team: Team) -> None:
    propose(team, "m-1", answers(10.0), features=["x", "distance"])
    seen = team.wait_condition("modelversion", "m-1", "Evaluated", "Unknown", "BadData")
    assert "the rows lack distance; they have x, y" in condition(seen, "Evaluated")["message"]


def test_rows_that_are_gone_heal(team: Team) -> None:
    propose(team, "m-1", answers(10.0))
    team.s3.delete_object(Bucket=team.bucket, Key="test/rows.parquet")
    seen = team.wait("modelversion", "m-1", lambda o: "rows.parquet" in o.get("status", {}).get("message", ""), 90,
                     "missing its rows")  # fmt: skip
    assert "put it back" in seen["status"]["message"]
    rows(team, "test/rows.parquet", [8.0, 9.0, 10.0, 11.0, 12.0] * 40)
    phase(team, "m-1", "Approved")


ROWS = """
import os, pyarrow as pa, pyarrow.parquet as pq
x, folder = [float(n) for n in range(100)], os.environ["FAIRLEAD_OUT"] + "/test"
os.mkdir(folder)
pq.write_table(pa.table({"x": x, "y": [2 * n + (1 if n % 2 else -1) for n in x]}), folder + "/rows.parquet")
"""
FIT = """
import os, joblib, pandas as pd
from sklearn.linear_model import LinearRegression
os.mkdir(os.environ["FAIRLEAD_OUT"] + "/model")
rows = pd.DataFrame({"x": [float(n) for n in range(10)]})
joblib.dump(LinearRegression().fit(rows, 2 * rows["x"]), os.environ["FAIRLEAD_OUT"] + "/model/model.joblib")
"""
BROKEN = """
import os
os.mkdir(os.environ["FAIRLEAD_OUT"] + "/model")
open(os.environ["FAIRLEAD_OUT"] + "/model/model.json", "w").write("no JSON")
"""


def measuring(team: Team, name: str, train: Json, server: Json) -> Json:
    """A Pipeline that makes rows, trains, measures, and goes by what was measured; its run, when it has ended."""
    image, few = worker_image(team), {"cpu": "20m"}
    evaluation = {"features": ["x"], "target": "y", "metrics": ["mae"], "data": {"output": "rows.test"}}

    def then(what: str, **limit: str) -> Json:
        return {"name": what, "image": image, "command": ["python3", "-c", "pass"], "resources": few,
                "if": [{"metric": "score.mae", **limit}]}  # fmt: skip

    team.apply({
        "kind": "Pipeline", "metadata": {"name": name},
        "spec": {
            "steps": [
                {"name": "rows", "image": image, "command": ["python3", "-c", ROWS], "resources": few,
                 "outputs": {"test": {"type": "dataset"}}},
                {"name": "train", "outputs": {"model": {"type": "model"}}, "resources": few} | train,
                {"name": "score", "evaluate": {"model": name}},
                then("good", below="1.5"), then("bad", above="1.5"),
            ],
            "produces": [{"model": name, "from": "train.model",
                          "version": {"server": server, "evaluation": evaluation}}],
        },
    })  # fmt: skip
    team.apply({"kind": "PipelineRun", "metadata": {"name": f"{name}-1"}, "spec": {"pipeline": name}})
    return team.wait("pipelinerun", f"{name}-1", lambda o: o.get("status", {}).get("phase") in ("Completed", "Failed"),
                     240, "its end")  # fmt: skip


def test_a_step_measures_what_the_version_is_measured_by_and_others_go_by_it(team: Team) -> None:
    fit = {"image": sklearn_image(team), "command": ["python3", "-c", FIT]}
    run = measuring(team, "line", fit, {"resources": {"cpu": "50m", "memory": "512Mi"}})
    assert run["status"]["phase"] == "Completed", run["status"]
    steps = {one["name"]: one for one in run["status"]["steps"]}
    assert float(steps["score"]["metrics"]["mae"]) == pytest.approx(1.0, abs=1e-9)
    assert steps["score"]["metrics"]["rows"] == "100"
    assert (steps["good"].get("reason", ""), steps["bad"]["reason"]) == ("", "Skipped")
    proof = phase(team, "line-1", "Approved", 240)
    assert proof["evidence"]["scores"][0]["values"] == {"mae": "1"}
    page = next(one for one in steps["score"]["outputs"] if one["name"] == "evaluation")
    assert page["media"] == "text/html"


def test_a_model_that_can_not_be_served_fails_its_step_with_the_servers_last_words(team: Team) -> None:
    broken = {"image": worker_image(team), "command": ["python3", "-c", BROKEN]}
    server = {"runtime": "custom", "image": server_image(), "metrics": METRICS, "timeout": "10m",
              "resources": {"cpu": "20m", "memory": "64Mi"}}  # fmt: skip
    run = measuring(team, "broken", broken, server)
    score = next(one for one in run["status"]["steps"] if one["name"] == "score")
    assert (score["phase"], score["reason"]) == ("Failed", "ServerFailed")
    assert "json.decoder.JSONDecodeError" in score["message"]
