"""Where windows begin and end."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from fairlead.worker.past import windows
from fairlead.worker.past.windows import BadLength, Grid


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * windows.SECOND


@pytest.mark.parametrize(
    ("text", "first", "at", "number", "start"),
    [
        ("1h", "2026-03-01T10:20", "2026-03-01T12:59:59", 2, "2026-03-01T12:00"),
        ("1d", "2026-02-28T23:00", "2026-03-01T00:00", 1, "2026-03-01T00:00"),
        ("7d", "2026-02-28T23:00", "2026-03-07T23:59", 1, "2026-03-07T00:00"),
        ("1mo", "2023-12-31T23:00", "2024-03-01T00:00", 3, "2024-03-01T00:00"),
        ("3mo", "2024-02-29T23:00", "2024-04-01T00:00", 1, "2024-04-01T00:00"),
        ("1mo", "1969-12-31T23:00", "1970-01-01T00:00", 1, "1970-01-01T00:00"),
        ("1h", "1969-12-31T23:30", "1970-01-01T00:00", 1, "1970-01-01T00:00"),
        ("1mo", "0001-01-01T00:00", "9999-12-31T23:59", 12 * 9999 - 1, "9999-12-01T00:00"),
    ],
)  # fmt: skip
def test_a_time_lies_in_the_window_that_the_calendar_says(
    text: str, first: str, at: str, number: int, start: str
) -> None:
    grid = Grid(windows.parse(text), micros(first))
    assert grid.numbers(np.array([micros(first), micros(at)], dtype=np.int64)).tolist() == [0, number]
    assert windows.said(grid.start(number)) == windows.said(micros(start))
    assert windows.said(micros(start)) == f"{start}:00Z"


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "0mo", "mo", "1M", "ten", "500ms", "1_000", "٣", "9" * 30])
def test_what_is_no_length_of_a_window_is_told_with_what_is_one(text: str) -> None:
    with pytest.raises(BadLength, match="calendar months"):
        windows.parse(text)


def test_a_window_of_months_lasts_as_long_as_the_mean_month() -> None:
    assert windows.parse("1mo").seconds() == pytest.approx(365.25 * 86_400 / 12)
    assert windows.parse("1h30m").seconds() == 5400
    assert not windows.parse("5000").timed
