"""Would the version before have done better on the same requests? Its two tests, by simulation and by hand."""

from __future__ import annotations

from math import inf, log, log1p, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import question
from fairlead.monitor.question import Asked, Gained, decide, gained, step
from fairlead.verdict.failures import log_mean
from fairlead.verdict.pairs import STAKES

MARGIN, ALPHA, SURE = 0.02, 0.01, 0.05
Rng = np.random.Generator


def outcomes(
    rng: Rng, live: float, before: float, alike: float, runs: int, batches: int = 40, rows: int = 100,
    cluster: int = 1, effect: float = 1.0,
) -> dict[str, float]:  # fmt: skip
    """Shares of answers, of many questions. live, before: error rates; alike: share of the requests where both are
    right or both wrong; cluster: so many requests in a row are one and the same."""
    d, disagree = live - before, 1 - alike
    drawn = rng.random((runs, batches * rows // cluster))
    u = np.where(drawn < (disagree + d) / 2, 1.0, np.where(drawn < disagree, -1.0, 0.0)).repeat(cluster, axis=1)
    better = logs(u, rows, lambda s, x: np.log1p(s * x)) / effect
    other = logs(u, rows, lambda s, x: np.log1p(s * (MARGIN - x) / (1 - MARGIN))) / effect
    first = [np.where(hit.any(1), hit.argmax(1), batches) for hit in (better >= log(1 / ALPHA), other >= log(1 / SURE))]
    return {
        "better": float(((first[0] <= first[1]) & (first[0] < batches)).mean()),
        "not better": float((first[1] < first[0]).mean()),
    }


def logs(u: np.ndarray, rows: int, paid) -> np.ndarray:
    """Log evidence after each batch."""
    found = np.stack([np.cumsum(paid(stake, u), axis=1)[:, rows - 1 :: rows] for stake in STAKES])
    top = found.max(0)
    return top + np.log(np.exp(found - top).mean(0))


def test_the_simulated_tests_are_the_product_s():
    rng = np.random.default_rng(1)
    u = rng.choice([-1.0, 0.0, 1.0, 0.25], 300)
    asked = Asked()
    for at in range(0, 300, 100):
        asked = step(asked, gained(u[at : at + 100].tolist(), MARGIN))
    assert asked.log_better == pytest.approx(logs(u[None], 100, lambda s, x: np.log1p(s * x))[0, -1])
    twin = logs(u[None], 100, lambda s, x: np.log1p(s * (MARGIN - x) / (1 - MARGIN)))[0, -1]
    assert asked.log_not_better == pytest.approx(twin)


@pytest.mark.parametrize(("live", "alike", "told"), [(0.1, 0.98, 0.9), (0.1, 0.85, 0.5), (0.35, 0.6, 0.05)])
def test_a_version_before_that_is_no_better_is_seldom_called_so(live, alike, told):
    """Both as they were, and both equally bad, whether they agree or not; one may look after each of forty batches."""
    found = outcomes(np.random.default_rng(2), live, live, alike, runs=600)
    assert found["better"] <= ALPHA
    assert found["not better"] > told


@pytest.mark.parametrize(("live", "before", "alike"), [(0.2, 0.1, 0.8), (0.2, 0.17, 0.93), (0.5, 0.3, 0.7)])
def test_one_that_is_better_is_called_so(live, before, alike):
    found = outcomes(np.random.default_rng(3), live, before, alike, runs=300)
    assert found["better"] > 0.9
    assert found["not better"] <= SURE


def test_one_that_is_better_by_the_margin_is_seldom_called_not_better():
    assert outcomes(np.random.default_rng(4), 0.2, 0.2 - MARGIN, 0.9, runs=600)["not better"] <= SURE


def test_with_its_design_effect_clusters_that_go_the_same_way_make_no_false_answers():
    """25 requests of each customer are one and the same: without it, they are called what chance made of them."""
    rng = np.random.default_rng(5)
    assert outcomes(rng, 0.2, 0.2, 0.8, runs=600, cluster=25)["better"] > 3 * ALPHA
    assert outcomes(rng, 0.2, 0.2, 0.8, runs=600, cluster=25, effect=25)["better"] <= ALPHA


def test_the_labels_that_rang_would_have_lied():
    """Both are equally bad. Where the live version was unlucky, its own bad luck would often have sent it back."""
    rng = np.random.default_rng(6)
    live, before = rng.random((2, 20000, 200)) < 0.2
    unlucky = live.mean(1) > 0.27
    stale = [decide(step(Asked(), gained((a - 1.0 * b).tolist(), MARGIN)), 0.2) for a, b in
             zip(live[unlucky], before[unlucky], strict=True)]  # fmt: skip
    assert len(stale) > 100
    assert np.mean([one == "better" for one in stale]) > 0.3


def test_losses_of_numbers_are_judged_too():
    rng = np.random.default_rng(7)
    asked = Asked()
    for _ in range(10):
        asked = step(asked, gained(np.clip(rng.normal(0.05, 0.1, 100), -1, 1).tolist(), MARGIN))
    assert decide(asked, ALPHA) == "better"
    assert asked.difference == pytest.approx(0.05, abs=0.01)


def test_what_the_version_before_refuses_speaks_against_it():
    right = gained([1.0] * 30, MARGIN)
    assert decide(step(Asked(), right), ALPHA) == "better"
    refused = step(Asked(), gained([1.0] * 30, MARGIN, refused=30))
    assert decide(refused, ALPHA) == "go on"
    assert refused.log_not_better == step(Asked(), right).log_not_better
    nothing = step(Asked(), gained([], MARGIN, refused=10_000))
    assert decide(nothing, ALPHA) == "go on"


def test_few_pairs_say_nothing():
    assert decide(step(Asked(), gained([1.0] * (question.ENOUGH - 1), MARGIN)), 0.5) == "go on"


def test_a_batch_without_pairs_changes_nothing():
    assert step(Asked(), Gained()) == Asked()


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, nan])
def test_a_margin_that_is_none(margin):
    with pytest.raises(ValueError, match="margin"):
        gained([0.0], margin)


@pytest.mark.parametrize(
    "bad",
    [
        Gained(1, 2.0), Gained(-1), Gained(1, nan), Gained(1, 0.0, -1), Gained(1, 0.0, 0, (0.0,)), Gained(10**400),
        Gained(1, 0.0, 10**400),
        Gained(1, 0.0, 0, (inf,) * len(STAKES)), Gained(1, 0.0, 0, (5.0,) * len(STAKES)),
        Gained(1, 0.0, 0, question.NOTHING, (nan,) * len(STAKES)),
    ],
)  # fmt: skip
def test_sums_that_no_pairs_have(bad):
    with pytest.raises(ValueError, match=r"must be|finite|gained so much"):
        step(Asked(), bad)


def test_differences_that_are_none():
    with pytest.raises(ValueError, match="losses lie"):
        gained([1.5], MARGIN)
    with pytest.raises(ValueError, match="losses lie"):
        gained([nan], MARGIN)
    with pytest.raises(ValueError, match="design effect"):
        step(Asked(), Gained(), 0.5)


@given(st.lists(st.floats(-1, 1), max_size=30), st.integers(0, 5), st.floats(1, 10))
def test_evidence_adds_up_and_no_payment_is_negative(differences, refused, effect):
    asked = step(Asked(), gained(differences, MARGIN, refused), effect)
    by_hand = [
        (sum(log1p(s * u) for u in differences) + refused * log1p(-s)) / effect for s in STAKES
    ]  # fmt: skip
    assert asked.log_better == pytest.approx(log_mean(by_hand), abs=1e-9)
    assert asked.n == len(differences)
    assert asked.refused == refused
