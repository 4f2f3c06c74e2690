"""docs/how-to/use-components.md: its manifests are valid, its pipeline runs with its program, its commands parse."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from fairlead.api.component import ComponentSpec
from fairlead.cli.main import main, parser
from fairlead.local import schema
from fairlead.plan.component.check import check
from fairlead.plan.core import Json
from fairlead.plan.pipeline.components import find

PAGE = (Path(__file__).parents[3] / "docs/how-to/use-components.md").read_text()
PIPELINE, COMPONENT = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
COMMANDS = [line for text in re.findall(r"```bash\n(.*?)```", PAGE, re.S) for line in text.splitlines()]
COMMANDS += re.findall(r"`((?:kubectl )?fairlead [^`]*)`", PAGE)


@pytest.mark.parametrize("one", [PIPELINE, COMPONENT], ids=["pipeline", "component"])
def test_the_api_server_takes_them(one: Json) -> None:
    assert schema.problems(one) == []


def test_the_component_makes_sense() -> None:
    check(ComponentSpec.model_validate(COMPONENT["spec"]))


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_are_there(line: str) -> None:
    parser("fairlead").parse_args(shlex.split(line.removeprefix("kubectl "))[1:])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("clean.py").write_text(PROGRAM)
    Path("pipeline.yaml").write_text(yaml.safe_dump(PIPELINE))
    Path("clean-flights.yaml").write_text(yaml.safe_dump(COMPONENT))
    Path("flights").mkdir()
    delays = [None if n % 10 == 0 else 700 if n % 10 == 1 else n for n in range(200)]
    pq.write_table(pa.table({"n": list(range(200)), "dep_delay": delays}), "flights/rows.parquet")
    return tmp_path


def outputs() -> dict[str, Path]:
    record = json.loads(Path(".fairlead/runs/1/run.json").read_text())
    return {
        f"{step['name']}.{one['name']}": Path(one["uri"].removeprefix("file://"))
        for step in record["status"]["steps"] for one in step["outputs"]
    }  # fmt: skip


@pytest.mark.usefixtures("here")
def test_the_pipeline_runs_with_the_program_of_the_page() -> None:
    command = next(line for line in COMMANDS if line.startswith("fairlead dev run"))
    assert main(shlex.split(command)[1:]) == 0
    found = {name: pq.read_table(path).num_rows for name, path in outputs().items()}
    assert (found["prepare.data"], found["clean.flights"]) == (180, 160)
    assert found["split.test"] + found["split.train"] == 160
    assert 20 <= found["split.test"] <= 60


@pytest.mark.usefixtures("here")
def test_capped_none_is_left_out() -> None:
    steps = [s | {"params": s["params"] | {"mode": "cap"}} if s["name"] == "clean" else s
             for s in PIPELINE["spec"]["steps"]]  # fmt: skip
    Path("pipeline.yaml").write_text(yaml.safe_dump(PIPELINE | {"spec": PIPELINE["spec"] | {"steps": steps}}))
    words = ["--components", "clean-flights.yaml", "--data", "flights", "--step", "clean", "-p", "longest=50"]
    assert main(["dev", "run", "pipeline.yaml", *words]) == 0
    left = pq.read_table(outputs()["clean.flights"])
    assert (left.num_rows, max(left["dep_delay"].to_pylist())) == (180, 50)


def test_its_table_has_the_reasons_that_are_given() -> None:
    for reason in (find.MISSING, find.VERSION, find.INVALID, find.IMAGE):
        assert f"| `{reason}` |" in PAGE
