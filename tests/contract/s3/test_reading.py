"""How a version is read: inferred once, written down, fixed for later files, and part of what a version of text is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from tests.contract.s3.test_snapshot import failures, parquet, put, task

from fairlead.api.dataset import Check, Schema
from fairlead.api.reading import Csv, Reading
from fairlead.api.tasks import FetchItem, FetchTask
from fairlead.worker import columns
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch
from fairlead.worker.manifest import READING
from fairlead.worker.snapshot import snapshot


def published(asked: Any) -> Any:
    result = snapshot(asked)
    assert result.version is not None, result.checks
    return result


def body(s3: Any, uri: str) -> bytes:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    found: bytes = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def test_later_files_are_read_as_the_first_ones_were(s3: Any, bucket: str) -> None:
    plain: dict[str, Any] = {"format": "csv", "schema_": None}
    put(s3, bucket, **{"1.csv": b"id;x\n1;1.5\n"})
    first = published(task(s3, bucket, **plain))
    assert [(c.name, c.type, c.declared) for c in first.reading.columns] == [
        ("id", "integer", False), ("x", "float", False),
    ]  # fmt: skip
    assert (first.reading.delimiter, first.reading.encoding) == (";", "utf-8")
    put(s3, bucket, **{"2.csv": b"id;x;new\n2;7;a\n"})
    second = published(task(s3, bucket, previous=first.version.manifest, **plain))
    assert second.read == 1, "the type of x is known: the first file is not read again"
    assert [(c.name, c.type) for c in second.reading.columns] == [
        ("id", "integer"), ("x", "float"), ("new", "string"),
    ]  # fmt: skip
    put(s3, bucket, **{"3.csv": b"id;x\nthree;1\n"})
    asked = task(s3, bucket, previous=second.version.manifest, **plain)
    found = failures(snapshot(asked))
    assert "in/" not in found["column id"]
    assert '3.csv: 1 of 1 rows are not integer, for example "three" in row 1' in found["column id"]
    assert "declare the column's type in spec.schema" in found["column id"]
    declared = Schema.model_validate({"columns": [{"name": "id", "type": "string"}]})
    third = published(asked.model_copy(update={"schema_": declared}))
    assert (third.reading.columns[0].type, third.reading.columns[0].declared) == ("string", True)
    assert (third.read, third.version.rows) == (1, 3), "files that are known come from the store, and are read anew"


def test_the_same_text_read_in_another_way_is_another_version(s3: Any, bucket: str, tmp_path: Path) -> None:
    put(s3, bucket, **{"1.csv": b"a;b,c\n1;2,3\n"})
    by_semicolon = published(task(s3, bucket, format="csv", schema_=None, csv=Csv(delimiter=";")))
    by_comma = published(task(s3, bucket, format="csv", schema_=None, csv=Csv(delimiter=",")))
    assert by_semicolon.version.version != by_comma.version.version
    assert [c.name for c in by_comma.reading.columns] == ["a;b", "c"]
    version = by_comma.version
    item = FetchItem(access=s3.access(), manifest=True, uri=version.manifest, sha256=version.digest, dest=str(tmp_path))
    fetch(FetchTask(items=[item]))
    kept = Reading.model_validate_json((tmp_path / READING).read_bytes())
    assert (kept.delimiter, kept.types()) == (",", {"a;b": "string", "c": "integer"})

    manifest = json.loads(body(s3, version.manifest))
    manifest["reading"]["columns"][1]["type"] = "string"
    s3.client.put_object(Bucket=bucket, Key=version.manifest.split("/", 3)[3], Body=json.dumps(manifest).encode())
    with pytest.raises(TaskFailed, match="expected") as caught:
        fetch(FetchTask(items=[item]))
    assert caught.value.error.reason == "DigestMismatch"


def test_what_was_inferred_may_be_declared_without_another_version(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.csv": b"id,x\n1,1.5\n"})
    inferred = published(task(s3, bucket, format="csv", schema_=None))
    columns = [{"name": "id", "type": "integer"}, {"name": "x", "type": "float"}]
    declared = published(task(s3, bucket, format="csv", schema_=Schema.model_validate({"columns": columns})))
    assert declared.version.version == inferred.version.version
    assert all(c.declared for c in declared.reading.columns)


def test_a_manifest_of_an_earlier_release_is_read_over_all_of_its_files(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.csv": b"id,x\n1,1\n"})
    first = published(task(s3, bucket, format="csv", schema_=None))
    key = first.version.manifest.split("/", 3)[3]
    old = json.loads(body(s3, first.version.manifest))
    del old["reading"]
    s3.client.put_object(Bucket=bucket, Key=key, Body=json.dumps(old).encode())
    put(s3, bucket, **{"2.csv": b"id,x\n2,1.5\n"})
    second = published(task(s3, bucket, format="csv", schema_=None, previous=first.version.manifest))
    assert (second.read, second.version.rows) == (1, 2)
    assert [(c.name, c.type) for c in second.reading.columns] == [("id", "integer"), ("x", "float")]


def test_d05_queries_are_not_run_over_columns_that_are_not_as_declared(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.csv": b"id,delay,carrier\nx,1,AA\n"})
    checks = [Check(unique=["id"]), Check(sql="select true")]
    found = failures(snapshot(task(s3, bucket, format="csv", checks=checks)))
    assert (
        found["unique id"]
        == found["sql select true"]
        == ("was not made: the columns are not as declared; correct these first")
    )
    assert "are not integer" in found["column id"]


def test_queries_see_the_declared_types(s3: Any, bucket: str) -> None:
    bodies = {"csv": b"id,delay,carrier\n1,2.5,AA\n02,,UA\n", "jsonl": b'{"id":1,"delay":2.5,"carrier":"AA"}\n'}
    for form, content in bodies.items():
        put(s3, bucket, **{"1": content})
        typed = "select count(*) > 0 from data where typeof(id) = 'BIGINT' and typeof(delay) = 'DOUBLE'"
        assert published(task(s3, bucket, format=form, checks=[Check(sql=typed), Check(unique=["id"])])).version


def test_parquet_files_that_no_table_holds_are_a_failed_check(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1], more=["x"]), "2.parquet": parquet([2], more=[1])})
    found = failures(snapshot(task(s3, bucket)))
    assert "2.parquet: it is integer, and string in other files" in found["column more"]


def test_columns_of_files_that_are_gone_are_gone(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1], old=["x"])})
    first = published(task(s3, bucket))
    put(s3, bucket, **{"1.parquet": parquet([2], new=["x"])})
    second = published(task(s3, bucket, previous=first.version.manifest))
    assert [c.name for c in second.reading.columns] == ["id", "delay", "carrier", "new"]


def test_rows_that_need_more_memory_are_no_corrupt_files(s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, bucket, **{"1.csv": b"id,delay,carrier\n1,2.5,AA\n"})

    def full(*_args: Any) -> int:
        raise duckdb.OutOfMemoryException("could not allocate block")

    monkeypatch.setattr(columns, "_check", full)
    with pytest.raises(TaskFailed, match=r"raise spec\.resources") as caught:
        snapshot(task(s3, bucket, format="csv"))
    assert caught.value.error.reason == "OutOfMemory"


@pytest.mark.parametrize(("kind", "unique"), [("string", True), ("integer", False)])
def test_keys_are_compared_as_what_they_are_declared_to_be(s3: Any, bucket: str, kind: str, unique: bool) -> None:
    put(s3, bucket, **{"1.csv": b"id,x\n01,1\n1,2\n"})
    schema = Schema.model_validate({"columns": [{"name": "id", "type": kind}]})
    result = snapshot(task(s3, bucket, format="csv", schema_=schema, checks=[Check(unique=["id"])]))
    assert (result.version is not None) == unique


def test_d10_a_query_over_a_timestamp_with_a_zone(s3: Any, bucket: str) -> None:
    at = pa.array([0, 3_600_000_000], pa.timestamp("us", "Europe/Berlin"))
    put(s3, bucket, **{"1.parquet": parquet([1, 2], t=at)})
    asks = "select max(t) = timestamp '1970-01-01 01:00:00' from data"
    shows = "select min(t) from data"
    found = snapshot(task(s3, bucket, checks=[Check(sql=asks), Check(sql=shows, severity="warn")]))
    assert found.version is not None
    assert "a value of type timestamp" in next(c.message for c in found.checks if not c.passed)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_later_columns_that_differ_in_case_only_are_refused(s3: Any, bucket: str, form: str) -> None:
    def body(name: str) -> bytes:
        texts = {"csv": f"{name},x\n1,2\n", "jsonl": f'{{"{name}": 1}}\n'}
        return texts[form].encode() if form in texts else parquet([1], **{name: ["x"]})

    plain: dict[str, Any] = {"format": form, "schema_": None}
    put(s3, bucket, **{f"1.{form}": body("key")})
    first = published(task(s3, bucket, **plain))
    put(s3, bucket, **{f"2.{form}": body("KEY")})
    with pytest.raises(TaskFailed, match="columns key and KEY differ in case only; rename one"):
        snapshot(task(s3, bucket, previous=first.version.manifest, **plain))


def test_the_manifest_of_the_same_bytes_says_what_is_declared_now(s3: Any, bucket: str) -> None:
    """So that a declared type travels with the version, and the rest of its reading is fixed for later files."""
    put(s3, bucket, **{"1.parquet": parquet([1], more=[1])})
    first = published(task(s3, bucket))
    more = Schema.model_validate({"columns": [{"name": "more", "type": "float"}]})
    again = published(task(s3, bucket, schema_=more, previous=first.version.manifest))
    assert again.version.version == first.version.version
    kept = Reading.model_validate(json.loads(body(s3, again.version.manifest))["reading"])
    assert kept.types()["more"] == "float"

    s3.client.delete_object(Bucket=bucket, Key="in/1.parquet")
    put(s3, bucket, **{"1.csv": b"id,x\n1,2\n"})
    text: dict[str, Any] = {"format": "csv", "store": s3.place(bucket, "text")}
    first = published(task(s3, bucket, schema_=None, **text))
    declared = Schema.model_validate({"columns": [{"name": "id", "type": "integer"}]})
    again = published(task(s3, bucket, schema_=declared, previous=first.version.manifest, **text))
    put(s3, bucket, **{"2.csv": b"id,x\n2,late\n"})
    found = failures(snapshot(task(s3, bucket, schema_=declared, previous=again.version.manifest, **text)))
    assert "as they were so far" in found["column x"]
