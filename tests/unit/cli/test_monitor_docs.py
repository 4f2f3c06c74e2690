"""The page on past data: its first example is run, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hack.bench import published
from hack.install.chart import ROOT

from fairlead.cli.main import main, parser

PAGE = (ROOT / "docs" / "how-to" / "try-monitors-on-past-data.md").read_text(encoding="utf-8")
FENCE = re.compile(r"```(bash|text)\n(.*?)```", re.S)
BLOCKS = [(kind, re.sub(r"\\\n\s*", " ", body)) for kind, body in FENCE.findall(PAGE)]
COMMANDS = [shlex.split(line)[1:] for kind, body in BLOCKS if kind == "bash" for line in body.splitlines()]


def numberless(text: str) -> list[str]:
    """Lines without what the last digit of a number changes: digits, bars, and the width of columns."""
    return [" ".join(re.sub(r"[0-9▁▂▃▄▅▆▇█ ]+", " ", line).split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_all_options_are_there(command: list[str]) -> None:
    parser("fairlead").parse_args(command)


@pytest.mark.skipif(published.DATA is None, reason="the public data aren't there (../shared/data)")
def test_the_example_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in published.place().glob("california_housing_*.csv"):
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    assert main(COMMANDS[0]) == 0
    capsys.readouterr()
    assert main(COMMANDS[1]) == 0
    (shown,) = [body for kind, body in BLOCKS if kind == "text"]
    assert numberless(capsys.readouterr().out) == numberless(shown)
