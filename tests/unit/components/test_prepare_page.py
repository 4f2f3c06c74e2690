"""docs/how-to/prepare-and-split.md: its pipelines run on this machine, with the programs that come with Fairlead."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from fairlead.cli.main import main
from fairlead.components import split
from fairlead.plan.core import Json

PAGE = (Path(__file__).parents[3] / "docs/how-to/prepare-and-split.md").read_text()
DELAY, PLANES = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
(COMMAND,) = re.findall(r"```bash\n(.*?)\n```", PAGE, re.S)
FLIGHTS = 400


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("flights", "weather"):
        Path(folder).mkdir()
    rows = [
        f"{n},2013-{1 + n // 40:02d}-{1 + n % 28:02d},N{n % 200},{n % 24},{100 + n},{'' if n % 20 == 0 else n % 90}"
        for n in range(FLIGHTS)
    ]
    for part, some in enumerate((rows[:150], rows[150:])):
        header = "flight_id;dep_time;tail;hour;distance;arr_delay"
        Path(f"flights/{part}.csv").write_text("\n".join([header, *(one.replace(",", ";") for one in some)]) + "\n")
    Path("weather/all.jsonl").write_text("".join(json.dumps({"hour": h, "wind": h / 2}) + "\n" for h in range(24)))


def ran(document: Json, *words: str) -> tuple[int, Json]:
    Path("pipeline.yaml").write_text(yaml.safe_dump(document))
    code = main(["dev", "run", "pipeline.yaml", *words])
    return code, json.loads(Path(".fairlead/runs/1/run.json").read_text())["status"]


def outputs(status: Json, step: str) -> dict[str, pa.Table]:
    (found,) = (one for one in status["steps"] if one["name"] == step)
    return {o["name"]: pq.read_table(Path(o["uri"].removeprefix("file://")) / "data.parquet") for o in found["outputs"]}


def metrics(status: Json, step: str) -> dict[str, float]:
    (found,) = (one for one in status["steps"] if one["name"] == step)
    return {name: float(value) for name, value in found["metrics"].items()}


def test_the_first_example_prepares_and_splits() -> None:
    code, status = ran(DELAY, *COMMAND.split()[4:])
    assert code == 0
    data = outputs(status, "prepare")["data"]
    kept = [n for n in range(FLIGHTS) if n % 20]
    assert data["flight_id"].to_pylist() == kept
    assert data["wind"].to_pylist() == [n % 24 / 2 for n in kept]
    assert metrics(status, "prepare") == {"rows": 380, "columns": 6}
    sides = outputs(status, "split")
    assert sorted(n for side in sides.values() for n in side["flight_id"].to_pylist()) == kept
    times = {name: side["dep_time"].to_pylist() for name, side in sides.items()}
    assert max(times["train"]) < min(times["validation"])
    assert max(times["validation"]) < min(times["test"])
    assert metrics(status, "split")["rows_test"] == len(times["test"]) == pytest.approx(76, abs=2)
    assert [one["version"] for one in status["components"]] == ["1", "1"]


def test_the_second_example_drops_leaks_and_without_that_it_fails_as_the_page_says() -> None:
    code, status = ran(PLANES, "--data", "flights=./flights")
    assert code == 0
    sides = outputs(status, "split")
    assert not {*sides["train"]["tail"].to_pylist()} & {*sides["test"]["tail"].to_pylist()}
    left = FLIGHTS - sum(side.num_rows for side in sides.values())
    assert metrics(status, "split")["leaked_rows"] == left > 0


def test_what_fails_says_what_the_page_says(capfd: pytest.CaptureFixture[str]) -> None:
    PLANES["spec"]["steps"][0]["params"]["leaks"] = "fail"
    code, _ = ran(PLANES, "--data", "flights=./flights")
    assert code != 0
    said = capfd.readouterr()
    told = re.findall(r"```text\n(.*?)…", PAGE, re.S)[0].strip()
    assert told.split("(tail)")[1].split('"')[0] in said.out + said.err


def test_its_table_has_all_ways_and_its_metrics_are_those_of_the_program() -> None:
    for word in (*split.BY, *(f"rows_{one}" for one in split.SIDES), "leaked_rows", *split.PARAMS):
        assert f"`{word}" in PAGE, word
