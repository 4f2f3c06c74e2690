"""Artifacts and previews that a step leaves are kept with type and size; what is not kept is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.worker.bucket import NAME, Memory

from fairlead.api import logged
from fairlead.api.tasks import Place, PublishItem, PublishResult, PublishTask
from fairlead.worker import main, result
from fairlead.worker import publish as publishing

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory(NAME)
    monkeypatch.setattr(publishing, "place", lambda _: found)
    monkeypatch.setattr(result, "place", lambda _: found)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A step's outputs."""
    found = tmp_path / "out"
    (found / logged.FOLDER / logged.ARTIFACTS).mkdir(parents=True)
    return found


def task(out: Path, *previews: str, attempt: int = 1) -> PublishTask:
    items = [PublishItem(name=name, type="preview", path=str(out / name)) for name in previews]
    place = Place(bucket=NAME, prefix="ns/p/uid/train")
    return PublishTask(store=place, attempt=attempt, outputs=items, logged=str(out / logged.FOLDER))


def publish(out: Path, *previews: str, attempt: int = 1) -> PublishResult:
    return publishing.publish(task(out, *previews, attempt=attempt))


def artifacts(out: Path) -> Path:
    return out / logged.FOLDER / logged.ARTIFACTS


def test_what_is_logged_is_kept_beside_the_outputs_with_its_type(out: Path, store: Memory) -> None:
    (artifacts(out) / "plots").mkdir()
    (artifacts(out) / "plots" / "roc.png").write_bytes(PNG)
    (artifacts(out) / "notes.md").write_text("# ok")
    (out / logged.FOLDER / logged.METRICS).write_text('{"name":"rmse","value":23.1}\n')
    found = publish(out)
    assert [(one.name, one.media, one.bytes) for one in found.artifacts] == [
        ("notes.md", "text/markdown", 4), ("plots/roc.png", "image/png", len(PNG))
    ]  # fmt: skip
    assert found.metrics == {"rmse": "23.1"}
    assert found.series is not None
    for one in (*found.artifacts, found.series):
        key = one.uri.removeprefix(f"s3://{NAME}/")
        assert key.startswith("ns/p/uid/train/1/.fairlead/")
        assert (len(store.objects[key]), store.media[key]) == (one.bytes, one.media)
    assert found.outcome == f"s3://{NAME}/ns/p/uid/train/outcome.json"


def test_a_zombie_pod_cannot_overwrite_what_was_logged(out: Path, store: Memory) -> None:
    (artifacts(out) / "a.txt").write_text("first")
    (out / logged.FOLDER / logged.METRICS).write_text('{"name":"rmse","value":1}\n')
    first, before = publish(out), dict(store.objects)
    (artifacts(out) / "a.txt").write_text("zombie")
    (out / logged.FOLDER / logged.METRICS).write_text('{"name":"rmse","value":999}\n')
    for attempt in (1, 2):
        assert publish(out, attempt=attempt) == first
    assert store.objects == before


def test_the_twin_that_loses_the_race_says_what_the_winner_committed(
    out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked before one of them commits: the conditional put decides."""
    (artifacts(out) / "a.txt").write_text("winner")
    first = publish(out)
    outcome, hidden = "ns/p/uid/train/outcome.json", [True]
    read = store.read
    monkeypatch.setattr(store, "read", lambda key, limit=1 << 30: read("no" if hidden and hidden.pop() else key, limit))
    (artifacts(out) / "a.txt").write_text("zombie")
    assert publish(out) == first
    assert b"zombie" not in read(outcome)


def test_what_can_not_be_kept_is_told_and_fails_nothing(out: Path, store: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(logged, "FILE_BYTES", 10)
    monkeypatch.setattr(logged, "FILES", 2)
    (out / "secret").write_text("key")
    (artifacts(out) / "link").symlink_to(out / "secret")
    (artifacts(out) / "loop").symlink_to(artifacts(out))
    (artifacts(out) / "large").write_bytes(b"x" * 11)
    (artifacts(out) / "a\nb").write_bytes(b"x")
    for number in range(5):
        (artifacts(out) / f"ok{number}").write_bytes(b"x")
    found = publish(out)
    assert [one.name for one in found.artifacts] == ["ok0", "ok1"]
    told = "\n".join(found.left_out)
    assert "a step keeps 2 artifacts" in told
    assert "artifacts/ok2, ok3, ok4" in told
    assert "artifacts/large: larger than" in told
    assert "it links to a folder or out of artifacts" in told
    assert "control character" in told
    assert not any(b"key" in body for key, body in store.objects.items() if not key.endswith(".json"))


@pytest.mark.parametrize("level", [logged.FOLDER, f"{logged.FOLDER}/{logged.ARTIFACTS}"])
@pytest.mark.usefixtures("store")
def test_no_link_leads_out_to_what_the_program_may_not_see(tmp_path: Path, level: str) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "AWS_SECRET_ACCESS_KEY").write_text("key")
    (credentials / logged.METRICS).write_text('{"name":"rmse","value":1}\n')
    out = tmp_path / "out"
    (out / level).parent.mkdir(parents=True, exist_ok=True)
    (out / level).symlink_to(credentials)
    found = publish(out)
    assert (found.artifacts, found.metrics) == ([], {})
    assert "no folder" in found.left_out[0]


def test_a_preview_may_have_a_suffix_and_one_without_is_told_by_its_bytes(out: Path, store: Memory) -> None:
    (out / "plot.png").write_bytes(PNG)
    (out / "raw").write_bytes(PNG)
    (out / "page").write_text("<!DOCTYPE html><p>")
    (out / "notes").write_text("größe" * 200)
    (out / "gallery").mkdir()
    (out / "gallery" / "a.svg").write_text("<svg/>")
    found = {one.name: one for one in publish(out, "plot", "raw", "page", "notes", "gallery").outputs}
    assert {name: one.media for name, one in found.items()} == {
        "plot": "image/png", "raw": "image/png", "page": "text/html", "notes": "text/plain", "gallery": ""
    }  # fmt: skip
    assert found["plot"].uri.endswith("/plot.png")
    assert set(store.media.values()) == {"image/png", "text/html", "text/plain", "image/svg+xml", ""} - {""}


def test_a_preview_that_is_missing_doubtful_or_too_large(out: Path, store: Memory, monkeypatch: Any) -> None:
    assert main.attempt("publish", task(out, "plot").model_dump_json()).error.reason == "OutputMissing"  # type: ignore[union-attr]
    (out / "plot.png").write_bytes(PNG)
    (out / "plot.svg").write_text("<svg/>")
    error = main.attempt("publish", task(out, "plot").model_dump_json()).error
    assert error is not None
    assert "is one preview, and there are plot.png, plot.svg; make a folder of them" in error.message
    monkeypatch.setattr(logged, "PREVIEW_BYTES", 5)
    (out / "plot.svg").unlink()
    error = main.attempt("publish", task(out, "plot").model_dump_json()).error
    assert error is not None
    assert (error.reason, "make its type file" in error.message) == ("BadData", True)
    assert not store.objects


@pytest.mark.parametrize(
    ("name", "head", "media"),
    [
        ("a.PNG", b"", "image/png"), ("a", b"GIF89a", "image/gif"), ("a", b"PAR1", "application/vnd.apache.parquet"),
        ("a", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"), ("a", b"%PDF-1.7", "application/pdf"),
        ("a", b"<?xml version='1.0'?>\n<svg>", "image/svg+xml"), ("a", "né".encode()[:-1], "text/plain"),
        ("a", b"\x00\x01", logged.BINARY), ("a.unknown", b"\xff\xfe", logged.BINARY), ("a", b"", "text/plain"),
    ],
)  # fmt: skip
def test_media_types(name: str, head: bytes, media: str) -> None:
    assert logged.media_of(name, head) == media
