"""The program `sql`: what it reads, what it writes, what it refuses, and that nothing else can be reached by it."""

from __future__ import annotations

import datetime
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.components.programs import Here

from fairlead.components import sql

FLIGHTS = "id,code,delay\n1,007,2.5\n2,yes,\n3,,nan\n4,x,inf\n"


def test_inputs_of_all_formats_are_joined(here: Here) -> None:
    here.write("flights", {"a.csv": FLIGHTS})
    here.write("weather", {"b.jsonl": '{"id": 1, "wind": [1, 2]}\n{"id": 3}\n'})
    here.write("planes", {"c.parquet": pa.table({"id": [1, 3], "seats": [100, 200]})})
    query = "select * from flights join weather using (id) join planes using (id) order by id -- all of them"
    ran = here.run(sql, [f"--query={query};"])
    assert ran.code == 0, ran.error
    first, third = (tuple(row.values())[:3] for row in ran.table("data").to_pylist())
    assert first == (1, "007", 2.5)
    assert third == (3, None, pytest.approx(float("nan"), nan_ok=True))
    assert ran.table("data")["wind"].to_pylist() == [[1.0, 2.0], None]
    assert ran.metrics() == {"rows": 2, "columns": 5}
    assert "flights: 1 files of csv, read inferred from all files: id integer, code string, delay float" in ran.said
    assert "delay is NaN or infinite in 1 rows" in ran.said


def test_a_version_is_read_as_it_says_and_not_as_its_files_look(here: Here) -> None:
    reading = {
        "format": "csv", "delimiter": "|", "quote": '"', "escape": '"', "encoding": "latin-1", "null": "-",
        "columns": [{"name": c, "type": kind} for c, kind in (("id", "string"), ("name", "string"), ("n", "float"))],
    }  # fmt: skip
    body = "id|name|n\n1|Zürich|1\n02|-|-\n".encode("latin-1")
    here.write("cities", {"part": gzip.compress(body), ".fairlead-reading.json": json.dumps(reading)})
    ran = here.run(sql, ["--query=from cities"])
    assert ran.code == 0, ran.error
    assert ran.table("data").to_pylist() == [
        {"id": "1", "name": "Zürich", "n": 1.0}, {"id": "02", "name": None, "n": None},
    ]  # fmt: skip
    assert "read as its Dataset's version says" in ran.said


def test_types_of_duckdb_become_types_that_all_readers_know(here: Here) -> None:
    here.write("t", {"a.csv": "n,b\n1,x\n2,y\n"})
    identity = "00000000-0000-0000-0000-000000000001"
    ran = here.run(sql, [
        f"--query=select sum(n) as total, timestamptz '2024-01-01 00:00:00+02' as at, '{identity}'::uuid as u, "
        "'a'::enum('a', 'b') as e, 1.50 as d, {'k': 1}::json as j, current_setting('TimeZone') as tz from t"
    ])  # fmt: skip
    assert ran.code == 0, ran.error
    assert ran.table("data").to_pylist() == [{
        "total": 3, "at": datetime.datetime(2023, 12, 31, 22), "u": identity, "e": "a",
        "d": Decimal("1.50"), "j": '{"k":1}', "tz": "UTC",
    }]  # fmt: skip
    assert ran.table("data").schema.field("total").type == pa.int64()


def test_no_rows_are_a_table_and_told(here: Here) -> None:
    here.write("t", {"a.csv": "n\n1\n"})
    ran = here.run(sql, ["--query=select * from t where false"])
    assert (ran.code, ran.table("data").num_rows, ran.table("data").column_names) == (0, 0, ["n"])
    assert "the query has no rows" in ran.said
    assert ran.metrics() == {"rows": 0, "columns": 1}


@pytest.mark.parametrize(("query", "part"), [
    ("", "params.query is empty"),
    ("selec", 'syntax error at or near "selec"'),
    ("select * from flight", "the inputs are flights"),
    ("select delays from flights", '"delays" not found'),
    ("select 1; select 2", "not one SELECT"),
    ("drop view flights", "not one SELECT"),
    ("insert into flights values (1)", "not one SELECT"),
    ("with x as (select 1) insert into flights select 1, '', 2", "not one SELECT"),
    ("set threads = 8", "not one SELECT"),
    ("attach 'x.db'", "not one SELECT"),
    ("install httpfs", "not one SELECT"),
    ("load httpfs", "not one SELECT"),
    ("select $x", "has the placeholder x"),
    ("select a.id, b.ID from flights a, flights b", "two columns the name"),
    ("select interval 1 day as i", "gives the column i the type INTERVAL"),
    ("select 9223372036854775807::hugeint * 2 as k", "column k has integers beyond 64 bits"),
    ("select code::int from flights", "Could not convert string 'yes'"),
    ("select error('no such luck')", "no such luck"),
    ("select * from read_csv('/etc/passwd')", "reads the step's inputs and nothing else"),
    ("select * from read_text('/proc/self/environ')", "reads the step's inputs and nothing else"),
    ("select * from 'https://example.com/a.parquet'", "reads the step's inputs and nothing else"),
    ("select * from 's3://bucket/a.parquet'", "reads the step's inputs and nothing else"),
    ("select * from glob('/etc/*')", ""),
    ("select getenv('HOME')", "getenv"),
    ("select * from found", "found does not exist"),
])  # fmt: skip
def test_what_cannot_be_is_one_line_that_names_the_parameter(here: Here, query: str, part: str) -> None:
    """The last one: no variable of the program is a table."""
    here.write("flights", {"a.csv": FLIGHTS})
    ran = here.run(sql, [f"--query={query}"])
    if not part:  # a list of what may not be read is empty
        assert ran.code == 2 or ran.table("data").num_rows == 0
        return
    assert ran.code == 2
    assert ran.error.startswith("error: params.query")
    assert part in ran.error
    assert ran.error.count("\n") == 1
    assert "Traceback" not in ran.error


def test_a_query_cannot_write_into_its_inputs(here: Here) -> None:
    here.write("flights", {"a.csv": FLIGHTS})
    target = here.folder / "in" / "flights" / "b.csv"
    ran = here.run(sql, [f"--query=copy flights to '{target}'"])
    assert ran.code == 2
    assert not target.exists()


@pytest.mark.parametrize(("files", "part"), [
    ({}, "the step has no inputs"),
    ({"a.txt": "x"}, "the file a.txt, whose name does not say what it is"),
    ({"a.csv": "x\n1\n", "b.jsonl": '{"x": 1}'}, "files of different formats"),
    ({"a.csv": "x,y\n1\n"}, "line 2"),
    ({".hidden": "x"}, "the input t has no files"),
    ({"a.parquet": "PAR1nothing"}, "the input t"),
    ({"a.csv": "x\n1\n", ".fairlead-reading.json": "{}"}, "fetch them anew"),
])  # fmt: skip
def test_inputs_that_cannot_be_read_are_named(here: Here, files: dict[str, str], part: str) -> None:
    here.write("t", files)
    ran = here.run(sql, ["--query=from t"])
    assert (ran.code, ran.error.count("\n")) == (2, 1)
    assert part in ran.error


def test_a_fault_of_the_program_is_no_mistake_of_the_person(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.write("t", {"a.csv": "n\n1\n"})

    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(sql, "log_metric", broken)
    ran = here.run(sql, ["--query=from t"])
    assert ran.code == 1
    assert "KeyError: 'ours'" in ran.error


@pytest.mark.parametrize("limit", [20, 64])
def test_memory_that_does_not_do_says_what_to_raise(here: Here, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """With 20 MiB not even the input can be looked at; no file is blamed for that."""
    from fairlead.worker import tables

    monkeypatch.setattr(tables, "memory_limit", lambda: limit << 20)
    here.write("t", {"a.csv": "n\n1\n"})
    ran = here.run(sql, ["--query=select list(range) as l from range(50000000)"])
    assert ran.code == 2
    assert "raise the step's resources.memory" in ran.error


def test_the_same_rows_are_the_same_bytes(here: Here) -> None:
    here.write("t", {"a.csv": "n,s\n" + "".join(f"{n},{n % 7}x\n" for n in range(30_000))})
    one, two = (here.run(sql, ["--query=select * from t order by s, n"]).out / "data/data.parquet" for _ in range(2))
    assert one.read_bytes() == two.read_bytes()
    assert Path(one) != Path(two)
