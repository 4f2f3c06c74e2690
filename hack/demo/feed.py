"""Real months of flights into the bucket, as the airline's nightly export would write them."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from hack.demo.kube import Json, Kube

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "flights"
BUCKET, STORE, PREFIX, LANDED = "airline", "fairlead", "flights/", "landed/"
ROOT_SECRET = ("root-credentials", "s3")
"""Name and namespace of the Secret with the local S3 service's account."""


def key(month: int) -> str:
    """Where a month's flights lie."""
    return f"{PREFIX}2013-{month:02d}.parquet"


def credentials(kube: Kube) -> dict[str, str]:
    """The account of the cluster's S3 service, base64 as in its Secret."""
    secret = kube.get("secret", *ROOT_SECRET)
    if not secret:
        raise RuntimeError(f"Secret {ROOT_SECRET[1]}/{ROOT_SECRET[0]} does not exist; run `python3 hack/cluster up`")
    return dict(secret["data"])


def secret_manifest(data: dict[str, str], namespace: str) -> Json:
    """The Secret with which Fairlead reaches the bucket."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": namespace},
        "type": "Opaque", "data": {name: data[name] for name in keys},
    }  # fmt: skip


@contextmanager
def store(kube: Kube) -> Iterator[Any]:
    """A client of the cluster's S3 service, through a forwarded port on the loopback interface."""
    account = {name: base64.b64decode(value).decode() for name, value in credentials(kube).items()}
    forward = kube.start("port-forward", "--address=127.0.0.1", "-n", "s3", "service/s3", ":9000")
    try:
        yield boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{forwarded_port(forward)}", region_name="us-east-1",
            aws_access_key_id=account["AWS_ACCESS_KEY_ID"], aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 5}, s3={"addressing_style": "path"}),
        )  # fmt: skip
    finally:
        forward.terminate()
        forward.wait()


def forwarded_port(forward: subprocess.Popen[str]) -> int:
    """The local port, once kubectl has said it."""
    assert forward.stdout is not None
    line = forward.stdout.readline()
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    if not found:
        assert forward.stderr is not None
        raise RuntimeError(f"kubectl port-forward to the S3 service failed: {line}{forward.stderr.read()}")
    return int(found[1])


def ensure_bucket(client: Any, bucket: str) -> None:
    """Make a bucket unless it is there."""
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)


def there(client: Any) -> set[str]:
    """The keys of the months that are in the bucket."""
    return {item["Key"] for item in client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])}


def feed(client: Any, month: int) -> str | None:
    """Put a month's flights into the bucket unless they are there; what was written."""
    if key(month) in there(client):
        return None
    return write(client, "month", month, key(month))


def begin(client: Any) -> None:
    """Let the feed of landed flights begin, with the last day of October, unless it has."""
    if not client.list_objects_v2(Bucket=BUCKET, Prefix=LANDED, MaxKeys=1).get("Contents"):
        write(client, "landed", 10, f"{LANDED}2013-10-31.parquet")


def write(client: Any, what: str, month: int, name: str) -> str:
    """Put a file that the airline's code makes into the bucket; what was written."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.parquet"
        command = [sys.executable, "-m", "airline.data", what, str(month), str(target)]
        done = subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True, text=True)
        client.upload_file(str(target), BUCKET, name)
    return f"s3://{BUCKET}/{name}: {done.stdout.split(':')[-1].strip()}"


def empty(client: Any) -> None:
    """Take the demo's objects out of the buckets."""
    for bucket, prefix in ((BUCKET, PREFIX), (BUCKET, LANDED), (STORE, "airline/")):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=item["Key"])
