"""Several versions compared by their successes."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict import arms, failures, split
from fairlead.verdict.arms import Division, Trials
from fairlead.verdict.guards import Arm

TRIALS = st.integers(0, 60).flatmap(lambda n: st.builds(Trials, st.just(n), st.integers(0, n)))


def test_a_pair_is_test_a_with_another_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The design's vector: (4, 100, 900, 10) gives a log likelihood ratio of .6459 at 1.25, ... 2.8825 at 10."""
    monkeypatch.setattr(arms, "GRID", failures.GRID)
    found = arms.log_lr(Trials(100, 4), Trials(900, 6))
    assert found == pytest.approx((0.6459, 1.1349, 1.8228, 2.5824, 3.1059, 2.8825), abs=1e-4)
    assert found == failures.log_lr(4, 100, 900, 10)


@given(st.lists(TRIALS, min_size=2, max_size=4), st.floats(1, 5))
@settings(max_examples=60, deadline=None)
def test_evidence_adds_up_over_windows_and_shrinks_by_the_design_effect(one: list[Trials], effect: float) -> None:
    window = {f"v{i}": trials for i, trials in enumerate(one)}
    once = arms.step({}, window)
    twice = arms.step(once, window)
    for pair, lrs in once.items():
        assert twice[pair] == pytest.approx([2 * value for value in lrs])
        assert arms.step({}, window, effect)[pair] == pytest.approx([value / effect for value in lrs])
    assert len(once) == len(one) * (len(one) - 1)


@given(TRIALS, TRIALS)
@settings(max_examples=60, deadline=None)
def test_evidence_is_worth_one_on_average_if_nobody_is_better(a: Trials, b: Trials) -> None:
    """Given the successes of both, over all ways in which they can fall."""
    from math import comb, exp

    n_c, n_s, k = a.total, b.total, a.successes + b.successes
    whole, mean = comb(n_c + n_s, k), 0.0
    for x in range(max(0, k - n_s), min(k, n_c) + 1):
        chance = comb(n_c, x) * comb(n_s, k - x) / whole
        mean += chance * exp(failures.log_mean(arms.log_lr(Trials(n_c, x), Trials(n_s, k - x))))
    assert mean == pytest.approx(1.0, rel=1e-9)


def test_versions_that_are_not_in_a_window_keep_their_evidence() -> None:
    both = arms.step({}, {"a": Trials(100, 30), "b": Trials(100, 10), "c": Trials(100, 10)})
    after = arms.step(both, {"a": Trials(100, 30), "b": Trials(100, 10)})
    assert after["a", "c"] == both["a", "c"]
    assert after["a", "b"] != both["a", "b"]


def test_who_is_worse_and_who_is_left() -> None:
    evidence: arms.Evidence = {}
    for _ in range(4):
        evidence = arms.step(evidence, {"a": Trials(300, 90), "b": Trials(300, 45), "c": Trials(300, 60)})
    at = arms.bound(0.95, 3)
    assert at == pytest.approx(log(3 / 0.05))
    assert arms.worse(evidence, "abc", at) == {"b": "a", "c": "a"}
    assert arms.worse(evidence, "bc", at) == {}
    assert arms.worse(evidence, "abc", 1e9) == {}


@pytest.mark.parametrize(("confidence", "versions"), [(0.0, 2), (1.0, 2), (0.95, 1)])
def test_bounds_that_make_no_sense(confidence: float, versions: int) -> None:
    with pytest.raises(ValueError, match=r"confidence|versions"):
        arms.bound(confidence, versions)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        arms.log_lr(Trials(3, 4), Trials(10, 1))


def test_two_shares_are_test_b() -> None:
    """Published: S = (5200, 4800), shares of one half, ln E = 5.6136."""
    found = arms.divided(Division(), (5200, 4800), (0.5, 0.5))
    assert found.log_evidence == pytest.approx(5.6136, abs=1e-4)
    other = split.step(split.SplitState(), 4800, 5200, 0.5)
    assert found.log_evidence == pytest.approx(other.log_evidence)
    assert Arm(1, 0).rate == 0.0


def test_a_division_that_is_wrong_heals_when_it_is_right_again() -> None:
    shares = (0.4, 0.3, 0.3)
    state = arms.divided(Division(), (4000, 3000, 3000), shares)
    assert not state.wrong
    state = arms.divided(Division(), (3000, 1000, 3000), shares)
    assert state.wrong
    assert state.counts == (0, 0, 0)
    assert arms.divided(state, (0, 0, 0), shares) == state
    state = arms.divided(state, (20, 15, 15), shares)
    assert state.wrong, "too few to know"
    assert not arms.divided(state, (400, 300, 300), shares).wrong


def test_a_single_version_has_nothing_to_be_divided() -> None:
    assert arms.divided(Division(), (100,), (1.0,)) == Division()
