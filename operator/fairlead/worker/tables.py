"""Tables over local files, in DuckDB: bounded memory (it spills to disk), and no way out of the work folder."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from fairlead.api.limits import SCRATCH_ENV

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


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
        config={
            "memory_limit": f"{memory_limit()}B",
            "threads": 2,
            "temp_directory": str(folder / ".spill"),
            # files are local, and cached by the kernel: a second copy of them would fill all that may be used
            "enable_external_file_cache": False,
        },
    )
    if (most := spill_limit()) is not None:  # in `config` it would have no effect
        connection.execute(f"SET max_temp_directory_size = '{most}B'")
    allowed = ", ".join(text(str(path)) for path in (folder, *readable))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")  # wherever the pod is
    connection.execute("SET lock_configuration = true")
    return connection


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(column: str) -> str:
    """An SQL identifier."""
    return '"' + column.replace('"', '""') + '"'
