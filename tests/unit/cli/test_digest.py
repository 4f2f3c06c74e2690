"""`fairlead digest` prints what is checked, and so does the shell command of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from fairlead.api.tasks import Access, FetchItem
from fairlead.cli import digest
from fairlead.cli.main import main
from fairlead.store.s3 import Object, Received
from fairlead.worker import digests, fetch

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "bring-a-model.md").read_text()
FILES = {
    "model.joblib": b"a model", "b/weights 1.bin": b"x" * 70_000, "b/c/weights.bin": b"", ".hidden": b"1",
    "b  ./odd": b"2", "ä.txt": b"3", "-n": b"4",
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with files whose names and digests sort differently."""
    for name, body in FILES.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "model.joblib").write_bytes(b"a model")
    return tmp_path


class Store:
    """A bucket with the same files below `tips/`."""

    def list(self, prefix):
        return [Object(f"{prefix}{name}", len(body), "") for name, body in reversed(FILES.items())]

    def download(self, key, to):
        body = FILES[key.removeprefix("tips/")]
        to.write_bytes(body)
        return Received(digests.of_bytes(body), len(body), None)

    def uri(self, key):
        return f"s3://models/{key}"


def checked(uri: str, sha256: str, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch as the worker does. Raises TaskFailed for another digest."""
    monkeypatch.setattr(fetch, "located", lambda uri, _access: (Store(), uri.removeprefix("s3://models/")))
    fetch._fetch_item(FetchItem(access=Access(), uri=uri, sha256=sha256, dest=str(to)))


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["digest", *words]) == 0
    return capsys.readouterr().out.strip()


def test_b16_the_printed_digests_are_those_that_are_checked(model, capsys, monkeypatch, tmp_path):
    checked("s3://models/tips/", printed(capsys, str(model / "model")), tmp_path / "a", monkeypatch)
    checked("s3://models/tips/model.joblib", printed(capsys, str(model / "model.joblib")), tmp_path / "b", monkeypatch)
    with pytest.raises(Exception, match="sha256"):
        checked("s3://models/tips/", "ab" * 32, tmp_path / "c", monkeypatch)


def test_b16_the_documented_shell_commands_print_the_same(model, capsys):
    commands = re.findall(r"^ *(\(?(?:sha256sum model|cd model).*)$", PAGE, re.M)
    assert len(commands) == 2
    for command, name in zip(commands, ("model.joblib", "model"), strict=True):
        done = subprocess.run(["sh", "-c", command], cwd=model, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == printed(capsys, str(model / name))


def test_objects_of_a_store_have_the_digests_of_the_same_files(model):
    assert digest.of_objects(Store(), "tips/") == digest.of_path(model / "model")
    assert digest.of_objects(Store(), "tips/model.joblib") == digest.of_path(model / "model.joblib")


def test_what_has_no_digest(model, capsys):
    (model / "empty").mkdir()
    for name, words in (("none", "is not there"), ("empty", "has no file")):
        assert main(["digest", str(model / name)]) != 0
        assert words in capsys.readouterr().err


def test_a_file_is_named_without_what_only_jobs_need():
    """The command must run where neither Arrow nor DuckDB is installed."""
    script = (
        "import sys; from fairlead.cli.main import main; main(['digest', sys.argv[1]]); "
        "assert not {'pyarrow', 'duckdb', 'numpy', 'boto3', 'kubernetes'} & set(sys.modules), sorted(sys.modules)"
    )
    import sys

    subprocess.run([sys.executable, "-c", script, str(ROOT / "README.md")], check=True, capture_output=True)


def test_links_are_followed_as_uploads_do_and_none_without_end(model, capsys):
    folder, plain = model / "linked", model / "plain"
    folder.mkdir()
    (folder / "weights.bin").symlink_to(model / "model" / "b" / "weights 1.bin")
    (folder / "c").symlink_to(model / "model" / "b" / "c")
    (plain / "c").mkdir(parents=True)
    (plain / "weights.bin").write_bytes(FILES["b/weights 1.bin"])
    (plain / "c" / "weights.bin").write_bytes(b"")
    assert printed(capsys, str(folder)) == printed(capsys, str(plain))
    command = next(line.strip() for line in PAGE.splitlines() if line.strip().startswith("(cd model"))
    done = subprocess.run(["sh", "-c", command.replace("cd model", "cd linked")], cwd=model, check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.strip() == printed(capsys, str(folder))
    (folder / "c" / "again").symlink_to(folder)
    assert printed(capsys, str(folder)) == printed(capsys, str(plain))


def test_a_name_that_is_no_text_is_told(model, capsys):
    Path(os.fsdecode(bytes(model / "model") + b"/\xff")).write_bytes(b"")
    assert main(["digest", str(model / "model")]) != 0
    assert "no UTF-8 text" in capsys.readouterr().err
