"""The schema, file by file: columns, types, nulls, bounds. Each problem says how many rows, and where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import duckdb

from fairlead.api.dataset import CheckResult, Column, Schema
from fairlead.worker import tables

_PARQUET_TYPES = {
    "string": {"VARCHAR"},
    "integer": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
                "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"},
    "boolean": {"BOOLEAN"},
    "timestamp": {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"},
    "date": {"DATE"},
}  # fmt: skip
# Integers are floats without loss of meaning: writers store a month without gaps as integers.
_PARQUET_TYPES["float"] = _PARQUET_TYPES["integer"] | {"FLOAT", "DOUBLE"}
SHOWN_FILES = 3


class Unreadable(Exception):  # noqa: N818 - the house's names of errors
    """The file isn't what its format says; the message is the reader's."""


class Problems:
    """What is wrong with columns, collected over files."""

    def __init__(self) -> None:
        self._by_column: dict[str, list[str]] = defaultdict(list)

    def add(self, column: str, message: str) -> None:
        """One file's problem with a column."""
        self._by_column[column].append(message)

    def merge(self, other: Problems) -> None:
        """Take over another's."""
        for column, messages in other._by_column.items():
            self._by_column[column] += messages

    def results(self) -> list[CheckResult]:
        """One failed result a column; one passed result if there are none."""
        if not self._by_column:
            return [CheckResult(check="schema", passed=True)]
        return [
            CheckResult(check=f"column {column}"[:128], passed=False, message=_few(sorted(messages))[:1024])
            for column, messages in sorted(self._by_column.items())
        ]


def _few(messages: list[str]) -> str:
    rest = len(messages) - SHOWN_FILES
    return "; ".join(messages[:SHOWN_FILES]) + (f"; and in {rest} more files" if rest > 0 else "")


def inspect(
    connection: duckdb.DuckDBPyConnection, form: str, file: Path, path: str, schema: Schema | None, problems: Problems
) -> int:
    """Read all of a file and check its columns; returns its rows. Raises Unreadable."""
    try:
        rows = _read_all(connection, form, file)
        if schema is not None:
            _check(connection, form, file, path, schema, problems)
    except duckdb.Error as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    return rows


def _read_all(connection: duckdb.DuckDBPyConnection, form: str, file: Path) -> int:
    """Decode every cell, so that damage shows even in columns that no check names."""
    cursor = connection.cursor()
    if form != "parquet":
        found = cursor.execute(f"SELECT count(*), count(COLUMNS(*)) FROM ({tables.scan_raw(form, file)})").fetchone()
        return int(found[0]) if found else 0
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, page_checksum_verification=True, memory_map=True) as parquet:
            return sum(batch.num_rows for batch in parquet.iter_batches(65536))
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(str(error).splitlines()[0]) from error


def _check(
    connection: duckdb.DuckDBPyConnection, form: str, file: Path, path: str, schema: Schema, problems: Problems
) -> None:
    source = tables.scan_raw(form, file)
    types = {str(row[0]): str(row[1]) for row in connection.cursor().execute(f"DESCRIBE {source}").fetchall()}
    present = []
    for column in schema.columns:
        if column.name not in types:
            problems.add(column.name, f"{path} lacks it; it has {', '.join(sorted(types))[:200]}")
        elif form == "parquet" and (wrong := _wrong_type(column, types[column.name])):
            problems.add(column.name, f"{path}: {wrong}")
        else:
            present.append(column)
    if schema.extra == "forbid":
        for extra in sorted(set(types) - {c.name for c in schema.columns}):
            problems.add(extra, f"{path} has it, but the schema forbids columns that it does not list")
    _count(connection, source, present, typed=form == "parquet", path=path, problems=problems)


def _wrong_type(column: Column, found: str) -> str:
    if found in _PARQUET_TYPES[column.type] or (column.type == "float" and found.startswith("DECIMAL")):
        return ""
    hint = "; write nullable integers (Int64 in pandas)" if column.type == "integer" and found == "DOUBLE" else ""
    return f"it is {found}, not {column.type}{hint}"


def _count(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Iterable[Column], *, typed: bool, path: str,
    problems: Problems,
) -> None:  # fmt: skip
    """One pass over the file for all rules of all columns."""
    rules = [(c.name, words, condition) for c in columns for words, condition in _rules(c, typed)]
    if not rules:
        return
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, _, condition in rules)
    found = connection.cursor().execute(f"SELECT count(*), {counts} FROM ({source})").fetchone() or ()
    for (column, words, _), bad in zip(rules, found[1:], strict=True):
        if bad:
            problems.add(column, f"{path}: {bad} of {found[0]} rows {words}")


def _rules(column: Column, typed: bool) -> list[tuple[str, str]]:
    """(what is wrong with a row, SQL that is true for such a row)."""
    cell = tables.name(column.name)
    value = cell if typed else f"TRY_CAST({cell} AS {tables.SQL_TYPES[column.type]})"
    found = []
    if not typed and column.type == "integer":
        found.append(("are not integer", f"NOT regexp_full_match(trim({cell}::VARCHAR), '[-+]?[0-9]+')"))
    elif not typed and column.type != "string":
        found.append((f"are not {column.type}", f"{cell} IS NOT NULL AND {value} IS NULL"))
    number = column.type == "float"
    if not column.nullable:
        nan = f" OR isnan({value}::DOUBLE)" if number else ""
        found.append(("are null" + (" or NaN" if number else ""), f"{cell} IS NULL{nan}"))
    real = f" AND NOT isnan({value}::DOUBLE)" if number else ""
    if column.min is not None:
        found.append((f"are below {column.min}", f"{value} < {column.min}{real}"))
    if column.max is not None:
        found.append((f"are above {column.max}", f"{value} > {column.max}{real}"))
    if column.in_ is not None:
        allowed = ", ".join(tables.text(v) for v in column.in_) or "NULL"
        found.append(("have a value that is not allowed", f"{cell} IS NOT NULL AND {cell}::VARCHAR NOT IN ({allowed})"))
    return found
