"""A real S3 server, started for this session, with buckets for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hack.testbed.s3 import S3, serving


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """One server for all tests."""
    with serving(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> str:
    """A fresh bucket."""
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned_bucket(s3: S3, bucket: str) -> str:
    """A fresh bucket that keeps versions."""
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket
