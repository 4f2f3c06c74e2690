"""The columns, file by file: are they as declared, and as they were read before? Each problem says how many rows, which
file, and shows one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import duckdb

from fairlead.api.dataset import CheckResult, Schema
from fairlead.api.formats import self_describing
from fairlead.api.reading import Reading
from fairlead.api.units import many
from fairlead.worker import tables
from fairlead.worker.formats import typed
from fairlead.worker.formats.base import LocalFile, Unreadable
from fairlead.worker.formats.registry import FORMATS
from fairlead.worker.formats.words import cell, line
from fairlead.worker.rules import Cells, Rule

SHOWN_FILES = 3
EXAMPLES = 8
"""Rules of a file whose first wrong row is looked for."""


class Problems:
    """What is wrong with columns, collected over files."""

    def __init__(self) -> None:
        self._by_column: dict[str, list[str]] = defaultdict(list)
        self.shapes = False
        """Whether a column is not of its type somewhere, or not there."""

    def add(self, column: str, message: str, *, shape: bool = True) -> None:
        """One file's problem with a column."""
        self._by_column[column].append(message)
        self.shapes |= shape

    def merge(self, other: Problems) -> None:
        """Take over another's."""
        for column, messages in other._by_column.items():
            self._by_column[column] += messages
        self.shapes |= other.shapes

    def results(self) -> list[CheckResult]:
        """One failed result a column; one passed result if there are none."""
        if not self._by_column:
            return [CheckResult(check="schema", passed=True)]
        return [
            CheckResult(check=line(f"column {column}", 128), passed=False, message=line(_few(sorted(messages))))
            for column, messages in sorted(self._by_column.items())
        ]


def _few(messages: list[str]) -> str:
    rest = len(messages) - SHOWN_FILES
    return "; ".join(messages[:SHOWN_FILES]) + (f"; and in {many(rest, 'more file')}" if rest > 0 else "")


def inspect(
    database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading, schema: Schema | None,
    fixed: Collection[str], problems: Problems,
) -> int:  # fmt: skip
    """Read all of a file and check its columns; returns its rows. fixed: undeclared columns whose type follows from
    other files than this. Raises Unreadable, also if records were lost on the way."""
    form = FORMATS[reading.format]
    rows = form.count(file, reading)
    try:
        found = _check(database, file, reading, schema, fixed, problems)
    except duckdb.Error as error:
        raise form.explained([file], error) from error
    if found != rows:
        numbers = f"{rows} records by its format's grammar, and {found} were read from it"
        raise Unreadable(f"{file.name} has {numbers}; write it with another library, or as Parquet")
    return rows


def _check(
    database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading, schema: Schema | None,
    fixed: Collection[str], problems: Problems,
) -> int:  # fmt: skip
    there = FORMATS[reading.format].columns(database, file, reading)
    cells = Cells()
    if schema is not None:
        _declared(file, reading, schema, there, cells, problems)
    if not self_describing(reading.format):
        for column in reading.columns:
            if column.name in fixed and column.name in there and not column.declared:
                cells.text(column.name, column.type, None)
    declared = {column.name for column in schema.columns} if schema else set()
    return _count(database, file, reading, cells, set(fixed) - declared, problems)


def _instead(path: str, column: str, there: Sequence[str]) -> str:
    """What a file has in the place of a column that it lacks."""
    folder = next((part for part in path.split("/")[:-1] if part.startswith(f"{column}=")), "")
    if folder:
        return (
            f"{column} is in the folders' names ({line(folder, 60)}/), and columns are read from files only: "
            "write it into the files"
        )
    return f"it has {line(', '.join(sorted(there)), 200)}"


def _declared(
    file: LocalFile, reading: Reading, schema: Schema, there: Sequence[str], cells: Cells, problems: Problems
) -> None:
    form = FORMATS[reading.format]
    stored = form.stored(file)
    for column in schema.columns:
        if column.name not in there:
            if not (form.sparse and column.nullable):
                problems.add(column.name, f"{file.name} lacks it; {_instead(file.name, column.name, there)}")
        elif column.name not in stored:
            cells.text(column.name, column.type, column)
        elif wrong := typed.wrong(column.type, stored[column.name].kind):
            problems.add(column.name, f"{file.name}: {wrong}")
        else:
            cells.stored(column, stored[column.name].exact)
    if schema.extra == "forbid":
        for extra in sorted(set(there) - {c.name for c in schema.columns}):
            text = f"{file.name} has it, but the schema forbids columns that it does not list"
            problems.add(extra, text, shape=False)


def _count(
    database: duckdb.DuckDBPyConnection, file: LocalFile, reading: Reading, cells: Cells, fixed: Collection[str],
    problems: Problems,
) -> int:  # fmt: skip
    """One pass over the file for all rules of all columns; returns the rows that were read."""
    form = FORMATS[reading.format]
    raw = form.raw(database, [file], reading)
    counts = [f"count_if({rule.condition})" for rule in cells.rules]
    if form.lazy:
        cells.select += [f"{tables.name(column.name)} AS a{n}" for n, column in enumerate(reading.columns)]
        counts += [f"count(a{n})" for n in range(len(reading.columns))]
    rows = f"SELECT {', '.join(cells.select)} FROM ({raw})" if cells.select else raw
    query = f"SELECT {', '.join(['count(*)', *counts])} FROM ({rows})"
    found = database.cursor().execute(query).fetchone() or (0,)
    wrong = [(rule, bad) for rule, bad in zip(cells.rules, found[1:], strict=False) if bad]
    for number, (rule, bad) in enumerate(wrong):
        shown = _example(database, rows, rule) if number < EXAMPLES else ""
        text = f"{file.name}: {bad} of {found[0]} rows {rule.words}{shown}"
        if rule.column in fixed:
            text += ", as they were so far: correct them, or declare the column's type in spec.schema"
        problems.add(rule.column, text, shape=rule.shape)
    return int(found[0])


def _example(database: duckdb.DuckDBPyConnection, rows: str, rule: Rule) -> str:
    """The first wrong row."""
    numbered = f"SELECT row_number() OVER () AS n, * FROM ({rows})"
    query = f"SELECT n, {rule.cell}::VARCHAR FROM ({numbered}) WHERE {rule.condition} LIMIT 1"
    row = database.cursor().execute(query).fetchone()
    if row is None:
        return ""
    return f", for example {cell(row[1])} in row {row[0]}" if row[1] is not None else f", for example row {row[0]}"
