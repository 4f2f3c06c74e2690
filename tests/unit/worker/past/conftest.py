"""A folder with files of rows, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.monitor.profile import Category, Number, Profile, Slice
from fairlead.worker.past import files
from fairlead.worker.past.files import Source

Write = Callable[[str, Mapping[str, Sequence[Any]]], Path]


@pytest.fixture
def profile() -> Profile:
    """Of a number, a category and answers of two classes, told apart by sex."""
    return Profile(
        task="classification", rows=200, positive="1",
        features=[
            Number(kind="number", name="x", edges=[1.0], counts=[100, 100], low=0.0, high=2.0),
            Category(kind="category", name="g", values=["a", "b"], counts=[100, 100]),
        ],
        prediction=Category(kind="category", name="prediction", values=["0", "1"], counts=[100, 100]),
        slices=[Slice(by="sex", values=["f", "m"], counts=[100, 100])],
    )  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Columns into a Parquet file, or as text into one of CSV."""

    def written(name: str, columns: Mapping[str, Sequence[Any]]) -> Path:
        path = tmp_path / name
        if name.endswith(".parquet"):
            pq.write_table(pa.table(dict(columns)), path)
        else:
            rows = zip(*columns.values(), strict=True)
            path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
        return path

    return written


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """That may read there."""
    with files.connect(tmp_path, [tmp_path]) as opened:
        yield opened


@pytest.fixture
def source(database: duckdb.DuckDBPyConnection, write: Write) -> Callable[..., Source]:
    """Columns as the rows of a file."""

    def made(columns: Mapping[str, Sequence[Any]], name: str = "rows.parquet", text: Sequence[str] = ()) -> Source:
        return Source(database, [write(name, columns)], text)

    return made
