"""Random values of all types, as writers write them, come back equal, or are refused with a reason; never otherwise.

40 tables each; `make soak` tries 10,000.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.worker.formats.reading import Read, read, reader

from fairlead.worker.formats.base import Unreadable

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
NAMES = st.text(st.sampled_from("abcXYZ_ é\"'.,1"), min_size=1, max_size=4)
WORDS = st.text(st.sampled_from("01-.:eT \"'\\,\né日{}[]"), max_size=6) | st.sampled_from(
    ["007", "true", "yes", "T", "nan", "2024-01-02", "1e5", "null", "99999999999999999999", "1_000"]
)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1))


class Folder:
    """Where files are written, one after the other."""

    def __init__(self, path: Path, database: duckdb.DuckDBPyConnection) -> None:
        self.path, self.database = path, database

    def read(self, form: str, body: bytes) -> Read:
        return read(self.path, form, {"a": body}, connected=self.database)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    path = tmp_path_factory.mktemp("files")
    with reader(path) as database:
        yield Folder(path, database)


def columns(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, tuple[str, list[Any]]]]:
    """Names with a kind and as many values as there are rows, some of them null."""

    def of(names: list[str], rows: int) -> st.SearchStrategy[dict[str, tuple[str, list[Any]]]]:
        kind = st.sampled_from(sorted(values)).flatmap(
            lambda k: st.tuples(st.just(k), st.lists(st.none() | values[k], min_size=rows, max_size=rows))
        )
        return st.fixed_dictionaries(dict.fromkeys(names, kind))

    names = st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold)
    return st.tuples(names, st.integers(1, 5)).flatmap(lambda drawn: of(*drawn))


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(found, float):
        return (math.isnan(found) and math.isnan(wanted)) or found == wanted
    return type(found) is type(wanted) and bool(found == wanted)


# --- JSON lines --------------------------------------------------------------------------------------------------

JSON = {
    "integer": INT64, "float": FLOATS, "boolean": st.booleans(), "string": WORDS,
    "beyond": st.integers(2**64, 2**70), "mixed": st.integers(0, 9) | WORDS | st.booleans(),
    "numbers": st.lists(FLOATS, min_size=1, max_size=3), "object": st.dictionaries(WORDS, INT64, max_size=2),
}  # fmt: skip


def expected(kind: str, value: Any) -> Any:
    """What a value of JSON is in a column of a kind."""
    if value is None:
        return None
    if kind == "float":
        return float(value)
    if kind == "json":
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if kind.startswith("list<"):
        return [None if v is None else float(v) for v in value]
    return value if kind in ("integer", "boolean") or isinstance(value, str) else json.dumps(value)


@SLOW
@given(table=columns(JSON), rare=st.booleans(), by_pandas=st.booleans())
def test_json_lines(folder: Folder, table: dict[str, tuple[str, list[Any]]], rare: bool, by_pandas: bool) -> None:
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*(cells for _, cells in table.values()), strict=True)]
    if by_pandas:  # it writes floats with 10 digits, and refuses long integers
        if any(kind in ("float", "numbers", "beyond", "mixed") for kind, _ in table.values()):
            return
        frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, (_, cells) in table.items()})
        body = frame.to_json(orient="records", lines=True).encode()
        rows = [json.loads(line) for line in body.splitlines()]
    else:
        written = [{k: v for k, v in row.items() if not rare or v is not None} for row in rows]
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in written).encode()
    found = folder.read("jsonl", body)
    kinds = list(found.types.items())
    if not kinds:  # objects without any key
        return
    for row, cells in zip(rows, found.table, strict=True):
        for (name, kind), cell in zip(kinds, cells, strict=True):
            assert same(cell, expected(kind, row.get(name))), (name, kind, row, cell)
    for name, (kind, cells) in table.items():
        if kind in ("integer", "boolean", "string") and any(cell is not None for cell in cells):
            assert found.types[name] == kind
        if kind == "beyond" and any(cell is not None for cell in cells):
            assert found.types[name] == "string", "a float would lose digits"


# --- Parquet -----------------------------------------------------------------------------------------------------

ARROW: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "null": (pa.null(), st.none()), "bool": (pa.bool_(), st.booleans()),
    **{f"int{n}": (getattr(pa, f"int{n}")(), st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1)) for n in (8, 16, 32, 64)},
    **{f"uint{n}": (getattr(pa, f"uint{n}")(), st.integers(0, 2**n - 1)) for n in (8, 16, 32, 64)},
    "half": (pa.float16(), st.floats(width=16)), "float": (pa.float32(), st.floats(width=32)),
    "double": (pa.float64(), st.floats()), "string": (pa.string(), WORDS), "large": (pa.large_string(), WORDS),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), WORDS), "binary": (pa.binary(), st.binary(max_size=4)),
    "decimal": (pa.decimal128(20, 3), st.decimals(-(10**16), 10**16, places=3)),
    "wide": (pa.decimal256(60, 2), st.decimals(-(10**40), 10**40, places=2)),
    "date": (pa.date32(), st.dates(dt.date(1, 1, 1))), "time": (pa.time64("us"), st.times()),
    **{f"at_{u}": (pa.timestamp(u), MOMENTS.map(lambda m: m.replace(microsecond=0))) for u in ("s", "ms", "us", "ns")},
    "zoned": (pa.timestamp("us", "Europe/Berlin"), MOMENTS.map(lambda m: m.replace(tzinfo=dt.UTC))),
    "list": (pa.list_(pa.float64()), st.lists(FLOATS, max_size=3)),
    "fixed": (pa.list_(pa.int32(), 2), st.lists(st.integers(0, 9), min_size=2, max_size=2)),
    "struct": (pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": INT64})),
}  # fmt: skip


def value_of(cell: Any) -> Any:
    """As a reader gives it: time stamps are UTC without a zone, fixed lists are tuples."""
    if isinstance(cell, dt.datetime) and cell.tzinfo is not None:
        return cell.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    return list(cell) if isinstance(cell, tuple) else cell


@SLOW
@given(table=columns({name: values for name, (_, values) in ARROW.items()}), groups=st.integers(1, 3))
def test_parquet(folder: Folder, table: dict[str, tuple[str, list[Any]]], groups: int) -> None:
    arrow = pa.table({name: pa.array(cells, ARROW[kind][0]) for name, (kind, cells) in table.items()})
    out = io.BytesIO()
    pq.write_table(arrow, out, row_group_size=groups)
    if any(kind == "wide" for kind, _ in table.values()):
        with pytest.raises(Unreadable, match="decimals have at most 38 digits"):
            folder.read("parquet", out.getvalue())
        return
    found = folder.read("parquet", out.getvalue())
    assert found.rows == arrow.num_rows
    wanted = zip(*(column.to_pylist() for column in arrow.columns), strict=True)
    for row, cells in zip(wanted, found.table, strict=True):
        for one, cell in zip(row, cells, strict=True):
            assert same(value_of(cell), value_of(float(one) if hasattr(one, "dtype") else one)), (one, cell)


# --- CSV ---------------------------------------------------------------------------------------------------------

TEXTS = {
    "integer": INT64, "float": FLOATS, "boolean": st.booleans(), "date": st.dates(dt.date(1, 1, 1)),
    "timestamp": MOMENTS, "string": WORDS.filter(bool),
}  # fmt: skip


@SLOW
@given(table=columns(TEXTS))
def test_csv_by_pandas_is_of_the_types_that_were_written_or_narrower(
    folder: Folder, table: dict[str, tuple[str, list[Any]]]
) -> None:
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, (_, cells) in table.items()})
    body = frame.to_csv(index=False, sep=";").encode()
    try:
        found = folder.read("csv", body)
    except Unreadable:
        return  # more than one delimiter could be meant, or a name that is none
    for row, cells in zip(zip(*(cells for _, cells in table.values()), strict=True), found.table, strict=True):
        for (name, (kind, _)), one, cell in zip(table.items(), row, cells, strict=True):
            read_as = found.types[name]
            if one is None:
                assert cell is None or (len(table) == 1 and cell == "")
            elif read_as == "string":
                assert cell == str(one)
            elif kind in ("integer", "float"):
                assert cell == one, (kind, read_as)
            elif kind == "timestamp":
                assert dt.datetime.fromisoformat(str(cell)) == one
            elif kind in ("boolean", "date"):
                assert same(cell, one)
            else:  # a word that is written as a value is: nothing was lost
                assert str(cell).casefold() == one.casefold() or float(cell) == Decimal(one)
