"""What it costs to join labels with the log of answers, by the length of the log. Needs no cluster: an S3 server of its
own has the log, in the files that the recorder writes: one a minute for each version.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.api.tasks import FetchItem, JoinResult, JoinTask
from fairlead.worker.digests import of_bytes
from fairlead.worker.join import join
from fairlead.worker.record.ship import SCHEMA
from hack.bench.report import keep, table
from hack.testbed.s3 import S3, serving

BUCKET, LOG, STORE = "log", "predictions", "labels"
SHARES = {"m-1": 0.9, "m-2": 0.1}
MINUTE = 60
LABELLED = 0.01
"""Of the answers."""
SECONDS, MIB = 60.0, 512.0
"""Targets for the longest log: labels are joined within a minute, in the memory of a small pod."""


def kept(version: str, rate: float) -> int:
    """Answers of a version in a minute."""
    return round(rate * MINUTE * SHARES[version])


def of_minute(rng: np.random.Generator, version: str, minute: int, began: datetime, rate: float) -> bytes:
    """A file of the log."""
    count = kept(version, rate)
    times = began.timestamp() + minute * MINUTE + np.sort(rng.uniform(0, MINUTE, count))
    outputs = [f"[{value:.4f}]" for value in rng.normal(10, 3, count)]
    columns = {
        "request_id": ids(version, minute, count), "version": [version] * count,
        "time": (times * 1e6).astype("int64"), "status": np.full(count, 200, "int32"),
        "latency_ms": rng.exponential(5.0, count), "output": outputs, "input": pa.nulls(count, pa.string()),
        "shadow": np.zeros(count, bool), "probability": np.ones(count), "truncated": np.zeros(count, bool),
    }  # fmt: skip
    made = pa.table([pa.array(columns[field.name]).cast(field.type) for field in SCHEMA], schema=SCHEMA)
    out = io.BytesIO()
    pq.write_table(made, out, compression="zstd")
    return out.getvalue()


def ids(version: str, minute: int, count: int) -> list[str]:
    """Request ids of a minute, as long as UUIDs and as hard to compress."""
    rng = np.random.default_rng([int(version[2:]), minute])
    return [bytes(row).hex() for row in rng.integers(0, 256, (count, 16), dtype=np.uint8)]


def fill(s3: S3, began: datetime, minutes: Sequence[int], rate: float) -> int:
    """Write the log of these minutes; its bytes."""
    written = 0
    for minute in minutes:
        day = began + timedelta(seconds=minute * MINUTE)
        for version in SHARES:
            body = of_minute(np.random.default_rng(minute), version, minute, began, rate)
            key = f"{LOG}/version={version}/date={day:%Y-%m-%d}/pod-{minute:06d}.parquet"
            s3.client.put_object(Bucket=BUCKET, Key=key, Body=body)
            written += len(body)
    return written


def labels(s3: S3, name: str, minutes: int, rate: float) -> FetchItem:
    """A version of a Dataset with a label for some answers of each minute."""
    found = [
        one for minute in range(minutes) for version in SHARES
        for one in ids(version, minute, kept(version, rate))[: round(LABELLED * kept(version, rate))]
    ]  # fmt: skip
    out = io.BytesIO()
    values = np.random.default_rng(0).normal(10, 3, len(found)).round(4)
    pq.write_table(pa.table({"request_id": found, "label": values}), out)
    body = out.getvalue()
    s3.client.put_object(Bucket=BUCKET, Key=name, Body=body)
    return FetchItem(access=s3.access(), uri=f"s3://{BUCKET}/{name}", sha256=of_bytes(body), dest="")


def measured(task: JoinTask) -> tuple[JoinResult, float, float, float]:
    """In a process of its own: the result, seconds, seconds of CPU, peak MiB."""
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found, cpu, memory = pool.apply(_one, (task,))
    return found, time.monotonic() - began, cpu, memory


def _one(task: JoinTask) -> tuple[JoinResult, float, float]:
    found = join(task)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return found, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def run(hours: Sequence[float], rate: float) -> tuple[list[list[object]], bool]:
    """Rows (hours, answers, MiB of log, labels, new ones, seconds, CPU, peak), and whether the targets are met. The log
    grows, and each join is told of the labels that earlier ones have counted."""
    rows: list[list[object]] = []
    began, done, written, used = datetime.now(UTC) - timedelta(hours=max(hours)), 0, 0, []
    with tempfile.TemporaryDirectory(prefix="fairlead-joins-") as folder, serving(Path(folder)) as s3:
        s3.client.create_bucket(Bucket=BUCKET)
        for length in hours:
            minutes = round(length * 60)
            written += fill(s3, began, range(done, minutes), rate)
            task = JoinTask(
                labels=labels(s3, f"labels-{minutes}.parquet", minutes, rate), format="parquet",
                request_id="request_id", label="label", log=s3.place(BUCKET, LOG), stable="m-1", candidate="m-2",
                since=began.isoformat(), store=s3.place(BUCKET, STORE), used=used, tolerance="1",
            )  # fmt: skip
            found, seconds, cpu, memory = measured(task)
            used, done = found.used, minutes
            answers = minutes * sum(kept(version, rate) for version in SHARES)
            rows.append([length, answers, written / 2**20, found.rows, found.matched, seconds, cpu, memory])
    return rows, seconds <= SECONDS and memory <= MIB


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="joins", description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 6, 24])
    parser.add_argument("--rate", type=float, default=100.0, help="answers that are kept in a second")
    options = parser.parse_args(arguments)
    rows, met = run(options.hours, options.rate)
    head = ["hours", "answers", "MiB of log", "labels", "new ones", "seconds", "CPU seconds", "peak MiB"]
    table(f"Labels joined with a log of {options.rate:g} answers/s", rows, head)
    keep("joins", rows)
    print(f"targets {'met' if met else 'MISSED'}")
    return 0 if met else 1
