"""Checks over all rows of a version: their number, their keys, and what a query demands."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Timer

import duckdb

from fairlead.api.dataset import Check, CheckResult
from fairlead.api.units import seconds
from fairlead.worker import tables
from fairlead.worker.decision import decision
from fairlead.worker.formats.words import line

LONGEST = "5m"
"""How long a query may run that has no timeout of its own."""


def rows(check: Check, number: int) -> CheckResult:
    """Bounds on the number of rows."""
    assert check.rows is not None
    low, high = check.rows.min, check.rows.max
    wanted = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
    passed = (low is None or number >= low) and (high is None or number <= high)
    return _result(check, f"rows {wanted}", passed, "" if passed else f"there are {number} rows, wanted {wanted}")


def unique(check: Check, connection: duckdb.DuckDBPyConnection) -> CheckResult:
    """No two rows of `data` with the same values in these columns."""
    assert check.unique is not None
    columns = ", ".join(tables.name(c) for c in check.unique)
    query = (
        f"SELECT count(*), sum(n), any_value(k) FROM (SELECT count(*) AS n, ({columns})::VARCHAR AS k FROM data "
        f"GROUP BY {columns} HAVING count(*) > 1)"
    )
    title = f"unique {', '.join(check.unique)}"
    try:
        groups, number, example = connection.cursor().execute(query).fetchone() or (0, 0, "")
    except duckdb.Error as error:
        return _result(check, title, False, f"can't be checked: {line(error, 600)}")
    text = f"{number} rows share {groups} keys, for example {example}; drop the doubles" if groups else ""
    return _result(check, title, not groups, text)


def sql(check: Check, connection: duckdb.DuckDBPyConnection) -> CheckResult:
    """A query over `data` whose first value must be true, and that ends in time."""
    assert check.sql is not None
    title, allowed = f"sql {' '.join(check.sql.split())}", check.timeout or LONGEST
    try:
        passed, said = _within(seconds(allowed), connection.cursor(), check.sql)
    except duckdb.InterruptException:
        text = f"the query ran longer than {allowed}; make it end, or raise the check's timeout"
        return _result(check, title, False, text)
    except duckdb.OutOfMemoryException as error:
        text = f"the query needs more room than it has; raise spec.resources, or ask for less: {line(error, 300)}"
        return _result(check, title, False, text)
    except duckdb.Error as error:
        return _result(check, title, False, f"the query can't be run; correct it: {line(error, 600)}")
    return _result(check, title, passed, "" if passed else f"the query answered {said}, wanted true")


def _within(allowed: float, cursor: duckdb.DuckDBPyConnection, query: str) -> tuple[bool, str]:
    """What a query decides. Raises duckdb.InterruptException if it has not ended within `allowed` seconds."""
    timer = Timer(allowed, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        return decision(cursor.execute(query))
    finally:
        timer.cancel()


def not_run(check: Check) -> CheckResult:
    """A check that could not be made."""
    title = f"unique {', '.join(check.unique)}" if check.unique else f"sql {' '.join((check.sql or '').split())}"
    return _result(check, title, False, "was not made: the columns are not as declared; correct these first")


def over_all(checks: Sequence[Check], connection: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """Results of the checks that read the table `data`."""
    return [
        unique(check, connection) if check.unique is not None else sql(check, connection)
        for check in checks
        if check.rows is None
    ]


def _result(check: Check, title: str, passed: bool, message: str) -> CheckResult:
    return CheckResult(check=line(title, 128), passed=passed, severity=check.severity, message=line(message))
