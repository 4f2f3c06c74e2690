"""Who writes each format, for tests of what all of them hold to. One more format is one more line of WRITERS."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Columns = Mapping[str, list[Any]]


def _csv(columns: Columns) -> bytes:
    out = io.StringIO()
    written = csv.writer(out, lineterminator="\n")
    written.writerow(columns)
    written.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def _jsonl(columns: Columns) -> bytes:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _parquet(columns: Columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), out)
    return out.getvalue()


WRITERS: dict[str, Callable[[Columns], bytes]] = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
"""Bytes of a file with these columns. Cells are integers, floats and texts, and none is null."""
