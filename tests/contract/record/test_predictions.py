"""The recorder's files in a real S3 server."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import duckdb
import pyarrow.parquet as pq
from hack.testbed.recorded import Pod, running
from tests.contract.record.conftest import S3, make
from tests.contract.record.test_recorder import infer

FOLDER = "team/deployments/delay/predictions/version=delay-1/"


def keys(s3: S3, bucket: str, count: int) -> list[str]:
    """The objects, once there are so many."""
    deadline = time.monotonic() + 120
    while len(found := s3.keys(bucket, FOLDER)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def today() -> str:
    """The day by which the recorder names its folders; a test may begin on one and end on the next."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


async def ask(pod: Pod, *ids: str, status: int = 200) -> None:
    """Requests with these ids."""
    async with aiohttp.ClientSession() as http:
        for number, one in enumerate(ids):
            await infer(http, pod, number, {"x-request-id": one}, status)


async def test_answers_get_into_the_store(tmp_path: Path, s3: S3, bucket: str) -> None:
    began = today()
    with running(make(tmp_path, store=s3.place(bucket, FOLDER), every=1.0, inputs=True)) as pod:
        await ask(pod, "a", "b")
        await ask(pod, "c", status=500)
        first = await asyncio.to_thread(keys, s3, bucket, 2)
        boot = pod.answers()["boot"]
        await ask(pod, "d")
        await asyncio.to_thread(pod.recorded, 4)
        assert pod.end("recorder") == 0, "what is left is written at the end"
    found = s3.keys(bucket, FOLDER)
    assert len(found) == len(first) + 1
    assert first[0] in [f"{FOLDER}date={day}/0f-uid-{boot}-000001.parquet" for day in (began, today())]
    rows = {row["request_id"]: row for key in found for row in table(s3, bucket, key)}
    assert sorted(rows) == ["a", "b", "c", "d"]
    b, c = rows["b"], rows["c"]
    assert (b["version"], b["status"], b["output"], b["shadow"]) == ("delay-1", 200, "[2]", False)
    assert (b["probability"], b["truncated"]) == (1.0, False)
    assert json.loads(b["input"]) == {"inputs": [{"name": "x", "data": [1]}]}
    assert abs(b["time"].timestamp() - time.time()) < 60
    assert 0 < b["latency_ms"] < 5000
    assert (c["status"], json.loads(c["output"])) == (500, {"error": "no"})
    assert not any((tmp_path / "spool").iterdir())


def table(s3: S3, bucket: str, key: str) -> list[dict[str, object]]:
    """An object's rows."""
    body = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return pq.read_table(io.BytesIO(body)).to_pylist()


async def test_a_killed_recorder_and_a_store_that_is_away(tmp_path: Path, s3: S3, bucket: str) -> None:
    """What was taken waits in the pod, and is written by the next process, once."""
    away = s3.place(bucket, FOLDER).model_copy(update={"endpoint": "http://127.0.0.1:9"})
    with running(make(tmp_path, store=away, every=1.0)) as pod:
        await ask(pod, "a", "b")
        deadline = time.monotonic() + 60
        while pod.counted("fairlead_recorder_write_failures_total") < 1:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        await ask(pod, "c")
        await asyncio.sleep(1.5)
        pod.end("recorder", signal.SIGKILL)
        pod.store = s3.place(bucket, FOLDER)
        await asyncio.to_thread(pod.start_recorder)
        found = await asyncio.to_thread(keys, s3, bucket, 2)
        await asyncio.sleep(1.5)
        assert s3.keys(bucket, FOLDER) == found
    assert sorted(str(row["request_id"]) for key in found for row in table(s3, bucket, key)) == ["a", "b", "c"]


async def test_duckdb_reads_the_folder(tmp_path: Path, s3: S3, bucket: str) -> None:
    """As the documentation says it: versions and days are columns."""
    began = today()
    with running(make(tmp_path, store=s3.place(bucket, FOLDER), every=1.0)) as pod:
        await ask(pod, "a", "b")
        (key,) = await asyncio.to_thread(keys, s3, bucket, 1)
    path = tmp_path / key
    path.parent.mkdir(parents=True)
    s3.client.download_file(bucket, key, str(path))
    query = f"""
        select version, date, count(*), avg((output::json->>0)::double)
        from read_parquet('{tmp_path}/team/deployments/delay/predictions/*/*/*.parquet', hive_partitioning = true)
        where not shadow group by all
    """
    ((version, date, count, mean),) = duckdb.sql(query).fetchall()
    assert (version, count, mean) == ("delay-1", 2, 1.0)
    assert str(date) in (began, today())
