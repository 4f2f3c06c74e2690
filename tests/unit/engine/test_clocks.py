"""Clocks that are behind, and clocks that jump."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.clocks import MOST, TOLERATED, Clocks, latest
from fairlead.plan.core import Json, rfc3339

START = 1_800_000_000.0
HOUR = 3600.0


@dataclass
class Machine:
    """A clock that can be set, and one that can't."""

    now: float = START
    steady: float = 0.0

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now, lambda: self.steady)


def seen(at: float) -> Json:
    """An object whose status was written then."""
    return {"metadata": {"uid": "u"}, "status": {"candidate": {"lastWindowAt": rfc3339(at)}}}


def test_time_goes_on_from_what_is_recorded() -> None:
    machine = Machine()
    clocks, raw = machine.clocks(), seen(START + 300)
    assert clocks.now(raw) == (START + 300, 300)
    machine.passes(1)
    assert clocks.now(raw)[0] == pytest.approx(START + 301, abs=0.1), "windows keep their length, nearly"


def test_a_clock_catches_up_though_nobody_sets_it() -> None:
    """That of the leader before was ahead, and this one is right."""
    machine = Machine()
    clocks, raw = machine.clocks(), seen(START + 60)
    before = clocks.now(raw)[0]
    for _ in range(60 * 20):
        machine.passes(1)
        now, _ = clocks.now(raw)
        assert before - TOLERATED < now
        raw, before = seen(now), now
    assert clocks.now(raw) == (machine.now, 0.0)


def test_of_more_than_an_hour_that_hour_is_bridged_when_the_rest_is_over() -> None:
    machine = Machine()
    clocks, raw = machine.clocks(), seen(START + 2 * HOUR)
    assert clocks.now(raw) == (START, 2 * HOUR)
    machine.passes(0.9 * HOUR)
    assert clocks.now(raw) == (START + 3240, pytest.approx(3960))
    machine.passes(0.2 * HOUR)
    assert clocks.now(raw) == (START + 7200, pytest.approx(3240)), "windows close again"


def test_a_clock_that_was_ahead_for_a_moment_is_not_behind_afterwards() -> None:
    machine = Machine()
    clocks, raw = machine.clocks(), seen(START)
    machine.now += 10 * HOUR
    assert clocks.now(raw) == (START + 10 * HOUR, 0.0)
    machine.now -= 10 * HOUR
    machine.passes(1)
    assert clocks.now(raw) == (START + 1, 0.0), "nothing was written meanwhile: nothing has to be waited for"


@given(jumps=st.lists(st.floats(-3 * HOUR, 3 * HOUR), max_size=20), writes=st.lists(st.booleans(), max_size=20))
def test_no_time_that_was_written_is_gone_back_behind_but_for_more_than_an_hour(
    jumps: list[float], writes: list[bool]
) -> None:  # fmt: skip
    machine = Machine()
    clocks, raw = machine.clocks(), seen(START)
    for jump, write in zip(jumps, writes, strict=False):
        machine.now += jump
        machine.passes(1)
        now, behind = clocks.now(raw)
        written = latest(raw["status"])
        assert now >= written - TOLERATED - 1 or behind > MOST
        assert behind <= MOST or now == machine.now
        if write:
            raw = seen(now)


def test_strange_times_are_none() -> None:
    assert latest({"a": {"since": "yesterday"}, "b": [{"startedAt": 5}], "c": None}) == 0.0
    assert latest("x") == pytest.approx(0.0)
