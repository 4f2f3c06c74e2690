"""The how-to about reports, followed in an empty folder."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import fairlead
from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.main import parser
from fairlead.plan.pipeline import dag
from fairlead.worker.reporting import files, heads, inputs

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "report-on-a-run.md").read_text()
PROGRAM = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.S | re.M)


def lines() -> list[list[str]]:
    return [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """An empty folder with the page's files."""
    (manifest,) = blocks("yaml")
    (tmp_path / "pipeline.yaml").write_text(manifest)
    for name, text in zip(("prepare.py", "train.py"), blocks("python"), strict=True):
        assert f"`{name}`" in PAGE
        (tmp_path / name).write_text(text)
    return tmp_path


def done(desk: Path, words: list[str]) -> int:
    hidden = ("KUBE", "AWS_", "FAIRLEAD_", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env |= {"HOME": str(desk), "PYTHONPATH": str(Path(fairlead.__file__).parents[1])}
    told = subprocess.run([sys.executable, "-c", PROGRAM, *words[1:]], cwd=desk, env=env, check=False)
    return told.returncode


def page(desk: Path, number: int) -> str:
    """The text of a run's page, without its tags; cells stand between bars."""
    folder = desk / ".fairlead" / "runs" / str(number) / "steps" / "page"
    assert sorted(one.name for one in folder.iterdir()) == ["log", "out"]  # one attempt
    body = re.sub(r"<style>.*?</style>", "", (folder / "out" / "report.html").read_text(), flags=re.S)
    return html.unescape(re.sub(r"(<[^>]+>)+", " | ", body))


def test_a_newcomer_gets_what_the_page_says(desk: Path) -> None:
    runs = [words for words in lines() if words[0] == "fairlead"]
    assert [done(desk, words) for words in runs] == [0, 0, 1]
    first, second, third = (page(desk, number) for number in (1, 2, 3))
    assert "No run of this Pipeline has completed before." in first
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| train | mae |"))
    value, before, moved = row.strip("| ").split(" | ")[2:]
    assert f"train | mae | {value} | {before} | {moved}" in second
    assert "of 50 flights" in second
    assert "its first 20 of 200 rows, 3 columns" in second
    assert "slice step cannot be zero" in third
    assert third.count("Missing: step train has not completed (Failed, UserError)") == 2
    assert "delay-2" in third


def test_the_pipeline_makes_sense_and_the_commands_are_parsed() -> None:
    dag.validate(PipelineSpec.model_validate(yaml.safe_load(blocks("yaml")[0])["spec"]))
    for words in lines():
        start = 2 if words[0] == "kubectl" else 1
        parser("fairlead").parse_args(words[start:])


def test_the_bounds_are_those_of_the_program() -> None:
    for said in (
        f"the first {heads.ROWS} rows and {heads.COLUMNS} columns", f"up to {heads.COUNTED >> 20} MiB)",
        f"the picture, up to {files.PICTURE >> 20} MiB", f"in a frame, up to {files.FRAMED >> 20} MiB",
        f"the first {files.LINES} lines", f"up to {files.PRETTY >> 10} KiB", f"the first {inputs.FILES} files",
        f"at most {inputs.PAGE >> 20} MiB",
    ):  # fmt: skip
        assert said in PAGE
    assert inputs.TABLES == 3
