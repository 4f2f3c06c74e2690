"""`split`: rows for training, for testing and for validation, of which none is in two.

    python -m fairlead.components.split --test=20% --by=time --column=dep_time --key=flight_id

The same rows and parameters give the same bytes. Rows keep their order.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairlead.components import contents, leaks, sides, tables
from fairlead.components.contents import DATA
from fairlead.components.leaks import Leaks
from fairlead.components.sides import SIDES, Rule, Wanted
from fairlead.components.words import Refused, arguments, finish, inputs, names, one_of, say, share, whole
from fairlead.sdk.log import log_metric
from fairlead.worker.formats.words import line

PARAMS: dict[str, str | None] = {
    "test": "20%", "validation": "0%", "by": "random", "column": "", "stratify": "", "key": "", "leaks": "fail",
    "seed": "0",
}  # fmt: skip
BY = ("random", "time", "group", "hash")
_BATCH = 1 << 14
_SEED = 1 << 63


def program(given: Sequence[str]) -> None:
    """Divide the rows. Raises Refused."""
    texts = arguments(given, PARAMS)
    wanted, drop = asked(texts), one_of("leaks", texts["leaks"], ("fail", "drop")) == "drop"
    folder = inputs() / DATA
    with tables.database(folder) as db:
        tables.view(db, folder, DATA)
        try:
            _divide(db, wanted, drop)
        except (duckdb.DataError, duckdb.InvalidInputException, duckdb.IOException, pa.ArrowException) as error:
            raise Refused(f"the rows of the input {DATA} can't be divided: {line(error, 600)}") from error


def asked(texts: Mapping[str, str]) -> Wanted:
    """What the parameters say. Raises Refused."""
    test, validation = share("test", texts["test"]), share("validation", texts["validation"])
    if not test:
        raise Refused(f"params.test is {texts['test']!r}; give test some of the rows, such as 20%")
    if test + validation >= 1:
        raise Refused("params.test and params.validation leave no rows to train; let them be less than 100% together")
    by, column = one_of("by", texts["by"], BY), names("column", texts["column"])
    stratify = names("stratify", texts["stratify"])
    if by == "random" and column:
        raise Refused("params.column means nothing with by: random; leave it out, or set by: time, group or hash")
    if by != "random" and (not column or (by == "time" and len(column) > 1)):
        raise Refused(f"params.by is {by}; name the column by params.column" + (", only one" * (by == "time")))
    if stratify and (by != "random" or len(stratify) > 1):
        raise Refused("params.stratify is one column, with by: random; leave it out")
    return Wanted(
        by, test, validation, column, stratify[0] if stratify else "", names("key", texts["key"]),
        whole("seed", texts["seed"], -_SEED, _SEED - 1),
    )  # fmt: skip


def _divide(db: duckdb.DuckDBPyConnection, wanted: Wanted, drop: bool) -> None:
    table = db.table(DATA)
    columns = dict(zip(table.columns, table.types, strict=True))
    for param, some in (("column", wanted.column), ("key", wanted.key), ("stratify", _listed(wanted.stratify))):
        tables.columns(table.columns, some, param)
    total = _count(db, f"SELECT count(*) FROM {DATA}")
    _say_unnamed(db, wanted)
    rule = sides.rule(db, columns, wanted)
    leaked = Leaks(0, 0)
    if wanted.key and wanted.by != "random":
        leaked = leaks.found(db, columns, wanted.key, rule)
        _judge(leaked, wanted, drop)
    else:
        say("leak check: rows with the same key are on one side" if wanted.key else
            "leak check: identical rows are on one side")  # fmt: skip
    written = _write(db, columns, wanted, rule, drop=leaked.rows > 0)
    if sum(written.values()) + leaked.rows != total:
        raise RuntimeError(f"{total} rows were read, {written} written and {leaked.rows} left out")
    _tell(written, leaked, wanted)


def _listed(one: str) -> list[str]:
    return [one] if one else []


def _count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    found = db.execute(query).fetchone()
    return int(found[0]) if found else 0


def _say_unnamed(db: duckdb.DuckDBPyConnection, wanted: Wanted) -> None:
    """Rows without a key or group are counted, and said."""
    some = {"key": wanted.key, "column": wanted.column if wanted.by in ("group", "hash") else ()}
    for param, columns in some.items():
        if columns and (rows := _count(db, f"SELECT count(*) FROM {DATA} WHERE {contents.unnamed(columns)}")):
            say(f"params.{param}: {rows} rows have a null in {', '.join(columns)}; each of them stands for itself")


def _judge(leaked: Leaks, wanted: Wanted, drop: bool) -> None:
    """Say what is on two sides. Raises Refused if it may not be."""
    key = ", ".join(wanted.key)
    if not leaked.keys:
        say(f"leak check: no {key} is on two sides")
        return
    what = f"{leaked.keys} keys ({key}) are on two sides, for example {'; '.join(leaked.examples)}"
    if not drop:
        raise Refused(
            f"leak check: {what}. Divide by: group with column: {key}, so that each is on one side; or set leaks: "
            f"drop, which leaves their {leaked.rows} rows out of train (and validation); or give another key"
        )
    say(f"leak check: {what}; their {leaked.rows} rows are left out of train, or of validation if test has the key")


def _write(
    db: duckdb.DuckDBPyConnection, columns: Mapping[str, Any], wanted: Wanted, rule: Rule, *, drop: bool
) -> dict[str, int]:
    """Write all sides; returns the rows of each."""
    reader = db.execute(_query(columns, wanted, rule, drop=drop))
    schema, batches = tables.batches(reader, _BATCH)
    kept = pa.schema([schema.field(at) for at in range(len(columns))])
    writers = [tables.Writer(one, kept) for one in SIDES]
    for batch in batches:
        side = batch.column(len(columns))
        rows = batch.select(range(len(columns)))
        for number, writer in enumerate(writers):
            writer.write(rows.filter(pc.equal(side, number)))
    for writer in writers:
        writer.close()
    return {one: writer.rows for one, writer in zip(SIDES, writers, strict=True)}


def _query(columns: Mapping[str, Any], wanted: Wanted, rule: Rule, *, drop: bool) -> str:
    """SQL: all columns and, last, the number of the side, in the order of the rows. Without a join rows just stream."""
    cells = ", ".join(map(contents.cell, columns))
    if not rule.join and not drop:
        return f"SELECT {cells}, {rule.side} FROM {DATA}"
    at = _free(columns, "fairlead_at")  # a join keeps no order
    ordered = f"(SELECT *, row_number() OVER () AS {at} FROM {DATA}) AS {DATA}"
    if not drop:
        return f"SELECT {cells}, {rule.side} FROM {ordered} {rule.join} ORDER BY {DATA}.{at}"
    key = leaks.hashed(columns, wanted.key)
    return (
        f"SELECT {cells}, {rule.side} FROM {ordered} {rule.join} LEFT JOIN {leaks.TABLE} ON {leaks.TABLE}.hash = {key} "
        f"WHERE coalesce({leaks.TABLE}.keep, 2) >= {rule.side} ORDER BY {DATA}.{at}"
    )


def _free(columns: Mapping[str, Any], wanted: str) -> str:
    taken = {one.lower() for one in columns}
    while wanted in taken:
        wanted += "_"
    return wanted


def _tell(written: Mapping[str, int], leaked: Leaks, wanted: Wanted) -> None:
    """Say and log what came out. Raises Refused for a side without rows."""
    counts = ", ".join(f"{one} {written[one]}" for one in SIDES)
    for one, param in (("train", "test"), ("test", "test"), ("validation", "validation")):
        if written[one] or (one == "validation" and not wanted.validation):
            continue
        if leaked.rows:
            raise Refused(
                f"{one} has no rows ({counts}) without the {leaked.rows} left out by params.leaks: divide by: "
                f"group with column: {', '.join(wanted.key)}, or name by params.key what is on fewer sides"
            )
        raise Refused(
            f"{one} has no rows ({counts}): give the split more rows, set params.{param} otherwise, or divide by "
            "a column with more different values"
        )
    say(", ".join(f"{one}: {written[one]} rows" for one in reversed(SIDES)))
    for one in reversed(SIDES):
        log_metric(f"rows_{one}", written[one])
    log_metric("leaked_rows", leaked.rows)


if __name__ == "__main__":
    sys.exit(finish(program, sys.argv[1:]))
