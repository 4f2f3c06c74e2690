"""Monitors of a live version on the real cluster: its pods count what comes, and that is compared with a profile."""

from __future__ import annotations

import hashlib
import io
import json
import time
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.testbed.cluster import STORE_BUCKET, Json, Team, condition
from hack.testbed.loop import worker_image
from hack.testbed.serving import deploy, is_live, make_version, traffic

from fairlead.monitor.profile import Losses, Number, Profile
from tests.cluster.test_evidence import replay, said_by
from tests.cluster.test_labels import ENOUGH, kept, make_dataset, publish

LEARNT = Number(
    kind="number", name="x", edges=[0.5, 1.5, 2.0], counts=[900, 100, 900, 900], low=0.0, high=3.0, mean=1.5, sd=1.0
)
"""What is asked is 1.0 always: one in 28 rows of the reference lies near it."""


ANSWERED = Number(kind="number", name="answer", edges=[], counts=[2800], low=0.0, high=2.0, mean=1.0, sd=0.1)
LOST = Losses(counts=[2800], absolute=[280.0], squared=[40.0], fourth=[2.0], nonzero=[2800], relative=[280.0],
              relative_squared=[40.0])  # fmt: skip
"""A mean error of 0.1. It answers 1."""


def known_profile(team: Team) -> Json:
    """A profile in the store, as a ModelVersion names it."""
    profile = Profile(
        task="regression", rows=2800, held_out=2800, features=[LEARNT], prediction=ANSWERED, losses=LOST,
    )  # fmt: skip
    key = f"{team.namespace}/profiles/x.json"
    team.s3.put_object(Bucket=STORE_BUCKET, Key=key, Body=profile.dumped())
    return {"profile": {"uri": f"s3://{STORE_BUCKET}/{key}", "digest": profile.digest}}


def golden_rows(team: Team, expected: float) -> Json:
    """Rows in the store, as training code writes them, and what the model answered."""
    body = "\n".join(json.dumps({"inputs": {"x": float(x)}, "expected": expected}) for x in range(8)).encode()
    key = f"{team.namespace}/golden/{expected}.jsonl"
    team.s3.put_object(Bucket=STORE_BUCKET, Key=key, Body=body)
    return {"golden": {"uri": f"s3://{STORE_BUCKET}/{key}", "digest": hashlib.sha256(body).hexdigest()}}


def lines(obj: Json) -> dict[str, Json]:
    """What the monitors say, by name."""
    return {one["monitor"]: one for one in obj.get("status", {}).get("monitors", {}).get("lines", [])}


def explained(obj: Json) -> Json:
    """What is known of why it answers as it does."""
    found: Json = obj.get("status", {}).get("monitors", {}).get("explained", {})
    return found


@pytest.mark.long
def test_a_live_version_is_compared_with_what_it_learnt_from(team: Team) -> None:
    make_version(team, "m-1", more=known_profile(team) | golden_rows(team, 1.0))
    make_dataset(team)
    explain = {"every": "1m", "rows": 10}
    deploy(team, more={"monitors": {"every": "1m", "labels": {"dataset": "truth"}, "explain": explain}})
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")
    with traffic(team, 30) as load:
        publish(team, kept(team, "m-1", 150))  # meanwhile the windows go on
        seen = team.wait(
            "deployment", "web", lambda o: lines(o).get("drift", {}).get("state") == "Drifting", 300, "drifting"
        )
        assert condition(seen, "MonitorReady")["status"] == "True"
        assert condition(seen, "Drifting")["status"] == "True"
        assert "x (" in condition(seen, "Drifting")["message"]
        said = lines(seen)
        assert said["data"]["state"] == said["outliers"]["state"] == "Ok"
        seen = team.wait("deployment", "web", lambda o: "labels: mae 0.000" in lines(o)["quality"]["message"], 180,
                         "right by its labels")  # fmt: skip
        assert lines(seen)["quality"]["state"] == "Ok"
        assert condition(seen, "Harmed")["status"] == "False"
        assert seen["status"]["monitors"]["labels"]["labelled"] >= ENOUGH
        windows = seen["status"]["monitors"]["windows"]
        # a pod of its own was asked why; what is asked is always the same, so nothing contributes anything
        seen = team.wait("deployment", "web", lambda o: explained(o).get("at"), 240, "explained")
        assert explained(seen)["rows"] >= 10
        assert [(one["feature"], one["mean"]) for one in explained(seen)["features"]] == [("x", "0")]
        # of the live version, with the proxy's share that follows the traffic: it is not taken for a new one
        assert is_live("m-1")(seen)
        assert (said["skew"]["state"], said["skew"]["reason"]) == ("Ok", "AsMade")
        # the same rows, and a server that answers otherwise: nobody gets an answer of it
        make_version(team, "m-2", value=3.0, more=golden_rows(team, 1.0))
        seen = team.wait("deployment", "web", lambda o: "m-2" in o["status"].get("refused", []), 90, "refused")
        taken_back = seen["status"]["history"][0]
        assert (taken_back["version"], taken_back["reason"]) == ("m-2", "Skew")
        assert "golden row 1: output predict is 3, and was 1" in taken_back["message"]
        assert is_live("m-1")(seen)
    assert {answer.version for answer in load.answers} == {"m-1"}
    team.cluster.wait_none("job", team.namespace, "fairlead.dev/observe", 60)
    told = replay(team, "--monitors")
    assert told["same"], told["different"]
    assert len(told["windows"]) >= windows
    assert 0 < told["windows"][0]["rows"] <= 30 * 150
    shown = said_by(team, "monitor", "deployment/web", "--windows", "2")
    assert shown["windows"][-1]["drift"]["x"]["state"] == "Drifting"
    assert shown["labels"]["labelled"] >= ENOUGH
    strange = said_by(team, "monitor", "deployment/web", "--outliers")
    assert (strange["outside"], strange["requests"]) == (0, [])
    assert strange["inside"] > 0  # labels keep the bodies, by which that is known


# --- real harm: is it the version, or the world? -------------------------------------------------------------------

JUDGED = Profile(
    task="regression", rows=2800, held_out=2000, features=[LEARNT],
    prediction=Number(kind="number", name="y", edges=[1.5], counts=[2100, 700], low=1.0, high=2.0),
    losses=Losses(counts=[1000, 1000], absolute=[250.0, 250.0], squared=[250.0, 250.0], fourth=[250.0, 250.0],
                  nonzero=[1000, 1000], relative=[250.0, 250.0], relative_squared=[250.0, 250.0]),
)  # fmt: skip
"""A quarter of the held-out rows were wrong by 1, whose loss is 1."""
RETRAINS = """
kind: Pipeline
metadata: {{name: again}}
spec:
  triggers: [{{condition: {{deployment: drift, type: WorldChanged, reasons: [RealHarm]}}}}]
  concurrency: Allow
  steps:
  - {{name: only, image: {image}, command: [python3, -c, "pass"], resources: {{cpu: 50m}}}}
"""
RIGHT = {"drift": 9.0, "bug": 1.0}
"""By Deployment, what is really the case by now: no version says 9."""
MANY = 400


def judged(team: Team, name: str, wrong: float) -> None:
    """Two versions went live, one after the other; the last one is wrong so often by itself."""
    text = JUDGED.dumped()
    team.s3.put_object(Bucket=STORE_BUCKET, Key=f"{team.namespace}/profiles/judged.json", Body=text)
    known = {"uri": f"s3://{STORE_BUCKET}/{team.namespace}/profiles/judged.json", "digest": JUDGED.digest}
    make_version(team, f"{name}-1", model=name, more={"profile": known})
    deploy(team, name, name, more={
        "monitors": {"every": "1m", "labels": {"dataset": "truth"}, "without": ["drift", "data", "outliers"]},
        "record": {"every": "5s", "inputs": True},
    }, afterPromotion={"for": "0s"}, steps=[{"weight": 50, "for": "2s", "requests": 10}])  # fmt: skip
    team.wait("deployment", name, is_live(f"{name}-1"), 180, f"live with {name}-1")
    make_version(team, f"{name}-2", model=name, more={"profile": known}, wrongRate=wrong)


def ids(team: Team, name: str, known: set[str]) -> list[str]:
    """Requests that the second version has answered, whose labels have not come, as soon as they are enough: the store
    has no watch."""
    prefix = f"{team.namespace}/deployments/{name}/predictions/version={name}-2/"
    deadline = time.monotonic() + 90
    while True:
        pages = team.s3.get_paginator("list_objects_v2").paginate(Bucket=STORE_BUCKET, Prefix=prefix)
        found: list[str] = []
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", ())]:
            body = team.s3.get_object(Bucket=STORE_BUCKET, Key=key)["Body"].read()
            found += pq.read_table(io.BytesIO(body), columns=["request_id"])["request_id"].to_pylist()
        fresh = [one for one in found if one not in known]
        if len(fresh) >= MANY:
            return fresh
        assert time.monotonic() < deadline, f"the store has {len(fresh)} answers of {name}-2, and {MANY} are needed"
        time.sleep(1)


def label(team: Team, number: int, known: set[str]) -> None:
    """Labels of both Deployments' requests come."""
    rows = {one: right for name, right in RIGHT.items() for one in ids(team, name, known)}
    known |= set(rows)
    out = io.BytesIO()
    pq.write_table(pa.table({"request_id": list(rows), "label": list(rows.values())}), out)
    team.s3.put_object(Bucket=team.bucket, Key=f"labels/{number}.parquet", Body=out.getvalue())


def asks(obj: Json) -> bool:
    return bool(obj.get("status", {}).get("monitors", {}).get("question", {}).get("state") == "Asking")


@pytest.mark.long
def test_real_harm_is_rolled_back_where_it_is_the_version_and_starts_a_run_where_it_is_the_world(team: Team) -> None:
    make_dataset(team)
    team.apply(RETRAINS.format(image=worker_image(team)))
    judged(team, "drift", wrong=0.0)
    judged(team, "bug", wrong=0.6)
    with ExitStack() as both:
        loads = {name: both.enter_context(traffic(team, 30, name=name, model=name)) for name in RIGHT}
        for name in RIGHT:
            team.wait("deployment", name, is_live(f"{name}-2"), 180, f"live with {name}-2")
        known: set[str] = set()
        label(team, 1, known)
        for name in RIGHT:
            seen = team.wait("deployment", name, asks, 180, f"asking {name}-1")
            assert (condition(seen, "Harmed")["status"], condition(seen, "Harmed")["reason"]) == ("True", "RealHarm")
        label(team, 2, known)
        back = team.wait("deployment", "bug", is_live("bug-1"), 180, "back to bug-1")
        seen = team.wait_condition("deployment", "drift", "WorldChanged", "True", "RealHarm", timeout=120)
        team.wait("pipeline", "again", lambda o: o.get("status", {}).get("runs") == 1, 60, "a run")
    record = back["status"]["history"][0]
    assert (record["version"], record["reason"]) == ("bug-2", "RealHarm")
    assert "whose labels came since, the loss of bug-2 is" in record["message"]
    assert {answer.version for answer in loads["drift"].answers[-50:]} == {"drift-2"}
    assert "is not better, so it is not the version" in condition(seen, "WorldChanged")["message"]
    told = replay(team, "--monitors", name="drift")
    assert told["same"], told["different"]
    assert told["questions"][-1]["result"] == "NotBetter"
