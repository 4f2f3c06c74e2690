"""A real S3 server (versitygw) on loopback, started for this session, with buckets for each test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from fairlead.api.tasks import Access, Place

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPO = Path(__file__).resolve().parents[3]
ACCESS_KEY, SECRET_KEY = "root", "a-root-secret"


def _binary() -> str:
    named = os.environ.get("FAIRLEAD_VERSITYGW")
    built = REPO / ".local" / "bin" / "versitygw"
    found = named or (str(built) if built.exists() else shutil.which("versitygw"))
    if found is None:
        pytest.fail("versitygw is not built: run `python3 hack/cluster up`, or name it in FAIRLEAD_VERSITYGW")
    return found


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class S3:
    """The server, and how workers reach it."""

    endpoint: str
    client: S3Client
    credentials: str
    """Folder like a mounted Secret."""

    def place(self, bucket: str, prefix: str = "") -> Place:
        """A place in a bucket."""
        return Place(bucket=bucket, prefix=prefix, endpoint=self.endpoint, credentials=self.credentials)

    def access(self) -> Access:
        """How it is reached."""
        return Access(endpoint=self.endpoint, credentials=self.credentials)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """All keys, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """One server for all tests."""
    root = tmp_path_factory.mktemp("s3")
    for name in ("iam", "versions", "objects", "secret"):
        (root / name).mkdir()
    (root / "secret" / "AWS_ACCESS_KEY_ID").write_text(ACCESS_KEY)
    (root / "secret" / "AWS_SECRET_ACCESS_KEY").write_text(SECRET_KEY + "\n")
    port = free_port()
    command = [_binary(), "--port", f"127.0.0.1:{port}", "--region", "us-east-1", "--iam-dir", str(root / "iam"),
               "posix", "--versioning-dir", str(root / "versions"), str(root / "objects")]  # fmt: skip
    env = {**os.environ, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    with (root / "log").open("wb") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as server:
        try:
            yield S3(f"http://127.0.0.1:{port}", _ready_client(port), str(root / "secret"))
        finally:
            server.terminate()


def _ready_client(port: int) -> S3Client:
    # botocore's own retries wait until the server listens.
    config = Config(retries={"mode": "standard", "total_max_attempts": 10}, s3={"addressing_style": "path"})
    client: S3Client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", config=config,
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip
    client.list_buckets()
    return client


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
