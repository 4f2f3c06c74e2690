"""Labels on the real cluster: joined with what the recorders kept, they take back a candidate, and a live version."""

from __future__ import annotations

import io
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.testbed.cluster import STORE_BUCKET, Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

from tests.cluster.test_evidence import all_saved, check, replay

GUARDS: list[Json] = [{"metric": "errors"}, {"metric": "labels", "labels": {"dataset": "truth"}}]
KEPT: Json = {"record": {"every": "5s", "output": {"type": "number"}}}
WAITS: list[Json] = [{"weight": 50, "for": "10m", "requests": 100}]
COPIES: list[Json] = [{"shadow": "100%", "for": "10m", "requests": 100}]
SHORT: list[Json] = [{"weight": 50, "for": "15s", "requests": 100}]
ENOUGH = 200


def go_live(team: Team, steps: list[Json], **rollout: Any) -> None:
    """A first version whose answers are kept, and a Dataset of labels without a file."""
    make_dataset(team)
    make_version(team, "m-1")
    deploy(team, steps=steps, more=KEPT, **({"guard": GUARDS} | rollout))
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")


def make_dataset(team: Team) -> None:
    """Of labels, without a file."""
    team.apply({
        "kind": "Dataset", "metadata": {"name": "truth"},
        "spec": {
            "source": {"s3": {"bucket": team.bucket, "prefix": "labels/", "endpoint": team.endpoint,
                              "credentials": {"name": "s3"}}},
            "format": "parquet", "watch": {"every": "2s", "settle": "1s"},
        },
    })  # fmt: skip


def kept(team: Team, of: str = "m-2", seconds: float = 60) -> list[str]:
    """The ids of the requests whose answers are in the store, as soon as a version has some hundred: the store has no
    watch."""
    deadline = time.monotonic() + seconds
    while sum(row["version"] == of for row in answers(team)) < ENOUGH:
        assert time.monotonic() < deadline, f"the store has no {ENOUGH} answers of {of}"
        time.sleep(1)
    rows = answers(team)
    return [row["request_id"] for row in rows]


def answers(team: Team) -> list[Json]:
    """What the store has, up to the moment from which on one of the versions has not sent its answers yet: nobody's
    truth is known less often than another's."""
    prefix = f"{team.namespace}/deployments/web/predictions/"
    pages = team.s3.get_paginator("list_objects_v2").paginate(Bucket=STORE_BUCKET, Prefix=prefix)
    found: list[Json] = []
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", ())]:
        body = team.s3.get_object(Bucket=STORE_BUCKET, Key=key)["Body"].read()
        found += pq.read_table(io.BytesIO(body), columns=["request_id", "version", "time"]).to_pylist()
    newest = {row["version"]: row["time"] for row in sorted(found, key=lambda row: row["time"])}
    return [row for row in found if row["time"] <= min(newest.values())]


def publish(team: Team, ids: list[str], column: str = "label") -> None:
    """The truth of these requests is 1: what m-1 answers."""
    out = io.BytesIO()
    pq.write_table(pa.table({"request_id": ids, column: [1.0] * len(ids)}), out)
    team.s3.put_object(Bucket=team.bucket, Key="labels/all.parquet", Body=out.getvalue())


def gets_traffic(obj: Json) -> bool:
    return int(obj["status"].get("candidate", {}).get("answered", {}).get("requests", 0)) > 200


@pytest.mark.long
def test_a_candidate_that_is_wrong_is_taken_back_by_its_labels(team: Team) -> None:
    go_live(team, WAITS)
    with traffic(team, 50) as load:
        make_version(team, "m-2", wrongRate=0.5)
        team.wait("deployment", "web", gets_traffic, 180, "answering")
        publish(team, kept(team), column="truth")
        team.wait("deployment", "web", lambda o: condition(o, "EvidenceAvailable").get("reason") == "BadData", 120,
                  "complaining of the column")  # fmt: skip
        publish(team, kept(team))
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 180, "rolled back")
    record = done["status"]["history"][0]
    assert record["reason"] == "LabelsWorse"
    seen = record["guards"][1]["labels"]
    assert seen["candidate"]["wrong"] > 20
    assert seen["stable"]["wrong"] == 0
    assert not load.failed()  # by its status codes nothing was wrong
    assert check(team, "RolledBack")["verdict"] == "harm"


@pytest.mark.long
@pytest.mark.parametrize("what", [
    pytest.param({}, id="wrong"),
    pytest.param({"loss": "absolute", "cap": "2"}, id="loss", marks=pytest.mark.soak),
])  # fmt: skip
def test_copies_that_are_wrong_are_found_by_their_labels_and_no_user_gets_them(team: Team, what: Json) -> None:
    go_live(team, COPIES, guard=[GUARDS[0], {"metric": "labels", "labels": {"dataset": "truth", **what}}])
    with traffic(team, 50) as load:
        make_version(team, "m-2", wrongRate=0.3)
        team.wait("deployment", "web", gets_traffic, 180, "getting copies")
        publish(team, kept(team))
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 180, "rolled back")
    record = done["status"]["history"][0]
    assert (record["reason"], record["weight"]) == ("LabelsWorse", 0)
    pairs = record["guards"][1]["labels"]["pairs"]
    assert pairs["candidateWrong"] > 5
    assert pairs.get("stableWrong", 0) == 0
    assert {answer.version for answer in load.answers} == {"m-1"}
    assert check(team, "RolledBack")["verdict"] == "harm"


@pytest.mark.long
def test_a_live_version_goes_back_when_the_labels_of_its_rollout_come(team: Team) -> None:
    go_live(team, SHORT, afterPromotion={"for": "1h"})
    with traffic(team, 50):
        make_version(team, "m-2", wrongRate=0.5)
        team.wait("deployment", "web", is_live("m-2"), 240, "live with m-2")
        publish(team, kept(team))
        done = team.wait("deployment", "web", is_live("m-1"), 180, "back to m-1")
    record = done["status"]["history"][0]
    assert (record["version"], record["reason"]) == ("m-2", "LabelsWorseAfterPromotion")
    assert "wrong in" in record["message"]
    all_saved(team)
    told = replay(team, "--watch")
    assert told["same"], told["different"]
    assert told["ended"]["reason"] == "LabelsWorseAfterPromotion"
