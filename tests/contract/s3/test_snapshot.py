"""Snapshots of a real bucket: what is published, what is refused, and what is read again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead.api.dataset import Check, Schema
from fairlead.api.tasks import FetchItem, FetchTask, SnapshotResult, SnapshotTask
from fairlead.plan.sources.s3 import ListObjects
from fairlead.store.errors import StoreError
from fairlead.store.sources.registry import list_source
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch
from fairlead.worker.snapshot import snapshot

SECRET = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "a-root-secret"}
SCHEMA = Schema.model_validate({
    "columns": [
        {"name": "id", "type": "integer"},
        {"name": "delay", "type": "float", "nullable": True, "min": "-60", "max": "2000"},
        {"name": "carrier", "type": "string", "in": ["AA", "UA"]},
    ],
})  # fmt: skip


def parquet(ids: list[int | None], delay: Any = 1.5, carrier: str = "UA", **more: Any) -> bytes:
    count = len(ids)
    columns = {"id": ids, "delay": [delay] * count, "carrier": [carrier] * count}
    out = io.BytesIO()
    pq.write_table(pa.table({**columns, **more}), out)
    return out.getvalue()


def put(s3: Any, bucket: str, **files: bytes) -> None:
    for name, body in files.items():
        s3.client.put_object(Bucket=bucket, Key=f"in/{name}", Body=body)


def task(s3: Any, bucket: str, **changed: Any) -> SnapshotTask:
    asked = ListObjects("n", s3.endpoint, bucket, "s3", "in/")
    fields = {
        "dataset": "flights", "listing": list_source(asked, SECRET).digest, "source": s3.place(bucket, "in/"),
        "store": s3.place(bucket, "ns/datasets/flights"), "format": "parquet", "pin": "copy", "schema_": SCHEMA,
    }  # fmt: skip
    return SnapshotTask(**{**fields, **changed})


def failures(result: SnapshotResult) -> dict[str, str]:
    assert result.version is None
    return {c.check: c.message for c in result.checks if not c.passed}


def test_the_same_bytes_are_the_same_version(s3: Any, bucket: str, tmp_path: Path) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1, 2]), "sub/2.parquet": parquet([3])})
    first = snapshot(task(s3, bucket))
    assert first.version is not None
    assert (first.version.rows, first.version.files, first.read) == (3, 2, 2)
    assert first.version.digest.startswith(first.version.version)
    again = snapshot(task(s3, bucket))
    assert again == first
    anew = snapshot(task(s3, bucket, store=s3.place(bucket, "elsewhere")))
    assert anew.version is not None
    assert anew.version.version == first.version.version

    item = FetchItem(access=s3.access(), manifest=True, uri=first.version.manifest, sha256=first.version.digest,
                     dest=str(tmp_path))  # fmt: skip
    assert fetch(FetchTask(items=[item])) == first.version.bytes
    assert pq.read_table(tmp_path / "sub/2.parquet")["id"].to_pylist() == [3]


def test_a_version_is_fetched_by_its_name_alone(s3: Any, bucket: str, tmp_path: Path) -> None:
    """As a run does that names one which no status has any more."""
    put(s3, bucket, **{"1.parquet": parquet([1, 2])})
    first = snapshot(task(s3, bucket)).version
    assert first is not None

    def item(sha256: str) -> FetchItem:
        return FetchItem(access=s3.access(), manifest=True, uri=first.manifest, sha256=sha256, dest=str(tmp_path))

    assert fetch(FetchTask(items=[item(first.version)])) == first.bytes
    for wrong in ("f" * 16, first.digest[:4], "", first.digest[:-1] + "x"):
        with pytest.raises(TaskFailed, match="expected"):
            fetch(FetchTask(items=[item(wrong)]))


def test_unchanged_objects_are_not_read_again(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1, 2]), "2.parquet": parquet([3])})
    first = snapshot(task(s3, bucket)).version
    assert first is not None
    put(s3, bucket, **{"2.parquet": parquet([4, 5])})
    second = snapshot(task(s3, bucket, previous=first.manifest))
    assert second.version is not None
    assert (second.read, second.version.rows) == (1, 4)
    assert second.version.version != first.version
    checked = snapshot(task(s3, bucket, previous=first.manifest, checks=[Check(unique=["id"])]))
    assert checked.version == second.version.model_copy(update={"at": checked.version.at}) if checked.version else False
    assert checked.read == 1, "unchanged files come from the store's own copy"


@pytest.mark.parametrize(
    ("body", "check", "words"),
    [
        (parquet([1, None]), "column id", "bad.parquet: 1 of 2 rows are null"),
        (parquet([1], delay=3000.0), "column delay", "1 of 1 rows are above 2000"),
        (parquet([1], delay=-61.0), "column delay", "are below -60"),
        (parquet([1], carrier="ZZ"), "column carrier", "not allowed"),
        (parquet([1], delay="late"), "column delay", "it is string, not float"),
        (parquet([1]).replace(b"carrier", b"carried"), "column carrier", "lacks it"),
    ],
)
def test_bad_rows_are_counted_and_their_file_is_named(
    s3: Any, bucket: str, body: bytes, check: str, words: str
) -> None:
    put(s3, bucket, **{"good.parquet": parquet([9]), "bad.parquet": body})
    found = failures(snapshot(task(s3, bucket)))
    assert set(found) == {check}
    assert words in found[check]
    assert "so far" not in found[check]
    assert not s3.keys(bucket, "ns/datasets/flights/versions/")


def test_nullable_floats_may_be_null_or_nan(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1], delay=float("nan")), "2.parquet": parquet([2], delay=7)})
    assert snapshot(task(s3, bucket)).version is not None


def test_checks_over_all_rows(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1, 2]), "2.parquet": parquet([2])})
    checks = [
        Check.model_validate(c)
        for c in (
            {"rows": {"min": 10}}, {"unique": ["id"]}, {"sql": "select max(id) > 5 from data"},
            {"sql": "select nothing from data"}, {"sql": "select count(*) = 3 from data"},
            {"sql": "select content from read_text('/etc/hostname')"},
            {"rows": {"min": 20}, "severity": "warn"},
        )
    ]  # fmt: skip
    found = failures(snapshot(task(s3, bucket, checks=checks)))
    assert "there are 3 rows" in found["rows at least 10"]
    assert "2 rows share 1 keys" in found["unique id"]
    assert "answered False" in found["sql select max(id) > 5 from data"]
    assert "correct it" in found["sql select nothing from data"]
    assert "disabled" in found["sql select content from read_text('/etc/hostname')"]
    assert len(found) == 6
    warned = snapshot(task(s3, bucket, checks=checks[-1:]))
    assert warned.version is not None
    assert not warned.checks[0].passed


def test_columns_that_are_forbidden(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1], secret=["x"])})
    strict = SCHEMA.model_copy(update={"extra": "forbid"})
    assert set(failures(snapshot(task(s3, bucket, schema_=strict)))) == {"column secret"}
    assert snapshot(task(s3, bucket)).version is not None, "the rules changed: the refusal no longer counts"


@pytest.mark.parametrize("damage", ["text", "cut", "middle"])
def test_a_corrupt_file_is_named_and_nothing_is_published(s3: Any, bucket: str, damage: str) -> None:
    whole = parquet(list(range(5000)))
    broken = {"text": b"PAR1 no parquet", "cut": whole[:-100], "middle": whole[:50] + b"\xff" * 300 + whole[350:]}
    put(s3, bucket, **{"1.parquet": parquet([1]), "2.parquet": broken[damage]})
    with pytest.raises(TaskFailed, match=f"s3://{bucket}/in/2.parquet is not parquet") as caught:
        snapshot(task(s3, bucket))
    assert caught.value.error.reason == "CorruptFile"
    assert not s3.keys(bucket, "ns/datasets/flights/versions/")


def test_a_source_that_changed_since_the_listing_is_not_read(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1])})
    stale = task(s3, bucket)
    put(s3, bucket, **{"2.parquet": parquet([2])})
    with pytest.raises(TaskFailed, match="changed since it was listed") as caught:
        snapshot(stale)
    assert (caught.value.error.reason, caught.value.error.transient) == ("ObjectChanged", True)


def test_an_object_that_changes_after_the_listing_was_compared(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1])})
    asked = task(s3, bucket)
    from fairlead.worker import snapshot as module

    listed = module._listed

    def listed_then_changed(*args: Any) -> Any:
        found = listed(*args)
        put(s3, bucket, **{"1.parquet": parquet([2])})
        return found

    monkeypatch.setattr(module, "_listed", listed_then_changed)
    with pytest.raises(StoreError) as caught:
        snapshot(asked)
    assert caught.value.reason == "ObjectChanged"
    assert not s3.keys(bucket, "ns/datasets/flights/versions/")


def test_versions_by_reference_are_fetched_from_the_source(s3: Any, versioned_bucket: str, tmp_path: Path) -> None:
    bucket = versioned_bucket
    put(s3, bucket, **{"1.parquet": parquet([1])})
    version = snapshot(task(s3, bucket, pin="reference")).version
    assert version is not None
    put(s3, bucket, **{"1.parquet": parquet([2])})
    item = FetchItem(access=s3.access(), manifest=True, uri=version.manifest, sha256=version.digest, dest=str(tmp_path))
    fetch(FetchTask(items=[item]))
    assert pq.read_table(tmp_path / "1.parquet")["id"].to_pylist() == [1]
    assert not s3.keys(bucket, "ns/datasets/flights/blobs/")


def test_a_reference_needs_a_bucket_with_versions(s3: Any, bucket: str) -> None:
    put(s3, bucket, **{"1.parquet": parquet([1])})
    with pytest.raises(TaskFailed, match="turn versioning on, or set pin: copy"):
        snapshot(task(s3, bucket, pin="reference"))


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_text_formats(s3: Any, bucket: str, form: str) -> None:
    good = {"csv": b"id,delay,carrier\n1,,AA\n02,1.5,UA\n", "jsonl": b'{"id":1,"delay":null,"carrier":"AA"}\n'}[form]
    bad = {
        "csv": b"id,delay,carrier\n1.5,late,AA\n,nan,\n",
        "jsonl": b'{"id":1.5,"delay":"late","carrier":"AA"}\n{"id":null,"delay":1,"carrier":null}\n',
    }[form]
    put(s3, bucket, **{f"1.{form}": good})
    checks = [Check(sql="select sum(id) > 0 and max(delay) is null or max(delay) = 1.5 from data")]
    assert snapshot(task(s3, bucket, format=form, checks=checks)).version is not None
    put(s3, bucket, **{f"2.{form}": bad})
    found = failures(snapshot(task(s3, bucket, format=form)))
    assert "1 of 2 rows are not integer" in found["column id"]
    assert "are null" in found["column id"]
    assert "1 of 2 rows are not float" in found["column delay"]
    assert "are null" in found["column carrier"]
    put(s3, bucket, **{f"2.{form}": b'id,delay\n1,"unclosed\n{"id": \xff'})
    with pytest.raises(TaskFailed, match=f"in/2.{form} is not {form}"):
        snapshot(task(s3, bucket, format=form))
