"""The paired bootstrap: repeatable, right about the spread, and right about what it is sure of."""

from __future__ import annotations

import numpy as np
import pytest

from fairlead.worker import bootstrap
from fairlead.worker.bootstrap import interval, relative_worsening, resampled_sums


def test_the_same_seed_gives_the_same_resamples_for_every_column() -> None:
    rows = np.random.default_rng(1).normal(size=100)
    sums = resampled_sums(np.stack([rows, 2 * rows, np.ones(100)]), seed=7, resamples=50)
    assert np.array_equal(sums, resampled_sums(np.stack([rows, 2 * rows, np.ones(100)]), seed=7, resamples=50))
    assert np.allclose(sums[:, 1], 2 * sums[:, 0]), "columns share their resamples"
    assert np.all(sums[:, 2] == 100)
    assert not np.array_equal(sums, resampled_sums(np.stack([rows, 2 * rows, np.ones(100)]), seed=8, resamples=50))
    assert bootstrap.RESAMPLES >= 1000


def test_the_spread_is_the_standard_error() -> None:
    rows = np.random.default_rng(2).normal(size=400)
    means = resampled_sums(rows[None, :], seed=1, resamples=2000)[:, 0] / 400
    assert means.std() == pytest.approx(rows.std() / 20, rel=0.08)


def test_coverage_of_a_relative_difference() -> None:
    """Theirs has mean 1, ours 1.1, both with a large part in common: the true worsening is 10 %."""
    generator, held, widths = np.random.default_rng(3), 0, []
    for seed in range(150):
        common = generator.exponential(size=200)
        theirs = 0.8 * common + 0.2 * generator.exponential(size=200)
        ours = theirs + 0.1 * generator.exponential(size=200)
        sums = resampled_sums(np.stack([ours, theirs]), seed=seed, resamples=400)
        low, high = interval(relative_worsening(sums[:, 0], sums[:, 1], higher_is_better=False))
        held += low <= 0.1 <= high
        widths.append(high - low)
    assert 0.88 <= held / 150 <= 0.99
    assert np.mean(widths) < 0.04, "pairing takes out what both have in common"


@pytest.mark.parametrize(
    ("ours", "theirs", "higher", "worse"),
    [
        (11.0, 10.0, False, 0.1), (9.0, 10.0, False, -0.1), (0.9, 1.0, True, 0.1), (1.0, 0.8, True, -0.25),
        (0.0, 0.0, False, 0.0), (1.0, 0.0, False, np.inf), (1.0, 0.0, True, -np.inf), (5.0, 5.0, True, 0.0),
    ],
)  # fmt: skip
def test_worsening_is_relative_to_the_other(ours: float, theirs: float, higher: bool, worse: float) -> None:
    found = relative_worsening(np.asarray(ours), np.asarray(theirs), higher_is_better=higher)
    assert float(found) == pytest.approx(worse)


def test_intervals_keep_infinities_and_refuse_nan() -> None:
    assert interval(np.array([0.0] * 50 + [np.inf] * 50)) == (0.0, np.inf)
    assert np.isnan(interval(np.array([0.0, np.nan]))[1])
