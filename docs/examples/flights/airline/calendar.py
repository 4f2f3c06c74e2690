"""Which flights the application asks for, and when: November's while time stands still, or day after day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

STILL = 11
"""The month whose flights are asked for, in no order, while time stands still."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Day:
    """Flights to ask for one after the other, and others that nobody asks for."""

    asked: list[Row]
    others: list[Row]


def still(flights: pa.Table, at_a_time: int) -> Iterator[Day]:
    """Flights of one month in a random order, the same ones again and again."""
    chosen = flights.filter(pc.equal(flights["month"], STILL))
    order = list(range(chosen.num_rows))
    random.Random(0).shuffle(order)
    while True:
        for begin in range(0, len(order), at_a_time):
            yield Day(chosen.take(order[begin : begin + at_a_time]).to_pylist(), [])


def passing(flights: pa.Table, since: date, at_a_time: int) -> Iterator[Day]:
    """All flights of day after day, and at the end of the year from the same day on again. Of each day so many are
    asked for, chosen at random, in the order of their departures."""
    chance = random.Random(0)
    while True:
        for month in range(since.month, 13):
            of_month = flights.filter(pc.equal(flights["month"], month))
            for day in range(since.day if month == since.month else 1, 32):
                rows = of_month.filter(pc.equal(of_month["day"], day)).to_pylist()
                asked = set(chance.sample(range(len(rows)), min(at_a_time, len(rows))))
                if rows:
                    yield Day(
                        [row for at, row in enumerate(rows) if at in asked],
                        [row for at, row in enumerate(rows) if at not in asked],
                    )
