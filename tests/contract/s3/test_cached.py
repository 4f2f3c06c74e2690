"""What a step leaves for later runs, on a real S3 server: what is gone, damaged or written again is never taken."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fairlead.api.tasks import PublishEntry, PublishItem, PublishResult, PublishTask
from fairlead.plan.requests import Cached, FindOutputs, OutputsSeen, ReadCached
from fairlead.store.cached import entry, find
from fairlead.store.errors import StoreError
from fairlead.worker.publish import publish

SECRET = {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": "a-root-secret"}
KEY = "ab" * 32
FOLDER = f"ns/cache/p/{KEY}/"


def left(
    s3: Any, bucket: str, out: Path, run: str = "p-1", number: int = 1, expected: dict[str, str] | None = None
) -> PublishTask:
    """What `publish` is told."""
    return PublishTask(
        store=s3.place(bucket, f"ns/pipelines/p/{run}/train"), attempt=1,
        outputs=[PublishItem(name="model", type="model", path=str(out / "model")),
                 PublishItem(name="score", type="file", path=str(out / "score"))],
        cache=PublishEntry(
            store=s3.place(bucket, FOLDER), number=number, key=KEY, run=run, run_uid=f"uid-{run}", step="train",
            at="2026-01-01T00:00:00Z", image="i@sha256:0", expected=expected,
        ),
    )  # fmt: skip


def written(folder: Path, score: bytes = b"0.9") -> Path:
    (folder / "model" / "sub").mkdir(parents=True)
    (folder / "model" / "weights").write_bytes(b"weights")
    (folder / "model" / "sub" / "vocab").write_bytes(b"words")
    (folder / "score").write_bytes(score)
    return folder


def look(s3: Any, bucket: str) -> Cached:
    """What the operator finds."""
    return entry(ReadCached("ns", bucket, FOLDER, s3.endpoint, None, "s3"), SECRET)


def key_of(result: PublishResult, name: str, file: str = "") -> str:
    uri = next(one.uri for one in result.outputs if one.name == name)
    return uri.partition("/")[2].partition("/")[2].partition("/")[2] + file


def test_what_is_left_is_found_and_is_what_was_committed(s3: Any, bucket: str, tmp_path: Path) -> None:
    assert look(s3, bucket) == Cached(0)
    result = publish(left(s3, bucket, written(tmp_path)))
    found = look(s3, bucket)
    assert (found.number, found.trouble) == (1, "")
    assert found.entry is not None
    assert (found.entry.result, found.entry.run, found.entry.run_uid) == (result, "p-1", "uid-p-1")


def test_what_is_gone_smaller_or_written_again_is_not_taken(s3: Any, bucket: str, tmp_path: Path) -> None:
    result = publish(left(s3, bucket, written(tmp_path)))
    vocab, score = key_of(result, "model", "sub/vocab"), key_of(result, "score")
    for key, body, words in (
        (vocab, None, "output model has 7 bytes instead of 12"),
        (vocab, b"other", "output model was written again since"),
        (score, b"0.99", "output score has 4 bytes instead of 3"),
        (score, b"0.8", "output score was written again since"),
        (score, None, "output score is gone"),
    ):  # fmt: skip
        before = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        if body is None:
            s3.client.delete_object(Bucket=bucket, Key=key)
        else:
            s3.client.put_object(Bucket=bucket, Key=key, Body=body)
        assert words in look(s3, bucket).trouble
        s3.client.put_object(Bucket=bucket, Key=key, Body=before)
        assert look(s3, bucket).trouble == ""
    for name in ("weights", "sub/vocab"):
        s3.client.delete_object(Bucket=bucket, Key=key_of(result, "model", name))
    assert "output model is gone" in look(s3, bucket).trouble


def test_an_object_that_has_come_into_a_folder_since_is_noticed(s3: Any, bucket: str, tmp_path: Path) -> None:
    result = publish(left(s3, bucket, written(tmp_path)))
    s3.client.put_object(Bucket=bucket, Key=key_of(result, "model", "more"), Body=b"x")
    assert "output model has 13 bytes instead of 12" in look(s3, bucket).trouble


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"key": 1}', b"[" * 5000, b"x" * (1 << 20)])
def test_an_entry_that_is_damaged_is_none_and_the_next_one_takes_its_place(
    s3: Any, bucket: str, tmp_path: Path, body: bytes
) -> None:
    publish(left(s3, bucket, written(tmp_path)))
    s3.client.put_object(Bucket=bucket, Key=f"{FOLDER}000000001.json", Body=body)
    found = look(s3, bucket)
    assert (found.number, found.entry) == (1, None)
    assert found.trouble
    publish(left(s3, bucket, tmp_path, run="p-2", number=2))
    found = look(s3, bucket)
    assert (found.number, found.trouble) == (2, "")


def test_an_entry_of_another_key_is_none(s3: Any, bucket: str, tmp_path: Path) -> None:
    publish(left(s3, bucket, written(tmp_path)))
    body = json.loads(s3.client.get_object(Bucket=bucket, Key=f"{FOLDER}000000001.json")["Body"].read())
    s3.client.put_object(Bucket=bucket, Key=f"{FOLDER}000000001.json", Body=json.dumps(body | {"key": "cd" * 32}))
    assert "is of another key" in look(s3, bucket).trouble


def test_who_comes_first_wins_and_nobody_overwrites(s3: Any, bucket: str, tmp_path: Path) -> None:
    outs = [written(tmp_path / str(n), f"0.{n}".encode()) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: publish(left(s3, bucket, outs[n], run=f"p-{n}")), range(6)))
    first = look(s3, bucket)
    assert first.entry is not None
    publish(left(s3, bucket, written(tmp_path / "late", b"late"), run="zombie"))
    assert look(s3, bucket) == first
    assert [key for key in s3.keys(bucket) if key.startswith(FOLDER)] == [f"{FOLDER}000000001.json"]


def test_an_audit_that_agrees_writes_nothing_and_one_that_differs_drops(s3: Any, bucket: str, tmp_path: Path) -> None:
    result = publish(left(s3, bucket, written(tmp_path / "a")))
    expected = {one.name: one.sha256 for one in result.outputs}
    publish(left(s3, bucket, written(tmp_path / "b"), run="p-2", number=2, expected=expected))
    assert look(s3, bucket).number == 1
    publish(left(s3, bucket, written(tmp_path / "c", b"0.1"), run="p-3", number=2, expected=expected))
    found = look(s3, bucket)
    assert (found.number, found.trouble) == (2, "run p-3 made other outputs of the same: score")


def test_what_a_person_puts_beside_it_is_none(s3: Any, bucket: str, tmp_path: Path) -> None:
    publish(left(s3, bucket, written(tmp_path)))
    for name in ("000000009.json.bak", "notes.txt", "000000009/x.json", "99999999999.json"):
        s3.client.put_object(Bucket=bucket, Key=f"{FOLDER}{name}", Body=b"{}")
    assert (look(s3, bucket).number, look(s3, bucket).trouble) == (1, "")


def test_a_store_that_is_away_is_an_error_and_no_miss(s3: Any, bucket: str) -> None:
    with pytest.raises(StoreError):
        entry(ReadCached("ns", bucket, FOLDER, "http://127.0.0.1:1", None, "s3"), SECRET)
    with pytest.raises(StoreError):
        entry(ReadCached("ns", f"{bucket}-not", FOLDER, s3.endpoint, None, "s3"), SECRET)


def test_outputs_of_a_run_that_is_gone_on_from(s3: Any, bucket: str, tmp_path: Path) -> None:
    result = publish(left(s3, bucket, written(tmp_path)))
    outputs = tuple((key_of(result, one.name), one.bytes) for one in result.outputs)
    asked = FindOutputs("ns", bucket, outputs, s3.endpoint, None, "s3")
    assert find(asked, SECRET) == OutputsSeen()
    s3.client.delete_object(Bucket=bucket, Key=key_of(result, "score"))
    assert "is gone" in find(asked, SECRET).trouble
