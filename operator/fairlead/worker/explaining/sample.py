"""Requests of a version, drawn from what was kept of its answers.

Each request in the log was chosen with a known chance, which differs where the share follows the traffic; so it is
drawn with a weight of 1 over that (Efraimidis & Spirakis 2006: the smallest of -ln(u)·chance), and the drawn ones stand
for all requests. u follows from the request's id: an attempt that is made again draws the same ones.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.store.s3 import Bucket
from fairlead.worker.explaining import bodies
from fairlead.worker.explaining.bodies import Body

FILES, BYTES = 500, 2 << 30
"""Of the log, that are read at most: evenly chosen where there are more."""
BATCH = 128
"""Answers that are in memory at once, each of up to 256 KiB."""
ID = 256
"""Characters of a request's id."""
COLUMNS = ["request_id", "time", "status", "shadow", "probability", "input"]
Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A request that was drawn, with one of its rows."""

    id: str
    time: datetime
    row: int
    body: Body | None
    """None: it could not be read,"""
    reason: str = ""
    """because of one of `bodies.REASONS`."""
    rows: int = 1
    """That the request had."""

    @property
    def values(self) -> list[Any]:
        """Of the row that is explained."""
        assert self.body is not None
        return self.body.rows[0]


@dataclass
class Drawn:
    """What was drawn, and from what."""

    requests: list[Request] = field(default_factory=list)
    answered: int = 0
    """Requests that the version answered well, of all that were looked at."""
    without: int = 0
    """Those among them whose body was not kept."""
    files: int = 0
    left: int = 0
    """Files that were not looked at: there were too many."""
    corrupt: int = 0
    """Files that could not be read."""

    @property
    def reasons(self) -> Counter[str]:
        """Why some of the drawn ones could not be read."""
        return Counter(one.reason for one in self.requests if one.body is None)


def draw(log_in: Bucket, prefix: str, since: datetime, until: datetime, many: int, seed: str) -> Drawn:
    """Draw so many requests, or all if there are fewer. prefix: the version's folder of predictions. Raises
    StoreError."""
    found, kept = Drawn(), list[tuple[float, int, Request]]()
    keys = _keys(log_in, prefix, since, until, seed, found)
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        path = Path(folder) / "answers.parquet"
        for key in keys:
            log_in.download(key, path)
            try:
                for one in _answers(path):
                    _take(one, since, until, many, seed, found, kept)
            except (pa.ArrowException, OSError, KeyError, TypeError):
                found.corrupt += 1
            path.unlink(missing_ok=True)
    found.requests = [one for _, _, one in sorted(kept, key=lambda one: (-one[0], one[1]))]
    return found


def _keys(log_in: Bucket, prefix: str, since: datetime, until: datetime, seed: str, found: Drawn) -> list[str]:
    first, last = (at.strftime("%Y-%m-%d") for at in (since - timedelta(days=1), until + timedelta(days=1)))
    start, there = f"{prefix}date=", list[tuple[float, str, int]]()
    for entry in log_in.list(start):
        if first <= entry.key.removeprefix(start)[:10] <= last and entry.key.endswith(".parquet"):
            there.append((chance(seed, entry.key), entry.key, entry.size))
    chosen, size = list[str](), 0
    for _, key, bytes_ in sorted(there):
        if len(chosen) < FILES and size + bytes_ <= BYTES:
            chosen.append(key)
            size += bytes_
    found.files, found.left = len(chosen), len(there) - len(chosen)
    return chosen


def chance(seed: str, name: str) -> float:
    """A number in (0, 1) that follows from both, and looks like chance."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(errors="replace"), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64


def _answers(path: Path) -> Iterator[Json]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=COLUMNS):
            yield from batch.to_pylist()


def _take(
    one: Json, since: datetime, until: datetime, many: int, seed: str, found: Drawn,
    kept: list[tuple[float, int, Request]],
) -> None:  # fmt: skip
    """kept: a heap of the smallest keys, negated."""
    if one["shadow"] or not 200 <= (one["status"] or 0) <= 299 or not since <= one["time"] < until:
        return
    found.answered += 1
    if not one["input"]:
        found.without += 1
        return
    name = str(one["request_id"])
    key = log(chance(seed, name)) * max(1e-9, one["probability"] or 1.0)
    if len(kept) >= many and key <= kept[0][0]:
        return
    item = (key, -found.answered, _request(name, one, seed))
    if len(kept) < many:
        heapq.heappush(kept, item)
    else:
        heapq.heappushpop(kept, item)


def _request(name: str, one: Json, seed: str) -> Request:
    when = one["time"].astimezone(UTC)
    try:
        body = bodies.read(one["input"])
    except bodies.Strange as why:
        return Request(name[:ID], when, 0, None, why.reason)
    row = int(chance(f"{seed}/row", name) * len(body.rows))
    mine = Body(body.form, [body.rows[row]])  # the others take memory, and are not looked at
    return Request(name[:ID], when, row, mine, rows=len(body.rows))
