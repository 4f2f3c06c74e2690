"""Slow requests as counts: thresholds, margins, and when there is no evidence."""

from __future__ import annotations

from math import inf

import pytest

from fairlead.verdict.latency import Threshold, Unusable, count, merge, threshold
from fairlead.verdict.margin import Margin, margin

#           ≤ 10 ms   ≤ 50 ms   ≤ 100 ms   ≤ 200 ms   all
LIVE = ((0.01, 500), (0.05, 900), (0.1, 980), (0.2, 995), (inf, 1000))


def test_the_threshold_is_the_first_bound_at_or_above_the_quantile():
    found = threshold(LIVE, "p95", 0.0)
    assert isinstance(found, Threshold)
    assert found.seconds == 0.1
    assert found.quantile == pytest.approx(0.05 + 0.05 * 50 / 80)
    assert found.tolerated == Margin()


def test_a_margin_moves_the_threshold_and_tolerates_what_the_quantile_allows():
    found = threshold(LIVE, "p95", 0.5)
    assert isinstance(found, Threshold)
    assert found.seconds == 0.2
    share = 5.5 / 1001
    assert found.tolerated.odds == pytest.approx(margin(share, 0.05 - share).odds)
    assert found.tolerated.floor == pytest.approx(margin(share, 0.05 - share).floor)


def test_a_quantile_that_is_a_bound_stays_there():
    found = threshold(LIVE, "p90", 0.0)
    assert isinstance(found, Threshold)
    assert found.seconds == 0.05


@pytest.mark.parametrize(
    ("buckets", "quantile", "worse_by", "reason"),
    [
        ((), "p50", 0.0, "TooFewSamples"),
        (((0.1, 90), (inf, 100)), "p95", 0.0, "TooFewSamples"),
        (((0.1, 900), (inf, 2000)), "p95", 0.0, "QuantileOutOfRange"),
        (LIVE, "p95", 5.0, "QuantileOutOfRange"),
    ],
)
def test_no_evidence_is_said_with_a_remedy(buckets, quantile, worse_by, reason):
    found = threshold(buckets, quantile, worse_by)
    assert isinstance(found, Unusable)
    assert found.reason == reason
    assert found.message.endswith(".")


def test_counting_above_the_threshold():
    assert count(LIVE, 0.1) == (1000, 20)
    assert count((), 0.1) == (0, 0)
    assert isinstance(count(LIVE, 0.3), Unusable)


def test_histograms_of_pods_add_up():
    assert merge([LIVE, (), LIVE]) == tuple((bound, 2 * below) for bound, below in LIVE)
    assert merge([]) == ()
    assert isinstance(merge([LIVE, ((1.0, 3), (inf, 4))]), Unusable)
