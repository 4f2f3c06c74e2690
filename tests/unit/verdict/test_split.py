"""Test B against its published vectors and its definition."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import binom

from fairlead.verdict.split import log_e


def test_published_vectors():
    assert round(log_e((5200, 4800), (0.5, 0.5)), 4) == 5.6136
    assert round(log_e((8900, 1100), (0.9, 0.1)), 5) == 2.98925


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0.01, 0.99))
@settings(max_examples=50)
def test_two_arms_agree_with_scipys_beta_function(first, second, share):
    expected = (
        betaln(100 * share + first, 100 * (1 - share) + second)
        - betaln(100 * share, 100 * (1 - share))
        - first * log(share)
        - second * log(1 - share)
    )
    assert log_e((first, second), (share, 1 - share)) == pytest.approx(float(expected), abs=1e-6)


@given(st.integers(1, 200), st.floats(0.05, 0.95))
@settings(max_examples=25)
def test_its_expectation_is_one_when_the_split_is_as_asked(total, share):
    shares = (share, 1 - share)
    mean = sum(binom.pmf(s, total, share) * exp(log_e((s, total - s), shares)) for s in range(total + 1))
    assert mean == pytest.approx(1.0, rel=1e-6)


def test_no_requests_no_evidence_and_three_arms():
    assert log_e((0, 0), (0.9, 0.1)) == 0.0
    assert log_e((100, 200, 700), (0.1, 0.2, 0.7)) < 0
    assert log_e((400, 300, 300), (0.1, 0.2, 0.7)) > 100


@pytest.mark.parametrize(
    ("counts", "shares"), [((1,), (0.5, 0.5)), ((1, -1), (0.5, 0.5)), ((1, 1), (1.0, 0.0)), ((1, 1), (0.5, 0.4))]
)
def test_shares_that_are_none_are_refused(counts, shares):
    with pytest.raises(ValueError, match="shares"):
        log_e(counts, shares)
