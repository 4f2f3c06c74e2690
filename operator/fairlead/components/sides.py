"""On which side a row is: a rule over its values, found once over all rows, and then asked row by row.

Rows that belong together (the same key, group or time) are a unit, and a unit is never divided. Units stand in an
order: by a hash of what they are and of the seed, or by time. The first ones are test until test has its share of the
rows, then come those of validation, the rest is train; a unit across a border is on the side in which its middle is, so
that of units of one row each share is met within one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import duckdb

from fairlead.components import contents
from fairlead.components.contents import DATA
from fairlead.components.words import Refused, say
from fairlead.worker.formats.words import cell
from fairlead.worker.tables import text

SIDES = ("test", "validation", "train")
"""By their numbers in SQL."""
_TIMES = ("date", "timestamp", "float", "double", "decimal")
_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "hugeint")


@dataclass(frozen=True)
class Wanted:
    """What a split is asked for."""

    by: str
    """random, time, group or hash."""
    test: Fraction
    validation: Fraction
    column: Sequence[str] = ()
    stratify: str = ""
    key: Sequence[str] = ()
    seed: int = 0


@dataclass(frozen=True)
class Rule:
    """How a row's side follows from its values."""

    side: str
    """SQL over `data`, and over `join` if there is one: the number of the side."""
    join: str = ""
    """SQL that follows the table `data`."""


def rule(db: duckdb.DuckDBPyConnection, columns: Mapping[str, Any], wanted: Wanted) -> Rule:
    """The rule for all rows of the view `data`. Raises Refused."""
    if wanted.by == "time":
        return _by_time(db, columns, wanted)
    if wanted.by == "hash":
        return _by_hash(columns, wanted)
    if wanted.stratify:
        return _by_class(db, columns, wanted)
    place = _place(columns, wanted)
    test, held = _cuts(db, f"SELECT {place} AS unit, 0 AS class FROM {DATA}", wanted, "unit", "max").fetchone() or (
        0,
        0,
    )
    return Rule(_sided(place, "<=", _literal(test), _literal(held)))


def _place(columns: Mapping[str, Any], wanted: Wanted) -> str:
    units = wanted.key if wanted.by == "random" else wanted.column
    return contents.number(contents.named(columns, units), wanted.seed)


def _literal(cut: object) -> str:
    return "NULL" if cut is None else f"{cut}::UHUGEINT"


def _sided(place: str, relation: str, test: str, held: str) -> str:
    return f"CASE WHEN {place} {relation} {test} THEN 0 WHEN {place} {relation} {held} THEN 1 ELSE 2 END"


def _cuts(
    db: duckdb.DuckDBPyConnection, rows: str, wanted: Wanted, order: str, last: str, classes: str = ""
) -> duckdb.DuckDBPyConnection:
    """The last unit of test, and of test and validation together: of each class, null where there is none.

    Args:
        db: With the rows.
        rows: SQL of a query with a `unit` and a `class` for each row.
        wanted: For the shares.
        order: SQL of the order of units.
        last: `max` or `min`: what the last one in this order is.
        classes: What else is selected of a class, with a comma.
    """
    held = wanted.test + wanted.validation
    whole = lcm(wanted.test.denominator, held.denominator)
    # twice the rows up to the middle of the unit, so that all are integers
    middle = f"(2::HUGEINT * before + n) * {whole}"
    return db.execute(
        f"""
        WITH units AS (SELECT unit, class, count(*) AS n FROM ({rows}) GROUP BY unit, class),
        ranked AS (
            SELECT unit, class, n, sum(n) OVER (PARTITION BY class) AS total,
                sum(n) OVER (PARTITION BY class ORDER BY {order} ROWS UNBOUNDED PRECEDING) - n AS before
            FROM units
        )
        SELECT {classes}
            CAST({last}(unit) FILTER ({middle} <= 2 * {int(wanted.test * whole)} * total) AS VARCHAR) AS test,
            CAST({last}(unit) FILTER ({middle} <= 2 * {int(held * whole)} * total) AS VARCHAR) AS held
        FROM ranked GROUP BY class
        """
    )


def _by_hash(columns: Mapping[str, Any], wanted: Wanted) -> Rule:
    """By the hash alone, whatever other rows there are: what is test stays test when more rows come."""
    test, held = (int(share * (1 << 128)) for share in (wanted.test, wanted.test + wanted.validation))
    return Rule(_sided(_place(columns, wanted), "<", f"{test}::UHUGEINT", f"{held}::UHUGEINT"))


def _by_class(db: duckdb.DuckDBPyConnection, columns: Mapping[str, Any], wanted: Wanted) -> Rule:
    place = _place(columns, wanted)
    kind = contents.alike(columns, [wanted.stratify])
    rows = f"SELECT {place} AS unit, {kind} AS class FROM {DATA}"
    if wanted.key:
        _one_class(db, rows, wanted)
    found = _cuts(db, rows, wanted, "unit", "max", "class,").fetchall()
    db.execute("CREATE TEMP TABLE fairlead_cuts (class VARCHAR, test UHUGEINT, held UHUGEINT)")
    db.executemany("INSERT INTO fairlead_cuts VALUES (?, ?::UHUGEINT, ?::UHUGEINT)", found)
    few = sum(test is None for _, test, _ in found)
    say(
        f"stratify {wanted.stratify}: {len(found)} classes"
        + (f", {few} of them too small for a row of test" * bool(few))
    )
    return Rule(
        _sided(place, "<=", "fairlead_cuts.test", "fairlead_cuts.held"),
        f"JOIN fairlead_cuts ON fairlead_cuts.class = {kind}",
    )


def _one_class(db: duckdb.DuckDBPyConnection, rows: str, wanted: Wanted) -> None:
    found = db.execute(
        f"SELECT count(*) FROM (SELECT unit FROM ({rows}) GROUP BY unit HAVING count(DISTINCT class) > 1)"
    ).fetchone()
    if found and found[0]:
        raise Refused(
            f"params.stratify: {found[0]} keys ({', '.join(wanted.key)}) have rows of several {wanted.stratify}; a key "
            "is on one side, so shares within each can't be kept: leave stratify out, or take what is one for a key"
        )


def _by_time(db: duckdb.DuckDBPyConnection, columns: Mapping[str, Any], wanted: Wanted) -> Rule:
    (column,) = wanted.column
    kind, at = columns[column], contents.cell(column)
    what = str(kind.id)
    if not what.startswith(_TIMES) and what.removeprefix("u") not in _INTEGERS:
        raise Refused(
            f"params.column: {column} is {kind}, which has no order in time; cast it to a timestamp, a date or a "
            "number, by a step `sql` or by the Dataset's spec.schema"
        )
    finite = "true" if what == "decimal" or what.removeprefix("u") in _INTEGERS else f"isfinite({at})"
    bad = db.execute(f"SELECT count(*) FROM {DATA} WHERE NOT coalesce({finite} AND {at} IS NOT NULL, false)").fetchone()
    if bad and bad[0]:
        raise Refused(
            f"params.column: {column} is null, or not finite, in {bad[0]} rows, so nobody knows whether they are old "
            f"or new; leave them out by a step `sql` (where {column} is not null), or take another column"
        )
    cuts = _cuts(db, f"SELECT {at} AS unit, 0 AS class FROM {DATA}", wanted, "unit DESC", "min").fetchone() or (
        None,
        None,
    )
    test, held = ("NULL" if cut is None else f"CAST({text(cut)} AS {kind})" for cut in cuts)
    if cuts[0] is not None:
        ties = db.execute(f"SELECT count(*) FROM {DATA} WHERE {at} = {test}").fetchone()
        say(f"test begins with {column} {cell(cuts[0])}; all rows of that time are in it ({ties[0] if ties else 0})")
    return Rule(_sided(at, ">=", test, held))
