"""`python -m fairlead.worker.record.ship FILE KEY …`: write spooled files to the store as Parquet, and delete them.

Doing it again is harmless: the same file makes the same bytes at the same key.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairlead.api.tasks import TASK_ENV, Place, RecordTask
from fairlead.store.errors import StoreError
from fairlead.worker.access import place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.record import outside
from fairlead.worker.record.outside import Judge
from fairlead.worker.record.profiles import kept_in

SCHEMA = pa.schema([
    ("request_id", pa.string()), ("version", pa.string()), ("time", pa.timestamp("us", tz="UTC")),
    ("status", pa.int32()), ("latency_ms", pa.float64()), ("output", pa.string()), ("input", pa.string()),
    ("shadow", pa.bool_()), ("probability", pa.float64()), ("truncated", pa.bool_()),
    ("outside", pa.list_(pa.string())),
])  # fmt: skip
"""`output` and `input` are JSON text or null. `outside`: features of which the request has a value outside of what the
profile knows; null: nobody knows."""
MEMBERS = len(SCHEMA) - 2
"""Of a line: the version and `outside` are not in it."""


def table(path: Path, version: str, judge: Judge | None = None) -> pa.Table:
    """The answers of a spooled file. Lines that a kill or a full disk tore off are left out."""
    rows = [_row(line, version) for line in _lines(path)]
    found = judge.judged([(row["status"], row["input"]) for row in rows]) if judge else []
    for row, strange in zip(rows, found, strict=False):
        row["outside"] = strange
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _lines(path: Path) -> Iterator[list[Any]]:
    with path.open("rb") as file:
        for line in file:
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, list) and len(found) == MEMBERS:
                    yield found


def _row(line: list[Any], version: str) -> dict[str, Any]:
    request_id, time, status, latency, output, shadow, probability, given, truncated = line
    return {
        "request_id": request_id, "version": version, "time": round(time * 1e6), "status": status,
        "latency_ms": latency, "output": None if output is None else json.dumps(output, separators=(",", ":")),
        "input": given, "shadow": shadow, "probability": probability, "truncated": truncated,
    }  # fmt: skip


def ship(path: Path, key: str, task: RecordTask, store: Place, judge: Judge | None = None) -> int:
    """Write one file below the version's folder; returns its rows. Raises StoreError; the file stays then."""
    if not path.exists():  # by a child whose parent was killed
        return 0
    found = table(path, task.version, judge)
    if found.num_rows:
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            made = Path(scratch) / "answers.parquet"
            pq.write_table(found, made, compression="zstd")
            place(store).upload(f"{store.prefix}{key}", made)
    path.unlink(missing_ok=True)
    return int(found.num_rows)


def main(arguments: list[str]) -> int:
    """Each file's rows on stdout; 1 and the reason on stderr at the first failure."""
    task = RecordTask.model_validate_json(os.environ[TASK_ENV])
    if task.store is None:
        raise TaskFailed("BadTask", "the task names no store to write to")
    known = outside.judge(kept_in(task.spool), task.profile.sha256) if task.profile and task.inputs else None
    try:
        for path, key in zip(arguments[::2], arguments[1::2], strict=True):
            print(json.dumps({"key": key, "rows": ship(Path(path), key, task, task.store, known)}), flush=True)
    except StoreError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
