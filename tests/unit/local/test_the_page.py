"""The how-to, followed by a newcomer in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import fairlead
from fairlead.api.pipeline import PipelineSpec, Step
from fairlead.local import fields

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "run-on-your-machine.md").read_text()
FILES = ("make_flights.py", "prepare.py", "train.py")
PROGRAM = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.S | re.M)


def commands() -> list[list[str]]:
    """Of the page but for those that install it."""
    lines = [shlex.split(line) for block in blocks("bash")[1:] for line in block.splitlines()]
    assert {words[0] for words in lines} == {"python", "fairlead"}
    return lines


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """An empty folder with the page's files; nothing leads to a cluster."""
    python = blocks("python")
    assert len(python) == len(FILES)
    for name, text in zip(FILES, python, strict=True):
        assert f"`{name}`" in PAGE
        (tmp_path / name).write_text(text)
    (manifest,) = blocks("yaml")
    (tmp_path / "pipeline.yaml").write_text(manifest)
    return tmp_path


def done(desk: Path, words: list[str]) -> str:
    program = [sys.executable, "-c", PROGRAM] if words[0] == "fairlead" else [sys.executable]
    hidden = ("KUBE", "AWS_", "FAIRLEAD_", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env |= {"HOME": str(desk), "PYTHONPATH": str(Path(fairlead.__file__).parents[1])}
    result = subprocess.run([*program, *words[1:]], cwd=desk, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def plain(text: str) -> str:
    """Without what is another each time: how long it took, and where it lies."""
    text = re.sub(r"(/[\w.-]+)+/\.fairlead", "/DIR/.fairlead", re.sub(r"from /\S+/flights", "from /DIR/flights", text))
    return re.sub(r"\b(\d+m)?\d+(\.\d+)?(ms|s)\b", "TIME", text).strip()


def test_a_newcomer_gets_what_the_page_shows(desk: Path) -> None:
    told = [done(desk, words) for words in commands()]
    (shown,) = blocks("text")
    assert plain(told[1]) == plain(shown)
    assert "param per: 100 → 60" in told[2]
    assert '"phase": "Completed"' in told[3]


def test_bad_data_is_not_run(desk: Path) -> None:
    done(desk, commands()[0])
    with (desk / "flights/2014.csv").open("w") as file:
        file.write("flight,carrier,distance,delay\n1,AA,0,5\n")
    words = [sys.executable, "-c", PROGRAM, *commands()[1][1:]]
    result = subprocess.run(words, cwd=desk, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Dataset flights" in result.stderr
    assert "distance" in result.stderr
    assert "flight" in result.stderr
    assert not list((desk / ".fairlead/runs").glob("[0-9]*"))  # nothing has run


def test_the_page_has_all_options(capsys: pytest.CaptureFixture[str]) -> None:
    from fairlead.cli.main import main

    with pytest.raises(SystemExit):
        main(["dev", "run", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help", "--quiet", "--output"}
    assert {one for one in options if f"`{one}" not in PAGE} == set()


def test_the_page_has_all_fields_that_are_not_as_in_a_cluster() -> None:
    other = {PipelineSpec: fields.ELSEWHERE, Step: fields.PLACED | fields.ENGINE | fields.NAMESPACE}
    names = {kind.model_fields[one].alias or one for kind, several in other.items() for one in several} - {"image"}
    table = PAGE.partition("## What is not as in a cluster")[2]
    assert {one for one in names if f"`{one}`" not in table} == set()
