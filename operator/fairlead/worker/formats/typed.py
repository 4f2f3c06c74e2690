"""Text that means a value: which texts are of a type, what they are then, and the narrowest type of a column.

One grammar for CSV's cells and JSON's, in checks, SQL, evaluations and joins alike. DuckDB's own casts are too kind for
it: they read "1.5" as the integer 2, "1_000" as 1000, "2024-01-02 10:00" as a date, drop the zone of a timestamp, and
make infinity of "1e400". So a text must follow the grammar of its type, and be within its range; else it does not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from fairlead.worker.tables import name, text

INTEGER, FLOAT, BOOLEAN, TIMESTAMP, DATE, STRING = "integer", "float", "boolean", "timestamp", "date", "string"
NULL, JSON = "null", "json"
"""A column without any value so far, and one of JSON values that have no type in common: their JSON, as text."""
LIST = "list<"
"""Lists of numbers, all as floats: list<float>, list<list<float>>."""
DECIMAL = "decimal"
"""`decimal(10,2)`: digits, and those of the fraction."""
_AS_DECLARED = {
    STRING: {STRING, JSON, "uuid"}, INTEGER: {INTEGER},
    # Integers are floats without loss of meaning: writers store a month without gaps as integers.
    FLOAT: {FLOAT, INTEGER}, BOOLEAN: {BOOLEAN}, TIMESTAMP: {TIMESTAMP}, DATE: {DATE},
}  # fmt: skip
_SQL = {
    STRING: "VARCHAR", INTEGER: "BIGINT", FLOAT: "DOUBLE", BOOLEAN: "BOOLEAN", TIMESTAMP: "TIMESTAMP", DATE: "DATE",
    NULL: "VARCHAR", JSON: "VARCHAR",
}  # fmt: skip
_CHAIN = (INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP)
"""What an undeclared column may be, narrowest first; STRING otherwise."""
_FIRST = 2000
"""Rows that are looked at first: what they contradict need not be tried on all."""
_TOGETHER = 50
"""Columns that are first looked at in one query, of which all types are tried: it takes the square of their number."""

_LIKE_INTEGER = r"\s*[-+]?[0-9]+\s*"
_NOT_FINITE = r"(?i)\s*[-+]?(nan|inf|infinity)\s*"
_DAY = r"[0-9]{4,}[-/][0-9]{1,2}[-/][0-9]{1,2}"
_LIKE_DATE = rf"\s*{_DAY}([ T]00:00(:00(\.0+)?)?)?\s*"
_ZONE = r" ?(Z|UTC|[-+](0[0-9]|1[0-8])(:?[0-5][0-9])?)"
_LIKE_TIMESTAMP = rf"\s*{_DAY}([ T][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?({_ZONE})?)?\s*"
_WITH_ZONE = rf":[0-9]{{2}}(\.[0-9]+)?{_ZONE}\s*$"

_PLAIN_FLOAT = (
    r"-?(0|[1-9][0-9]{0,14}|(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?|(0|[1-9][0-9]*)(\.|\.?[eE][-+]?[0-9]+))"
)
"""A float that is no id: no leading zeros; and without a fraction, of so few digits that a float keeps all of them."""
_PLAIN_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_PLAIN_TIMESTAMP = rf"{_PLAIN_DATE}([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}}0*)?)?({_ZONE})?)?"
"""Of no more than microseconds: what is finer would be cut off."""


def sql_type(kind: str) -> str:
    """DuckDB's type of a column of text."""
    if kind.startswith(LIST):
        return sql_type(kind[len(LIST) : -1]) + "[]"
    return _SQL[kind]


def wrong(declared: str, found: str) -> str:
    """Why a column whose file says that it is of type `found` is not as declared; empty if it is."""
    scaleless = found.startswith(DECIMAL) and found.endswith(",0)")
    numeric = declared == FLOAT and found.startswith(DECIMAL)
    if found in _AS_DECLARED[declared] | {NULL} or numeric or (declared == INTEGER and scaleless):
        return ""
    hint = "; write nullable integers (Int64 in pandas)" if declared == INTEGER and found == FLOAT else ""
    return f"it is {found}, not {declared}{hint}"


def like_integer(cell: str) -> str:
    """SQL: whether a text is written as an integer, of whatever length."""
    return f"regexp_full_match({cell}, '{_LIKE_INTEGER}')"


def fits(kind: str, cell: str) -> str:
    """SQL: whether a text that is not null is of a type. It is never null for such a text."""
    if kind in (STRING, NULL, JSON):
        return "true"
    if kind.startswith(LIST):
        return _fits_list(kind, cell)
    if kind == INTEGER:
        return f"({like_integer(cell)} AND TRY_CAST({cell} AS BIGINT) IS NOT NULL)"
    if kind == FLOAT:
        finite = f"coalesce(isfinite(TRY_CAST({cell} AS DOUBLE)), false) AND NOT contains({cell}, '_')"
        return f"({finite} OR regexp_full_match({cell}, '{_NOT_FINITE}'))"
    if kind == BOOLEAN:
        return f"TRY_CAST({cell} AS BOOLEAN) IS NOT NULL"
    if kind == DATE:
        return f"(regexp_full_match({cell}, '{_LIKE_DATE}') AND TRY_CAST({cell} AS DATE) IS NOT NULL)"
    return f"(regexp_full_match({cell}, '{_LIKE_TIMESTAMP}') AND {_moment(cell)} IS NOT NULL)"


def _fits_list(kind: str, cell: str) -> str:
    """Lists of this depth whose elements are all numbers or null: a cast would make null of other ones."""
    depth, numbers = kind.count(LIST), "BIGINT|UBIGINT|HUGEINT|DOUBLE|NULL"
    shape = rf'\[{{{depth}}}"({numbers})"\]{{{depth}}}|\[{{1,{depth}}}"NULL"\]{{1,{depth}}}'
    json = f"TRY_CAST({cell} AS JSON)"
    return (
        f"coalesce(regexp_full_match(json_structure({json})::VARCHAR, '{shape}') "
        f"AND TRY_CAST({json} AS {sql_type(kind)}) IS NOT NULL, false)"
    )


def _moment(cell: str) -> str:
    """A timestamp without a zone is UTC; one with a zone becomes UTC. Null if it is none."""
    bare = f"trim({cell}, ' \t\n\f\r')"
    written = f"replace(replace({bare}, ' UTC', 'Z'), 'UTC', 'Z')"
    seconds = f"regexp_replace({written}, '([ T][0-9]{{1,2}}:[0-9]{{2}}) ?([Z+-])', '\\1:00\\2')"
    zoned = f"regexp_replace({seconds}, ' ([-+][0-9]{{2}})', '\\1')"
    instant = f"make_timestamp(epoch_us(TRY_CAST({zoned} AS TIMESTAMPTZ)))"
    return f"CASE WHEN regexp_matches({cell}, '{_WITH_ZONE}') THEN {instant} ELSE TRY_CAST({bare} AS TIMESTAMP) END"


def maybe(kind: str, cell: str) -> str:
    """SQL: the value of a text that fits, null for some that do not."""
    if kind in (STRING, NULL, JSON):
        return cell
    if kind == TIMESTAMP:
        return _moment(cell)
    inner = f"CAST({cell} AS JSON)" if kind.startswith(LIST) else cell
    return f"TRY_CAST({inner} AS {sql_type(kind)})"


def value(kind: str, cell: str, column: str) -> str:
    """SQL: the value of a text; an error of the query, which names column and text, if it is not of the type."""
    if kind in (STRING, NULL, JSON):
        return cell
    problem = f"error({text(f'column {column}: ')} || left({cell}, 60) || {text(f' is no {kind}')})"
    return (
        f"CASE WHEN {cell} IS NULL THEN NULL WHEN {fits(kind, cell)} THEN {maybe(kind, cell)} "
        f"ELSE CAST({problem} AS {sql_type(kind)}) END"
    )


def select(raw: str, types: Mapping[str, str], there: Collection[str] | None = None) -> str:
    """SQL of a query over the cells of `raw` in their types. there: the columns that `raw` has, if not all; the others
    are null."""
    if not types:
        return raw
    cells = [
        f"{value(kind, name(c), c) if there is None or c in there else f'NULL::{sql_type(kind)}'} AS {name(c)}"
        for c, kind in types.items()
    ]
    return f"SELECT {', '.join(cells)} FROM ({raw})"


# --- inference -----------------------------------------------------------------------------------------------------


@dataclass
class _Open:
    """A column whose type is sought: what it may be still, narrowest first."""

    left: list[str]
    values: int = 0


def infer(database: duckdb.DuckDBPyConnection, raw: str, columns: Sequence[str]) -> dict[str, str]:
    """The narrowest type of each column of `raw` that all of its texts have in one plain way of writing, so that
    nothing is lost: "007", "yes", " 1" and integers beyond 64 bits are strings. A column without any value is NULL.
    `raw` is read once, and once more for each type that only later rows contradict. Raises duckdb.Error."""
    sought = {column: _Open(list(_CHAIN)) for column in columns}
    for start in range(0, len(columns), _TOGETHER):
        some = {column: sought[column] for column in columns[start : start + _TOGETHER]}
        _strike(database, f"SELECT * FROM ({raw}) LIMIT {_FIRST}", some, all_at_once=True)
    known: dict[str, str] = {}
    while missing := {c: o for c, o in sought.items() if c not in known}:
        _strike(database, raw, missing, all_at_once=False)
        for column, found in missing.items():
            if not found.values:
                known[column] = NULL
            elif not found.left:
                known[column] = STRING
            elif found.left[0] == _OK:
                known[column] = found.left[1]
    return known


def without_numbers(database: duckdb.DuckDBPyConnection, raw: str, columns: Sequence[str]) -> list[str]:
    """Columns whose texts are all NaN or infinite. Raises duckdb.Error."""
    if not columns:
        return []
    each = ", ".join(f"bool_and(regexp_full_match({name(c)}, '{_NOT_FINITE}'))" for c in columns)
    row = database.cursor().execute(f"SELECT {each} FROM ({raw})").fetchone() or ()
    return [column for column, found in zip(columns, row, strict=True) if found]


_OK = "ok"


def _strike(database: duckdb.DuckDBPyConnection, rows: str, sought: Mapping[str, _Open], *, all_at_once: bool) -> None:
    """Strike out types that a text contradicts: all, or the narrowest; what stands then of the narrowest is marked."""
    tried = [(c, kind) for c, o in sought.items() for kind in (o.left if all_at_once else o.left[:1])]
    counts = [f"count({name(c)})" for c in sought]
    counts += [f"count_if({name(c)} IS NOT NULL AND {_plain(kind, name(c))})" for c, kind in tried]
    counts += [f"count_if({_finite(name(c))})" if kind == FLOAT else "1" for c, kind in tried]
    row = database.cursor().execute(f"SELECT {', '.join(counts)} FROM ({rows})").fetchone() or ()
    values = dict(zip(sought, row, strict=False))
    fitting, finite = row[len(sought) : len(sought) + len(tried)], row[len(sought) + len(tried) :]
    for column, found in sought.items():
        found.values = values[column]
    for (column, kind), good, real in zip(tried, fitting, finite, strict=True):
        stands = good == values[column] and (all_at_once or real > 0)
        if not stands:
            sought[column].left.remove(kind)
        elif not all_at_once:
            sought[column].left.insert(0, _OK)


def plainly(kind: str, cell: str) -> str:
    """SQL: whether a text that is not null is of an inferred type as inference would have it: `007` is no integer, and
    `yes` is no boolean. It is never null for such a text."""
    return f"coalesce({_plain(kind, cell)}, false)" if kind in _CHAIN else fits(kind, cell)


def _finite(cell: str) -> str:
    return f"isfinite(TRY_CAST({cell} AS DOUBLE))"


def _plain(kind: str, cell: str) -> str:
    """SQL: whether a text is of a type in the plain way of writing."""
    if kind == INTEGER:
        return f"TRY_CAST({cell} AS BIGINT)::VARCHAR = {cell}"
    if kind == FLOAT:
        finite = f"({_finite(cell)} AND regexp_full_match({cell}, '{_PLAIN_FLOAT}'))"
        return f"({finite} OR regexp_full_match({cell}, '{_NOT_FINITE}'))"
    if kind == BOOLEAN:
        return f"lower({cell}) IN ('true', 'false')"
    plain = _PLAIN_DATE if kind == DATE else _PLAIN_TIMESTAMP
    return f"(regexp_full_match({cell}, '{plain}') AND {fits(kind, cell)})"
