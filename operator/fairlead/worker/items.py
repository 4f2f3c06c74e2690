"""items: the distinct rows of some columns of a Dataset's version, for a step that runs once for each of them.

Rows are told apart by their typed values, and sorted by them, nulls last, so the order is fixed by the data alone. What
an item is given is text: a number as DuckDB writes it, null as null.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from fairlead.api.formats import ARTIFACT
from fairlead.api.items import MOST, PAGE, VALUE, WIDTH, canonical
from fairlead.api.tasks import ItemsResult, ItemsTask
from fairlead.store.layout import join
from fairlead.worker import digests, folders, tables
from fairlead.worker.access import place
from fairlead.worker.errors import TaskFailed
from fairlead.worker.formats.words import line

log = logging.getLogger(__name__)

Row = tuple[str | None, ...]
_NESTED = ("STRUCT", "MAP", "UNION", "[")


def items(task: ItemsTask) -> ItemsResult:
    """Write them down. Raises TaskFailed or StoreError."""
    found = distinct(Path(task.folder), task.columns)
    store, pages = place(task.store), []
    for first in range(0, len(found), PAGE):
        body = canonical(found[first : first + PAGE])
        pages.append(digests.of_bytes(body))
        store.put_if_absent(join(task.store.prefix, "pages", f"{pages[-1]}.json"), body)
    log.info("listed", extra={"items": len(found), "columns": task.columns})
    return ItemsResult(total=len(found), pages=pages)


def distinct(folder: Path, columns: Sequence[str]) -> list[Row]:
    """The distinct rows of these columns, sorted. Raises TaskFailed (BadData)."""
    with tempfile.TemporaryDirectory(prefix="fairlead-") as scratch, tables.connect(Path(scratch), folder) as database:
        scan = folders.rows(database, folder, ARTIFACT).scan
        try:
            _check_columns(database, scan, columns)
            rows = database.execute(_query(scan, columns)).fetchall()
        except duckdb.Error as error:
            raise TaskFailed("BadData", f"the rows in {folder} can't be read: {line(error)}") from error
    listed = ", ".join(columns)
    if not rows:
        raise TaskFailed("BadData", f"the data have no rows, so there are no items of {listed}")
    if len(rows) > MOST:
        raise TaskFailed("BadData", f"the data have more than {MOST} different values of {listed}, and a step can have "
                         f"{MOST} items: name columns with fewer, or group the values in a step before")  # fmt: skip
    for row in rows:
        _check(columns, row)
    return rows


def _check_columns(database: duckdb.DuckDBPyConnection, scan: str, columns: Sequence[str]) -> None:
    there = {str(row[0]): str(row[1]) for row in database.execute(f"DESCRIBE {scan}").fetchall()}
    for column in columns:
        if column not in there:
            known = line(", ".join(sorted(there)), 300)
            raise TaskFailed("BadData", f"there is no column {column}; the data have {known}")
        if any(mark in there[column] for mark in _NESTED):
            raise TaskFailed(
                "BadData", f"column {column} is {line(there[column], 60)}: an item is made of plain values"
            )


def _query(scan: str, columns: Sequence[str]) -> str:
    """One character more than is allowed is enough to refuse a value."""
    listed = ", ".join(map(tables.name, columns))
    texts = ", ".join(f"left({tables.name(c)}::VARCHAR, {VALUE + 1}) AS v{n}" for n, c in enumerate(columns))
    order = ", ".join(f"{tables.name(c)} NULLS LAST" for c in columns)
    return f"SELECT {texts} FROM (SELECT DISTINCT {listed} FROM ({scan}) LIMIT {MOST + 1}) ORDER BY {order}"


def _check(columns: Sequence[str], row: Row) -> None:
    for column, value in zip(columns, row, strict=True):
        if value is not None and len(value.encode()) > VALUE:
            raise TaskFailed("BadData", f"column {column} has a value of more than {VALUE} bytes, which begins with "
                             f"{line(value, 40)}: an item's values must be short")  # fmt: skip
        if value is not None and "\x00" in value:
            raise TaskFailed("BadData", f"column {column} has a value with the character NUL, which no program can be "
                             f"given: {line(json.dumps(value), 60)}; clean it")  # fmt: skip
    if len(canonical(dict(zip(columns, row, strict=True)))) > WIDTH:
        raise TaskFailed("BadData", f"the values of one item take more than {WIDTH} bytes, such as those with "
                         f"{columns[0]}={line(str(row[0]), 40)}: name fewer columns")  # fmt: skip
