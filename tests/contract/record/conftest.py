"""Pods that record, as processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hack.testbed.recorded import Pod, running
from tests.contract.s3.conftest import S3, bucket, s3

__all__ = ["S3", "bucket", "make", "s3"]


def make(folder: Path, **settings: Any) -> Pod:
    """A pod with the model server of these tests."""
    server = Path(__file__).with_name("modelserver.py")
    return Pod(folder, lambda port: [sys.executable, str(server), str(port)], **settings)


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod that records everything."""
    with running(make(tmp_path)) as found:
        yield found
