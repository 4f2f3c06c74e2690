"""Explanations as they are kept beside the answers: one Parquet file a Job, a row a request."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.store.s3 import Bucket
from fairlead.worker.explaining.sample import Request
from fairlead.worker.explaining.shapley import Floats

TOP = 10
"""Features of a request that are kept; the others' contributions are kept as one sum."""
_FEATURE = pa.struct([
    ("name", pa.string()), ("value", pa.string()), ("contribution", pa.float64()), ("error", pa.float64()),
])  # fmt: skip
SCHEMA = pa.schema([
    ("request_id", pa.string()), ("version", pa.string()), ("time", pa.timestamp("us", tz="UTC")),
    ("row", pa.int32()), ("explains", pa.string()), ("answer", pa.float64()), ("base", pa.float64()),
    ("features", pa.list_(_FEATURE)), ("others", pa.float64()), ("pairs", pa.int32()),
])  # fmt: skip
"""`base` and all contributions, with `others`, add up to `answer`; `value` is JSON text; `row`: of the request's."""


@dataclass(frozen=True)
class Row:
    """An explained request."""

    request: Request
    answer: float
    base: float
    values: Floats
    errors: Floats


def keep(
    store: Bucket, key: str, version: str, explains: str, names: Sequence[str], pairs: int, rows: Sequence[Row]
) -> None:  # fmt: skip
    """Write them. Raises StoreError."""
    found = pa.Table.from_pylist([_row(one, version, explains, names, pairs) for one in rows], schema=SCHEMA)
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        path = Path(folder) / "explanations.parquet"
        pq.write_table(found, path, compression="zstd")
        store.upload(key, path)


def _row(one: Row, version: str, explains: str, names: Sequence[str], pairs: int) -> dict[str, Any]:
    order = np.argsort(-np.abs(one.values), kind="stable")
    values = one.request.values
    return {
        "request_id": one.request.id, "version": version, "time": one.request.time, "row": one.request.row,
        "explains": explains, "answer": one.answer, "base": one.base, "pairs": pairs,
        "features": [
            {"name": names[at], "value": json.dumps(values[at]), "contribution": float(one.values[at]),
             "error": float(one.errors[at])} for at in order[:TOP]
        ],
        "others": float(one.values[order[TOP:]].sum()),
    }  # fmt: skip


def key(until: datetime, name: str) -> str:
    """Below the version's folder of explanations."""
    return f"date={until:%Y-%m-%d}/{name}.parquet"
