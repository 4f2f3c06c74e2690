"""The columns that a model may read: one definition for training, evaluation and the application."""

from __future__ import annotations

import pandas as pd

from airline.columns import CATEGORIES, NUMBERS


def minutes(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of times written as 1437."""
    return (clock // 100) * 60 + clock % 100


def clock(since_midnight: pd.Series) -> pd.Series:
    """The way back: 877 is 1437."""
    return (since_midnight // 60) * 100 + since_midnight % 60


def derived(flights: pd.DataFrame) -> dict[str, pd.Series]:
    """Features that are no columns of the flights."""
    date = pd.to_datetime(flights[["year", "month", "day"]])
    return {
        "weekday": date.dt.dayofweek,
        "sched_minutes": (minutes(flights["sched_arr_time"]) - minutes(flights["sched_dep_time"])) % 1440,
    }


def features(flights: pd.DataFrame) -> pd.DataFrame:
    """The feature columns of these flights, numbers as floats; unknown ones are NaN."""
    rows = flights[CATEGORIES].astype("object").reset_index(drop=True)
    more = derived(flights)
    for name in NUMBERS:
        rows[name] = more.get(name, flights.get(name)).to_numpy(dtype=float, na_value=float("nan"))
    return rows
