"""What a query of a check decides, of whatever type its answer is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.api.dataset import Check
from fairlead.worker import checks, tables
from fairlead.worker.decision import decision


@pytest.mark.parametrize(
    ("query", "passed", "said"),
    [
        ("true", True, "True"), ("false", False, "False"), ("3", True, "3"), ("0", False, "0"), ("NULL", False, "None"),
        ("(2::HUGEINT ** 64)::HUGEINT", True, "Decimal('18446744073709551616')"),
        ("0.0", False, "Decimal('0.0')"), ("1.5::DOUBLE", False, "1.5"), ("'true'", False, "'true'"),
        ("now()", False, "a value of type timestamp[us, tz=UTC]"),
        ("'infinity'::TIMESTAMP", False, "a value of type timestamp[us]"),
        ("'infinity'::DATE", False, "a value of type date32[day]"), ("[1]", False, "a value of type list<l: int32>"),
        ("interval 1 day", False, "a value of type month_day_nano_interval"),
        ("now() > '2000-01-01'::TIMESTAMPTZ", True, "True"),
        ("date_trunc('day', timestamptz '2024-07-01 01:00:00+02')::VARCHAR = '2024-06-30 00:00:00+00'", True, "True"),
    ],
)  # fmt: skip
def test_d10_an_answer_of_any_type_decides(tmp_path: Path, query: str, passed: bool, said: str) -> None:
    with tables.connect(tmp_path) as database:
        assert decision(database.execute(f"SELECT {query}")) == (passed, said)


def test_an_answer_without_rows_says_so(tmp_path: Path) -> None:
    with tables.connect(tmp_path) as database:
        found = checks.sql(Check.model_validate({"sql": "SELECT true WHERE false"}), database)
    assert (found.passed, found.message) == (False, "the query answered no row, wanted true")
