"""Files that a person names as rows of a profile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from fairlead.worker import digests
from fairlead.worker.errors import TaskFailed
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.profiling.source import Rows
from fairlead.worker.tables import name


def rows(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> Rows:
    """All rows of files and folders, whose order does not matter. Raises TaskFailed (BadData)."""
    try:
        source = Source(database, paths, ordered=False)
    except BadFiles as bad:
        raise TaskFailed("BadData", str(bad)) from bad
    return Rows(database, source.scan, source.types, _digest(file.path for file in source.files))


def _digest(paths: Iterable[Path]) -> str:
    """Of the files' bytes, whatever they are called."""
    return digests.of_bytes("\n".join(sorted(map(digests.of_file, paths))).encode())


def check(rows: Rows, columns: Iterable[str]) -> None:
    """Raises TaskFailed (BadData) for those that there are not."""
    missing = [column for column in columns if column not in rows.types]
    if missing:
        there = ", ".join(sorted(rows.types))[:300]
        raise TaskFailed("BadData", f"the rows lack {', '.join(map(name, missing))}; they have {there}")
