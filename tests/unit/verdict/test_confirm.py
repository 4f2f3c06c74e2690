"""The question after an alarm: never answered wrongly because of bursts, and soon answered where it is the version."""

from __future__ import annotations

import random
from math import comb, exp
from statistics import median

import pytest

from fairlead.verdict import confirm
from fairlead.verdict.confirm import Asked, begin, decide, part, step
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.failures import log_lr, log_mean
from fairlead.verdict.proportion import upper_bound

MARGINS = {"none": {}, "a difference": {"worse_by": 0.02, "rate": 0.02}, "an odds ratio": {"odds": 1.5, "floor": 0.05}}


def divided(rng: random.Random, fates: list[tuple[bool, bool]], share: float) -> Window:
    """The gateway draws for each request which version answers it. fates: whether it fails at (old, live) version."""
    counts = [[0, 0], [0, 0]]
    for fate in fates:
        arm = 0 if rng.random() < share else 1
        counts[arm][0] += 1
        counts[arm][1] += fate[arm]
    return Window(Arm(*counts[0]), Arm(*counts[1]))


def bursts(rng: random.Random, requests: int, windows: int) -> list[list[tuple[bool, bool]]]:
    """Stretches of failures that hit whatever version is asked, and a rate that swings."""
    found, bad, rate = [], 0, 0.02
    for _ in range(windows):
        rate = min(0.9, max(0.01, rate * rng.choice([0.5, 1.0, 1.0, 2.0, 4.0])))
        fates = []
        for _ in range(requests):
            if bad == 0 and rng.random() < 0.01:
                bad = rng.randint(5, 60)
            fails = bad > 0 or rng.random() < rate
            bad = max(0, bad - 1)
            fates.append((fails, fails))
        found.append(fates)
    return found


def ask(rng: random.Random, windows: list[list[tuple[bool, bool]]], share: float, alpha: float, **margin: float) -> str:
    state = begin(**margin)
    for fates in windows:
        state = step(state, divided(rng, fates, share))
        if decide(state, alpha, 1e-12) == "worse":
            return "worse"
    return "go on"


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_b01_common_bursts_take_back_a_version_that_is_no_worse_no_more_often_than_declared(
    margin: str, share: float
) -> None:
    rng, alpha, worlds = random.Random(1), 0.05, 120
    wrong = sum(ask(rng, bursts(rng, 30, 40), share, alpha, **MARGINS[margin]) == "worse" for _ in range(worlds))
    assert upper_bound(wrong, worlds, 0.05) < alpha + 0.03, wrong


def test_b01_given_what_would_become_of_each_request_evidence_has_a_mean_of_at_most_one() -> None:
    """Exactly, over all ways to divide a window."""
    n, live = 9, 6
    for failed in range(n + 1):
        for only_old in range(n - failed + 1):
            for margin in ({}, {"worse_by": 0.02, "rate": 0.02}, {"odds": 2.0}):
                assert _mean(n, live, failed, only_old, **margin) <= 1 + 1e-9, (failed, only_old, margin)


def _mean(n: int, live: int, failed: int, only_old: int, **margin: float) -> float:
    """Of the e-value of one window. `failed` requests fail at both versions, `only_old` at the version before only."""
    mean = 0.0
    for kept in range(max(0, only_old - live), min(only_old, n - live) + 1):  # of those at the version before
        for both in range(failed + 1):  # failures of the others at the live version
            fine = live - (only_old - kept) - both
            if not 0 <= fine <= n - failed - only_old:
                continue
            ways = comb(only_old, kept) * comb(failed, both) * comb(n - failed - only_old, fine)
            window = Window(Arm(n - live, failed - both + kept), Arm(live, both))
            mean += ways / comb(n, live) * exp(step(begin(**margin), window).log_worse)
    return mean


@pytest.mark.parametrize(("old", "new", "margin", "most"), [
    (0.02, 0.5, "none", 3), (0.02, 0.2, "none", 8), (0.02, 0.2, "a difference", 8), (0.1, 0.4, "an odds ratio", 12),
])  # fmt: skip
def test_b01_a_version_that_is_worse_is_found_in_seconds(old: float, new: float, margin: str, most: int) -> None:
    rng, took = random.Random(2), []
    for _ in range(60):
        state, windows = begin(**MARGINS[margin]), 0
        while decide(state, 0.005) == "go on":
            fates = [(rng.random() < old, rng.random() < new) for _ in range(50)]
            state, windows = step(state, divided(rng, fates, 0.2)), windows + 1
            assert windows < 300
        assert decide(state, 0.005) == "worse"
        took.append(windows)
    assert median(took) <= most, took


@pytest.mark.parametrize("margin", ["a difference", "an odds ratio"])
def test_b01_with_a_margin_it_is_shown_that_it_is_not_the_version(margin: str) -> None:
    rng, took = random.Random(3), []
    for _ in range(20):
        state, windows = begin(**{**MARGINS[margin], **({"worse_by": 0.1} if margin == "a difference" else {})}), 0
        while decide(state, 0.005) == "go on":
            fates = [(fails, fails) for fails in (rng.random() < 0.4 for _ in range(50))]
            state, windows = step(state, divided(rng, fates, 0.2)), windows + 1
            assert windows < 600
        assert decide(state, 0.005) == "not worse"
        took.append(windows)
    assert median(took) < 300


def test_without_a_margin_only_time_tells_that_nothing_was_found() -> None:
    state = begin()
    assert not state.enough
    for _ in range(100):
        state = step(state, Window(Arm(10, 2), Arm(40, 8)))
    assert (decide(state, 0.005), state.log_not_worse, state.enough) == ("go on", 0.0, True)
    assert (state.live, state.previous) == (Arm(4000, 800), Arm(1000, 200))


def test_the_parts_of_all_questions_and_guards_add_up_to_what_is_declared() -> None:
    found = sum(3 * part(0.01, 3, k) for k in range(1, 10_000))
    assert 0.0099 < found < 0.01
    with pytest.raises(ValueError, match="counted from 1"):
        part(0.01, 1, 0)


def test_a_design_effect_slows_it_down() -> None:
    window = Window(Arm(10, 0), Arm(40, 20))
    once, twice = (step(begin(design_effect=d), window) for d in (1.0, 2.0))
    assert once.log_worse == pytest.approx(log_mean(log_lr(20, 40, 10, 20)))
    assert twice.log_worse < once.log_worse


def test_a_window_in_which_only_one_version_answered_says_nothing() -> None:
    for margin in MARGINS.values():
        state = step(begin(**margin), Window(Arm(), Arm(40, 20)))
        assert state.log_worse <= 1e-9
    assert isinstance(state, Asked)
    assert confirm.ENOUGH > 0
