"""Margins as differences of rates: an exact e-value for the whole null, whatever the rates do."""

from __future__ import annotations

import random
from math import comb, exp, inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from fairlead.verdict.difference import alternatives, log_e, nearest, start, step
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, Window

claims = st.sampled_from(["harm", "safe"])


def expectation(n_s, n_c, p_s, p_c, q, worse_by):
    def pmf(x, n, p):
        return comb(n, x) * p**x * (1 - p) ** (n - x)

    return sum(
        pmf(x, n_c, p_c) * pmf(y, n_s, p_s) * exp(log_e(Window(Arm(n_s, y), Arm(n_c, x)), *q, worse_by))
        for x in range(n_c + 1)
        for y in range(n_s + 1)
    )


shares = st.floats(0, 1)


@given(claims, st.integers(0, 6), st.integers(0, 6), st.floats(0.001, 0.9), st.floats(0.001, 0.5), shares, shares)
@settings(max_examples=60, deadline=None)
def test_the_expectation_is_at_most_one_everywhere_in_the_null(claim, n_s, n_c, rate, worse_by, at, beyond):
    p_s = at * (1 - worse_by)
    edge = p_s + worse_by
    p_c = edge * beyond if claim == "harm" else edge + (1 - edge) * beyond
    for q in alternatives(claim, rate, worse_by):
        assert expectation(n_s, n_c, p_s, p_c, q, worse_by) <= 1 + 1e-9


@given(st.floats(0.001, 0.6), st.floats(0.001, 0.99), st.integers(1, 500), st.integers(1, 500), st.floats(0.01, 0.3))
@settings(max_examples=40, deadline=None)
def test_the_nearest_rates_agree_with_scipys_minimum(q_s, q_c, n_s, n_c, worse_by):
    def kl(q, r):
        return q * log(q / r) + (1 - q) * log((1 - q) / (1 - r))

    def divergence(r):
        return n_s * kl(q_s, r) + n_c * kl(q_c, r + worse_by)

    found = nearest(q_s, q_c, n_s, n_c, worse_by)
    best = minimize_scalar(divergence, bounds=(1e-12, 1 - worse_by - 1e-12), method="bounded", options={"xatol": 1e-10})
    assert divergence(found) <= best.fun + 1e-9


@given(claims, st.floats(0.01, 0.5), st.floats(0.01, 0.3), st.integers(0, 20), st.integers(0, 19))
@settings(max_examples=40, deadline=None)
def test_a_failure_of_the_candidate_speaks_for_harm_and_against_safety(claim, rate, worse_by, stable, failed):
    def evidence(x):
        return step(start(claim, rate, worse_by), Window(Arm(50, stable), Arm(20, x))).log_evidence

    more, fewer = evidence(failed + 1), evidence(failed)
    assert more >= fewer - 1e-9 if claim == "harm" else more <= fewer + 1e-9


def rollout(claim, rng, rates, worse_by, alpha, windows):
    state = start(claim, 0.05, worse_by)
    for t in range(windows):
        p_s, p_c = rates(t)
        n_c, n_s = (0, 40) if t % 9 == 4 else (20, 40)
        x, y = (sum(rng.random() < p for _ in range(n)) for p, n in ((p_c, n_c), (p_s, n_s)))
        state = step(state, Window(Arm(n_s, y), Arm(n_c, x)))
        if state.log_evidence >= log_bound(alpha):
            return t
    return None


def swinging(margin):
    """A live version whose rate keeps crossing any level; the candidate always exactly the margin worse."""
    return lambda t: (0.01, 0.01 + margin) if t % 2 else (0.2, 0.2 + margin)


@pytest.mark.parametrize("claim", ["harm", "safe"])
def test_false_verdicts_stay_rare_when_the_live_rate_swings(claim):
    rng = random.Random(11)
    found = sum(rollout(claim, rng, swinging(0.05), 0.05, 0.2, 30) is not None for _ in range(60))
    assert found <= 0.2 * 60


def test_harm_beyond_the_margin_and_safety_within_it_are_found():
    rng = random.Random(12)
    harm = [rollout("harm", rng, lambda _t: (0.05, 0.3), 0.05, 0.01, 60) for _ in range(10)]
    safe = [rollout("safe", rng, lambda _t: (0.05, 0.05), 0.1, 0.05, 80) for _ in range(10)]
    assert None not in harm
    assert None not in safe


def test_a_live_version_that_never_fails():
    state = start("safe", 0.0005, 0.01)
    for _ in range(20):
        state = step(state, Window(Arm(900, 0), Arm(100, 0)))
    assert state.log_evidence > log_bound(0.01)
    assert state.rate < 0.0005
    assert (state.windows, state.stable.requests) == (20, 18_000)


def test_nothing_seen_is_no_evidence():
    assert start("safe", 0.01, 0.01).log_evidence == 0.0
    assert step(start("safe", 0.01, 0.01), Window(Arm(0, 0), Arm(0, 0))).log_evidence == 0.0
    assert step(start("harm", 0.01, 0.01), Window(Arm(50, 1), Arm(0, 0))).log_evidence == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 1.0, nan, inf])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        start("harm", rate, 0.1)


def test_impossible_margins_and_counts_are_refused():
    for claim, margin in (("safe", 0.0), ("harm", -0.1), ("harm", nan), ("harm", 1.0)):
        with pytest.raises(ValueError, match="margin"):
            start(claim, 0.1, margin)
    for arm in (Arm(1, 2), Arm(-1, -1), Arm(10, nan)):
        with pytest.raises(ValueError, match=r"count|whole"):
            step(start("harm", 0.1, 0.1), Window(Arm(5, 1), arm))
