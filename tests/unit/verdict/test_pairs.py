"""Test F against its published values, an integral, and its guarantees."""

from __future__ import annotations

from math import comb, exp, inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from fairlead.verdict.failures import log_bound, log_mean
from fairlead.verdict.pairs import Pairs, disagreement, log_e_beyond, log_e_differs, log_e_within, log_e_worse

some = st.builds(Pairs, st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
margins = st.floats(0.01, 0.6)


@pytest.mark.parametrize(("x", "y", "small", "large"), [(13, 2, 2.97, 0.46), (30, 10, 3.45, 1.27)])
def test_published_values(x, y, small, large):
    assert round(log_e_differs(Pairs(0, x, y)), 2) == small
    assert round(log_e_differs(Pairs(0, x, y), weight=100), 2) == large


def test_published_disagreement():
    found = disagreement(700, 1000, 0.05, 100)
    assert (found.low, found.high) == pytest.approx((0.651629, 0.745949), abs=1.5e-6)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(1, 20))
@settings(max_examples=15, deadline=None)
def test_the_one_sided_evidence_is_its_integral(x, y, weight):
    def integrand(q):
        return (2 * q) ** x * (2 * (1 - q)) ** y * float(beta.pdf(q, weight / 2, weight / 2))

    expected = 2 * quad(integrand, 0.5, 1)[0]
    assert exp(log_e_worse(Pairs(0, x, y), weight)) == pytest.approx(expected, rel=1e-5)


@given(some)
@settings(max_examples=30)
def test_the_two_sides_average_to_both(pairs):
    turned = Pairs(pairs.alike, pairs.stable_wrong, pairs.candidate_wrong)
    mean = log_mean((log_e_worse(pairs), log_e_worse(turned)))
    assert mean == pytest.approx(log_e_differs(pairs), abs=1e-9)


@given(some, margins)
@settings(max_examples=30)
def test_an_error_of_the_candidate_speaks_against_it(pairs, worse_by):
    more = pairs + Pairs(0, 1, 0)
    assert log_e_worse(more) >= log_e_worse(pairs + Pairs(0, 0, 1))
    assert all(a > b for a, b in zip(log_e_beyond(more, worse_by), log_e_beyond(pairs, worse_by), strict=True))
    assert all(a < b for a, b in zip(log_e_within(more, worse_by), log_e_within(pairs, worse_by), strict=True))


@given(st.integers(0, 25), st.floats(0, 0.5))
@settings(max_examples=25)
def test_the_expectation_is_at_most_one_up_to_a_half(total, p):
    chances = [comb(total, x) * p**x * (1 - p) ** (total - x) for x in range(total + 1)]
    assert sum(chance * exp(log_e_worse(Pairs(0, x, total - x))) for x, chance in enumerate(chances)) <= 1 + 1e-9


@given(st.floats(0, 1), st.floats(0, 1), margins)
@settings(max_examples=50)
def test_bets_are_fair_under_their_null(up, down, worse_by):
    """One pair, in which the candidate is wrong with chance `up` and the live version with chance `down`."""
    chances = (up * (1 - down), down * (1 - up))
    mean = chances[0] - chances[1]
    rest = 1 - sum(chances)
    for bets, null in ((log_e_beyond, mean <= worse_by), (log_e_within, mean >= worse_by)):
        for i in range(6):
            parts = zip((*chances, rest), (Pairs(0, 1, 0), Pairs(0, 0, 1), Pairs(1, 0, 0)), strict=True)
            expected = sum(chance * exp(bets(pair, worse_by)[i]) for chance, pair in parts)
            assert (expected <= 1 + 1e-9) == null or abs(mean - worse_by) < 1e-9


@given(some, some, margins)
@settings(max_examples=25)
def test_windows_may_be_merged(first, second, worse_by):
    for bets in (log_e_beyond, log_e_within):
        split = [a + b for a, b in zip(bets(first, worse_by), bets(second, worse_by), strict=True)]
        assert split == pytest.approx(bets(first + second, worse_by), abs=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_the_exact_chance_of_ever_a_false_alarm_stays_below_alpha(alpha):
    """Looked at after each of 100 pairs; the chances of all paths that have not raised an alarm are carried on."""
    silent, alarmed = {0: 1.0}, 0.0
    for pairs in range(1, 101):
        grown = {}
        for x, chance in silent.items():
            for wrong in (x, x + 1):
                grown[wrong] = grown.get(wrong, 0.0) + chance / 2
        loud = {x for x in grown if log_e_worse(Pairs(0, x, pairs - x)) >= log_bound(alpha)}
        alarmed += sum(grown[x] for x in loud)
        silent = {x: chance for x, chance in grown.items() if x not in loud}
    assert alpha / 10 < alarmed <= alpha


def test_far_fewer_requests_than_a_canary():
    """1 % against 3 % wrong on the same 1,000 requests, mostly by the same ones."""
    assert log_e_worse(Pairs(970, 25, 5)) > log_bound(0.01)
    assert log_mean(log_e_beyond(Pairs(950, 45, 5), 0.005)) > log_bound(0.01)
    assert log_mean(log_e_within(Pairs(990, 5, 5), 0.02)) > log_bound(0.01)
    assert log_e_worse(Pairs(970, 5, 25)) < 0


def test_no_pairs_no_evidence():
    assert log_e_differs(Pairs(500, 0, 0)) == pytest.approx(0.0, abs=1e-12)
    assert log_e_worse(Pairs(500, 0, 0)) == pytest.approx(0.0, abs=1e-12)
    assert log_e_worse(Pairs(0, 5000, 0)) == pytest.approx(5000 * log(2) - log(5001) + log(2), rel=1e-9)
    assert log_e_worse(Pairs(0, 0, 5000)) < -7


def test_impossible_input_is_refused():
    for pairs in (Pairs(-1, 0, 0), Pairs(0, nan, 0), Pairs(0, 0, inf), Pairs(0, 1.5, 0)):
        for call in (log_e_differs, log_e_worse, lambda p: log_e_beyond(p, 0.1), lambda p: log_e_within(p, 0.1)):
            with pytest.raises(ValueError, match="whole number"):
                call(pairs)
    for weight in (0.0, nan, inf):
        with pytest.raises(ValueError, match="weight"):
            log_e_differs(Pairs(), weight)
    for bets, margin in ((log_e_beyond, -0.1), (log_e_beyond, 1.0), (log_e_within, 0.0), (log_e_within, nan)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            bets(Pairs(), margin)
