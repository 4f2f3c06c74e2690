"""`fairlead dev run FILE.py`: the pipeline in Python on this machine, by the operator's own plan."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fairlead.cli import session
from fairlead.cli.main import main

FLOW = Path(__file__).parent / "flow.py"
TEXTS = ["$(HOME)", "$$", "{{params.size}}", "{{x}}", "a b", "'\"\\", "é\n", ""]
OWN = f"""
import fairlead
from fairlead import File, In, Out

@fairlead.step
def tell(note: Out[File], words: list[str], text: str, size: int, part: float | None = None) -> None:
    note.write_text(repr((words, text, size, part)))

@fairlead.step
def read(note: In[File], copy: Out[File], text: str) -> None:
    copy.write_text(note.read_text() + text)

@fairlead.pipeline
def whole(text: str = "$(PATH) {{{{y}}}}", size: int = 3) -> None:
    told = tell(words={TEXTS!r}, text=text, size=size)
    read(told, text="$(PATH)")
"""


RETURNS = """
import fairlead
from fairlead import File, Out

@fairlead.step
def part() -> float:
    return 0.1

@fairlead.step
def text() -> str:
    return "$(HOME) {{x}} é"

@fairlead.step
def sizes() -> list[int]:
    return [1, 2]

@fairlead.step
def show(note: Out[File], alpha: float, text: str, sizes: list[int]) -> None:
    note.write_text(repr((alpha, text, sizes)))

@fairlead.pipeline
def whole() -> None:
    alpha = part()
    show(alpha=alpha, text=text(), sizes=sizes())
    text.options(name="never", if_=[{"value": alpha.value, "above": 1}])()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


def note(folder: Path, step: str, name: str) -> str:
    return (folder / "runs" / "1" / "steps" / step / "out" / name).read_text()


def test_it_runs_and_values_arrive(tmp_path, capsys):
    (tmp_path / "own_values.py").write_text(OWN)
    assert main(["dev", "run", "own_values.py", "--out", "runs", "-p", "size=7"]) == session.OK
    told = repr((TEXTS, "$(PATH) {{y}}", 7, None))
    assert note(tmp_path, "tell", "note") == told
    assert note(tmp_path, "read", "copy") == f"{told}$(PATH)"
    assert "Completed" in capsys.readouterr().out


def test_what_a_step_returns_reaches_the_next_as_it_was(tmp_path):
    """By the operator's own plan: kept in the status, rendered into arguments and conditions."""
    (tmp_path / "own_returns.py").write_text(RETURNS)
    assert main(["dev", "run", "own_returns.py", "--out", "runs"]) == session.OK
    assert note(tmp_path, "show", "note") == repr((0.1, "$(HOME) {{x}} é", [1, 2]))
    assert not (tmp_path / "runs" / "1" / "steps" / "never").exists()


def test_it_runs_where_its_file_is_imported(tmp_path, capsys):
    """As in its pod, whose working directory is that one."""
    package = tmp_path / "deep" / "own_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "flow.py").write_text(OWN)
    assert main(["dev", "run", "deep/own_package/flow.py:whole", "--out", "runs", "-o", "json"]) == session.OK
    assert json.loads(capsys.readouterr().out)["status"]["phase"] == "Completed"


def test_a_whole_pipeline_over_data(tmp_path, monkeypatch, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("x,y\n1,2\n3,4\n")
    monkeypatch.syspath_prepend(str(FLOW.parent))
    assert main(["dev", "run", str(FLOW), "--data", "flights=data", "--out", "runs"]) == session.OK
    assert note(tmp_path, "train-large", "model/model.txt") == "boosted 0.5 x,y\n1,2"
    assert "report | 3 ['model.txt']" in capsys.readouterr().out


def test_an_error_of_a_step_and_of_the_file(tmp_path, capsys):
    (tmp_path / "own_failure.py").write_text(OWN.replace("note.read_text() + text", "nobody"))
    assert main(["dev", "run", "own_failure.py", "--out", "runs"]) == session.FAILED
    said = capsys.readouterr().out
    assert "read | NameError: name 'nobody' is not defined" in said
    (tmp_path / "own_mistake.py").write_text(OWN.replace("size=size", "size='x'"))
    assert main(["dev", "run", "own_mistake.py", "--out", "runs"]) == session.FAILED
    assert "tell.size: 'x' is not int" in capsys.readouterr().err
    assert main(["dev", "run", "nothing.py"]) == session.USAGE
