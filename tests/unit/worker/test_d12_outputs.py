"""D12: what a step leaves is stored whole, or the step fails by the name of what can't be; nothing is left out."""

from __future__ import annotations

import errno
import inspect
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.worker.bucket import NAME, Memory

from fairlead.api.tasks import Access, FetchItem, FetchTask, Place, PublishItem, PublishTask, TaskError
from fairlead.plan.jobs.failures import by_task
from fairlead.worker import fetch as fetching
from fairlead.worker import main, result
from fairlead.worker import publish as publishing
from fairlead.worker.errors import TaskFailed
from fairlead.worker.paths import files_under


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A step's output folder, with a file in `model`."""
    (tmp_path / "out" / "model").mkdir(parents=True)
    (tmp_path / "out" / "model" / "model.joblib").write_bytes(b"weights")
    return tmp_path / "out"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory(NAME)
    monkeypatch.setattr(publishing, "place", lambda _: found)
    monkeypatch.setattr(result, "place", lambda _: found)
    monkeypatch.setattr(fetching, "located", lambda uri, _: (found, uri.removeprefix(f"s3://{NAME}/")))
    return found


def publish(out: Path, name: str = "model", prefix: str = "ns/pipelines/p/uid/train") -> Any:
    """What the container `publish` says."""
    item = PublishItem(name=name, type="model", path=str(out / name))
    task = PublishTask(store=Place(bucket=NAME, prefix=prefix), attempt=1, outputs=[item])
    return main.attempt("publish", task.model_dump_json())


def refused(out: Path, store: Memory, name: str = "model") -> TaskError:
    """The error; nothing was stored, and the container can say it."""
    said = publish(out, name)
    assert said.error is not None
    assert (said.error.reason, said.error.transient) == ("BadData", False)
    assert by_task(said.error).fault == "own", "the program may do better the next time: it spends the step's retry"
    assert not store.objects
    assert len(json.dumps(json.loads(result.encode(said)))) <= 700
    return TaskError.model_validate(said.error)


def test_d12_a_name_that_is_not_utf_8(out: Path, store: Memory) -> None:
    Path(os.fsdecode(os.fsencode(out / "model") + b"/caf\xe9.bin")).write_bytes(b"x")
    assert r"caf\xe9.bin: its name is not UTF-8; rename it" in refused(out, store).message


def test_d12_a_name_with_a_line_break(out: Path, store: Memory) -> None:
    (out / "model" / "a\nb").write_bytes(b"x")
    assert r"a\nb: it has a control character, such as a line break; rename it" in refused(out, store).message


def test_d12_a_link_to_nothing(out: Path, store: Memory) -> None:
    (out / "model" / "latest").symlink_to("nowhere")
    assert "latest: it is a link to nothing; remove it" in refused(out, store).message


def test_d12_an_output_that_is_a_link_to_nothing(out: Path, store: Memory) -> None:
    (out / "score").symlink_to("nowhere")
    assert "output score can't be stored" in refused(out, store, "score").message
    assert "it is a link to nothing" in refused(out, store, "score").message


def test_d12_pipes_and_sockets(out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(out / "pipe")
    assert "no file but a pipe" in refused(out, store, "pipe").message
    os.mkfifo(out / "model" / "pipe")
    monkeypatch.chdir(out / "model")  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("sock")
        told = refused(out, store).message
    assert "pipe: it is no file but a pipe, a socket or a device; remove it" in told
    assert "sock: it is no file" in told


def test_d12_what_can_not_be_read(out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith("secret.bin"))
    (out / "model" / "secret.bin").write_bytes(b"x")
    assert "secret.bin: it can't be read; change its mode" in refused(out, store).message


def test_d12_a_folder_that_can_not_be_listed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    original = os.scandir
    (out / "model" / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(TaskFailed, match="closed can't be listed; change its mode"):
        list(files_under(out / "model"))


def nest(folder: Path, number: int) -> Path:
    """The innermost of so many folders."""
    for _ in range(number):
        folder /= "d"
        folder.mkdir()
    return folder


def test_d12_more_folders_in_one_another_than_python_calls(out: Path) -> None:
    (nest(out / "model", 250) / "x.bin").write_bytes(b"x")
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        files = [path for path, _ in files_under(out / "model")]
    finally:
        sys.setrecursionlimit(usual)
    assert files == ["d/" * 250 + "x.bin", "model.joblib"]


def test_d12_folders_that_are_too_deep_to_be_listed_are_refused(
    out: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: Any) -> Any:
        if str(path).endswith("/d/d"):
            raise OSError(errno.ENAMETOOLONG, "File name too long", str(path))
        return original(path)

    original = os.scandir
    nest(out / "model", 3)
    monkeypatch.setattr(os, "scandir", scandir)
    assert "d/d can't be listed; nest fewer folders" in refused(out, store).message


def test_d12_a_name_that_makes_a_key_too_long(out: Path, store: Memory) -> None:
    deep = out / "model" / ("d" * 250) / ("e" * 250) / ("f" * 250) / ("g" * 250)
    deep.mkdir(parents=True)
    (deep / "x.bin").write_bytes(b"x")
    assert "S3 allows 1024; give it a shorter name" in refused(out, store).message


def test_d12_several_are_named_and_counted(out: Path, store: Memory) -> None:
    for number in range(9):
        (out / "model" / f"l{number}").symlink_to("nowhere")
    told = refused(out, store).message
    assert "l0: it is a link to nothing" in told
    assert "more" in told


def test_d12_an_output_that_leads_to_the_stores_keys_is_refused(out: Path, store: Memory, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "AWS_SECRET_ACCESS_KEY").write_text("secret")
    (out / "stolen").symlink_to(tmp_path / "credentials")
    assert "it links to a folder or out of out" in refused(out, store, "stolen").message


NAMES = st.one_of(
    st.binary(min_size=1, max_size=20), st.text("ab.\n\té\U0001f600 _", min_size=1, max_size=8).map(str.encode),
).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), st.integers(0, 10**9))
def test_d12_every_name_of_a_file_is_stored_and_comes_back_or_is_refused(
    tmp_path: Path, store: Memory, found: list[bytes], number: int
) -> None:
    store.objects.clear()
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    out = place / "out"
    (out / "model").mkdir(parents=True)
    wanted = {os.fsdecode(name): bytes([index]) * 3 for index, name in enumerate(found)}
    for name, body in wanted.items():
        (out / "model" / name).write_bytes(body)
    said = publish(out, prefix=f"p/{number}")
    if said.error is not None:
        assert said.error.reason == "BadData"
        return
    (record,) = json.loads(store.objects[f"p/{number}/outcome.json"])["outputs"]
    dest = place / "in"
    item = FetchItem(access=Access(), uri=record["uri"], sha256=record["sha256"], dest=str(dest))
    fetching.fetch(FetchTask(items=[item]))
    assert {path.name: path.read_bytes() for path in dest.iterdir()} == wanted


# --- values ----------------------------------------------------------------------------------------------------------


def value(out: Path, body: bytes) -> PublishTask:
    """What publishes an output of type `value`."""
    (out / "best").write_bytes(body)
    item = PublishItem(name="best", type="value", path=str(out / "best"))
    return PublishTask(store=Place(bucket=NAME, prefix="ns/pipelines/p/uid/search"), attempt=1, outputs=[item])


@pytest.mark.parametrize(("body", "text"), [
    (b"0.05", "0.05"), (b"0.05\n", "0.05"), (b"0.05\r\n", "0.05"), (b"", ""), ("größer".encode(), "größer"),
    (b"a\nb\n", "a\nb"), (b"x" * 1024, "x" * 1024), (b"x" * 1024 + b"\r\n", "x" * 1024), (b"$(HOME)", "$(HOME)"),
])  # fmt: skip
def test_a_value_is_the_text_of_its_file(out: Path, store: Memory, body: bytes, text: str) -> None:
    (record,) = publishing.publish(value(out, body)).outputs
    assert (record.type, record.value, record.bytes) == ("value", text, len(body))
    assert [one for one in store.objects if one.endswith("/best")], "and it is a file, too"


@pytest.mark.parametrize(("body", "why"), [
    (b"x" * 1025, "longer than 1024 bytes"), (b"x" * (1 << 20), "longer than 1024 bytes"), (b"\xff\xfe", "not UTF-8"),
    ("ä".encode() * 513, "longer than 1024 bytes"), (b"a\0b", "control characters"), (b"\x1b[2J", "control characters"),
])  # fmt: skip
def test_what_is_no_value_is_refused(out: Path, store: Memory, body: bytes, why: str) -> None:
    said = main.attempt("publish", value(out, body).model_dump_json())
    assert said.error is not None
    assert (said.error.reason, why in said.error.message) == ("BadData", True), said.error
    assert by_task(said.error).fault == "own"
    assert not store.objects


def test_a_folder_and_a_link_are_no_values(out: Path, store: Memory) -> None:
    (out / "best").mkdir()
    item = PublishItem(name="best", type="value", path=str(out / "best"))
    task = PublishTask(store=Place(bucket=NAME, prefix="p"), attempt=1, outputs=[item])
    assert "it is a folder" in main.attempt("publish", task.model_dump_json()).error.message  # type: ignore[union-attr]
    (out / "best").rmdir()
    (out / "best").symlink_to("/etc/hostname")
    assert main.attempt("publish", task.model_dump_json()).error is not None
    assert not store.objects
