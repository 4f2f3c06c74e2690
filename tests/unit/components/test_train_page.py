"""docs/how-to/train-without-code.md: its pipelines run on this machine, and what they leave is a model that answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import joblib
import pandas as pd
import pytest
import yaml

from fairlead.cli.main import main
from fairlead.components import train_lightgbm
from fairlead.components.training import importance, rows
from fairlead.plan.core import Json
from fairlead.plan.pipeline.components.builtin import train_sklearn, training

PAGE = (Path(__file__).parents[3] / "docs/how-to/train-without-code.md").read_text()
TRAIN, COMPARE = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
(COMMAND,) = re.findall(r"```bash\n(.*?)\n```", PAGE, re.S)


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flights").mkdir()
    lines = ["flight_id,dep_time,carrier,distance,dep_delay,arr_delay"]
    for n in range(600):
        late, miles = n * 37 % 61 - 10, 200 + n * 137 % 2300
        delay = "" if n % 50 == 0 else late * 0.9 + miles / 500 + (8 if n % 3 == 0 else 0)
        carrier = ("AA", "DL", "UA")[n % 3]
        lines.append(f"{n},2013-{1 + n // 60:02d}-{1 + n % 28:02d} {n % 24:02d}:00:00,{carrier},{miles},{late},{delay}")
    Path("flights/2013.csv").write_text("\n".join(lines) + "\n")


def ran(document: Json) -> dict[str, Json]:
    """The run's steps by name."""
    Path("pipeline.yaml").write_text(yaml.safe_dump(document))
    assert main(COMMAND.split()[1:]) == 0
    status = json.loads(Path(".fairlead/runs/1/run.json").read_text())["status"]
    return {one["name"]: one for one in status["steps"]}


def metrics(step: Json) -> dict[str, float]:
    return {one["name"]: float(one["value"]) for one in step["metrics"]}


def test_from_a_dataset_to_a_model() -> None:
    found = ran(TRAIN)["train"]
    said = metrics(found)
    assert 0 < said["validation_mae"] < 5
    assert 1 <= said["rounds"] <= 500
    (path,) = (one["uri"].removeprefix("file://") for one in found["outputs"] if one["name"] == "model")
    model = joblib.load(Path(path) / "model.joblib")
    (produced,) = TRAIN["spec"]["produces"]
    asked = produced["version"]["evaluation"]["features"]
    assert list(model.feature_names_in_) == asked
    row = pd.DataFrame([[3, "AA", 500, 20]], columns=asked)
    assert model.predict(row)[0] == pytest.approx(27, abs=5)
    assert Path(".fairlead/runs/1/models").exists()


def test_the_second_library_is_tried_where_the_first_is_not_good_enough() -> None:
    rows_ = Path("flights/2013.csv").read_text().splitlines()
    Path("flights/2013.csv").write_text("\n".join(one for one in rows_ if not one.endswith(",")) + "\n")
    found = ran(COMPARE)
    line = metrics(found["line"])["validation_mae"]
    assert found["trees"]["phase"] == ("Completed" if line > 5 else "Skipped")


def test_numbers_and_names_are_those_of_the_program() -> None:
    assert f"more than {rows.CATEGORIES} different texts" in PAGE
    assert f"at most {importance.ROWS} rows" in PAGE
    models = train_sklearn.BUILTIN.said["params"]["model"]["in"]
    assert all(f"`{name}`" in PAGE or f"model: {name}`" in PAGE for name in models)
    named = re.findall(r"also takes (.*?) and some more", PAGE, re.S)[0]
    assert set(re.findall(r"`(\w+)`", named)) <= set(train_lightgbm.NATIVE)
    assert set(training.PARAMS) >= {"rounds", "seed", "early_stopping"}
