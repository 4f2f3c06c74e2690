"""The drift of contributions: intervals that hold, false alarms within the budget, and shifts that are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.monitor import attributions
from fairlead.monitor.attributions import BETS, Found, Interval, Learnt, Rules, Seen
from fairlead.monitor.standing import Standing
from fairlead.verdict import bounded
from fairlead.verdict.bounded import Sums
from fairlead.verdict.failures import log_mean

DAY = 86400.0
RULES = Rules(DAY, 1.0, 0.03)


def learnt(values: np.ndarray, ways: np.ndarray, beta: float = 1e-4) -> list[Learnt]:
    return [Learnt("a", attributions.interval(values.tolist(), beta), attributions.interval(ways.tolist(), beta))]


def seen(values: np.ndarray, ways: np.ndarray) -> dict[str, Seen]:
    return {"a": Seen(bounded.sums(values.tolist()), bounded.sums(ways.tolist()))}


class Run:
    """One feature, window after window."""

    def __init__(self, of: Sequence[Learnt], rules: Rules = RULES) -> None:
        self.of, self.rules, self.before = of, rules, dict[str, Standing]()

    def window(self, values: np.ndarray, ways: np.ndarray) -> Found:
        (found,) = attributions.judged(self.of, seen(values, ways), self.before, self.rules)
        self.before = {"a": found.standing}
        return found


def drawn(random: np.random.Generator, many: int, a: float = 2.0, b: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Shares of a beta distribution, with the mean a/(a+b); half of them raise the answer."""
    values = random.beta(a, b, many)
    return values, (1 + values * random.choice([-1, 1], many)) / 2


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        found = attributions.interval(random.beta(1, 5, 60).tolist(), 0.05)
        missed += not found.low <= 1 / 6 <= found.high
    assert missed / 400 <= 0.05


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
@settings(deadline=None)
def test_the_interval_lies_around_the_mean(values: list[float]) -> None:
    found = attributions.interval(values, 1e-4)
    assert 0 <= found.low <= found.mean + 1e-6
    assert found.mean - 1e-6 <= found.high <= 1


def test_its_ends_are_those_of_the_tests_own_bets() -> None:
    values = np.random.default_rng(9).beta(2, 6, 80).tolist()
    found = attributions.interval(values, 1e-3)
    for m, of in ((found.low, values), (1 - found.high, [1 - one for one in values])):
        assert log_mean(bounded.log_bets_each(of, m)) == pytest.approx(np.log(2e3), abs=1e-4)


def test_more_rows_say_more() -> None:
    random = np.random.default_rng(2)
    widths = []
    for many in (50, 200, 800):
        found = attributions.interval(random.beta(2, 6, many).tolist(), 1e-5)
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.1


def test_there_are_no_more_false_alarms_than_the_budget_has() -> None:
    """Without any tolerance and with a budget of a thousand a year, so that there is something to count."""
    random, alarms, windows = np.random.default_rng(3), 0, 0
    rules = Rules(DAY, 1000.0, 0.0)
    for _ in range(20):
        run = Run(learnt(*drawn(random, 400)), rules)
        for _ in range(60):
            before = run.before.get("a", Standing()).alarmed
            found = run.window(*drawn(random, 50))
            alarms += found.standing.alarmed and not before
            windows += 1
    assert alarms / windows <= 1000.0 * attributions.PART / 365.25


def test_a_share_that_moves_is_found_and_is_over_when_it_is_as_before() -> None:
    random = np.random.default_rng(4)
    run = Run(learnt(*drawn(random, 400)))
    assert not any(run.window(*drawn(random, 100)).standing.alarmed for _ in range(10))
    took = next(day for day in range(1, 30) if run.window(*drawn(random, 100, 4, 4)).standing.alarmed)
    assert took <= 3
    assert not [run.window(*drawn(random, 100)) for _ in range(20)][-1].standing.alarmed


def test_a_direction_that_turns_is_found_though_the_share_is_the_same() -> None:
    random = np.random.default_rng(5)
    values, _ = drawn(random, 400, 4, 4)
    run = Run(learnt(values, (1 + values) / 2))
    found = None
    for _ in range(10):
        now, _ = drawn(random, 100, 4, 4)
        found = run.window(now, (1 - now) / 2)
    assert found
    assert found.standing.alarmed
    assert found.raised > 0.4 > -0.4 > found.raises


def test_what_is_tolerated_is_no_alarm() -> None:
    random = np.random.default_rng(6)
    run = Run(learnt(*drawn(random, 400)), Rules(DAY, 1.0, 0.2))
    assert not any(run.window(*drawn(random, 100, 3.4, 6)).standing.alarmed for _ in range(60))


def test_rows_that_depend_on_each_other_count_as_fewer() -> None:
    random = np.random.default_rng(7)
    of = learnt(*drawn(random, 400))
    now = drawn(random, 100, 4, 4)
    alone = Run(of).window(*now).log_evidence
    assert Run(of, Rules(DAY, 1.0, 0.03, design_effect=4.0)).window(*now).log_evidence < alone


def test_a_window_without_rows_says_nothing() -> None:
    of = [Learnt("a", Interval(0.1, 0.2, 0.3), Interval(0.4, 0.5, 0.6))]
    assert attributions.judged(of, {}, {}, RULES) == []
    assert attributions.judged(of, {"a": Seen(Sums(), Sums())}, {}, RULES) == []


def test_a_reference_that_may_be_anything_is_never_left() -> None:
    of = [Learnt("a", Interval(0.0, 0.5, 1.0), Interval(0.0, 0.5, 1.0))]
    run = Run(of)
    assert all(not run.window(np.ones(100), np.ones(100)).standing.alarmed for _ in range(30))


def test_the_state_is_kept_to_the_last_bit() -> None:
    random = np.random.default_rng(8)
    run = Run(learnt(*drawn(random, 400)))
    for _ in range(3):
        run.window(*drawn(random, 100, 3, 6))
    assert attributions.parsed(attributions.dumped(run.before)) == run.before


STRANGE = [{"a": [0]}, {"a": [0, 0, 1.0]}, {"a": 3}, {"a": [0, "x", *[0.0] * BETS]}, {"a": None}]


@pytest.mark.parametrize("given_", STRANGE)
def test_what_is_no_state_is_refused(given_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not|unpack"):
        attributions.parsed(given_)
