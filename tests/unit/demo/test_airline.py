"""What the demo's airline does: which flights it asks for, what it writes down, what a training learns from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hack.demo.feed import EXAMPLE

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pq = pytest.importorskip("pyarrow.parquet")
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def airline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's own code can be imported, as in its image."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "airline"]:
        del sys.modules[name]


def flown(month: int, days: range, each: int = 10) -> list[Row]:
    """So many flights of each day."""
    return [
        {
            "year": 2013, "month": month, "day": day, "sched_dep_time": 2310, "dep_time": 2310.0, "dep_delay": 0.0,
            "sched_arr_time": 110, "arr_time": 110.0, "arr_delay": 1.0, "carrier": "UA", "flight": number,
            "tailnum": "N1", "origin": "EWR", "dest": "ORD", "air_time": 90.0, "distance": 700.0, "hour": 23,
            "minute": 10, "time_hour": datetime(2013, month, day, 4, tzinfo=UTC), "plane_year": None,
        }
        for day in days
        for number in range(each)
    ]  # fmt: skip


def test_while_time_stands_still_every_flight_of_november_is_asked_for() -> None:
    from airline import calendar

    table = pa.Table.from_pylist(flown(11, range(1, 4)) + flown(12, range(1, 4)))
    days = list(islice(calendar.still(table, 7), 5))
    asked = [(row["month"], row["day"], row["flight"]) for day in days for row in day.asked]
    assert sorted(asked) == [(11, day, number) for day in (1, 2, 3) for number in range(10)]
    assert asked != sorted(asked)
    assert not any(day.others for day in days)


def test_days_pass_and_all_their_flights_land() -> None:
    from airline import calendar

    table = pa.Table.from_pylist(flown(11, range(1, 4)) + flown(12, range(1, 4)))
    days = list(islice(calendar.passing(table, date(2013, 12, 2), 4), 3))
    assert [len(day.asked) for day in days] == [4, 4, 4]
    assert [{row["day"] for row in day.asked + day.others} for day in days] == [{2}, {3}, {2}]
    for day in days:
        assert sorted(row["flight"] for row in day.asked + day.others) == list(range(10))
        assert [row["flight"] for row in day.asked] == sorted(row["flight"] for row in day.asked)


def test_the_feed_has_the_answers_ids_and_keeps_what_could_not_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from airline import feed
    from pyarrow import fs

    monkeypatch.setenv("FEED", "away")
    mine = feed.Feed()
    monkeypatch.setattr(mine, "_store", lambda: fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))
    asked, other = flown(12, range(6, 7), 2)
    mine.add(asked | {"weekday": 4.0}, "abc")
    mine.add(other)
    mine.write()
    assert not list(tmp_path.rglob("*.parquet"))
    (tmp_path / "away").mkdir()
    mine.write()
    (written,) = tmp_path.rglob("*.parquet")
    assert [(row["flight"], row["request_id"]) for row in pq.read_table(written).to_pylist()] == [(0, "abc"), (1, None)]


def written(folder: Path, rows: list[Row]) -> Path:
    """A folder with these rows."""
    from airline.schema import LANDED

    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=LANDED), folder / "rows.parquet")
    return folder


def test_landed_flights_count_from_the_day_on_from_which_none_is_exported_and_once(tmp_path: Path) -> None:
    from airline.prepare import load

    raw = written(tmp_path / "raw", flown(10, range(1, 3)))
    december = flown(12, range(1, 3))
    landed = written(tmp_path / "landed", flown(11, range(1, 3)) + december + december)
    found = load(raw, landed, "2013-12-01")
    assert found.groupby("month").size().to_dict() == {10: 20, 12: 20}


def test_a_flight_past_midnight_takes_as_long_as_any() -> None:
    from airline.features import clock, features, minutes

    rows = pd.DataFrame(flown(10, range(1, 2), 1))
    assert features(rows)["sched_minutes"].tolist() == [120.0]
    longer = rows.assign(sched_arr_time=clock(minutes(rows["sched_dep_time"]) + rows["air_time"]))
    assert features(longer)["sched_minutes"].tolist() == [90.0]
