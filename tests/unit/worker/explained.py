"""A version's kept answers and its server, in memory: what the task `explain` is given."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.worker.bucket import Memory

from fairlead.api.tasks import ExplainResult, ExplainTask, Place
from fairlead.worker import explain as explaining
from fairlead.worker import oip
from fairlead.worker.record.ship import SCHEMA

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
Json = dict[str, Any]


def body(columns: dict[str, Sequence[Any]], **types: str) -> str:
    """A request's, a tensor a column."""
    inputs = [
        {"name": name, "shape": [len(values), 1], "datatype": types.get(name, "FP64"), "data": list(values)}
        for name, values in columns.items()
    ]  # fmt: skip
    return json.dumps({"inputs": inputs})


@dataclass
class Served:
    """`answers`: from columns of a request to an answer a row: one number, a text, or probabilities."""

    answers: Callable[[dict[str, list[Any]]], Sequence[Any]]
    refuses: Callable[[dict[str, list[Any]]], bool] = lambda _: False
    calls: int = 0
    rows: int = 0
    probable: bool = False
    """Answers `predict_proba` where it is asked for."""

    def infer(self, sent: bytes, rows: int) -> Any:
        """As `oip.Server` does."""
        asked = json.loads(sent)
        columns = {}
        for one in asked["inputs"]:
            assert len(one["data"]) == int(np.prod(one["shape"]))
            columns[one["name"]] = one["data"]
        self.calls += 1
        self.rows += rows
        if asked.get("outputs") and not self.probable:
            raise oip.Refused("there is no output predict_proba")
        if self.refuses(columns):
            raise oip.Refused("no such row")
        found = [one if isinstance(one, (list, str)) else float(one) for one in self.answers(columns)]
        wide = isinstance(found[0], list)
        output = {
            "name": "predict_proba" if wide else "predict", "shape": [rows, len(found[0])] if wide else [rows, 1],
            "datatype": "BYTES" if isinstance(found[0], str) else "FP64",
            "data": [value for row in found for value in row] if wide else found,
        }  # fmt: skip
        return oip.answers(json.dumps({"outputs": [output]}).encode(), rows)

    def wait(self, _body: bytes) -> None:
        """It is there."""


@dataclass
class Kept:
    """The store."""

    monkeypatch: pytest.MonkeyPatch
    server: Served
    store: Memory = field(default_factory=lambda: Memory("store"))

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(explaining, "place", lambda _: self.store)
        self.monkeypatch.setattr(explaining.oip, "Server", lambda *_: self.server)

    def answered(self, bodies: Sequence[str | None], start: int = 0, **more: Any) -> None:
        """So many requests were answered, one a second."""
        rows = [
            {
                "request_id": f"r-{at}", "version": "m-1", "time": BEGIN + timedelta(seconds=at), "status": 200,
                "latency_ms": 1.0, "output": "[1]", "input": one, "shadow": False, "probability": 1.0,
                "truncated": False, **more,
            } for at, one in enumerate(bodies, start)
        ]  # fmt: skip
        self.put(f"date=2026-03-02/{start}.parquet", pa.Table.from_pylist(rows, schema=SCHEMA))

    def put(self, key: str, table: pa.Table) -> None:
        """A file of the log."""
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.store.put(f"predictions/version=m-1/{key}", sink.getvalue())

    def task(self, **more: Any) -> ExplainTask:
        """Of the first day."""
        place = {"bucket": "store", "prefix": "predictions/version=m-1/"}
        return ExplainTask.model_validate({
            "version": "m-1", "model": "m", "url": "http://here", "log": place, "since": "2026-03-02T00:00:00Z",
            "until": "2026-03-03T00:00:00Z", "name": "web-1", "rows": 15, "seconds": 60.0,
            "store": Place(bucket="store", prefix="explanations/version=m-1/"), **more,
        })  # fmt: skip

    def explained(self, **more: Any) -> ExplainResult:
        """The task's answer."""
        return explaining.explain(self.task(**more))

    def rows(self, found: ExplainResult) -> list[Json]:
        """What was kept."""
        read: list[Json] = pq.read_table(
            io.BytesIO(self.store.read(f"explanations/version=m-1/{found.key}"))
        ).to_pylist()
        return read
