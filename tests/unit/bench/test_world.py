"""The watch after a promotion in a year of weather: the study's smallest form, and its tests are the operator's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hack.bench import watched, weather, world
from hack.bench.watched import REFERENCE, Rules, Seen

from fairlead.verdict import confirm, detector
from fairlead.verdict.counted import Arm, Window

HOUR = 3600
STEADIER = [(truth, said) for _, truth, said in weather.TRUTHS if truth is not weather.bursts]


def counts(seed: int, windows: int = 40) -> list[np.ndarray]:
    """(bad, requests) of the live version and of the one before, window by window."""
    rng = np.random.default_rng(seed)
    live, before = rng.poisson(30, windows), rng.poisson(6, windows)
    return [rng.binomial(live, 0.2), live, rng.binomial(before, 0.1), before]


@pytest.mark.parametrize("worse_by", [0.0, 0.03])
def test_a_question_of_the_study_is_the_operators(worse_by):
    x, n_c, y, n_s = counts(3)
    worse, fine = watched.evidence(x, n_c, y, n_s, worse_by, 0.07)
    asked = confirm.begin(worse_by, 0.07)
    for i in range(len(x)):
        asked = confirm.step(asked, Window(Arm(int(n_s[i]), int(y[i])), Arm(int(n_c[i]), int(x[i]))))
        assert (worse[i], fine[i]) == pytest.approx((asked.log_worse, asked.log_not_worse), abs=1e-6)


def test_the_detector_of_the_study_is_the_operators():
    bad, requests, *_ = counts(4)
    state, start = detector.Detector(), np.full(6, -np.inf)
    half = watched.grown(start, requests[:20], bad[:20], 0.12)
    paths = np.vstack([half, watched.grown(half[-1], requests[20:], bad[20:], 0.12)])
    for i in range(len(bad)):
        state = detector.one_arm(state, int(bad[i]), int(requests[i]), 0.12)
        assert paths[i] == pytest.approx(state.log_r, abs=1e-9)


@pytest.mark.parametrize(("truth", "said"), STEADIER, ids=[truth.__name__ for truth, _ in STEADIER])
def test_b01_a_version_that_is_no_worse_is_not_taken_back_by_the_weather(truth, said):
    rng, rules = np.random.default_rng(5), replace(Rules(HOUR), **said)
    short, long = watches(rng, weather.year(rng, truth, 10.0, 6 * weather.DAY), rules)
    assert short.back + long.back <= 1, "more than falseAlarms: 1% leaves to chance in 52 watches"


def test_b01_alarms_alone_take_good_versions_back_in_bursts():
    rng, rules = np.random.default_rng(6), Rules(HOUR, worse_by=0.03)
    short, long = watches(rng, weather.year(rng, weather.bursts, 10.0, 6 * weather.DAY), rules)
    alarms = [sum(one.alarm is not None for one in study.seen) / len(study.seen) for study in (short, long)]
    assert alarms[0] > 0.5, "by the rule that took an alarm for a verdict most watches of an hour ended in a rollback"
    assert alarms[1] == 1.0, "and all of half a day"
    assert short.back + long.back == 0
    assert all(one.questions for one in long.seen)


def watches(rng: np.random.Generator, made: weather.Weather, rules: Rules) -> tuple[world.Study, world.Study]:
    """40 of an hour, 12 of half a day."""

    def study(seconds: int, number: int) -> world.Study:
        begins = rng.integers(REFERENCE, len(made.requests) - seconds // weather.BLOCK, number)
        seen = [watched.watched(rng, made, int(at), replace(rules, seconds=seconds)) for at in begins]
        return world.Study("", str(seconds), seen)

    return study(HOUR, 40), study(12 * HOUR, 12)


@pytest.mark.parametrize(("requests", "bad"), [(500, 0), (500, 11), (20_000, 700), (30, 29)])
def test_what_is_tolerated_is_the_operators(requests, bad):
    rules = Rules(HOUR, worse_by=0.02)
    known = detector.tolerated(bad, requests, 0.0, rules.part) + 0.03
    assert watched.tolerated(requests, bad, rules) == (pytest.approx(known, abs=1e-9) if known < 1 else None)
    assert watched.tolerated(requests, requests, rules) is None


@pytest.mark.parametrize(("rates", "most"), [((0.02, 0.06), 720), ((0.02, 0.2), 110), ((0.02, 1.0), 60)])
def test_b01_a_version_that_is_worse_is_taken_back_though_it_is_asked_first(rates, most):
    seen = world.until_back(np.random.default_rng(7), rates, 10.0, Rules(HOUR), 40)
    backs = sorted(one.back for one in seen if one.back is not None)
    assert len(backs) >= 38
    assert backs[36] <= most
    assert all(one.alarm is not None and one.back > one.alarm for one in seen if one.back is not None)


def test_a_question_that_the_version_before_wins_ends_the_watch():
    made = weather.becomes(np.random.default_rng(8), 10.0, (0.02, 0.5), REFERENCE + 60, REFERENCE + 2000)
    found = watched.watched(np.random.default_rng(9), made, REFERENCE, Rules(HOUR))
    assert found.questions == 1
    assert found.back == found.lasted
    assert found.asked == found.took + Rules(HOUR).start


def test_times_and_rows():
    assert world.times([10, 20, 30]) == "20, 30"
    assert world.times([10, 20, None]) == "20, never (67%)"
    assert world.times([]) == "-"
    study = world.Study(
        "w", "1h", [Seen(alarm=5, lasted=100), Seen(alarm=5, back=9, questions=2, asked=50, lasted=100)]
    )
    assert study.row() == ["w", "1h", 2, "100.0%", 1, "50.00%", "97.47%", 1.0, 2, "25.0%"]
    assert not world.Study("w", "1h", study.seen * 30).as_declared(0.01)
