"""Cells in their columns' types: what does not fit is a failed row of its own kind, never a null."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.worker.formats.reading import read

from fairlead.worker.formats.base import Misfit, Unreadable

ID = {"name": "id", "type": "integer"}


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


# --- D05, D14 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_d05_integers_beyond_64_bits_are_above_every_bound(tmp_path: Path, form: str) -> None:
    body = {
        "csv": b"id,x\n99999999999999999999,1\n7,1\n-99999999999999999999,1\n",
        "jsonl": b'{"id":99999999999999999999,"x":1}\n{"id":7,"x":1}\n{"id":-99999999999999999999,"x":1}\n',
    }[form]
    found = read(tmp_path, form, {"a": body}, [{**ID, "min": "0", "max": "100"}])
    assert '1 of 3 rows are above 100, for example "99999999999999999999" in row 1' in found.problems["column id"]
    assert '1 of 3 rows are below 0, for example "-99999999999999999999" in row 3' in found.problems["column id"]
    assert "2 of 3 rows are integers beyond 64 bits" in found.problems["column id"]
    assert found.shapes, "no query is run over what is no integer"


def test_d05_unsigned_integers_and_decimals_are_compared_exactly(tmp_path: Path) -> None:
    from decimal import Decimal

    body = parquet(
        id=pa.array([2**64 - 1, 5], pa.uint64()),
        d=pa.array([Decimal("0.30000000000000000001"), Decimal("0.3")], pa.decimal128(38, 20)),
    )
    schema = [{**ID, "max": "18446744073709551614"}, {"name": "d", "type": "float", "max": "0.3"}]
    found = read(tmp_path, "parquet", {"a": body}, schema)
    assert "1 of 2 rows are above 18446744073709551614" in found.problems["column id"]
    assert "1 of 2 rows are above 0.3" in found.problems["column d"]


@pytest.mark.parametrize("bound", ["1e400", "-1e400", "1e-400", "99999999999999999999999999999999"])
def test_d05_bounds_may_be_any_number(tmp_path: Path, bound: str) -> None:
    low = bound.startswith("-") or bound == "1e-400"
    schema = [{**ID, "min" if low else "max": bound}, {"name": "x", "type": "float", "min" if low else "max": bound}]
    for form, body in (("csv", b"id,x\n1,1.5\n"), ("parquet", parquet(id=[1], x=[1.5]))):
        assert read(tmp_path / form, form, {"a": body}, schema).problems == {}


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("integer", "x"), ("integer", "1.5"), ("integer", "1_000"), ("integer", "1e3"), ("integer", "0x1F"),
        ("float", "1_0.5"), ("float", "1e400"), ("float", "1,5"), ("float", "late"), ("boolean", "2"),
        ("boolean", "on"), ("date", "2024-02-30"), ("date", "2024-01-02 10:00"), ("date", "epoch"),
        ("timestamp", "2024-01-02 25:00"), ("timestamp", "infinity"), ("timestamp", "2024-01-02 10:00 Mars"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_d14_what_cannot_be_what_is_declared_fails_also_where_nulls_are_allowed(
    tmp_path: Path, form: str, kind: str, cell: str
) -> None:
    body = f"a;x\n1;{cell}\n2;\n".encode() if form == "csv" else lines({"a": 1, "x": cell}, {"a": 2, "x": None})
    found = read(tmp_path, form, {"f": body}, [{"name": "x", "type": kind, "nullable": True}])
    assert f'f: 1 of 2 rows are not {kind}, for example "{cell}" in row 1' in found.problems["column x"]
    assert found.shapes


@pytest.mark.parametrize(
    ("kind", "cells", "values"),
    [
        ("integer", ["+1", "007", " 5", "-0"], [1, 7, 5, 0]),
        ("float", ["1", ".5", "1.", "-1e-3", "inf"], [1.0, 0.5, 1.0, -0.001, float("inf")]),
        ("boolean", ["true", "F", "yes", "0", "N"], [True, False, True, False, False]),
        ("string", ["007", "yes", " a", "NaN"], ["007", "yes", " a", "NaN"]),
        ("date", ["2024-01-02", "2024-01-02T00:00:00"], [dt.date(2024, 1, 2)] * 2),
        (
            "timestamp",
            ["2024-01-02 10:00", "2024-01-02T10:00:00Z", "2024-01-02T12:00+02:00", "2024-01-02 09:00:00 -0100"],
            [dt.datetime(2024, 1, 2, 10)] * 4,
        ),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_text_of_a_declared_type(tmp_path: Path, form: str, kind: str, cells: list[str], values: list[Any]) -> None:
    rows = [{"n": n, "x": c} for n, c in enumerate(cells)]
    body = ("n;x\n" + "".join(f"{r['n']};{r['x']}\n" for r in rows)).encode() if form == "csv" else lines(*rows)
    found = read(tmp_path, form, {"f": body}, [{"name": "x", "type": kind}])
    assert found.problems == {}
    assert [row[1] for row in found.table] == values


# --- inference ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2"], "integer"), (["1", "2.5"], "float"), (["1", "2.5", "nan"], "float"), (["nan"], "string"),
        (["2024-01-02"], "date"), (["2024-01-02", "2024-01-02 10:00:00"], "timestamp"), (["007", "8"], "string"),
        (["yes", "no"], "string"), (["T", "F"], "string"), (["True", "false"], "boolean"),
        (["1", "99999999999999999999"], "string"),
        (["1_000"], "string"), (["+1"], "string"), (["1", ""], "integer"), (["", ""], "null"),
        (["1"] * 3000 + ["1.5"] * 3000 + ["x"], "string"), (["1"] * 3000 + ["1.5"], "float"),
    ],
)  # fmt: skip
def test_d08_the_narrowest_type_that_loses_nothing_over_all_rows(tmp_path: Path, cells: list[str], kind: str) -> None:
    half = len(cells) // 2
    files = {
        "a.csv": "".join(["n,x\n", *(f"1,{c}\n" for c in cells[:half])]).encode(),
        "b.csv": "".join(["n,x\n", *(f"1,{c}\n" for c in cells[half:])]).encode(),
    }
    assert read(tmp_path, "csv", files).types == {"n": "integer", "x": kind}


def test_a_reading_is_fixed_for_later_files(tmp_path: Path) -> None:
    first = read(tmp_path / "1", "csv", {"a.csv": b"id;x;n\n1;1.5;\n"})
    assert first.types == {"id": "integer", "x": "float", "n": "null"}
    later = read(tmp_path / "2", "csv", {"b.csv": b"id;x;n;new\n2;1;7;a,b\nx;2;8;c\n"}, fixed=first.reading)
    assert later.types == {"id": "integer", "x": "float", "n": "integer", "new": "string"}
    assert later.problems == {
        "column id": 'b.csv: 1 of 2 rows are not integer, for example "x" in row 2, as they were so far: correct them, '
        "or declare the column's type in spec.schema"
    }


# --- D06, JSON lines ---------------------------------------------------------------------------------------------


def test_d06_two_hundred_float_keys_are_two_hundred_columns(tmp_path: Path) -> None:
    body = lines(*({f"f{k}": k + n / 2 for k in range(200)} for n in range(5)))
    schema = [{"name": f"f{k}", "type": "float"} for k in range(200)]
    found = read(tmp_path, "jsonl", {"a.jsonl": body}, schema)
    assert (found.problems, found.rows, len(found.types)) == ({}, 5, 200)
    assert found.table[1][:2] == (0.5, 1.5)
    assert set(read(tmp_path, "jsonl", {"a.jsonl": body}).types.values()) == {"float"}


def test_d06_keys_that_are_rarely_there_are_columns_with_nulls(tmp_path: Path) -> None:
    body = lines(*({"id": n, f"rare{n}": "x"} for n in range(60)))
    found = read(tmp_path, "jsonl", {"a.jsonl": body}, [ID, {"name": "rare7", "type": "string", "nullable": True}])
    assert (found.problems, found.rows, len(found.types)) == ({}, 60, 61)
    assert sum(row[1] is not None for row in found.table) == 1


def test_types_of_json_lines_are_jsons_own_over_all_lines(tmp_path: Path) -> None:
    files = {
        "a": lines(
            {"i": 1, "f": 1, "s": "2024-01-02", "b": True, "m": 1, "l": [1], "ll": [[1.5]], "o": {"k": 1}, "n": None}
        ),
        "b": lines({"i": -2, "f": 1.5, "s": "1", "b": None, "m": "1", "l": [0.5, None], "ll": [[2]], "o": {}}),
    }
    found = read(tmp_path, "jsonl", files)
    assert found.types == {
        "i": "integer", "f": "float", "s": "string", "b": "boolean", "m": "json", "l": "list<float>",
        "ll": "list<list<float>>", "o": "json", "n": "null",
    }  # fmt: skip
    assert found.table == [
        (1, 1.0, "2024-01-02", True, "1", [1.0], [[1.5]], '{"k":1}', None),
        (-2, 1.5, "1", None, '"1"', [0.5, None], [[2.0]], "{}", None),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a":1}\n\n[1]\n', 'a.jsonl: line 3 is "[1]", not an object'),
        (b'{"a":1}\n5\n', "line 2 is"),
        (b'{"a":1} {"a":2}\n', "line 1: Extra data"),
        (b'{"a":1}\n{"a":\n', "line 2: Expecting value"),
        (b'{"a":1}\n{"a":"\xff"}\n', "line 2: "),
        (b'{"a":1}\n{"a":1,"a":2}\n', 'line 2: key "a" is there twice'),
        (b'{"a":1,"A":2}\n', "differ in case only"),
        (b'{"a":"\\ud800"}\n', "a.jsonl: line 1: half of a pair of surrogates"),
        ('{"a":1}\n'.encode("utf-16"), "utf-16"),
    ],
)
def test_d13_what_is_no_json_line_is_named_by_its_line(tmp_path: Path, body: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, "jsonl", {"a.jsonl": body})
    assert words in str(caught.value)


def test_a_column_of_nan_is_one_of_floats(tmp_path: Path) -> None:
    assert read(tmp_path, "jsonl", {"a": b'{"x":NaN,"y":1e400}\n'}).types == {"x": "float", "y": "string"}


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"a":1}\n', b'{"a":1}', b'\n \n{"a":1}\r\n'])
def test_byte_order_marks_and_blank_lines_are_no_records(tmp_path: Path, body: bytes) -> None:
    found = read(tmp_path, "jsonl", {"a": body})
    assert (found.rows, found.table) == (1, [(1,)])


# --- D07, Parquet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("string", "x"), ("timestamp", dt.datetime(2024, 1, 2)), ("boolean", True), ("date", dt.date(2024, 1, 2)),
        ("float", 1.5), ("integer", 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("declared", [True, False])
def test_d07_a_column_that_is_null_in_one_file(tmp_path: Path, kind: str, some: Any, declared: bool) -> None:
    files = {"a.parquet": parquet(id=[1], s=[some]), "b.parquet": parquet(id=[2], s=pa.nulls(1))}
    schema = [ID, {"name": "s", "type": kind, "nullable": True}] if declared else []
    for order in (files, {"a": files["b.parquet"], "b": files["a.parquet"]}):
        found = read(tmp_path, "parquet", order, schema)
        assert (found.problems, found.types) == ({}, {"id": "integer", "s": kind})
        assert sorted(found.table, key=lambda row: row[0]) == [(1, some), (2, None)]


def test_d07_a_column_that_is_null_everywhere_is_of_any_type_and_later_of_one(tmp_path: Path) -> None:
    first = read(tmp_path, "parquet", {"a": parquet(id=[1], s=pa.nulls(1))})
    assert first.types == {"id": "integer", "s": "null"}
    later = read(tmp_path, "parquet", {"b": parquet(id=[2], s=["x"])}, fixed=first.reading)
    assert later.types == {"id": "integer", "s": "string"}


def test_files_of_several_numeric_types_are_one_column(tmp_path: Path) -> None:
    files = {
        "a": parquet(i=pa.array([1], pa.int32()), x=pa.array([2**40 + 1], pa.int64())),
        "b": parquet(i=pa.array([2**40], pa.int64()), x=pa.array([0.5], pa.float32())),
    }
    found = read(tmp_path, "parquet", files)
    assert found.types == {"i": "integer", "x": "float"}
    assert found.table == [(1, 2.0**40 + 1), (2**40, 0.5)]


def test_parquet_columns_that_no_type_joins_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misfit, match="column x: b: it is string, and integer in other files; write one type"):
        read(tmp_path, "parquet", {"a": parquet(x=[1]), "b": parquet(x=["1"])})
    fixed = read(tmp_path, "parquet", {"a": parquet(x=[1])}).reading
    with pytest.raises(Misfit, match="column x: c: it is float"):
        read(tmp_path, "parquet", {"c": parquet(x=[1.5])}, fixed=fixed)


def test_timestamps_of_all_units_and_zones_are_timestamps_in_utc(tmp_path: Path) -> None:
    at = dt.datetime(2024, 1, 2, 10, tzinfo=dt.UTC)
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "Europe/Berlin"):
            column = pa.array([at.replace(tzinfo=None)], pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
            body = parquet(t=column)
            found = read(tmp_path, "parquet", {"a": body}, [{"name": "t", "type": "timestamp"}])
            assert (found.problems, found.table) == ({}, [(dt.datetime(2024, 1, 2, 10),)]), (unit, zone)


def test_decimals_that_would_be_read_wrong_are_refused(tmp_path: Path) -> None:
    from decimal import Decimal

    body = parquet(d=pa.array([Decimal("1.10")], pa.decimal256(50, 2)))
    with pytest.raises(Unreadable, match=r"column d is decimal\(50,2\); decimals have at most 38 digits"):
        read(tmp_path, "parquet", {"a": body})


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), out)
    with pytest.raises(Unreadable, match="more than one column named a; rename them"):
        read(tmp_path, "parquet", {"f": out.getvalue()})
    with pytest.raises(Unreadable, match="columns a and A differ in case only"):
        read(tmp_path, "parquet", {"f": parquet(a=[1], A=[2])})


def test_objects_without_any_key_are_nulls_and_no_texts(tmp_path: Path) -> None:
    for kind in ("string", "integer"):
        found = read(tmp_path, "jsonl", {"a.jsonl": b"{}\n{}\n"}, [{"name": "s", "type": kind, "nullable": True}])
        assert found.table == [(None,), (None,)]


def test_a_name_that_sql_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"column a\\x00b has a NUL character in its name"):
        read(tmp_path, "jsonl", {"a.jsonl": b'{"a\\u0000b": 1}\n'})


def test_white_space_is_no_part_of_a_timestamp(tmp_path: Path) -> None:
    cells = [" 2024-01-02 10:00 ", "\t2024-01-02 12:00+02:00 ", "2024-01-02 10:00:00 UTC "]
    body = ("id,t\n" + "".join(f"1,{cell}\n" for cell in cells)).encode()
    found = read(tmp_path, "csv", {"a.csv": body}, [{"name": "t", "type": "timestamp"}])
    assert [t for _, t in found.table] == [dt.datetime(2024, 1, 2, 10)] * 3
    wrong = read(tmp_path, "csv", {"a.csv": b"id,t\n1,2024-01-02 10:00+99:00\n"}, [{"name": "t", "type": "timestamp"}])
    assert "1 of 1 rows are not timestamp" in wrong.problems["column t"]


def test_times_finer_than_a_microsecond_are_not_cut_unless_declared(tmp_path: Path) -> None:
    for fraction, kind in (("123456000", "timestamp"), ("123456789", "string")):
        body = f"id,t\n1,2024-01-02 10:00:00.{fraction}\n".encode()
        assert read(tmp_path, "csv", {"a.csv": body}).types["t"] == kind


@pytest.mark.parametrize(
    ("first", "later"), [("1", "007"), ("1", "+7"), ("true", "yes"), ("true", "1"), ("1.5", "00.5"), ("1.5", "1e400")]
)
def test_later_texts_are_of_an_inferred_type_only_if_nothing_is_lost(tmp_path: Path, first: str, later: str) -> None:
    before = read(tmp_path, "csv", {"a.csv": f"id,x\n1,{first}\n".encode()}).reading
    assert not read(tmp_path, "csv", {"b.csv": f"id,x\n2,{first}\n3,\n".encode()}, fixed=before).problems
    found = read(tmp_path, "csv", {"b.csv": f"id,x\n2,{later}\n".encode()}, fixed=before)
    assert "as they were so far" in found.problems["column x"]
    assert f'for example "{later}" in row 1' in found.problems["column x"]


def test_decimals_of_several_scales_keep_all_digits_or_are_refused(tmp_path: Path) -> None:
    def of(value: str, precision: int, scale: int) -> bytes:
        return parquet(d=pa.array([Decimal(value)], pa.decimal128(precision, scale)))

    files = {"a.parquet": of("1.10", 10, 2), "b.parquet": of("1.234", 12, 3)}
    found = read(tmp_path, "parquet", files)
    assert (found.types["d"], sorted(found.table)) == ("decimal(12,3)", [(Decimal("1.1"),), (Decimal("1.234"),)])
    files = {"a.parquet": of("1" + "0" * 36, 38, 0), "b.parquet": of("0." + "0" * 14 + "1", 38, 15)}
    with pytest.raises(Misfit, match=r"it is decimal\(38,15\), and decimal\(38,0\) in other files"):
        read(tmp_path, "parquet", files)


def test_integers_beside_floats_are_floats_only_if_a_float_holds_them(tmp_path: Path) -> None:
    def files(number: int) -> dict[str, bytes]:
        return {"a.parquet": parquet(n=[number]), "b.parquet": parquet(n=[1.5])}

    assert sorted(read(tmp_path, "parquet", files(2**53)).table) == [(1.5,), (2.0**53,)]
    with pytest.raises(duckdb.Error, match="9007199254740993 is no float, as column n is in other files"):
        read(tmp_path, "parquet", files(2**53 + 1))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": "' + b"x" * (20 << 20), "a.jsonl: line 1 has more than 16777216 bytes"),
        (b'{"a": 1}\n' + b" " * (20 << 20), "a.jsonl: line 2 has more than 16777216 bytes"),
        (b'{"a": ' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}\n", "a.jsonl: line 1 is nested more than 1000 deep"),
        (b"".join(b'{"k%d": 1}\n' % n for n in range(30_000)), "different keys, and a table 5000 columns at most"),
    ],
    ids=["long", "blank", "deep", "keys"],
)
def test_json_that_has_no_end_is_refused_before_it_takes_the_machine(tmp_path: Path, body: bytes, words: str) -> None:
    """A long line was read again for each piece of it, a deep one ended the process, and keys took their square."""
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, "jsonl", {"a.jsonl": body})
    assert words in str(caught.value)


def test_brackets_within_strings_are_no_depth(tmp_path: Path) -> None:
    text = "[{" * 3000 + '\\"' + "[" * 3000
    assert read(tmp_path, "jsonl", {"a.jsonl": lines({"a": text, "b": [[1.5]]})}).table == [(text, [[1.5]])]
