"""CSV as a table: its columns in types. What a cell's text is, is the grammar's (csv); what it means, the types'."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from fairlead.api.reading import ReadColumn, Reading
from fairlead.worker.formats import csv, typed
from fairlead.worker.formats.base import Declared, Format, LocalFile, distinct, unreadable


class CsvTable(Format):
    """The reader."""

    def infer(
        self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], declared: Declared,
        fixed: Reading | None,
    ) -> Reading:  # fmt: skip
        """See Format."""
        wanted = {c.name: c.type for c in declared.columns}
        written = csv.dialect(files, declared, fixed)
        headers = (column for file in files for column in csv.columns(file, written))
        names = list(dict.fromkeys([*headers, *wanted]))
        distinct(names)
        known = {c: kind for c, kind in (fixed.types() if fixed else {}).items() if kind != typed.NULL} | wanted
        if unknown := [c for c in names if c not in known]:
            known |= self._inferred(database, files, written, unknown)
        columns = [ReadColumn(name=c, type=known[c], declared=c in wanted) for c in names]
        return written.model_copy(update={"columns": columns})

    def _inferred(
        self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], written: Reading, columns: Sequence[str]
    ) -> dict[str, str]:
        try:
            return typed.infer(database, csv.raw(database, files, written), columns)
        except duckdb.Error as error:
            raise unreadable(error) from error

    def columns(self, database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading) -> Sequence[str]:
        """See Format."""
        del database
        return csv.columns(file, reading)

    def count(self, file: LocalFile, reading: Reading) -> int:
        """See Format."""
        return csv.count(file, reading)

    def raw(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format."""
        return csv.raw(database, files, reading)

    def scan(self, database: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], reading: Reading) -> str:
        """See Format."""
        there = {c for file in files for c in csv.columns(file, reading)}
        return typed.select(csv.raw(database, files, reading), reading.types(), there)
