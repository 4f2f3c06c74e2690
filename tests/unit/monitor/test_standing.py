"""Evidence between windows: alarms are as rare as promised, are said once, and end."""

from __future__ import annotations

import random
from math import exp, inf, log

import pytest

from fairlead.monitor import standing
from fairlead.monitor.standing import CALM, Standing, judged
from fairlead.verdict import detector

BOUND = log(50)


def _bets(hits: int, n: int, q: float) -> tuple[float, ...]:
    return tuple(hits * log(1 + b * (1 - q)) + (n - hits) * log(1 - b * q) for b in (0.1, 0.3, 0.6))


def test_alarms_are_at_most_as_many_as_promised_on_average() -> None:
    """At the edge of the tolerance, where they are the most; one in 50 windows is promised at most."""
    rng, before, alarms = random.Random(11), Standing(), 0
    for _ in range(40_000):
        hits = sum(rng.random() < 0.4 for _ in range(10))
        done = judged(before, _bets(hits, 10, 0.4), BOUND, True)
        before, alarms = done.standing, alarms + done.fired
    assert 40 < alarms <= 40_000 / 50


def test_an_alarm_is_said_once_and_lasts_until_it_is_calm() -> None:
    before, seen = Standing(), []
    for hits in [8] * 6 + [4] * 10:
        done = judged(before, _bets(10 * hits, 100, 0.4), BOUND, hits == 4)
        before = done.standing
        seen.append((done.fired, before.alarmed))
    assert sum(fired for fired, _ in seen) == 1
    assert seen[5][1]
    assert not seen[-1][1]
    assert before.alarmed is False
    assert [alarmed for _, alarmed in seen[6:]].index(False) >= CALM - 1


def test_while_an_alarm_lasts_evidence_does_not_pile_up() -> None:
    before = Standing()
    for _ in range(50):
        before = judged(before, _bets(90, 100, 0.4), BOUND, False).standing
    assert log(sum(exp(one) for one in before.log_r) / 3) <= BOUND + 1e-3


def test_a_window_that_says_nothing_changes_nothing() -> None:
    before = Standing((1.5, -inf, 0.25))
    done = judged(before, None, BOUND, False)
    assert done.standing == before
    assert not done.fired
    assert judged(Standing(), None, BOUND, False).log_evidence == -inf
    lasting = Standing((1.0, 1.0, 1.0), True, 1)
    assert judged(lasting, None, BOUND, True).standing == lasting


def test_evidence_waits_while_an_alarm_may_not_begin() -> None:
    before = Standing()
    for _ in range(20):
        done = judged(before, _bets(90, 100, 0.4), BOUND, False, able=False)
        assert not done.fired
        before = done.standing
    assert judged(before, _bets(60, 100, 0.4), BOUND, False).fired


def test_what_is_kept_is_rounded_down() -> None:
    kept = judged(Standing(), (1.23456789, -2.0, -9.0), BOUND, True).standing
    assert kept.log_r == (1.2345, -2.0, -inf)
    assert judged(Standing(), (-8.0, -9.0, -9.0), BOUND, True).standing == Standing()


def test_the_bound_divides_the_budget() -> None:
    assert standing.bound(8766, 20, 0.25) == log(8766 * 20 * 4)
    assert standing.bound(1, 1, 100) == log(20)


@pytest.mark.parametrize("parts", [(0.25,), (1.0, 0.05), (0.02,) * 30 + (1.0,) * 10])
def test_with_a_part_of_the_budget_alarms_are_at_most_as_many_as_were_allotted(parts: tuple[float, ...]) -> None:
    """Whatever the parts do: also where evidence that was gathered under a small one meets a large one."""
    rng, before, alarms, allotted = random.Random(12), Standing(), 0, 0.0
    for window in range(60_000):
        part = parts[window % len(parts)]
        hits = sum(rng.random() < 0.4 for _ in range(10))
        done = judged(before, _bets(hits, 10, 0.4), BOUND, True, part=part)
        before, alarms, allotted = done.standing, alarms + done.fired, allotted + part / 50
    assert 0 < alarms <= allotted


def test_the_whole_budget_is_what_it_was_bit_by_bit() -> None:
    rng, before = random.Random(13), Standing()
    for _ in range(200):
        gained = _bets(sum(rng.random() < 0.42 for _ in range(10)), 10, 0.4)
        grown = detector.step(detector.Detector(before.log_r), gained).log_r if before.log_r else gained
        done = judged(before, gained, BOUND, False)
        assert done.log_evidence == detector.Detector(tuple(grown)).log_evidence
        before = done.standing


def test_evidence_goes_on_when_the_part_changes() -> None:
    """What was found under one part is neither forgotten nor scaled under another one."""
    before = judged(Standing(), (4.0, 4.0, 4.0), 100.0, False, part=0.5).standing
    assert before.log_r[0] == pytest.approx(4.0 + log(0.5), abs=1e-4)
    after = judged(before, (0.0, 0.0, 0.0), 100.0, False, part=0.001)
    assert after.log_evidence == pytest.approx(log(exp(before.log_r[0]) + 0.001))


def test_a_small_part_is_slower_and_finds_it_all_the_same() -> None:
    def windows(part: float) -> int:
        before, number = Standing(), 0
        while not before.alarmed:
            before, number = judged(before, _bets(55, 100, 0.4), log(10_000), False, part=part).standing, number + 1
        return number

    assert [windows(part) for part in (1.0, 0.1, 0.001)] == sorted(windows(part) for part in (1.0, 0.1, 0.001))
    assert windows(0.001) <= 3 * windows(1.0)
