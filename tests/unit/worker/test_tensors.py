"""What the Open Inference Protocol carries: every type of a column is a tensor, or refused by the column's name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.testbed.parquettypes import CARRIED, REFUSED, ZONED, Json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.worker import oip, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.rows import Table


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with tables.connect(tmp_path) as connection:
        yield connection


def sent(database: duckdb.DuckDBPyConnection, folder: Path, columns: dict[str, Any], batch: int = 1000) -> list[Json]:
    """The requests for rows of these columns."""
    where = Path(folder, f"rows-{len(list(folder.iterdir()))}")
    where.mkdir()
    pq.write_table(pa.table({**columns, "y": [1.0] * len(next(iter(columns.values())))}), where / "a.parquet")
    table = Table(database, where, "parquet", "y", list(columns))
    features = table.features(list(columns))
    found = [oip.request([features[n] for n in columns], rows, False) for rows in table.batches(batch)]
    return [json.loads(json.dumps(one, allow_nan=False)) for one in found]


def tensor(database: duckdb.DuckDBPyConnection, folder: Path, column: Any) -> Json:
    (request,) = sent(database, folder, {"f": column})
    found: Json = request["inputs"][0]
    assert found.pop("name") == "f"
    return found


@pytest.mark.parametrize("name", CARRIED)
def test_d11_what_the_protocol_has_is_carried(database: Any, tmp_path: Path, name: str) -> None:
    column, wanted = CARRIED[name]
    assert tensor(database, tmp_path, column) == wanted


def test_d10_groups_and_targets_may_be_times_with_a_zone(database: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    times = pa.array([datetime(2024, 7, day, tzinfo=UTC) for day in (1, 1, 2)], ZONED)
    pq.write_table(pa.table({"t": times}), folder / "a.parquet")
    table = Table(database, folder, "parquet", "t", [])
    (batch,) = table.batches(10)
    assert table.values(batch, "t") == ["2024-07-01T00:00:00"] * 2 + ["2024-07-02T00:00:00"]
    assert sorted(table.totals(["t"], "count(*)")) == [("2024-07-01T00:00:00", 2),
                                                       ("2024-07-02T00:00:00", 1)]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_d11_what_the_protocol_lacks_is_refused_by_name(database: Any, tmp_path: Path, name: str) -> None:
    column, words = REFUSED[name]
    with pytest.raises(TaskFailed, match=words) as caught:
        tensor(database, tmp_path, column)
    assert caught.value.error.reason == "BadData"


def test_d11_lists_that_differ_in_a_later_batch_are_found_before_anything_is_sent(
    database: Any, tmp_path: Path
) -> None:
    lists = [[1.0, 2.0]] * 12_000 + [[1.0, 2.0, 3.0]]
    with pytest.raises(TaskFailed, match="row 12000 has 3 values"):
        sent(database, tmp_path, {"f": pa.array(lists)}, batch=100)


def test_d11_a_single_column_of_lists_is_one_array_for_the_server(database: Any, tmp_path: Path) -> None:
    (alone,) = sent(database, tmp_path, {"f": pa.array([[1.0, 2.0]])})
    assert alone["parameters"] == {"content_type": "np"}
    (beside,) = sent(database, tmp_path, {"f": pa.array([[1.0, 2.0]]), "g": pa.array([1])})
    assert beside["parameters"] == {"content_type": "pd"}


def test_d11_a_target_or_a_group_is_one_value(database: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    pq.write_table(pa.table({"y": [[1.0]], "z": [1.0], "b": [b"x"]}), folder / "a.parquet")
    with pytest.raises(TaskFailed, match=r"column y is DOUBLE\[\]: it can't be a target"):
        Table(database, folder, "parquet", "y", [])
    table = Table(database, folder, "parquet", "z", ["b"])
    with pytest.raises(TaskFailed, match="column b is BLOB: it can't be a group"):
        table.totals(["b"], "count(*)")


SCALARS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "bool": (pa.bool_(), st.booleans()),
    "int32": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "float64": (pa.float64(), st.floats()),
    "float32": (pa.float32(), st.floats(width=32)),
    "decimal": (pa.decimal128(12, 3), st.decimals(-(10**8), 10**8, places=3)),
    "string": (pa.string(), st.text(max_size=8)),
    "bytes": (pa.binary(), st.binary(max_size=8)),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), st.datetimes(date_min := datetime(1, 1, 2), datetime(9999, 12, 30))),
    "zoned": (ZONED, st.datetimes(date_min, datetime(9999, 12, 30), timezones=st.just(UTC))),
}
DECODED: dict[str, Any] = {
    "date": date.fromisoformat, "timestamp": datetime.fromisoformat,
    "zoned": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "bytes": base64.b64decode,
}  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, pa.Array, list[Any]]:
    """A column of one type, with gaps or without, of values, lists, or lists of lists; and its values, flat."""
    name = draw(st.sampled_from(sorted(SCALARS)))
    kind, values = SCALARS[name]
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    rows = draw(st.integers(1, 5))
    number = rows * int(np.prod(shape, dtype=int))
    cell = st.one_of(st.none(), values) if draw(st.booleans()) else values
    flat: list[Any] = draw(st.lists(cell, min_size=number, max_size=number))
    nested: list[Any] = flat
    for length in reversed(shape):
        nested = [nested[at : at + length] for at in range(0, len(nested), length)]
        kind = pa.list_(kind)
    return name, pa.array(nested, kind), flat


def fits(values: list[Any]) -> bool:
    """Whether JSON's numbers can say them: none is infinite, and beside gaps integers are floats too."""
    if any(isinstance(v, float) and abs(v) == float("inf") for v in values):
        return False
    return None not in values or all(int(float(v)) == v for v in values if isinstance(v, int))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns())
def test_d11_what_was_sent_says_the_same_or_is_refused_by_name(
    database: Any, tmp_path: Path, column: tuple[str, pa.Array, list[Any]]
) -> None:
    name, array, flat = column
    if not fits(flat):
        with pytest.raises(TaskFailed, match="column f has"):
            sent(database, tmp_path, {"f": array}, batch=2)
        return
    requests = sent(database, tmp_path, {"f": array}, batch=2)
    tensors = [request["inputs"][0] for request in requests]
    assert sum(t["shape"][0] for t in tensors) == len(array)
    assert all(int(np.prod(t["shape"])) == len(t["data"]) for t in tensors)
    found = [v if v is None else DECODED.get(name, lambda x: x)(v) for t in tensors for v in t["data"]]
    wanted = [None if v is None or v != v else float(v) if isinstance(v, Decimal) else v for v in flat]
    assert found == wanted
