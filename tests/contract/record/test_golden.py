"""Golden rows of a real S3 server, asked for by a real recorder beside a real Envoy."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hack.testbed.recorded import Pod, get, running
from tests.contract.record.conftest import S3, make
from tests.contract.record.test_bins import RECEIVED, classify, dealt, placed, until

from fairlead.api.tasks import ProfileAt
from fairlead.monitor import golden
from fairlead.worker.record.gate import ask

LATEST = 60.0
READY = "/v2/health/ready"


def rows_in(s3: S3, bucket: str, expected: Any) -> ProfileAt:
    """Eight rows, as training code writes them, of which each is below 16."""
    body = "\n".join(json.dumps({"inputs": {"n0": n + 0.5}, "expected": expected(n)}) for n in range(8)).encode()
    s3.client.put_object(Bucket=bucket, Key="golden.jsonl", Body=body)
    access = s3.place(bucket, "")
    where = {name: getattr(access, name) for name in ("endpoint", "region", "credentials")}
    told = {"access": where, "uri": f"s3://{bucket}/golden.jsonl", "sha256": hashlib.sha256(body).hexdigest()}
    return ProfileAt.model_validate(told)


async def started(pod: Pod) -> tuple[int, str]:
    """What the start-up probe hears in the end."""
    deadline = time.monotonic() + LATEST
    while (found := await asyncio.to_thread(ask, pod.golden_port, READY))[0] == 503:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


def passed_on(pod: Pod) -> int:
    """Requests that the proxy has counted."""
    page = get(f"{pod.stats_url}/stats/prometheus").decode()
    found = re.search(r'^envoy_cluster_upstream_rq_total\{envoy_cluster_name="server"\} (\d+)$', page, re.MULTILINE)
    return int(found[1]) if found else 0


async def test_they_are_no_traffic(tmp_path: Path, s3: S3, bucket: str) -> None:
    """Neither the proxy nor the recorder has seen them, and people's requests are counted as ever."""
    at = rows_in(s3, bucket, lambda _n: {"predict": 0, "predict_proba": [1 - (_n + 0.5) / 32, (_n + 0.5) / 32]})
    with running(make(tmp_path, profile=placed(s3, bucket), golden=at)) as pod:
        await until(pod, lambda found: found["problem"] == "")
        assert await started(pod) == (200, "Ok AsProven: 8 golden rows are answered as when the version was proven")
        async with aiohttp.ClientSession() as http:
            for number in range(3):
                await classify(http, pod, number + 0.5)
        found = await until(pod, lambda found: dealt(found) == 3)
        assert (found["tally"]["rows"], found["tally"]["requests"], found["tally"]["sampled"]) == (3, 3, 3)
        assert pod.counted(RECEIVED) == 3
        assert passed_on(pod) == 3


@pytest.mark.parametrize("which", ["a class", "another digest"])
async def test_only_a_difference_keeps_a_server_from_starting(
    tmp_path: Path, s3: S3, bucket: str, which: str
) -> None:  # fmt: skip
    at = rows_in(s3, bucket, lambda _n: 1)
    at = at.model_copy(update={"sha256": "0" * 64}) if which == "another digest" else at
    with running(make(tmp_path, golden=at)) as pod:
        status, said = await started(pod)
        if which == "a class":
            assert (status, said.partition(":")[0]) == (409, "Skew Skew")
            assert "golden row 1: output predict is 0, and was 1" in said
            assert ask(pod.golden_port, golden.PATH) == (409, said)
        else:
            assert (status, said.partition(":")[0]) == (200, "Unknown GoldenRowsUnread")
        assert ask(pod.port, READY)[0] == 200, "what serves goes on"
