"""Windows of a stream: so many rows, a stretch of time, or calendar months. Times are microseconds since 1970, UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from fairlead.api import units

SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR = 365.25 * 86_400
"""Seconds."""
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND
"""The years 1 to 9999: what a date can say."""
MOST = 100_000
"""Windows of a stream: each is judged, also where no row came."""
_MONTHS = re.compile(r"([1-9][0-9]{0,3})mo")
_ROWS = re.compile(r"[1-9][0-9]{0,9}")
_SHORTEST = 1.0


class BadLength(ValueError):  # noqa: N818 - the house's names of errors
    """No length of a window; the message says what one is."""


@dataclass(frozen=True)
class Length:
    """Of a window: one of these is not 0."""

    rows: int = 0
    micros: int = 0
    months: int = 0

    @property
    def timed(self) -> bool:
        """Whether windows begin and end at times, not with rows."""
        return not self.rows

    def seconds(self) -> float:
        """Of a window of time; of months their mean."""
        return self.micros / SECOND if self.micros else self.months * YEAR / 12


def parse(text: str) -> Length:
    """`5000` rows, `1h`, `1d`, `1mo`. Raises BadLength."""
    if _ROWS.fullmatch(text):
        return Length(rows=int(text))
    if found := _MONTHS.fullmatch(text):
        return Length(months=int(found[1]))
    try:
        length = units.seconds(text)
    except ValueError:
        length = 0.0
    if length < _SHORTEST:
        raise BadLength(f"{text[:40]!r} is no window: write a number of rows (5000), a duration from 1s (1h, 1d), or "
                        "calendar months (1mo)")  # fmt: skip
    return Length(micros=round(length * SECOND))


class Grid:
    """Windows of time, from the one that the first row is in, which is number 0."""

    def __init__(self, length: Length, first: int) -> None:
        if not length.timed:
            raise ValueError("windows of rows have no times of their own")
        self._length = length
        # What divides a day begins with the hour, or at midnight; longer ones with the first row's day.
        self._origin = 0 if length.micros and DAY % length.micros == 0 else first // DAY * DAY
        self._zero = 0
        self._zero = int(self.numbers(np.array([first], dtype=np.int64))[0])

    def numbers(self, times: np.ndarray) -> np.ndarray:
        """The window of each time (int64)."""
        if self._length.months:
            months = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
            return np.asarray(months // self._length.months - self._zero)
        return np.asarray((times - self._origin) // self._length.micros - self._zero)

    def start(self, number: int) -> int:
        """When a window begins; the one before ends then."""
        at = number + self._zero
        if self._length.months:
            return int(np.datetime64(at * self._length.months, "M").astype("datetime64[us]").astype(np.int64))
        return self._origin + at * self._length.micros


def said(micros: int) -> str:
    """A time as ISO 8601 writes it, in UTC. A time beyond the calendar is its end."""
    at = min(max(micros, FIRST), LAST - 1)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
