"""Who is likely to be the best one, and what he gets."""

from __future__ import annotations

from math import exp, fsum, lgamma, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict import bandit
from fairlead.verdict.arms import Trials


def log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def closed_form(a: Trials, b: Trials) -> float:
    """P(b's rate > a's), for uniform priors (E. Miller, "Formulas for Bayesian A/B Testing", 2014)."""
    one, two = 1 + a.successes, 1 + a.total - a.successes
    three, four = 1 + b.successes, 1 + b.total - b.successes
    return fsum(
        exp(log_beta(one + i, two + four) - log(four + i) - log_beta(1 + i, four) - log_beta(one, two))
        for i in range(three)
    )


def expected_loss(a: Trials, b: Trials) -> float:
    """E[max(b - a, 0)]: what is lost by choosing a (C. Stucchio, "Bayesian A/B Testing at VWO", 2015)."""
    one, two = 1 + a.successes, 1 + a.total - a.successes
    three, four = 1 + b.successes, 1 + b.total - b.successes
    # E[b; b > a] - E[a; b > a], each by raising the parameter of the one whose mean is taken
    of_b = three / (three + four) * closed_form_of(one, two, three + 1, four)
    of_a = one / (one + two) * closed_form_of(one + 1, two, three, four)
    return of_b - of_a


def closed_form_of(one: int, two: int, three: int, four: int) -> float:
    return fsum(
        exp(log_beta(one + i, two + four) - log(four + i) - log_beta(1 + i, four) - log_beta(one, two))
        for i in range(three)
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Trials(100, 10), Trials(100, 15)), (Trials(1000, 20), Trials(1200, 31)), (Trials(0, 0), Trials(1, 1)),
        (Trials(50, 50), Trials(3, 2)), (Trials(1000, 0), Trials(1000, 1)), (Trials(10, 9), Trials(100000, 90500)),
    ],
)  # fmt: skip
def test_two_versions_as_the_closed_form_says(a: Trials, b: Trials) -> None:
    first, second = bandit.standings([a, b])
    chance = closed_form(a, b)
    assert second.best == pytest.approx(chance, abs=1e-4)
    assert first.best == pytest.approx(1 - chance, abs=1e-4)
    assert first.loss == pytest.approx(expected_loss(a, b), abs=1e-4)


def test_nothing_known_of_anybody() -> None:
    for count in range(1, 6):
        found = bandit.standings([Trials()] * count)
        assert [one.best for one in found] == pytest.approx([1 / count] * count)
        assert found[0].loss == pytest.approx(count / (count + 1) - 0.5, abs=1e-4)  # E[max of n uniforms] = n / (n + 1)


COUNTS = st.integers(0, 5000).flatmap(lambda n: st.builds(Trials, st.just(n), st.integers(0, n)))


@given(st.lists(COUNTS, min_size=2, max_size=5))
@settings(max_examples=15, deadline=None)
def test_chances_add_up_and_follow_their_versions(trials: list[Trials]) -> None:
    found = bandit.standings(trials)
    assert fsum(one.best for one in found) == pytest.approx(1.0)
    turned = bandit.standings(trials[::-1])[::-1]
    assert [one.best for one in found] == pytest.approx([one.best for one in turned], abs=1e-9)
    assert all(0 <= one.loss < 1 and 0 < one.rate < 1 for one in found)


def test_the_same_counts_give_the_same_shares() -> None:
    trials = [Trials(700, 70), Trials(200, 31), Trials(100, 8)]
    assert bandit.standings(trials) == bandit.standings(list(trials))


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        bandit.standings([Trials(1, 2)])


@pytest.mark.parametrize(
    ("chances", "last", "most", "found"),
    [
        ((0.1, 0.8, 0.1), [40, 30, 30], 60, [40, 40, 20]),
        ((0.01, 0.98, 0.01), [41, 49, 10], 60, [40, 54, 6]),
        ((0.0, 1.0, 0.0), [40, 55, 5], 60, [40, 55, 5]),
        ((1.0, 0.0, 0.0), [40, 55, 5], 60, [50, 45, 5]),
        ((1.0, 0.0, 0.0), [90, 5, 5], 60, [90, 5, 5]),
        ((0.3, 0.7), [50, 50], 90, [40, 60]),
    ],
)
def test_shares_follow_the_chances_step_by_step(
    chances: tuple[float, ...], last: list[int], most: int, found: list[int]
) -> None:
    assert bandit.moved(chances, last, most, floor=5, by=10) == found


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.integers(25, 99), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_shares_stay_within_their_bounds(raw: list[float], most: int, moves: int) -> None:
    chances = [one / fsum(raw) for one in raw] if fsum(raw) > 0 else [1 / len(raw)] * len(raw)
    last = bandit.whole([100 - most, *[most / (len(raw) - 1)] * (len(raw) - 1)])
    for _ in range(min(moves, 5)):
        after = bandit.moved(chances, last, most, floor=5, by=10)
        assert sum(after) == 100
        assert sum(after[1:]) <= most
        assert min(after[1:]) >= 5
        assert all(abs(new - old) <= 11 for new, old in zip(after[1:], last[1:], strict=True))
        last = after
