"""Fixtures of the tests on the real cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hack.testbed.cluster import Cluster, Team, make_team


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster, with Fairlead installed."""
    return Cluster()


@pytest.fixture
def team(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A fresh namespace, deleted afterwards."""
    name = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:30].strip("-")
    made = make_team(cluster, f"t-{name}-{uuid.uuid4().hex[:6]}")
    yield made
    cluster.dynamic.resources.get(api_version="v1", kind="Namespace").delete(name=made.namespace)
    emptied = made.s3.get_paginator("list_objects_v2").paginate(Bucket=made.bucket)
    for page in emptied:
        for found in page.get("Contents", []):
            made.s3.delete_object(Bucket=made.bucket, Key=found["Key"])
