"""What is on two sides at once. A test that has rows of a thing that train has too measures what was learnt by heart.

Sides follow from the values of rows, so identical rows are always on one side. A key may not be: of a customer in two
months, one may be in train and one in test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from fairlead.components import contents
from fairlead.components.contents import DATA
from fairlead.components.sides import Rule
from fairlead.worker.formats.words import cell

TABLE = "fairlead_leaked"
_EXAMPLES = 3


@dataclass(frozen=True)
class Leaks:
    """Keys that have rows on several sides."""

    keys: int
    rows: int
    """Of them, those that are not on the first of its sides: test comes before validation, and that before train."""
    examples: Sequence[str] = ()


def found(db: duckdb.DuckDBPyConnection, columns: Mapping[str, Any], key: Sequence[str], rule: Rule) -> Leaks:
    """Look at all rows; leaves a table with the hash of each key that is on several sides, and the first of them."""
    place = hashed(columns, key)
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {TABLE} AS
        SELECT hash, min(side) AS keep, count(*) AS n, count(*) FILTER (side = 0) AS test,
            count(*) FILTER (side = 1) AS validation
        FROM (SELECT {place} AS hash, {rule.side} AS side FROM {DATA} {rule.join} WHERE NOT ({contents.unnamed(key)}))
        GROUP BY hash HAVING min(side) <> max(side)
        """
    )
    counted = db.execute(
        f"SELECT count(*), coalesce(sum(n - CASE keep WHEN 0 THEN test ELSE validation END), 0)::BIGINT FROM {TABLE}"
    ).fetchone()
    keys, rows = counted or (0, 0)
    return Leaks(keys, rows, _examples(db, place, key) if keys else ())


def hashed(columns: Mapping[str, Any], key: Sequence[str]) -> str:
    """SQL: what a row's key is known by in the table."""
    return contents.number(contents.named(columns, key), 0)


def _examples(db: duckdb.DuckDBPyConnection, place: str, key: Sequence[str]) -> list[str]:
    listed = ", ".join(f"any_value(CAST({contents.cell(one)} AS VARCHAR))" for one in key)
    some = f"SELECT hash FROM {TABLE} ORDER BY hash LIMIT {_EXAMPLES}"
    rows = db.execute(f"SELECT {listed} FROM {DATA} WHERE {place} IN ({some}) GROUP BY {place} ORDER BY {place}")
    return [", ".join(f"{c}={cell(v)}" for c, v in zip(key, row, strict=True)) for row in rows.fetchall()]
