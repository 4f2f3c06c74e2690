"""Gaps between groups: published vectors, coverage of all pairs at once, and what is judged."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import fairness
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.fairness import Gap, against, fewest, gap, judge, shares, verdict
from fairlead.monitor.realised import Value
from fairlead.monitor.unknown import Unknown
from fairlead.verdict.proportion import Interval

TRUTH = [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]
SAID = [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
GROUPS = "bbabbcccaacabccbcc"
slices = st.dictionaries(st.sampled_from("abcdef"), st.builds(Confusion, *(st.integers(0, 60),) * 4), max_size=6)


def fairlearn() -> dict[str, Confusion]:
    """The vectors of fairlearn's user guide, "performing a fairness assessment"."""
    found: dict[str, Confusion] = {}
    for y, p, group in zip(TRUTH, SAID, GROUPS, strict=True):
        one = Confusion(y * p, (1 - y) * p, y * (1 - p), (1 - y) * (1 - p))
        found[group] = found.get(group, Confusion()) + one
    return found


def known(found: Gap | Unknown) -> Gap:
    assert isinstance(found, Gap)
    return found


def test_fairlearns_rates():
    groups = fairlearn()
    table = {
        group: [k / n for k, n in (one.share(name) for name in ("tpr", "fpr", "selection_rate"))]
        for group, one in {**groups, "": sum(groups.values(), Confusion())}.items()
    }
    assert table == {
        "a": pytest.approx([0.5, 1.0, 0.75]), "b": pytest.approx([0.6, 0.0, 0.5]),
        "c": pytest.approx([0.4, 2 / 3, 0.5]), "": pytest.approx([0.5, 2 / 3, 5 / 9]),
    }  # fmt: skip


def test_fairlearns_differences_and_ratios():
    found = {name: known(gap(fairlearn(), name, least=1)) for name in ("tpr", "fpr", "selection_rate")}
    assert [one.value for one in found.values()] == pytest.approx([0.2, 1.0, 0.25])
    assert [one.ratio for one in found.values()] == pytest.approx([2 / 3, 0.0, 2 / 3])
    assert (found["tpr"].widest.high, found["tpr"].widest.low) == ("b", "c")


@given(slices, st.sampled_from(["tpr", "fpr", "ppv", "error", "selection_rate"]))
def test_bounds_and_order(groups, metric):
    found = gap(groups, metric, least=1)
    back = gap(dict(reversed(groups.items())), metric, least=1)
    assert found == back
    if isinstance(found, Unknown):
        assert len([one for one in groups.values() if one.share(metric)[1]]) < 2
        assert found.reason
        assert found.remedy
        return
    assert 0 <= found.interval.low <= found.value + 1e-12 <= found.interval.high + 2e-12 <= 1 + 2e-12
    assert 0 <= found.ratio_interval.low <= found.ratio * (1 + 1e-9) + 1e-12
    assert found.ratio <= found.ratio_interval.high * (1 + 1e-9) <= 1 + 1e-9
    assert set(found.slices) | set(found.unknown) == set(groups)
    values = [one.value for one in found.slices.values()]
    assert found.value == pytest.approx(max(values) - min(values))


@given(slices, st.sampled_from(["tpr", "selection_rate"]))
def test_against_a_reference(groups, metric):
    found = against(groups, metric, "a", least=1)
    if isinstance(found, Unknown):
        return
    all_pairs = known(gap(groups, metric, least=1))
    own = known(gap(groups, metric, least=1, reference="a"))
    for name, pair in found.items():
        k, n = groups[name].share(metric)
        j, m = groups["a"].share(metric)
        assert pair.difference == pytest.approx(k / n - j / m)
        assert pair.interval.low <= pair.difference + 1e-12
        assert pair.difference - 1e-12 <= pair.interval.high
    assert own.value == pytest.approx(max(abs(one.difference) for one in found.values()))
    assert own.value <= all_pairs.value + 1e-12


def test_all_pairs_hold_at_once():
    """Four groups of unequal sizes, two of them alike: the chance that any interval is wrong, and that of the gap."""
    rng, runs = np.random.default_rng(3), 300
    truth = {"a": (0.3, 200), "b": (0.3, 900), "c": (0.2, 400), "d": (0.25, 3000)}
    wrong = gap_wrong = 0
    for _ in range(runs):
        groups = {}
        for name, (p, n) in truth.items():
            k = int(rng.binomial(n, p))
            groups[name] = Confusion(tp=k, fn=n - k)
        found = known(gap(groups, "tpr", least=1))
        pairs = fairness._pairs(groups, "tpr", 0.05, sorted(groups), None)
        wrong += any(
            not one.interval.low <= truth[one.high][0] - truth[one.low][0] <= one.interval.high for one in pairs
        )
        gap_wrong += not found.interval.low <= 0.1 <= found.interval.high
    assert wrong / runs <= 0.08
    assert gap_wrong <= wrong


def test_how_many_rows_are_needed():
    assert (fewest(), fewest(0.03)) == (385, 1068)
    rng = np.random.default_rng(5)
    off = np.abs(rng.binomial(fewest(), 0.5, 4000) / fewest() - 0.5)
    assert (off <= 0.05).mean() == pytest.approx(0.95, abs=0.015)


def test_a_slice_of_three_rows_says_nothing():
    groups = {"men": Confusion(200, 50, 50, 700), "women": Confusion(190, 60, 60, 690), "others": Confusion(1, 1, 1)}
    found = known(gap(groups, "selection_rate"))
    assert set(found.unknown) == {"others"}
    assert found.unknown["others"].reason == "slice others has 3 rows, and selection_rate needs 385"
    said, why = verdict(found, 0.2)
    assert said == "unknown"
    assert why is not None
    assert "others has 3 rows" in why.reason
    assert verdict(known(gap({**groups, "women": Confusion(tp=600, tn=400)}, "selection_rate")), 0.1)[0] == "unfair"
    del groups["others"]
    assert verdict(gap(groups, "selection_rate"), 0.2) == ("ok", None)
    one = gap({"men": groups["men"]}, "selection_rate")
    assert isinstance(one, Unknown)
    assert verdict(one, 0.2) == ("unknown", one)


def test_the_rows_that_count_are_those_of_the_metric():
    groups = {"a": Confusion(tp=400, tn=5000), "b": Confusion(tp=3, tn=5000)}
    assert isinstance(gap(groups, "selection_rate"), Gap)
    found = gap(groups, "tpr")
    assert isinstance(found, Unknown)
    assert "slice b has 3 positive rows, and tpr needs 385" in found.reason


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.11, 0.2, "unfair"), (0.0, 0.1, "ok"), (0.1, 0.2, "unknown"), (0.05, 0.15, "unknown")]
)
def test_a_verdict_needs_the_whole_interval(low, high, said):
    assert judge(Interval(low, high), 0.1) == said


def test_an_unclear_gap_is_told():
    groups = {"a": Confusion(tp=200, tn=200), "b": Confusion(tp=160, tn=240)}
    said, why = verdict(gap(groups, "selection_rate"), 0.1)
    assert said == "unknown"
    assert why is not None
    assert "the selection_rate of a is 0.1 above that of b" in why.reason


def test_hostile_slices_are_bounded():
    many = {f"s{n}": Confusion(tp=1) for n in range(fairness.MOST_SLICES + 1)}
    assert isinstance(gap(many, "tpr"), Unknown)
    long = gap({"x" * 10**6: Confusion(tp=1), "y": Confusion(tp=1)}, "tpr")
    assert isinstance(long, Unknown)
    assert len(long.reason) < 1000
    assert isinstance(gap({}, "tpr"), Unknown)
    assert isinstance(gap({"a": Confusion(tp=400)}, "tpr", reference="b"), Unknown)
    assert isinstance(against({"a": Confusion(tp=400)}, "tpr", "b"), Unknown)
    huge = {name: Confusion(*(2**61 - n,) * 4) for n, name in enumerate("ab")}
    assert known(gap(huge, "error")).value == pytest.approx(0, abs=1e-9)


def test_what_can_not_be_is_refused():
    with pytest.raises(ValueError, match="no share"):
        gap({}, "luck")
    for most in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
            judge(Interval(0, 1), most)
    with pytest.raises(ValueError, match="not an interval"):
        judge(Interval(float("nan"), 1), 0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        gap(fairlearn(), "tpr", alpha=0, least=1)


def test_each_share_has_its_own_interval():
    found = shares(fairlearn(), "selection_rate", least=1)
    assert all(isinstance(one, Value) for one in found.values())
    for a, b in combinations(found.values(), 2):
        assert isinstance(a, Value)
        assert isinstance(b, Value)
        assert (a.n < b.n) == (a.interval.high - a.interval.low > b.interval.high - b.interval.low) or a.n == b.n
