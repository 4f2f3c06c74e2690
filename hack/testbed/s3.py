"""A real S3 server (versitygw) on loopback, without a cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from fairlead.api.tasks import Access, Place
from hack.testbed.programs import free_port, program

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ACCESS_KEY, SECRET_KEY = "root", "a-root-secret"


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


@contextmanager
def serving(root: Path) -> Iterator[S3]:
    """A server whose objects lie below a folder."""
    for name in ("iam", "versions", "objects", "secret"):
        (root / name).mkdir()
    (root / "secret" / "AWS_ACCESS_KEY_ID").write_text(ACCESS_KEY)
    (root / "secret" / "AWS_SECRET_ACCESS_KEY").write_text(SECRET_KEY + "\n")
    port = free_port()
    command = [
        program("versitygw"), "--port", f"127.0.0.1:{port}", "--region", "us-east-1", "--iam-dir", str(root / "iam"),
        "posix", "--versioning-dir", str(root / "versions"), str(root / "objects"),
    ]  # fmt: skip
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
