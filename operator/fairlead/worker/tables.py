"""Tables over local files, in DuckDB: bounded memory (it spills to disk), and no way out of the work folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from fairlead.api.dataset import Column
from fairlead.api.limits import SCRATCH_ENV

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
SQL_TYPES = {
    "string": "VARCHAR", "integer": "BIGINT", "float": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP",
    "date": "DATE",
}  # fmt: skip


def memory_limit() -> int:
    """Bytes that DuckDB may use: half of what the container may, for readers and their libraries need the rest; 1 GiB
    if that isn't known."""
    text = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.is_file() else "max"
    return int(text) // 2 if text.isdigit() else 1 << 30


def spill_limit() -> int | None:
    """Bytes that DuckDB may write: half of the container's scratch, for files that are read need the rest. None if that
    isn't known: as many as there are."""
    text = os.environ.get(SCRATCH_ENV, "")
    return int(text) // 2 if text.isdigit() else None


def connect(folder: Path, *readable: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that may spill below `folder`, read there and below `readable`, and touch nothing else:
    queries are foreign."""
    connection = duckdb.connect(
        ":memory:",
        config={"memory_limit": f"{memory_limit()}B", "threads": 2, "temp_directory": str(folder / ".spill")},
    )
    if (most := spill_limit()) is not None:  # in `config` it would have no effect
        connection.execute(f"SET max_temp_directory_size = '{most}B'")
    allowed = ", ".join(text(str(path)) for path in (folder, *readable))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(column: str) -> str:
    """An SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def scan(form: str, files: Sequence[Path], columns: Sequence[Column] = ()) -> str:
    """SQL of a query over all rows of the files, with the declared columns in their declared types.

    Args:
        form: parquet, csv or jsonl.
        files: Files of the same columns; order is kept.
        columns: Declared columns; all of them must be there.
    """
    listed = "[" + ", ".join(text(str(f)) for f in files) + "]"
    if form == "parquet":
        return f"SELECT * FROM read_parquet({listed}, union_by_name = true)"
    if form == "csv":
        types = "{" + ", ".join(f"{text(c.name)}: {text(SQL_TYPES[c.type])}" for c in columns) + "}"
        typed = f", types = {types}" if columns else ""
        return f"SELECT * FROM read_csv({listed}, header = true, union_by_name = true, sample_size = -1{typed})"
    casts = ", ".join(f"CAST({name(c.name)} AS {SQL_TYPES[c.type]}) AS {name(c.name)}" for c in columns)
    replaced = f" REPLACE ({casts})" if casts else ""
    source = f"read_json({listed}, format = 'newline_delimited', union_by_name = true, sample_size = -1)"
    return f"SELECT *{replaced} FROM {source}"


def scan_raw(form: str, file: Path) -> str:
    """SQL of a query over one file as it is; the cells of CSV are strings."""
    if form == "csv":
        return f"SELECT * FROM read_csv({text(str(file))}, header = true, all_varchar = true)"
    return scan(form, [file])
