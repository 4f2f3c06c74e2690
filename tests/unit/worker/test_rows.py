"""Rows of a folder are read as their version is: its reading decides, never what a cell looks like."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.reading import ReadColumn, Reading
from fairlead.worker import baseline, oip, tables
from fairlead.worker.errors import TaskFailed
from fairlead.worker.manifest import READING
from fairlead.worker.rows import Table, labels


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with tables.connect(tmp_path) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rows"
    made.mkdir()
    return made


def csv_reading(**types: str) -> Reading:
    columns = [ReadColumn(name=name, type=kind, declared=True) for name, kind in types.items()]
    return Reading(format="csv", delimiter=",", quote='"', encoding="utf-8", null="", columns=columns)


def write(folder: Path, text: str, reading: Reading | None = None) -> None:
    (folder / "a.csv").write_text(text)
    if reading:
        (folder / READING).write_text(reading.model_dump_json(by_alias=True))


def all_values(table: Table, column: str) -> list[Any]:
    return [value for batch in table.batches(100) for value in table.values(batch, column)]


@pytest.mark.parametrize(
    "words", [("no", "yes"), ("F", "T"), ("0", "1"), ("007", "7"), ("false", "true"), ("nan", "1")]
)
def test_d08_a_target_that_is_declared_a_string_is_text(database: Any, folder: Path, words: tuple[str, str]) -> None:
    text = "x,y\n" + "".join(f"{i},{words[i % 2]}\n" for i in range(10))
    write(folder, text, csv_reading(x="integer", y="string"))
    table = Table(database, folder, "csv", "y", ["x"])
    assert not table.numeric
    assert all_values(table, "y") == list(words) * 5
    assert labels(all_values(table, "y"), table.numeric).tolist() == list(words) * 5
    assert sorted(baseline.classes_of(table).tolist()) == sorted(words)


def test_d08_class_names_and_ids_are_text_without_a_reading_too(database: Any, folder: Path) -> None:
    write(folder, "id,flag,y\n007,T,yes\n008,F,no\n")
    table = Table(database, folder, "csv", "y", ["id", "flag"])
    assert [table.types[c].said for c in ("id", "flag", "y")] == ["VARCHAR"] * 3
    assert {f.datatype for f in table.features(["id", "flag"]).values()} == {"BYTES"}
    assert all_values(table, "id") == ["007", "008"]
    assert table.reading() == {
        "format": "csv", "delimiter": ",", "quote": '"', "escape": '"', "encoding": "utf-8", "null": "", "of": "rows",
        "columns": [{"name": c, "type": "string"} for c in ("id", "flag", "y")],
    }  # fmt: skip


def test_d08_the_reading_travels_with_the_rows(database: Any, folder: Path) -> None:
    write(
        folder, "x;y;z\n1;2;3\n", csv_reading(x="float", y="integer", z="string").model_copy(update={"delimiter": ";"})
    )
    table = Table(database, folder, "parquet", "y", ["x", "z"])  # the Dataset's format is another by now
    assert [f.datatype for f in table.features(["x", "z"]).values()] == ["FP64", "BYTES"]
    assert table.reading()["of"] == "dataset"
    assert table.reading()["columns"][0] == {"name": "x", "type": "float", "declared": True}


def test_a_reading_that_is_none_is_named(database: Any, folder: Path) -> None:
    write(folder, "x,y\n1,2\n")
    (folder / READING).write_text("{")
    with pytest.raises(TaskFailed, match=r"\.fairlead-reading\.json does not say how the rows are read"):
        Table(database, folder, "csv", "y", ["x"])


def test_a_cell_that_is_not_of_its_type_is_named(database: Any, folder: Path) -> None:
    write(folder, "x,y\n1,2\nfive,3\n", csv_reading(x="integer", y="integer"))
    with pytest.raises(TaskFailed, match=r"the rows can't be read: .*column x: five is no integer") as caught:
        Table(database, folder, "csv", "y", ["x"]).features(["x"])
    assert caught.value.error.reason == "BadData"


def test_what_engines_leave_in_a_folder_is_no_row(database: Any, folder: Path) -> None:
    pq.write_table(pa.table({"y": [1.0]}), folder / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    (folder / "._SUCCESS.crc").write_text("crc")
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log/0.json").write_text("{}")
    (folder / ".hidden").mkdir()
    pq.write_table(pa.table({"y": [2.0]}), folder / ".hidden/x.parquet")
    assert Table(database, folder, "parquet", "y", []).known == 1


def test_a_column_that_is_text_here_and_a_number_there_is_named(database: Any, tmp_path: Path) -> None:
    made = []
    for name, values in (("data", ["1", "2"]), ("reference", [1, 2])):
        where = tmp_path / name
        where.mkdir()
        pq.write_table(pa.table({"g": values, "y": [1.0, 2.0]}), where / "a.parquet")
        made.append(Table(database, where, "parquet", "y", ["g"]))
    made[0].check_alike(made[1], ["y"])
    with pytest.raises(TaskFailed, match="column g is VARCHAR in the rows and BIGINT in the baseline's reference"):
        made[0].check_alike(made[1], ["g", "y"])


def test_integers_that_no_float_can_tell_apart_are_no_classes(database: Any, folder: Path) -> None:
    pq.write_table(pa.table({"y": [2**53, 2**53 + 1]}), folder / "a.parquet")
    with pytest.raises(TaskFailed, match="y has integers beyond 2\\^53"):
        Table(database, folder, "parquet", "y", []).check_classes()


def test_d11_json_lines_have_lists_and_what_is_no_column_is_refused(database: Any, folder: Path) -> None:
    (folder / "a.jsonl").write_text(
        '{"f": [0.5, 1], "g": [[1, 2]], "o": {"a": 1}, "m": 1, "id": "007", "big": 99999999999999999999, "y": 1}\n'
        '{"f": [2, 3], "g": [[3, 4]], "o": {"a": 2}, "m": "x", "id": "008", "big": 1, "y": 2, "nothing": null}\n'
    )
    table = Table(database, folder, "jsonl", "y", ["f", "g", "id", "nothing"])
    features = table.features(["f", "g", "id", "nothing"])
    assert {n: (f.datatype, f.shape) for n, f in features.items()} == {
        "f": ("FP64", (2,)), "g": ("FP64", (1, 2)), "id": ("BYTES", ()), "nothing": ("FP64", ()),
    }  # fmt: skip
    (batch,) = table.batches(10)
    assert [oip.tensor(f, batch.column(n))["data"] for n, f in features.items()] == [
        [0.5, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], ["007", "008"], [None, None],
    ]  # fmt: skip
    for column in ("o", "m"):
        with pytest.raises(TaskFailed, match=f"column {column} is JSON objects, or values of several types"):
            table.features([column])
    assert table.features(["big"])["big"].datatype == "BYTES", "no integer of 64 bits: text, as the reading says"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_column_without_any_value_goes_as_nulls(database: Any, folder: Path, form: str) -> None:
    (folder / "a").write_text("x,y\n,1\n,2\n" if form == "csv" else '{"x": null, "y": 1}\n{"x": null, "y": 2}\n')
    table = Table(database, folder, form, "y", ["x"])
    (batch,) = table.batches(10)
    assert oip.tensor(table.features(["x"])["x"], batch.column("x"))["data"] == [None, None]
    assert table.known == 2


def test_d08_a_float_is_sent_as_one_though_the_files_have_integers(database: Any, folder: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2], "z": [1, 2], "y": [1, 2]}), folder / "a.parquet")
    columns = [ReadColumn(name="x", type="float", declared=True), ReadColumn(name="z", type="integer"),
               ReadColumn(name="y", type="float", declared=True)]  # fmt: skip
    (folder / READING).write_text(Reading(format="parquet", columns=columns).model_dump_json())
    features = Table(database, folder, "parquet", "y", ["x", "z"]).features(["x", "z"])
    assert [f.datatype for f in features.values()] == ["FP64", "INT64"]


def test_files_are_read_as_they_are_written_compressed_or_in_another_encoding(database: Any, folder: Path) -> None:
    reading = csv_reading(x="string", y="integer").model_copy(update={"encoding": "latin-1", "delimiter": ";"})
    (folder / READING).write_text(reading.model_dump_json())
    (folder / "a.csv.gz").write_bytes(gzip.compress("x;y\nZürich;1\n".encode("latin-1")))
    (folder / "b.csv").write_bytes("x;y\nGenève;2\n".encode("latin-1"))
    table = Table(database, folder, "csv", "y", ["x"])
    assert all_values(table, "x") == ["Zürich", "Genève"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_column_of_files_that_are_gone_is_missing(database: Any, folder: Path, form: str) -> None:
    reading = csv_reading(x="integer", old="integer", y="integer").model_copy(update={"format": form})
    if form == "csv":
        write(folder, "x,y\n1,2\n", reading)
    else:
        pq.write_table(pa.table({"x": [1], "y": [2]}), folder / "a.parquet")
        (folder / READING).write_text(reading.model_dump_json())
    with pytest.raises(TaskFailed, match="the rows lack old; they have x, y"):
        Table(database, folder, form, "y", ["x", "old"])
