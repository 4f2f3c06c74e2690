"""D04 and D09: which objects are data, and that what is published can be fetched, whatever its key."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.worker.bucket import NAME, Buckets, connected

from fairlead.api.dataset import Schema
from fairlead.api.tasks import Access, FetchItem, FetchTask, Place, SnapshotResult, SnapshotTask
from fairlead.store import keys, listing
from fairlead.store.errors import StoreError
from fairlead.store.sources.s3 import S3Source
from fairlead.worker import folders, main
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch
from fairlead.worker.snapshot import snapshot

LINE = b'{"id": 1}\n'


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    return connected(monkeypatch)


def read(buckets: Buckets, prefix: str, exclude: list[str] | None = None, **changed: Any) -> SnapshotResult:
    """What becomes of the source as it is now."""
    found = listing.digest(S3Source(buckets.source, prefix, exclude or ()).list).digest
    fields = {
        "dataset": "d", "listing": found, "source": Place(bucket=NAME, prefix=prefix), "format": "jsonl",
        "store": Place(bucket="store", prefix="ns/datasets/d"), "pin": "copy", "exclude": exclude,
    }  # fmt: skip
    return snapshot(SnapshotTask(**{**fields, **changed}))


def fetched(result: SnapshotResult) -> dict[str, bytes]:
    """All files of the version as a pod has them."""
    assert result.version is not None
    with tempfile.TemporaryDirectory() as folder:
        item = FetchItem(access=Access(), manifest=True, uri=result.version.manifest, sha256=result.version.digest,
                         dest=folder)  # fmt: skip
        fetch(FetchTask(items=[item]))
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in files
            if not path.name.startswith(".fairlead-")
        }


def refused(buckets: Buckets, prefix: str, **changed: Any) -> str:
    """The reason why the source can't be a version."""
    with pytest.raises((TaskFailed, StoreError)) as caught:
        read(buckets, prefix, **changed)
    assert not [key for key in buckets.store.objects if "/versions/" in key]
    return str(caught.value)


# --- D04 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["flights", "flights/"])
@pytest.mark.parametrize("pin", ["copy", "reference"])
def test_d04_a_prefix_is_a_folder_and_never_its_siblings(buckets: Buckets, prefix: str, pin: str) -> None:
    buckets.source.objects = {"flights/a.jsonl": LINE, "flights/x/b.jsonl": LINE, "flights-old/b.jsonl": LINE * 2,
                              "flights.jsonl": LINE * 3, "flights/": b""}  # fmt: skip
    result = read(buckets, prefix, pin=pin)
    assert result.version is not None
    assert (result.version.rows, result.version.ignored) == (2, 0)
    assert fetched(result) == {"a.jsonl": LINE, "x/b.jsonl": LINE}


@pytest.mark.parametrize("key", ["flights/a.jsonl", "a.jsonl", "_x/a.jsonl"])
@pytest.mark.parametrize("pin", ["copy", "reference"])
def test_d04_a_prefix_may_be_one_object(buckets: Buckets, key: str, pin: str) -> None:
    buckets.source.objects = {key: LINE, key + "-old": LINE * 2, "flights/b.jsonl": LINE * 3}
    assert fetched(read(buckets, key, pin=pin)) == {key.rpartition("/")[2]: LINE}


def test_d04_an_object_and_a_folder_of_one_name_are_told_apart_by_the_slash(buckets: Buckets) -> None:
    buckets.source.objects = {"flights": LINE, "flights/a.jsonl": LINE * 2}
    told = refused(buckets, "flights")
    assert "s3://abc/flights is an object, and s3://abc/flights/ a folder" in told
    assert "write prefix: flights/" in told
    assert fetched(read(buckets, "flights/")) == {"a.jsonl": LINE * 2}


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("2024//a.jsonl", "2024//a.jsonl (there is no name between two of its slashes"),
        ("/a.jsonl", "no name between two of its slashes, or before the first one"),
        ("./a.jsonl", "./a.jsonl (one of its names is . or ..)"),
        ("x/../a.jsonl", "one of its names is . or .."),
        ("n" * 304, "more than 255 bytes"),
        ("ü" * 128, "more than 255 bytes"),
        ("a\nb", r"a\nb (it has a control character"),
        ("a\x00b", r"a\x00b (it has a control character"),
        ("caf\ufffd.jsonl", "it is not UTF-8"),
        ("a/", "a/ (it ends with a slash"),
        ("part/0.jsonl", "part (it would have to be a file and, for part/0.jsonl, a folder)"),
    ],
)
def test_d04_what_could_not_be_fetched_is_not_published(buckets: Buckets, key: str, told: str) -> None:
    buckets.source.objects = {f"data/{key}": LINE, "data/part": LINE}
    found = refused(buckets, "data/")
    assert told.replace("it is not UTF-8", "its name is not UTF-8") in found
    assert "leave them out by spec.source.exclude" in found
    assert len(found.encode()) < 550, "all of it fits into a message"
    kept = read(buckets, "data/", exclude=[key if "/" in key.strip("/") else key.strip("/")] if key != "a/" else ["a"])
    assert kept.version is not None
    assert kept.version.ignored == 1


def test_d04_many_wrong_names_are_counted(buckets: Buckets) -> None:
    buckets.source.objects = {f"data/{'x' * 300}{number}": LINE for number in range(50)}
    found = refused(buckets, "data/")
    assert "more" in found
    assert len(found.encode()) < 550


LEGAL = st.text(
    st.one_of(st.sampled_from("ab/._-= %+\\\n\t\x00\x7fü\u202e\ufffd\U0001f600"), st.characters(codec="utf-8")),
    min_size=1, max_size=40,
)  # fmt: skip
LONG = st.builds(lambda part, times, end: part * times + end, LEGAL, st.integers(1, 30), LEGAL)
KEY = st.one_of(LEGAL, LONG).filter(lambda key: len(key.encode()) <= 1000)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEY, st.integers(1, 4), min_size=1, max_size=5), st.sampled_from(["", "data/", "data"]))
def test_d04_every_legal_key_is_fetched_or_refused_or_no_data(
    buckets: Buckets, found: dict[str, int], prefix: str
) -> None:
    root = f"{prefix.rstrip('/')}/" if prefix else ""
    buckets.store.objects.clear()
    buckets.source.objects = {root + key: LINE * number for key, number in found.items()}
    data = {key: LINE * number for key, number in found.items() if not keys.hidden(key)}
    result, why = ended(buckets, prefix)
    if result is None:
        assert why == ("BadData" if data else "ObjectMissing")
        return
    assert fetched(result) == data
    assert result.version is not None
    assert result.version.ignored == len(found) - len(data)


def ended(buckets: Buckets, prefix: str) -> tuple[SnapshotResult | None, str]:
    """What became of the source, or the reason why not."""
    try:
        return read(buckets, prefix), ""
    except TaskFailed as failed:
        return None, failed.error.reason


@pytest.mark.parametrize(
    ("number", "reason", "transient", "told"),
    [
        (errno.ENOSPC, "Unreachable", True, "raise resources.scratch"),
        (errno.EDQUOT, "Unreachable", True, "raise resources.scratch"),
        (errno.ENAMETOOLONG, "BadData", False, "rename it"),
        (errno.ENOTDIR, "BadData", False, "rename it"),
        (errno.EISDIR, "BadData", False, "rename it"),
        (errno.EINVAL, "BadData", False, "rename it"),
        (errno.EACCES, "BadData", False, "change its mode"),
        (errno.EIO, "Unreachable", True, "input or output failed"),
        (errno.ECONNRESET, "Unreachable", True, "input or output failed"),
    ],
)
def test_d04_the_disk_is_full_only_when_it_is(
    monkeypatch: pytest.MonkeyPatch, number: int, reason: str, transient: bool, told: str
) -> None:
    def broken(_: str) -> Any:
        raise OSError(number, os.strerror(number), "/fairlead/in/caf\udce9")

    monkeypatch.setitem(main.TASKS, "fetch", broken)
    error = main.attempt("fetch", "").error
    assert error is not None
    assert (error.reason, error.transient) == (reason, transient)
    assert told in error.message
    assert r"caf\xe9" in error.message
    assert ("disk is full" in error.message) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_d04_a_folder_of_an_artifact_with_such_keys_is_named_before_anything_is_fetched(
    buckets: Buckets, tmp_path: Path
) -> None:
    buckets.source.objects = {"m/part": b"x", "m/part/0": b"y"}
    item = FetchItem(access=Access(), uri="s3://abc/m/", sha256="0" * 64, dest=str(tmp_path))
    with pytest.raises(TaskFailed, match=r"part .it would have to be a file and, for part/0, a folder") as caught:
        fetch(FetchTask(items=[item]))
    assert caught.value.error.reason == "BadData"
    assert not list(tmp_path.iterdir())


def test_d09_an_object_is_no_data_by_its_name_even_if_it_is_the_only_one(buckets: Buckets) -> None:
    buckets.source.objects = {"x/_a.jsonl": LINE}
    found = S3Source(buckets.source, "x/_a.jsonl")
    assert (list(found.list()), found.ignored) == ([], 1)


# --- D09 -----------------------------------------------------------------------------------------------------------

LEFT = {
    "_SUCCESS": b"", "._SUCCESS.crc": b"crc", "_delta_log/00000000000000000000.json": b"{}", "_common_metadata": b"P",
    ".DS_Store": b"\x00", "_temporary/0/x.jsonl": LINE, "year=2024/.part.crc": b"crc", "_metadata": b"PAR1",
}  # fmt: skip


def test_d09_what_engines_leave_is_no_data_and_is_counted(buckets: Buckets) -> None:
    buckets.source.objects = {"out/part-0.jsonl": LINE} | {f"out/{key}": body for key, body in LEFT.items()}
    result = read(buckets, "out/")
    assert result.version is not None
    assert (result.version.files, result.version.ignored) == (1, len(LEFT))
    assert fetched(result) == {"part-0.jsonl": LINE}


def test_d09_what_is_no_data_makes_no_other_version(buckets: Buckets) -> None:
    buckets.source.objects = {"out/part-0.jsonl": LINE}
    found = S3Source(buckets.source, "out")
    before = listing.digest(found.list)
    buckets.source.objects |= {f"out/{key}": body for key, body in LEFT.items()}
    assert listing.digest(found.list) == before
    assert found.ignored == len(LEFT)


@pytest.mark.parametrize("path", ["_b.jsonl", "_x/b.jsonl", "x/.b.jsonl"])
def test_d09_what_a_version_of_an_older_release_has_stays_its_data(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    buckets.source.objects = {"out/a.jsonl": LINE, f"out/{path}": LINE * 2}
    with monkeypatch.context() as before:
        before.setattr(keys, "hidden", lambda _: False)
        result = read(buckets, "out/")
    assert fetched(result) == {"a.jsonl": LINE, path: LINE * 2}
    assert result.version is not None
    item = FetchItem(access=Access(), manifest=True, uri=result.version.manifest, sha256=result.version.digest,
                     dest=str(tmp_path))  # fmt: skip
    fetch(FetchTask(items=[item]))
    assert [one.name for one in folders.data_files(tmp_path)] == sorted(["a.jsonl", path])


def test_d09_a_stranger_is_named_with_the_pattern_that_leaves_it_out(buckets: Buckets) -> None:
    buckets.source.objects = {"out/part-0.parquet": b"PAR1 no PAR1", "out/docs/README.md": b"# what is here\n"}
    told = refused(buckets, "out/", format="parquet", exclude=["*.parquet"])
    assert "s3://abc/out/docs/README.md" in told
    assert 'spec.source.exclude: ["README.md"]' in told


@pytest.mark.parametrize(
    ("bad", "others", "pattern"),
    [
        ("x[1]?.parquet", [], "x[[]1][?].parquet"),
        ("a/part-0.parquet", ["b/part-0.parquet"], "a/part-0.parquet"),
        ("part-0.parquet", ["b/part-0.parquet"], "/part-0.parquet"),
        ("a/b", ["b/c.parquet"], "a/b"),
    ],
)
def test_d09_the_pattern_leaves_out_the_stranger_and_nothing_else(
    buckets: Buckets, bad: str, others: list[str], pattern: str
) -> None:
    good = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), good)
    buckets.source.objects = {f"out/{path}": good.getvalue() for path in [*others, "c.parquet"]}
    buckets.source.objects[f"out/{bad}"] = b"stranger"
    assert f"spec.source.exclude: [{json.dumps(pattern)}]" in refused(buckets, "out/", format="parquet")
    kept = read(buckets, "out/", format="parquet", exclude=[pattern])
    assert kept.version is not None
    assert (kept.version.files, kept.version.ignored) == (len(others) + 1, 1)


def test_more_objects_than_a_manifest_can_have_are_refused_before_they_are_read(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets.source.objects = {f"out/part-{number}.jsonl": LINE for number in range(20)}
    monkeypatch.setattr("fairlead.worker.snapshot.DOCUMENT_LIMIT", 3000)
    assert "there are 20 objects under s3://abc/out/" in refused(buckets, "out/")
    assert buckets.store.objects == {}
    monkeypatch.setattr("fairlead.worker.snapshot.DOCUMENT_LIMIT", 4000)
    assert read(buckets, "out/").version is not None, "no more is expected than there is"


def test_d09_a_column_that_is_in_the_folders_names_is_refused_by_its_name(buckets: Buckets) -> None:
    buckets.source.objects = {"out/year=2024/part-0.jsonl": LINE, "out/year=2025/part-0.jsonl": LINE}
    columns = [{"name": "id", "type": "integer"}, {"name": "year", "type": "integer"}]
    result = read(buckets, "out/", schema_=Schema.model_validate({"columns": columns}))
    assert result.version is None
    (failed,) = [check for check in result.checks if not check.passed]
    assert failed.check == "column year"
    assert "year is in the folders' names (year=2024/), and columns are read from files only" in failed.message


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("README.md", ["README.md", "docs/README.md"]), ("*.md", ["README.md", "docs/README.md", "docs/a.md"]),
        ("docs", ["docs/README.md", "docs/a.md", "docs/x/b.txt", "x/docs/c.txt"]),
        ("docs/", ["docs/README.md", "docs/a.md", "docs/x/b.txt"]), ("docs/*.md", ["docs/README.md", "docs/a.md"]),
        ("*/*/*", ["docs/x/b.txt", "x/docs/c.txt"]), ("readme.md", []), ("[Rr]*", ["README.md", "docs/README.md"]),
        ("?", ["docs/x/b.txt", "x/docs/c.txt", "x/y"]), ("/x", ["x/docs/c.txt", "x/y"]), ("x/y/", ["x/y"]),
    ],
)  # fmt: skip
def test_d09_patterns_leave_out_names_and_what_is_in_folders(pattern: str, left: list[str]) -> None:
    every = ["README.md", "docs/README.md", "docs/a.md", "docs/x/b.txt", "x/docs/c.txt", "x/y", "part-0.parquet"]
    assert [path for path in every if keys.excluded(path, (pattern,))] == left


@settings(max_examples=200)
@given(st.text("ab*?[]!/.", min_size=1, max_size=12), st.text("ab/.", min_size=1, max_size=12))
def test_d09_any_pattern_can_be_asked(pattern: str, path: str) -> None:
    assert keys.excluded(path, (pattern,)) in (True, False)
