"""Of several pods that work together, index 0 commits; no other one can, whatever it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.worker.bucket import NAME, Memory

from fairlead.api.fetching import Said
from fairlead.api.tasks import Place, PublishItem, PublishTask
from fairlead.manifests import workers
from fairlead.worker import main, result
from fairlead.worker import publish as publishing
from fairlead.worker.errors import TaskFailed

PREFIX = "ns/pipelines/p/uid/train"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "m").write_bytes(b"weights")
    return tmp_path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory(NAME)
    monkeypatch.setattr(publishing, "place", lambda _: found)
    monkeypatch.setattr(result, "place", lambda _: found)
    return found


def task(out: Path, count: int | None = 4) -> PublishTask:
    item = PublishItem(name="m", type="model", path=str(out / "m"))
    return PublishTask(store=Place(bucket=NAME, prefix=PREFIX), attempt=1, outputs=[item], workers=count)


def publish(out: Path, index: str | None, monkeypatch: pytest.MonkeyPatch, count: int | None = 4) -> Any:
    """What the container `publish` says in the pod with this index."""
    monkeypatch.delenv(publishing.INDEX_ENV, raising=False)
    if index is not None:
        monkeypatch.setenv(publishing.INDEX_ENV, index)
    return main.attempt("publish", task(out, count).model_dump_json())


def test_index_0_commits(out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(out, "0", monkeypatch).answer
    assert f"{PREFIX}/outcome.json" in store.objects


@pytest.mark.parametrize("index", ["1", "2", "3"])
def test_the_others_write_nothing_at_all(
    index: str, out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    said = publish(out, index, monkeypatch)
    assert said == Said(), "it has ended well, and has no answer"
    assert not store.objects
    (out / "m").unlink()  # and needs no outputs
    assert publish(out, index, monkeypatch) == Said()


@pytest.mark.parametrize("index", [None, "", "00", "-0", "+0", " 0", "0 ", "0x0", "4", "1e0", "٠", "0\n"])
def test_who_does_not_know_its_index_fails(
    index: str | None, out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    error = publish(out, index, monkeypatch).error
    assert error.reason == "BadTask"
    assert "nothing is committed" in error.message
    assert not store.objects


@given(st.text(max_size=12), st.integers(2, 64))
def test_only_the_text_0_commits(index: str, count: int) -> None:
    asked = PublishTask(store=Place(bucket=NAME, prefix=PREFIX), attempt=1, outputs=[], workers=count)
    try:
        assert publishing.commits(asked, index) == (index == "0")
    except TaskFailed:
        assert index != "0"


@pytest.mark.usefixtures("store")
def test_a_pod_alone_needs_no_index(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(out, "3", monkeypatch, count=None).answer, "a variable of that name means nothing there"


def test_both_rooms_call_it_the_same() -> None:
    assert publishing.INDEX_ENV == workers.INDEX_ENV
