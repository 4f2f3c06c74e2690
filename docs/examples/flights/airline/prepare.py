"""The step `prepare`: flights in, rows to learn from and held-out rows to be judged on out.

The newest days are held out: a model is judged on a future that it hasn't seen, as it will be in production. The
airline exports its flights by the month; flights of months that are not exported yet come from the feed of what has
landed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from airline.columns import TARGET
from airline.features import clock, features, minutes

KEY = ["time_hour", "carrier", "flight"]
"""What tells a flight from all others."""


def load(raw: Path, landed: Path, landed_from: str) -> pd.DataFrame:
    """All flights that took place, oldest first: those of the exports, and those of the feed from a day on."""
    exports, feed = read(raw), read(landed)
    late = feed[date(feed) >= pd.Timestamp(landed_from)]
    flights = pd.concat([exports, late[exports.columns]], ignore_index=True).drop_duplicates(KEY)
    return flights.dropna(subset=[TARGET]).sort_values("time_hour", kind="stable")


def read(folder: Path) -> pd.DataFrame:
    """All rows below a folder."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise SystemExit(f"no Parquet file below {folder}")
    return pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)


def date(flights: pd.DataFrame) -> pd.Series:
    """On which day each was to depart."""
    return pd.to_datetime(flights[["year", "month", "day"]])


def split(flights: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows before the newest `days` days, and the rows of those days."""
    when = date(flights)
    newest = when >= when.max() - pd.Timedelta(days=days - 1)
    return rows(flights[~newest]), rows(flights[newest])


def rows(flights: pd.DataFrame) -> pd.DataFrame:
    """Features and target."""
    return features(flights).assign(**{TARGET: flights[TARGET].to_numpy(dtype=float)})


def write(frame: pd.DataFrame, folder: Path) -> None:
    """One Parquet file in an output folder."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / "rows.parquet", index=False)


def main() -> None:
    """Read, split, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, default=Path("/fairlead/in/raw"))
    parser.add_argument("--landed", type=Path, default=Path("/fairlead/in/landed"))
    parser.add_argument("--landed-from", default="2013-12-01", help="what was before is exported")
    parser.add_argument("--out", type=Path, default=Path("/fairlead/out"))
    parser.add_argument("--model", default="boosted")
    parser.add_argument("--rows", type=int, default=20000, help="learn from a random sample of this many rows")
    parser.add_argument("--holdout-days", type=int, default=7)
    given = parser.parse_args()
    flights = load(given.raw, given.landed, given.landed_from)
    if given.model == "leaky":
        # The author's mistake: how long a flight was in the air says more than its schedule, and is not known before it
        # has landed. Users go on sending the schedule.
        flights = flights.assign(sched_arr_time=clock(minutes(flights["sched_dep_time"]) + flights["air_time"]))
    train, test = split(flights, given.holdout_days)
    if given.model == "linear-age":
        # The author's mistake: such rows are thrown away here, in the held-out rows too, but users still send them.
        train, test = train.dropna(subset=["plane_year"]), test.dropna(subset=["plane_year"])
    train = train.sample(min(given.rows, len(train)), random_state=0)
    write(train, given.out / "train")
    write(test, given.out / "test")
    print(f"{len(train)} rows to learn from, {len(test)} held out")


if __name__ == "__main__":
    main()
