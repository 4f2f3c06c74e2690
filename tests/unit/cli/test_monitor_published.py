"""Public data with published figures, through the command line: `fairlead profile`, then `fairlead monitor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hack.bench import published

from fairlead.cli.main import main

Json = dict[str, Any]
Judged = Callable[..., Json]
pytestmark = pytest.mark.skipif(published.DATA is None, reason="the public data aren't there (../shared/data)")
HOUSING = "MedInc,HouseAge,AveRooms,AveBedrms,Population,AveOccup,Latitude,Longitude"


@pytest.fixture
def judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judged:
    """Profile a reference, monitor rows, and read what is printed."""

    def run(reference: Path, profile: list[str], rows: Path, monitor: list[str]) -> Json:
        made = str(tmp_path / "profile.json")
        assert main(["profile", str(reference), *profile, "-o", made]) == 0
        capsys.readouterr()
        assert main(["monitor", "--profile", made, "--rows", str(rows), *monitor, "-o", "json"]) == 0
        found: Json = json.loads(capsys.readouterr().out)
        return found

    return run


def test_california_housing_by_month_is_estimated_as_published_and_both_months_are_told(judged: Judged) -> None:
    """NannyML's figures for 2022-03 and 2022-04, from raw scores; ours are from 64 counters."""
    place = published.place()
    answers = ["--prediction", "y_pred", "--score", "y_pred_proba"]
    labels = ["--labels", str(place / "california_housing_analysis_gt.csv"), "--key", "id"]
    found = judged(
        place / "california_housing_reference.csv",
        ["--features", HOUSING, *answers, "--target", "clf_target"],
        place / "california_housing_analysis.csv",
        [*answers, *labels, "--time", "timestamp", "--window", "1mo"],
    )
    months = {window["from"][:7]: window for window in found["windows"]}
    assert months["2022-03"]["estimated"]["auc"] == pytest.approx(0.829077, abs=0.01)
    assert months["2022-04"]["estimated"]["auc"] == pytest.approx(0.910661, abs=0.01)
    for month in ("2022-03", "2022-04"):
        assert months[month]["drift"]["Longitude"]["state"] == "Drifting"
        assert months[month]["drift"]["Latitude"]["state"] == "Drifting"
        assert months[month]["losses"]["realised"]["state"] == "Drifting"
    assert found["end"]["labels"]["counted"] == 8232
    assert found["end"]["said"]


def test_the_last_class_of_elec2_is_as_right_as_published(judged: Judged, tmp_path: Path) -> None:
    x, labels = published.elec()
    table = pa.table({"price": x[1:, 3], "last": labels[:-1], "class": labels[1:]})  # the first has none before it
    pq.write_table(table, tmp_path / "elec.parquet")
    answers = ["--prediction", "last"]
    found = judged(
        tmp_path / "elec.parquet", ["--features", "price", *answers, "--target", "class", "--task", "classification"],
        tmp_path / "elec.parquet", [*answers, "--target", "class", "--window", "50000"],
    )  # fmt: skip
    (window,) = found["windows"]
    assert window["rows"] == 45_311
    assert round(window["realised"]["accuracy"], 6) == 0.853303
    assert found["end"]["losses"][0]["loss"] == pytest.approx(1 - 0.853303, abs=5e-7)
    assert found["end"]["harmed"] == []


def test_no_winter_is_an_alarm_where_the_reference_had_winters(judged: Judged, tmp_path: Path) -> None:
    """25 years of days are the reference, 25 the stream, a window is two months. Against the whole of the reference
    alone each season drifts; a change of units is found all the same. x3, the visibility, rose over the decades: in the
    end it is unlike all of the reference, and that is no season."""
    table = np.loadtxt(published.place() / "weather.csv", delimiter=",", skiprows=1)[:, :8]
    half, names = len(table) // 2, [f"x{number}" for number in range(8)]
    changed = table[half:].copy()
    changed[-5 * 365 :, 0] = (changed[-5 * 365 :, 0] - 32) / 1.8
    for name, part in (("reference", table[:half]), ("later", table[half:]), ("changed", changed)):
        pq.write_table(pa.table(dict(zip(names, part.T, strict=True))), tmp_path / f"{name}.parquet")
    reference = tmp_path / "reference.parquet"
    options = ["--window", "61", "--every", "61d", "--false-alarms-per-year", "0.1"]
    known = [*options, "--reference", str(reference)]

    def drifts(rows: str, options: list[str]) -> list[str]:
        found = judged(reference, ["--features", ",".join(names)], tmp_path / f"{rows}.parquet", options)
        return [one["what"] for one in found["end"]["alarms"] if one["monitor"] == "drift"]

    assert set(drifts("later", known)) <= {"x3"}
    assert "x0" in drifts("changed", known)
    assert len(drifts("later", options)) > 5
