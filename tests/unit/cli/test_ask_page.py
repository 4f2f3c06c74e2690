"""The page that shows requests shows those that Fairlead itself would send."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from pathlib import Path

import pandas as pd

from fairlead.cli import columns
from fairlead.cli.main import parser

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "ask-a-model.md").read_text()
BODY = json.loads(PAGE.split("<<'EOF'\n")[1].split("\nEOF\n")[0])
ROWS = [json.loads(row) for row in re.findall(r"--row '(\{.*?\})'", PAGE)]


def test_b17_the_pages_request_is_the_one_that_its_row_gives():
    known = columns.of(json.dumps(BODY))
    for row in ROWS:
        assert columns.body(known, [row]) == BODY


def test_b17_the_pages_program_sends_what_an_evaluation_sends(monkeypatch):
    sent = []

    def answer(request):
        sent.append(json.loads(request.data))
        return io.BytesIO(b'{"outputs": [{"data": [3.2, 4.5]}]}')

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    space: dict = {}
    exec(PAGE.split("```python\n")[1].split("```")[0], space)
    assert space["ask"](pd.DataFrame(ROWS)) == [3.2, 4.5]
    assert sent == [columns.body(columns.of(json.dumps(BODY)), ROWS)]
    gaps = pd.DataFrame({"day": ["Sun", None], "size": [2, None], "rain": [True, False]})
    space["ask"](gaps)
    assert [(t["datatype"], t["data"]) for t in sent[1]["inputs"]] == [
        ("BYTES", ["Sun", None]), ("FP64", [2.0, None]), ("BOOL", [True, False]),
    ]  # fmt: skip


def test_the_pages_commands_are_commands():
    for line in re.findall(r"^kubectl (fairlead .*)$", PAGE, re.M):
        import shlex

        parser("fairlead").parse_args(shlex.split(line)[1:])
