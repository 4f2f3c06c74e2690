"""Shares of rows that aren't what they should be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import data
from fairlead.monitor.counts import Tally
from fairlead.monitor.data import Share
from fairlead.monitor.profile import Category, Number, Profile
from fairlead.verdict import detector
from fairlead.verdict.detector import Detector

AGE = Number(kind="number", name="age", edges=[1.0], counts=[480, 480], low=0, high=2, missing=30, unusable=10)
TOWN = Category(kind="category", name="town", values=["a", "b"], counts=[900, 80], other=20, known=["c", "d"], wrong=0)
PROFILE = Profile(task="regression", rows=1000, features=[AGE, TOWN])


def test_each_feature_has_its_checks_with_the_reference_own_share() -> None:
    found = {one.what: one for one in data.checks(PROFILE, 0.02, 0.001)}
    assert list(found) == [
        "missing/age", "wrong/age", "range/age", "missing/town", "wrong/town", "unseen/town", "unread"
    ]  # fmt: skip
    assert found["missing/age"].reference == pytest.approx(0.04)
    assert found["missing/age"].m == pytest.approx(detector.tolerated(40, 1000, 0.02, 0.001))
    assert found["range/age"].m == pytest.approx(detector.tolerated(1, 1000, 0.02, 0.001))
    assert found["unseen/town"].m == pytest.approx(detector.tolerated(2, 1000, 0.02, 0.001))
    assert found["unread"].m == 0.02


def test_shares_are_counted_behind_the_bins() -> None:
    checks = {one.what: one for one in data.checks(PROFILE, 0.02, 0.001)}
    vectors = {"feature/age": (5, 6, 1, 2, 3, 4, 5), "feature/town": (7, 8, 9, 1, 2, 3)}
    window = Tally(PROFILE.digest, rows=30, sampled=40, unread={"too large": 4}, vectors=vectors)
    found = {what: data.share(one, window) for what, one in checks.items()}
    assert found["missing/age"] == Share(7, 26)
    assert found["wrong/age"] == Share(5, 26)
    assert found["range/age"] == Share(3, 26)
    assert found["unseen/town"] == Share(1, 30)
    assert found["missing/town"] == Share(2, 30)
    assert found["unread"] == Share(4, 40)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.001, 0.9))
def test_evidence_is_that_of_the_detector_of_rollouts(found: int, rest: int, m: float) -> None:
    gained = data.log_es(Share(found, found + rest), m)
    after = detector.one_arm(Detector(), found, found + rest, m)
    if not found + rest:
        assert gained is None
        assert after == Detector()
    else:
        assert gained == pytest.approx(after.log_r, rel=1e-9, abs=1e-9)


def test_a_column_that_is_always_missing_has_no_check_for_it() -> None:
    empty = AGE.model_copy(update={"counts": [0, 0], "missing": 1000, "unusable": 0})
    found = {one.what for one in data.checks(Profile(task="regression", rows=1000, features=[empty]), 0.02, 0.001)}
    assert "missing/age" not in found
    assert "wrong/age" in found


def test_three_rows_tell_no_share() -> None:
    tiny = Number(kind="number", name="x", edges=[], counts=[3], low=0, high=1)
    checks = data.checks(Profile(task="regression", rows=3, features=[tiny]), 0.02, 1e-6)
    assert [one.m for one in checks if one.key] == [None, None, None]
