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
DATA = """
import pandas as pd
from pathlib import Path

Path("in/raw").mkdir(parents=True)
rows = range(20)
table = {"day": rows, "distance": [float(n) for n in rows], "hour": rows, "delay": [2.0 * n for n in rows]}
pd.DataFrame(table).to_parquet("in/raw/flights.parquet")
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.S | re.M)


@pytest.fixture
def desk(tmp_path):
    """A folder with the page's file, its test, and data."""
    pipeline, test, _ = blocks("python")
    (tmp_path / "delay.py").write_text(pipeline)
    (tmp_path / "test_delay.py").write_text(test)
    return tmp_path


def python(desk: Path, *words: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=desk, env=ENVIRONMENT | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_page_shows_what_its_file_exports(desk):
    code = "import sys; from fairlead.cli.main import main; sys.exit(main(sys.argv[1:]))"
    (shown,) = blocks("yaml")
    assert python(desk, "-c", code, "export", "delay.py", "-n", "airline") == shown


def test_its_test_passes_and_its_steps_run(desk):
    python(desk, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_delay.py")
    python(desk, "-c", DATA)
    run = next(line for line in PAGE.splitlines() if "fairlead.sdk.run" in line)
    folders, words = {"FAIRLEAD_IN": "in", "FAIRLEAD_OUT": "out"}, run.split()[4:]
    assert run.startswith("FAIRLEAD_IN=in FAIRLEAD_OUT=out python3 -m ")
    python(desk, "-m", *words, **folders)
    (desk / "in" / "rows").symlink_to(desk / "out" / "train")
    python(desk, "-m", "fairlead.sdk.run", "delay:fit", "--alpha=0", **folders)
    assert (desk / "out" / "model" / "model.joblib").exists()
    logged = (desk / "out" / ".fairlead" / "metrics.jsonl").read_text()
    assert '{"name": "rows", "value": 20}' in logged
    assert '"name": "r2"' in logged


def test_its_plain_script_runs(desk):
    (desk / "script.py").write_text(blocks("python")[-1])
    python(desk, "script.py")
    assert (desk / "fairlead-out" / "artifacts" / "errors.csv").read_text() == "carrier,error\nUA,3.2\n"
    assert len((desk / "fairlead-out" / "metrics.jsonl").read_text().splitlines()) == 4


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
