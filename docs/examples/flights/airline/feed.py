"""The feed of flights that have landed: a Parquet file in the airline's bucket now and then."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from airline.columns import REQUEST_ID
from airline.schema import LANDED

MOST = 100_000
"""Flights that wait for the bucket while it is away; further ones are lost."""
Row = dict[str, Any]


class Feed:
    """Settings by environment variables: FEED (bucket and folder; empty: no feed), S3_ENDPOINT, AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, FEED_EVERY (seconds)."""

    def __init__(self) -> None:
        self._where = os.environ.get("FEED", "").strip("/")
        self._every = float(os.environ.get("FEED_EVERY", "10"))
        self._landed: list[Row] = []
        self._bucket: fs.FileSystem | None = None

    def add(self, row: Row, request_id: str | None = None) -> None:
        """A flight has landed."""
        if self._where and len(self._landed) < MOST:
            self._landed.append({name: row[name] for name in LANDED.names if name in row} | {REQUEST_ID: request_id})

    async def run(self) -> None:
        """Write what has landed, until cancelled; and the rest then."""
        try:
            while True:
                await asyncio.sleep(self._every)
                await asyncio.to_thread(self.write)
        finally:
            self.write()

    def write(self) -> None:
        """One file of all that has landed since the last one. While the bucket is away the flights wait."""
        rows = self._landed
        if not rows:
            return
        self._landed = []
        try:
            with self._store().open_output_stream(f"{self._where}/{time.time_ns()}.parquet") as target:
                pq.write_table(pa.Table.from_pylist(rows, schema=LANDED), target)
        except OSError as error:
            print(f"the feed is not written: {error}", flush=True)
            self._landed = rows + self._landed

    def _store(self) -> fs.FileSystem:
        if self._bucket is None:
            self._bucket = fs.S3FileSystem(
                access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
                endpoint_override=os.environ["S3_ENDPOINT"], region="us-east-1",
            )  # fmt: skip
        return self._bucket
