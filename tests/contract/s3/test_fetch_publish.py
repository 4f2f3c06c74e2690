"""Inputs arrive verified or not at all; outputs are committed once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from fairlead.api.tasks import FetchItem, FetchTask, PublishItem, PublishTask
from fairlead.store.errors import StoreError
from fairlead.worker.errors import TaskFailed
from fairlead.worker.fetch import fetch
from fairlead.worker.publish import publish


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def task(s3: Any, bucket: str, out: Path, attempt: int = 1) -> PublishTask:
    return PublishTask(
        store=s3.place(bucket, "ns/pipelines/p/uid/train"), attempt=attempt,
        outputs=[PublishItem(name="model", type="model", path=str(out / "model")),
                 PublishItem(name="score", type="file", path=str(out / "score"))],
    )  # fmt: skip


def written(folder: Path, score: bytes = b"0.9") -> Path:
    (folder / "model" / "sub").mkdir(parents=True)
    (folder / "model" / "model.joblib").write_bytes(b"weights")
    (folder / "model" / "sub" / "vocab").write_bytes(b"words")
    (folder / "score").write_bytes(score)
    return folder


def item(s3: Any, uri: str, sha256: str, dest: Path) -> FetchItem:
    return FetchItem(access=s3.access(), uri=uri, sha256=sha256, dest=str(dest))


def test_what_is_published_is_fetched_with_the_same_digest(s3: Any, bucket: str, tmp_path: Path) -> None:
    result = publish(task(s3, bucket, written(tmp_path / "out")))
    model, score = result.outputs
    assert (model.bytes, score.bytes) == (12, 3)
    assert score.sha256 == sha(b"0.9")
    items = [item(s3, record.uri, record.sha256, tmp_path / "in" / record.name) for record in result.outputs]
    assert fetch(FetchTask(items=items)) == 15
    assert (tmp_path / "in/model/model.joblib").read_bytes() == b"weights"
    assert (tmp_path / "in/model/sub/vocab").read_bytes() == b"words"
    assert (tmp_path / "in/score/score").read_bytes() == b"0.9"
    assert not list(tmp_path.rglob(".fairlead-*"))


def test_what_was_logged_is_kept_with_its_type_and_a_late_attempt_changes_nothing(
    s3: Any, bucket: str, tmp_path: Path
) -> None:
    logged = tmp_path / "out" / ".fairlead"
    (logged / "artifacts").mkdir(parents=True)
    (logged / "artifacts" / "roc.svg").write_text("<svg/>")
    (logged / "metrics.jsonl").write_text('{"name":"rmse","value":23.10}\n')
    asked = PublishTask(store=s3.place(bucket, "ns/p/uid/train"), attempt=1, outputs=[], logged=str(logged))
    first = publish(asked)
    assert (first.metrics, first.artifacts[0].name, first.values) == ({"rmse": "23.10"}, "roc.svg", 1)
    key = first.artifacts[0].uri.removeprefix(f"s3://{bucket}/")
    assert s3.client.head_object(Bucket=bucket, Key=key)["ContentType"] == "image/svg+xml"
    before = s3.keys(bucket)
    (logged / "metrics.jsonl").write_text('{"name":"rmse","value":99}\n')
    assert publish(asked.model_copy(update={"attempt": 2})) == first
    assert s3.keys(bucket) == before


def test_a_late_attempt_adopts_what_was_committed(s3: Any, bucket: str, tmp_path: Path) -> None:
    first = publish(task(s3, bucket, written(tmp_path / "a")))
    late = publish(task(s3, bucket, written(tmp_path / "b", b"0.1"), attempt=2))
    assert late == first
    zombie = publish(task(s3, bucket, tmp_path / "nothing"))
    assert zombie == first


def test_a_missing_output_names_its_path(s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(TaskFailed, match=f"at {tmp_path}/model") as caught:
        publish(task(s3, bucket, tmp_path))
    assert caught.value.error.reason == "OutputMissing"
    assert not s3.keys(bucket)


def test_a_link_out_of_the_output_is_refused(s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    written(tmp_path / "out")
    (tmp_path / "out/model/link").symlink_to(tmp_path / "secret")
    with pytest.raises(TaskFailed, match="links to a folder or out of"):
        publish(task(s3, bucket, tmp_path / "out"))


def test_a_changed_object_is_named_and_nothing_is_left(s3: Any, bucket: str, tmp_path: Path) -> None:
    s3.client.put_object(Bucket=bucket, Key="m/model.joblib", Body=b"evil")
    with pytest.raises(TaskFailed) as caught:
        fetch(FetchTask(items=[item(s3, f"s3://{bucket}/m/model.joblib", sha(b"good"), tmp_path / "in")]))
    assert caught.value.error.reason == "DigestMismatch"
    for part in (f"s3://{bucket}/m/model.joblib", sha(b"good"), sha(b"evil"), "restore"):
        assert part in caught.value.error.message
    assert list((tmp_path / "in").iterdir()) == []


def test_a_folder_with_one_file_more_is_another_folder(s3: Any, bucket: str, tmp_path: Path) -> None:
    (model, _) = publish(task(s3, bucket, written(tmp_path / "out"))).outputs
    key = model.uri.removeprefix(f"s3://{bucket}/") + "extra"
    s3.client.put_object(Bucket=bucket, Key=key, Body=b"!")
    with pytest.raises(TaskFailed, match="expected"):
        fetch(FetchTask(items=[item(s3, model.uri, model.sha256, tmp_path / "in")]))
    assert list((tmp_path / "in").iterdir()) == []


def test_an_object_that_is_gone_is_named(s3: Any, bucket: str, tmp_path: Path) -> None:
    for uri in (f"s3://{bucket}/gone", f"s3://{bucket}/gone/"):
        with pytest.raises((TaskFailed, StoreError), match="gone"):
            fetch(FetchTask(items=[item(s3, uri, sha(b""), tmp_path / "in")]))
