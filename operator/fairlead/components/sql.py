"""`sql`: one query over the inputs, each of which is a view by its name. Its result is the output `data`.

    python -m fairlead.components.sql "--query=select * from flights where delay is not null"

The query is DuckDB's. It reads the inputs and nothing else, and can't change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairlead.components import tables
from fairlead.components.words import Refused, arguments, finish, inputs, say
from fairlead.sdk.log import log_metric
from fairlead.worker.formats.words import line
from fairlead.worker.tables import name, text

DATA = "data"
_HUGE = {"hugeint", "uhugeint"}
_TEXT = {"uuid", "enum", "bit", "time with time zone"}
_UNFIT = {"interval", "union", "variant", "geometry"}
"""What Parquet, or who reads it, has nothing for."""


def program(given: Sequence[str]) -> None:
    """Run the query. Raises Refused."""
    query = arguments(given, {"query": None})["query"]
    folder = inputs()
    called = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    if not called:
        raise Refused("the step has no inputs; give it some: each is a view by its name in params.query")
    with tables.database(folder) as db:
        for one in called:
            tables.view(db, folder / one, one)
        try:
            _answer(db, query)
        except duckdb.OutOfMemoryException:
            raise
        except (duckdb.Error, pa.ArrowException) as error:
            raise _mistake(error, called) from error


def _answer(db: duckdb.DuckDBPyConnection, query: str) -> None:
    found = db.sql(_only(db, query))
    _distinct(names := found.columns)
    chosen = ", ".join(f"{_cell(one, kind)} AS {name(one)}" for one, kind in zip(names, found.types, strict=True))
    schema, rows = tables.batches(found.project(chosen))
    writer, odd = tables.Writer(DATA, schema), dict.fromkeys(_floats(schema), 0)
    for batch in rows:
        writer.write(batch)
        for one in odd:
            odd[one] += batch.num_rows - batch[one].null_count - (pc.sum(pc.is_finite(batch[one])).as_py() or 0)
    writer.close()
    for one, count in odd.items():
        if count:
            say(f"data: {one} is NaN or infinite in {count} rows")
    if not writer.rows:
        say("the query has no rows; data has its columns only")
    say(f"data: {writer.rows} rows, {len(names)} columns: " + ", ".join(f"{f.name} {f.type}" for f in schema))
    log_metric("rows", writer.rows)
    log_metric("columns", len(names))


def _floats(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_floating(field.type)]


def _only(db: duckdb.DuckDBPyConnection, query: str) -> str:
    """The one SELECT. Raises Refused, and duckdb.Error."""
    found = db.extract_statements(query)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise Refused(
            "params.query is not one SELECT (or FROM, WITH … SELECT); write one, and use WITH for what goes before it; "
            "a PIVOT names its values: PIVOT … ON column IN ('a', 'b')"
        )
    if found[0].named_parameters:
        raise Refused(
            f"params.query has the placeholder {', '.join(sorted(found[0].named_parameters))}, for which there is no "
            "value; write {{params.NAME}} for a parameter of the Pipeline"
        )
    return str(found[0].query)


def _distinct(found: Sequence[str]) -> None:
    """Raises Refused for two names that can't be told apart."""
    lower = [one.lower() for one in found]
    if twice := [one for at, one in enumerate(found) if one.lower() in lower[:at]]:
        raise Refused(
            f"params.query gives two columns the name {twice[0]} (case does not tell them apart); name one by AS, "
            "leave it out by EXCLUDE, or join by USING"
        )


def _cell(column: str, kind: Any) -> str:
    """What is written of a column: DuckDB's own types become what all readers of Parquet know. Raises Refused."""
    cell, what = name(column), str(kind.id)
    if what in _UNFIT:
        raise Refused(f"params.query gives the column {column} the type {kind}, which is not kept; cast it, for "
                      f"example by {column}::VARCHAR")  # fmt: skip
    if what in _HUGE:  # of sums of integers
        problem = f"error({text(f'column {column} has integers beyond 64 bits; cast it to DOUBLE')})"
        fits = f"TRY_CAST({cell} AS BIGINT)"
        return f"CASE WHEN {cell} IS NOT NULL AND {fits} IS NULL THEN {problem}::BIGINT ELSE {fits} END"
    if what == "timestamp with time zone":  # as everywhere in Fairlead, a moment is UTC
        return f"make_timestamp(epoch_us({cell}))"
    return f"CAST({cell} AS VARCHAR)" if what in _TEXT or str(kind) == "JSON" else cell


def _mistake(error: Exception, called: Sequence[str]) -> Refused:
    said = str(error).split("\nLINE ")[0]
    hint = f"; the inputs are {', '.join(called)}" if isinstance(error, duckdb.CatalogException) else ""
    if isinstance(error, duckdb.PermissionException):
        hint = f"; a query reads the step's inputs and nothing else: {', '.join(called)}"
    return Refused(f"params.query: {line(said, 600)}{hint}")


if __name__ == "__main__":
    sys.exit(finish(program, sys.argv[1:]))
