"""Schedules around clock changes, and after any time of absence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api.pipeline import ScheduleTrigger
from fairlead.plan.core import epoch, rfc3339
from fairlead.plan.pipeline.triggers import cron

BERLIN = "Europe/Berlin"
# (cron, zone, from, due times until the second)
DST = [
    ("30 2 * * *", BERLIN, "2025-03-29T12:00", ["2025-03-30T01:00", "2025-03-31T00:30"]),  # skipped: when it moved on
    ("30 2 * * *", BERLIN, "2025-10-25T12:00", ["2025-10-26T00:30", "2025-10-27T01:30"]),  # shown twice: once
    ("0 * * * *", BERLIN, "2025-03-30T00:30", ["2025-03-30T01:00", "2025-03-30T02:00"]),
    ("0 * * * *", BERLIN, "2025-10-26T00:30", ["2025-10-26T01:00", "2025-10-26T02:00"]),
    ("30 * * * *", BERLIN, "2025-10-26T00:00", ["2025-10-26T00:30", "2025-10-26T01:30"]),  # both half past two
    ("0 3 * * 1", BERLIN, "2025-10-24T00:00", ["2025-10-27T02:00", "2025-11-03T02:00"]),
    ("0 0 29 2 *", "Etc/UTC", "2025-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
    ("0 9 * * 1-5", "America/New_York", "2025-03-07T15:00", ["2025-03-10T13:00", "2025-03-11T13:00"]),
]


def schedule(expression: str, zone: str = "Etc/UTC") -> ScheduleTrigger:
    """A trigger."""
    return ScheduleTrigger(cron=expression, time_zone=zone)


@pytest.mark.parametrize(("expression", "zone", "start", "due"), DST)
def test_due_times(expression: str, zone: str, start: str, due: list[str]) -> None:
    when, one = epoch(f"{start}:00Z"), schedule(expression, zone)
    for expected in due:
        when = cron.next_due(one, when)
        assert rfc3339(when).startswith(expected)
        assert cron.latest_due(one, epoch(f"{start}:00Z"), when) == when
        assert cron.latest_due(one, epoch(f"{start}:00Z"), when + 59) == when


def test_nothing_is_due_before_its_time() -> None:
    one, start = schedule("0 3 * * *"), epoch("2025-06-01T03:00:00Z")
    assert cron.latest_due(one, start, start + 86399) is None
    assert cron.latest_due(one, start, start + 86400) == start + 86400
    assert cron.latest_due(one, start - 1, start) == start


def test_after_ten_years_the_latest_is_found_quickly() -> None:
    until = epoch("2026-01-01T00:00:30.5Z")
    assert cron.latest_due(schedule("* * * * *"), until - 3650 * 86400, until) == epoch("2026-01-01T00:00:00Z")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "15 1-3 * * *", "0 3 * * 0", "59 1 * * *"]),
    st.sampled_from([epoch("2025-03-30T00:00:00Z"), epoch("2025-10-26T00:00:00Z"), epoch("2025-06-01T00:00:00Z")]),
    st.integers(-7200, 7200),
    st.integers(0, 3 * 86400),
)
def test_latest_is_the_last_of_those_one_after_the_other(expression: str, base: float, start: int, length: int) -> None:
    one, after = schedule(expression, BERLIN), base + start
    last, due = None, cron.next_due(one, after)
    while due <= after + length:
        last, due = due, cron.next_due(one, due)
    assert cron.latest_due(one, after, after + length) == last
