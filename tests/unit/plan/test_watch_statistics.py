"""How often a watch is wrong, and how soon it is right: many watches, each with windows as an hour of traffic gives."""

from __future__ import annotations

import random
from math import log, log1p
from statistics import median

import pytest

from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.watch import WatchedGuard
from fairlead.plan.deployment.evidence import guards
from fairlead.plan.deployment.watch import detect
from fairlead.plan.deployment.watch import period as watch
from fairlead.verdict.guards import encode

HOUR = 3600.0
ALPHA = 0.01
WINDOWS = watch.most_windows(2 * HOUR)
GUARD = Guard(metric="errors")


def begun(rng: random.Random, rate: float, requests: int = 1000, worse_by: str = "0%") -> WatchedGuard:
    """After a rollout in which the old version answered so many requests."""
    guard = GUARD.model_copy(update={"worse_by": worse_by})
    bad = binomial(rng, requests, rate)
    seen = GuardEvidence(guard="0/errors", stable=ArmCounts(requests=requests, failures=bad))
    tolerated = guards.margin(guards.live_rate(requests, bad), float(worse_by[:-1]) / 100)
    seen = seen.model_copy(update={"odds": encode(tolerated.odds), "floor": encode(tolerated.floor)})
    return detect.begin(guard, seen, 0.01, ALPHA / 2, ALPHA / 2 / WINDOWS)


def binomial(rng: random.Random, n: int, p: float) -> int:
    """How many of n are bad: few are counted by the gaps between them, many drawn from the normal distribution."""
    if n * p >= 5:
        return max(0, min(n, round(rng.gauss(n * p, (n * p * (1 - p)) ** 0.5))))
    found = at = 0
    while p and (at := at + 1 + int(log(1.0 - rng.random()) / log1p(-p))) <= n:
        found += 1
    return found


def until_alarm(state: WatchedGuard, rng: random.Random, rate: float, old: float | None, windows: int) -> int | None:
    """Windows until the alarm; None if there is none. old: the previous version's rate, with a holdback of 10 %."""
    for index in range(windows):
        n = round(200 * rng.uniform(0.2, 1.8))
        previous = (n // 10, binomial(rng, n // 10, old)) if old is not None else None
        state = detect.seen(state, (n, binomial(rng, n, rate)), previous, 1.0)
        if state.state == "Alarm":
            return index + 1
    return None


@pytest.mark.parametrize("old", [None, 0.02], ids=["reference", "holdback"])
def test_a_healthy_version_stays_in_a_hundred_watches(old: float | None) -> None:
    rng = random.Random(7)
    alarms = [until_alarm(begun(rng, 0.02), rng, 0.02, old, 200) for _ in range(100)]
    assert sum(found is not None for found in alarms) <= 2


def test_a_rate_within_the_tolerance_stays_too() -> None:
    rng = random.Random(8)
    alarms = [until_alarm(begun(rng, 0.02), rng, 0.03, None, 150) for _ in range(50)]
    assert sum(found is not None for found in alarms) <= 1


def test_a_margin_holds_with_a_holdback_that_never_fails() -> None:
    rng = random.Random(9)
    alarms = [until_alarm(begun(rng, 0.0005, worse_by="2%"), rng, 0.02, 0.0, 150) for _ in range(50)]
    assert sum(found is not None for found in alarms) <= 1


@pytest.mark.parametrize(
    ("rate", "old", "most"), [(0.2, None, 1), (0.06, None, 20), (0.2, 0.02, 6), (0.5, 0.02, 2)],
)  # fmt: skip
def test_what_has_become_worse_is_found_in_a_few_windows_even_after_a_good_time(
    rate: float, old: float | None, most: int
) -> None:  # fmt: skip
    rng, taken = random.Random(11), []
    for _ in range(25):
        state = begun(rng, 0.02)
        for _ in range(120):  # well for twenty minutes
            n = 200
            previous = (n // 10, binomial(rng, n // 10, old)) if old is not None else None
            state = detect.seen(state, (n, binomial(rng, n, 0.02)), previous, 1.0)
        taken.append(until_alarm(state, rng, rate, old, 200) or 200)
    assert median(taken) <= most


def test_windows_grow_with_the_age_and_their_number_is_bounded() -> None:
    assert [watch.pace(age) for age in (0, 1000, 3600, 6000, 1e6)] == [10, 10, 36, 60, 60]
    for limit in (60.0, HOUR, 86400.0):
        at, number = 0.0, 0
        while at < limit:
            at, number = at + watch.EARLY * watch.pace(at), number + 1
        assert number <= watch.most_windows(limit) <= number + 2
