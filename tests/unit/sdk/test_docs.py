"""What the documentation shows of the SDK is run, and it shows all that there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fairlead
from fairlead import sdk

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "write-pipelines-in-python.md").read_text()
REFERENCE = (ROOT / "docs" / "reference" / "python.md").read_text()
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(fairlead.__file__).parents[1]), str(ROOT)])}
WHOLE = """
import contextlib, io, os, sys
from pathlib import Path

import pandas as pd
from fairlead.cli.main import main as command
from fairlead.sdk import run

sys.path.insert(0, ".")
with contextlib.redirect_stdout(io.StringIO()) as said:
    assert command(["export", "delay.py", "-n", "airline"]) == 0
Path("exported.yaml").write_text(said.getvalue())

import test_delay
test_delay.test_the_newest_are_kept_back(Path("of-the-test"))

Path("in/raw").mkdir(parents=True)
rows = range(20)
table = {"day": rows, "distance": [float(n) for n in rows], "hour": rows, "delay": [2.0 * n for n in rows]}
pd.DataFrame(table).to_parquet("in/raw/flights.parquet")
os.environ |= {"FAIRLEAD_IN": "in", "FAIRLEAD_OUT": "out"}
assert run.main(sys.argv[1:]) == 0
Path("in/rows").symlink_to(Path("out/train").resolve())
assert run.main(["delay:fit", "--alpha=0"]) == 0
"""
"""All that the page does with its file, in one process: what the file imports takes seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.S | re.M)


def python(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_its_file_is_exported_tested_and_run_as_the_page_has_it(tmp_path):
    pipeline, _, test, _ = blocks("python")
    (tmp_path / "delay.py").write_text(pipeline)
    (tmp_path / "test_delay.py").write_text(test)
    (tmp_path / "of-the-test").mkdir()
    by_hand = next(line for line in PAGE.splitlines() if "fairlead.sdk.run" in line)
    start = "FAIRLEAD_IN=in FAIRLEAD_OUT=out python3 -m fairlead.sdk.run "
    assert by_hand.startswith(start)
    python(tmp_path, "-c", WHOLE, *by_hand.removeprefix(start).split())
    (shown,) = blocks("yaml")
    assert (tmp_path / "exported.yaml").read_text() == shown
    assert (tmp_path / "out" / "model" / "model.joblib").exists()
    logged = (tmp_path / "out" / ".fairlead" / "metrics.jsonl").read_text()
    assert '{"name": "rows", "value": 20}' in logged
    assert '"name": "r2"' in logged


def test_its_pipeline_of_components_runs(tmp_path):
    (tmp_path / "parts.py").write_text(blocks("python")[1])
    rows = "".join(f"{n},{n % 13},{n % 24},{n % 13 * 2 + n % 24}\n" for n in range(300))
    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "flights.csv").write_text(f"day,distance,hour,delay\n{rows}")
    command = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"
    python(tmp_path, "-c", command, "dev", "run", "parts.py", "--data", "flights=flights", "-p", "rounds=20")
    steps = tmp_path / ".fairlead" / "runs" / "1" / "steps"
    assert (steps / "train-lightgbm" / "out" / "model" / "model.joblib").is_file()


def test_its_plain_script_runs(tmp_path):
    (tmp_path / "script.py").write_text(blocks("python")[-1])
    python(tmp_path, "script.py")
    assert (tmp_path / "fairlead-out" / "artifacts" / "errors.csv").read_text() == "carrier,error\nUA,3.2\n"
    assert len((tmp_path / "fairlead-out" / "metrics.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", sdk.__all__)
def test_every_name_and_every_argument_is_in_the_reference(name):
    section = REFERENCE.partition(f"### `fairlead.{name}`\n")[2].partition("\n##")[0]
    assert section
    found = getattr(sdk, name)
    if inspect.isfunction(found):
        named = [
            one.name for one in inspect.signature(found).parameters.values() if one.kind is not one.POSITIONAL_ONLY
        ]
        assert re.findall(r"^- `(\w+)`", section, re.M) == named
