"""Datasets whose source is broken: each cause becomes a condition with a remedy, and heals when it is gone."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hack.testbed.cluster import Team, condition

DATASET = """
kind: Dataset
metadata: {{name: rides}}
spec:
  source:
    s3: {{bucket: {bucket}, prefix: rides/, endpoint: "http://s3.s3.svc:9000", credentials: {{name: {secret}}}}}
  format: parquet
  watch: {{every: 2s, settle: 1s}}
  schema:
    columns:
    - {{name: id, type: integer}}
    - {{name: fare, type: float, min: "0"}}
  checks:
  - unique: [id]
"""


def parquet(ids: list[int], fares: list[float]) -> bytes:
    """A small Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64()), "fare": pa.array(fares, pa.float64())}), out)
    return out.getvalue()


def put(team: Team, key: str, body: bytes) -> None:
    """Upload an object."""
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=body)


def dataset(team: Team, bucket: str = "", secret: str = "s3") -> None:
    """Apply the Dataset."""
    team.apply(DATASET.format(bucket=bucket or team.bucket, secret=secret))


@pytest.fixture
def good(team: Team) -> Team:
    """A namespace with one good file in its bucket."""
    put(team, "rides/1.parquet", parquet([1, 2, 3], [1.0, 2.0, 3.0]))
    return team


def test_publishes_and_the_same_bytes_are_the_same_version(good: Team) -> None:
    dataset(good)
    first = good.wait_condition("dataset", "rides", "Ready", "True")["status"]
    assert first["current"]["rows"] == 3
    put(good, "rides/2.parquet", parquet([4], [4.0]))
    second = good.wait("dataset", "rides", lambda o: o["status"]["current"]["rows"] == 4, 60, "a second version")[
        "status"
    ]
    assert [v["version"] for v in second["versions"]] == [second["current"]["version"], first["current"]["version"]]
    good.s3.delete_object(Bucket=good.bucket, Key="rides/2.parquet")
    back = good.wait("dataset", "rides", lambda o: o["status"]["current"]["rows"] == 3, 60, "the first version again")
    assert back["status"]["current"]["version"] == first["current"]["version"]


def test_missing_bucket(team: Team) -> None:
    missing = f"{team.bucket}-later"
    dataset(team, bucket=missing)
    seen = team.wait_condition("dataset", "rides", "SourceReachable", "False", "BucketMissing")
    assert missing in condition(seen, "SourceReachable")["message"]
    team.s3.create_bucket(Bucket=missing)
    team.s3.put_object(Bucket=missing, Key="rides/1.parquet", Body=parquet([1], [1.0]))
    team.wait_condition("dataset", "rides", "Ready", "True")
    team.s3.delete_object(Bucket=missing, Key="rides/1.parquet")


@pytest.mark.long
def test_wrong_credentials(good: Team) -> None:
    good.secret("wrong", good.keys[0], "not-the-secret")
    dataset(good, secret="wrong")
    seen = good.wait_condition("dataset", "rides", "SourceReachable", "False", "AccessDenied")
    assert "wrong" in condition(seen, "SourceReachable")["message"]
    good.secret("wrong", *good.keys)
    good.wait_condition("dataset", "rides", "Ready", "True", timeout=120)


def test_missing_secret(good: Team) -> None:
    dataset(good, secret="forgotten")
    seen = good.wait_condition("dataset", "rides", "SourceReachable", "False", "CredentialsMissing")
    assert "forgotten" in condition(seen, "SourceReachable")["message"]
    good.secret("forgotten", *good.keys)
    good.wait_condition("dataset", "rides", "Ready", "True", timeout=120)


def test_the_cluster_s_own_control_plane_is_no_store(team: Team) -> None:
    """By the Service's name and address, and where the API server itself is: the operator does not go there."""
    service = team.cluster.get("service", "kubernetes", "default")
    own = team.cluster.get("endpointslice", "kubernetes", "default")
    assert service
    assert own
    node = own["endpoints"][0]["addresses"][0]
    endpoints = {"name": "kubernetes.default.svc", "service": service["spec"]["clusterIP"], "node": node}
    for name, host in endpoints.items():
        body = yaml.safe_load(DATASET.format(bucket=team.bucket, secret="s3"))
        body["metadata"]["name"] = name
        body["spec"]["source"]["s3"]["endpoint"] = f"https://{host}:443"
        team.apply(body)
    for name in endpoints:
        team.wait_condition("dataset", name, "SourceReachable", "False", "EndpointRefused")


def test_corrupt_parquet_keeps_the_published_version(good: Team) -> None:
    dataset(good)
    before = good.wait_condition("dataset", "rides", "Ready", "True")["status"]["current"]
    put(good, "rides/2.parquet", b"PAR1 this is no parquet file PAR1")
    seen = good.wait_condition("dataset", "rides", "Valid", "False", "CorruptFile")
    assert "rides/2.parquet" in condition(seen, "Valid")["message"]
    assert seen["status"]["current"] == before
    put(good, "rides/2.parquet", parquet([4], [4.0]))
    healed = good.wait_condition("dataset", "rides", "Valid", "True")
    assert healed["status"]["current"]["rows"] == 4


def test_refused_by_a_check(good: Team) -> None:
    dataset(good)
    before = good.wait_condition("dataset", "rides", "Ready", "True")["status"]["current"]
    put(good, "rides/2.parquet", parquet([3, 4], [3.0, -1.0]))
    seen = good.wait_condition("dataset", "rides", "Valid", "False", "ChecksFailed")
    failed = [c for c in seen["status"]["checks"] if not c["passed"]]
    assert len(failed) == 2
    assert seen["status"]["current"] == before
