"""docs/how-to/stop-skew.md says how golden rows are written, and which reasons there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairlead.manifests import presets
from fairlead.monitor import golden

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "stop-skew.md").read_text()


def test_what_the_example_writes_is_read(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    exec(PAGE.partition("```python")[2].partition("```")[0], found)
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"a": random.normal(size=200), "b": random.integers(0, 9, 200)})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame.a + frame.b > 4)
    path = tmp_path / "golden.jsonl"
    found["golden_of"](model, frame, str(path))
    exchanges = golden.parse(path.read_bytes())
    assert len(exchanges) == 64
    assert [one["datatype"] for one in exchanges[0].request["inputs"]] == ["FP64", "INT64"]
    assert [one.outputs[0].values[0] for one in exchanges] == model.predict(frame)[:64].tolist()


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{golden.ROWS} lines and {golden.SIZE >> 10} KiB at most" in PAGE
    assert f"`{golden.TOLERANCE:.1%}`" in PAGE
    assert f"listens on {presets.GOLDEN_PORT} itself" in PAGE


def test_each_reason_of_unknown_is_told() -> None:
    room = Path(golden.__file__).parents[1]
    code = "".join((room / path).read_text() for path in (
        "worker/record/replay.py", "worker/record/gate.py", "plan/deployment/serving/golden.py",
        "plan/deployment/monitors/skew.py",
    ))  # fmt: skip
    given = set(re.findall(r'(?:_unknown|NotAsked|Problem|Said)\(\s*(?:"Unknown", )?"([A-Z]\w+)"', code))
    given |= set(re.findall(r'"Unknown", "([A-Z]\w+)"', code))
    table = PAGE.partition("| reason of `Unknown` |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([A-Z]\w+)`", table))
    assert given - {"Ok", "Bad", "Unknown", "VersionMissing"} == told
