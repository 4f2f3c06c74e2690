"""One reader of a person's own rows, for profiles and for the past: whatever the files are, the same rows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.reading import ReadColumn, Reading
from fairlead.worker.errors import TaskFailed
from fairlead.worker.manifest import READING
from fairlead.worker.past.files import BadFiles, Source
from fairlead.worker.profiling import files as of_profiles

ROWS = [{"id": at, "x": at / 2, "c": f"c{at % 3}"} for at in range(50)]
Read = Callable[..., list[dict[str, object]]]


def csv(rows: Sequence[dict[str, object]]) -> bytes:
    return "".join([",".join(rows[0]) + "\n", *(",".join(map(str, row.values())) + "\n" for row in rows)]).encode()


def lines(rows: Sequence[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: Sequence[dict[str, object]]) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return bytes(out.getvalue().to_pybytes())


WAYS: dict[str, Callable[[Sequence[dict[str, object]]], bytes]] = {
    "a.parquet": parquet, "a.PQ": parquet, "a.csv": csv, "a.CSV": csv,
    "a.tsv": lambda rows: csv(rows).replace(b",", b"\t"),
    "a.jsonl": lines, "a.ndjson": lines, "a.JSONL": lines,
    "a.csv.gz": lambda rows: gzip.compress(csv(rows)), "a.CSV.GZ": lambda rows: gzip.compress(csv(rows)),
    "a.jsonl.GZ": lambda rows: gzip.compress(lines(rows)),
    "a.csv.Zst": lambda rows: pa.compress(csv(rows), codec="zstd", asbytes=True),
}  # fmt: skip


def rows_of(database: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = database.execute(query).to_arrow_table().to_pylist()
    return found


@pytest.mark.parametrize("name", WAYS)
def test_both_read_the_same_rows_however_the_file_is_called(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, name: str
) -> None:
    (tmp_path / name).write_bytes(WAYS[name](ROWS))
    assert rows_of(database, Source(database, [tmp_path / name]).scan) == ROWS
    found = of_profiles.rows(database, [tmp_path / name])
    assert sorted(rows_of(database, found.query), key=str) == sorted(ROWS, key=str)
    assert {column: one.kind for column, one in found.types.items()} == {"id": "integer", "x": "float", "c": "text"}


@pytest.mark.parametrize("way", ["a.parquet", "a.csv", "a.jsonl"])
def test_files_come_in_the_order_in_which_they_are_named_and_of_a_folder_sorted(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, way: str
) -> None:
    end = way.removeprefix("a")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    named = {"in/2": ROWS[:20], "in/1": ROWS[20:30], "in/deep/0": ROWS[30:]}
    for name, rows in named.items():
        (tmp_path / f"{name}{end}").write_bytes(WAYS[way](rows))
    (tmp_path / "in" / f".hidden{end}").write_bytes(b"nothing")
    given = [tmp_path / f"{name}{end}" for name in named]
    assert rows_of(database, Source(database, given).scan) == ROWS
    folder = rows_of(database, Source(database, [tmp_path / "in"]).scan)
    assert folder == [*ROWS[20:30], *ROWS[:20], *ROWS[30:]]
    assert of_profiles.rows(database, given).digest == of_profiles.rows(database, [tmp_path / "in"]).digest


def test_a_folder_with_a_version_is_read_as_that_is(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    """By both: here ids are text, though all cells would be numbers."""
    there = tmp_path / "version"
    there.mkdir()
    (there / "data").write_bytes(csv(ROWS))
    kinds = {"id": "string", "x": "float", "c": "string", "gone": "float"}
    columns = [ReadColumn(name=name, type=kind, declared=False) for name, kind in kinds.items()]
    (there / READING).write_text(Reading(format="csv", columns=columns).model_dump_json(by_alias=True))
    for query in (Source(database, [there]).scan, of_profiles.rows(database, [there]).query):
        assert rows_of(database, query) == [row | {"id": str(row["id"])} for row in ROWS]
    (there / READING).write_text("{")
    with pytest.raises(BadFiles, match="does not say how the rows are read"):
        Source(database, [there])


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"a.csv": csv(ROWS), "b.parquet": parquet(ROWS)}, "give files of one format"),
        ({"a.csv": csv(ROWS), "README": b"x"}, "rename it to end with"),
        ({"a.parquet": b"PAR1"}, "can't be read"),
        ({}, "has no file in it"),
    ],
)
def test_both_say_what_is_wrong(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, there: dict[str, bytes], says: str
) -> None:
    (tmp_path / "in").mkdir()
    for name, body in there.items():
        (tmp_path / "in" / name).write_bytes(body)
    with pytest.raises(BadFiles, match=says):
        Source(database, [tmp_path / "in"])
    with pytest.raises(TaskFailed, match=says):
        of_profiles.rows(database, [tmp_path / "in"])
