"""Expected times: published numbers of failures, and what simulations need."""

from __future__ import annotations

from math import inf, log
from statistics import median

import numpy as np
import pytest

from fairlead.verdict import difference, expected
from fairlead.verdict.failures import GRID, log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, step


@pytest.mark.parametrize(
    ("share", "psi", "failures"),
    [(0.1, 2, 98), (0.1, 3, 32), (0.1, 5, 12.6), (0.1, 10, 5.3), (0.5, 2, 53), (0.05, 3, 55)],
)
def test_failures_that_are_needed(share, psi, failures):
    """Without the grid's price, for an evidence of 20: the numbers in the design, rounded there."""
    seconds = expected.until_harm(log(20) - log(len(GRID)), share, 1.0, psi)
    assert seconds * (1 - share + share * psi) == pytest.approx(failures, rel=0.02)


def test_what_can_never_end_takes_for_ever():
    assert expected.until_harm(3, 0.1, 0.0) == inf
    assert expected.until_harm(3, 0.0, 1.0) == inf
    assert expected.until_proof(3, 90, 0, 0.01, 0.01) == inf
    assert expected.until_proof(0, 90, 0, 0.01, 0.01) == 0
    with pytest.raises(ValueError, match="above 1"):
        expected.until_harm(3, 0.1, 1.0, 1.0)


def test_harm_is_found_about_when_expected():
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        state = GuardState()
        while state.log_evidence < log_bound(0.05):
            arms = (Arm(n, int(rng.binomial(n, p))) for n, p in ((90, 0.02), (10, 0.06)))
            state = step(state, Window(*arms))
        found.append(state.windows)
    said = expected.until_harm(log_bound(0.05), 0.1, 100 * 0.02, 3.1)
    assert 0.5 * said < median(found) < 1.5 * said


def test_safety_is_proven_about_when_expected():
    rng, found = np.random.default_rng(6), []
    for _ in range(30):
        state = difference.start("safe", 0.02, 0.02)
        while state.log_evidence < log_bound(0.05):
            arms = (Arm(n, int(rng.binomial(n, 0.02))) for n in (90, 10))
            state = difference.step(state, Window(*arms))
        found.append(state.windows)
    said = expected.until_proof(log_bound(0.05), 90, 10, 0.02, 0.02)
    assert 0.5 * said < median(found) < 2 * said
