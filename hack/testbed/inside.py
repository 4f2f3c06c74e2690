"""Runs inside the worker's image (only what is in it may be imported): reads each file of a folder as rows of an
evaluation and as the table of an SQL check, and prints what came of it, one line of JSON a file.

Usage: inside.py <folder of <name>.parquet>, each with the feature f and the target y.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from fairlead.api.dataset import Check
from fairlead.worker import checks, folders, oip, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.rows import Table

SQL = """
    SELECT count(*) > 0 AND max(f) IS NOT DISTINCT FROM max(f)
    AND date_trunc('day', timestamptz '2024-07-01 01:00:00+02')::VARCHAR = '2024-06-30 00:00:00+00'
    AND (timestamptz '2024-07-01 00:00:00+00' AT TIME ZONE 'Europe/Zurich')::VARCHAR = '2024-07-01 02:00:00'
    AND strftime(now(), '%Y') > '2000' FROM data
"""
"""Also what needs DuckDB's calendar and time zones, which come as an extension: a pod can't fetch one."""


def main(folder: Path) -> int:
    """Print them all."""
    for file in sorted(folder.glob("*.parquet")):
        with tempfile.TemporaryDirectory() as work:
            copied = Path(work, "rows")
            copied.mkdir()
            (copied / file.name).write_bytes(file.read_bytes())
            with tables.connect(Path(work)) as database:
                print(json.dumps({"file": file.stem, **evaluated(database, copied), **checked(database, copied)}))
    return 0


def evaluated(database: Any, folder: Path) -> dict[str, Any]:
    """The request, or why there is none."""
    try:
        table = Table(database, folder, "parquet", "y", ["f"])
        features = table.features(["f"])
        (batch,) = table.batches(1000)
        return {"request": oip.request([features["f"]], batch, False)}
    except TaskFailed as error:
        return {"refused": error.error.message}


def checked(database: Any, folder: Path) -> dict[str, Any]:
    """What a check of the whole column says, and one whose answer is the column's type itself."""
    database.execute(f"CREATE VIEW data AS {folders.rows(database, folder, 'parquet').scan}")
    asked = Check.model_validate({"sql": SQL})
    odd = Check.model_validate({"sql": "SELECT any_value(f) FROM data"})
    return {"check": checks.sql(asked, database).model_dump(mode="json"),
            "odd": checks.sql(odd, database).model_dump(mode="json")}  # fmt: skip


if __name__ == "__main__":
    ended = main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(ended)  # as the worker itself ends, whatever threads the libraries have left
