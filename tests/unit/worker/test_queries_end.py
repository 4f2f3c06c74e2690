"""Queries of checks are foreign programs: they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import duckdb
import pytest

from fairlead.api.dataset import Check
from fairlead.worker import checks, tables

FOREVER = "with recursive r(n) as (select 1::hugeint union all select n+1 from r) select max(n)>0 from r"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A table `data` of three rows."""
    with tables.connect(tmp_path) as connection:
        connection.execute("CREATE VIEW data AS SELECT range AS id FROM range(3)")
        yield connection


def test_attack_07_a_query_that_never_ends_is_a_failed_check(data: duckdb.DuckDBPyConnection) -> None:
    ends = Check(sql="select count(*) = 3 from data")
    found = checks.over_all([Check(sql=FOREVER, timeout="1s"), ends], data)
    assert [one.passed for one in found] == [False, True], "the others are still asked"
    assert found[0].message == "the query ran longer than 1s; make it end, or raise the check's timeout"
    assert found[0].check.startswith("sql with recursive r(n)")


@pytest.mark.parametrize("query", [
    "with recursive r(n) as (select 1::hugeint union all select n+1 from r) select n<0 from r where n<0",
    "select range<0 from range(100000000000) where range<0 or hash(range)=5",
    "select count(*) > 0 from range(1000000000) a, range(1000000000) b where a.range * b.range % 7 = 3",
])  # fmt: skip
def test_attack_07_nor_does_one_that_looks_for_a_first_row_for_ever(
    data: duckdb.DuckDBPyConnection, query: str
) -> None:  # fmt: skip
    found = checks.sql(Check(sql=query, timeout="1s"), data)
    assert found.message == "the query ran longer than 1s; make it end, or raise the check's timeout"


def test_attack_07_one_that_ends_in_time_is_not_disturbed_later(
    data: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[Timer] = []

    class Kept(Timer):
        def start(self) -> None:
            timers.append(self)
            super().start()

    monkeypatch.setattr(checks, "Timer", Kept)
    assert checks.sql(Check(sql="select true", timeout="1h"), data).passed
    timers[0].join()  # it ends without having done anything
    assert checks.sql(Check(sql="select count(*) = 3 from data"), data).passed


def test_attack_07_one_that_asks_for_too_much_memory_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(tables, "memory_limit", lambda: 64 << 20)
    with tables.connect(tmp_path) as connection:
        found = checks.sql(Check(sql="select len(list(range)) > 0 from range(30000000)"), connection)
    assert not found.passed
    assert "raise spec.resources" in found.message


def test_attack_07_one_that_writes_too_much_to_the_disk_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "memory_limit", lambda: 64 << 20)
    monkeypatch.setenv("SCRATCH", str(2 << 20))
    query = "select count(*) > 0 from (select distinct hash(range)::varchar || range from range(5000000))"
    with tables.connect(tmp_path) as connection:
        found = checks.sql(Check(sql=query), connection)
    assert not found.passed
    assert "raise spec.resources" in found.message


def test_half_of_the_containers_memory_is_left_for_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(tables, "_CGROUP_LIMIT", limit)
    assert tables.memory_limit() == 1 << 30
    for text, bytes_ in (("max\n", 1 << 30), (f"{16 << 30}\n", 8 << 30), (f"{1 << 30}\n", 1 << 29)):
        limit.write_text(text)
        assert tables.memory_limit() == bytes_
