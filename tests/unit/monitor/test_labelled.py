"""Counts of labels as they travel: the same bits come back, and what they can't be is refused. Gaps of few labels."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.monitor.sample import category

from fairlead.monitor.confusion import Confusion
from fairlead.monitor.counts import Tally
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Number, Profile, Slice
from fairlead.monitor.realised import Errors, Value
from fairlead.monitor.report import Report
from fairlead.monitor.risk import Cell, pairs
from fairlead.monitor.series import Rule, Settings, State, fold
from fairlead.verdict.bounded import Sums, sums

COUNT = st.integers(0, 2**53)
SUM = st.floats(0, 1e80)
LOSSES = st.lists(st.floats(0, 1), max_size=20)


@st.composite
def confusion(draw: Any) -> Confusion:
    return Confusion(*(draw(COUNT) for _ in range(4)))


@st.composite
def window(draw: Any) -> LabelledWindow:
    bins = draw(st.integers(0, 64))
    scores = [tuple(draw(st.lists(COUNT, min_size=bins, max_size=bins))) for _ in range(2)]
    nonzero, n = sorted([draw(COUNT), draw(COUNT)])
    errors = Errors(n, *(draw(SUM) for _ in range(3)), nonzero, *(draw(SUM) for _ in range(4)), draw(COUNT))
    names = st.text(max_size=256)
    slices = draw(st.dictionaries(names, st.dictionaries(names, confusion(), max_size=8), max_size=4))
    losses = draw(LOSSES)
    return LabelledWindow(
        sums(losses), draw(st.none() | confusion()), *scores, draw(st.just(errors) | st.none()), slices,
        pairs([Cell(1, 0.25, loss) for loss in losses]),
    )  # fmt: skip


@given(window())
def test_what_is_dumped_comes_back_to_the_last_bit(found: LabelledWindow) -> None:
    assert LabelledWindow.parsed(json.loads(json.dumps(found.dumped(), allow_nan=False))) == found


GOOD = LabelledWindow(
    Sums(3, 1.5, 1.0), Confusion(1, 1, 1, 0), (1, 1), (0, 1), Errors(3, 1.0, 1.0, 1.0, 2), {"c": {"x": Confusion(1)}},
    pairs([Cell(2, 0.5, 0.5)]),
).dumped()  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=20,
)  # fmt: skip


@given(st.sampled_from([*GOOD, "more"]), JSON)
def test_what_is_none_is_refused_and_nothing_else_is_raised(member: str, value: Any) -> None:
    try:
        found = LabelledWindow.parsed({**GOOD, member: value})
    except ValueError:
        return
    assert LabelledWindow.parsed(json.loads(json.dumps(found.dumped(), allow_nan=False))) == found


@pytest.mark.parametrize("bad", [
    None, [], {"losses": [1, 2.0, 1.0]}, {"losses": [10**400, 0, 0]}, {"losses": [True, 0, 0]},
    {**GOOD, "positives": [0] * 65, "negatives": [0] * 65}, {**GOOD, "positives": [1]},
    {**GOOD, "confusion": [1, 2, 3, -1]},
    {**GOOD, "slices": {str(at): {} for at in range(5)}}, {**GOOD, "slices": {"c": {"x" * 257: [0, 0, 0, 0]}}},
    {**GOOD, "errors": [1, 1.0, 1.0, 1.0, 2, 0.0, 0.0, 0.0, 0.0, 0]}, {**GOOD, "losses": [3, float("nan"), 1.0]},
    {**GOOD, "pairs": [2, 5.0, 0.5, 1.0, 0.5, 0.5]}, {**GOOD, "pairs": [2, 1.0, 0.5, 1.0, 0.5, float("inf")]},
])  # fmt: skip
def test_sums_that_cannot_be_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        LabelledWindow.parsed(bad)


# --- gaps of labels that come a few at a time ------------------------------------------------------------------------

PROFILE = Profile(
    task="classification", rows=4_000, held_out=4_000, positive="yes", quality={"accuracy": 0.875},
    features=[Number(kind="number", name="a", edges=[1.0], counts=[2_000, 2_000], low=0, high=2)],
    prediction=category("class", {"no": 2_000, "yes": 2_000}),
    slices=[Slice(by="sex", values=["F", "M"], counts=[2_000, 2_000])],
)  # fmt: skip
DAILY = Settings(every=86400.0, fairness=(Rule("sex", "error", 0.1),))


def few(rng: random.Random, n: int, gap: float) -> LabelledWindow:
    """n labels of each group; M is wrong more often."""
    found = {}
    for name, wrong in (("F", 0.1), ("M", 0.1 + gap)):
        k = sum(rng.random() < wrong for _ in range(n))
        found[name] = Confusion(tp=n - k, fp=k)
    losses = sum(one.fp for one in found.values())
    return LabelledWindow(Sums(2 * n, losses, losses), slices={"sex": found})


def looked(gap: float, n: int, windows: int, seed: int) -> list[Report]:
    rng, state, found = random.Random(seed), State(), []
    silent = Tally(PROFILE.digest)
    for _ in range(windows):
        state, report = fold(PROFILE, DAILY, state, silent, few(rng, n, gap))
        state = State.parsed(json.loads(json.dumps(state.dumped(), allow_nan=False)), PROFILE)
        found.append(report)
    return found


def test_few_labels_are_gathered_until_they_say_something() -> None:
    states = [one.fairness["error by sex"] for one in looked(0.3, 50, 16, 1)]
    assert [one.state for one in states[:7]] == ["Unknown"] * 7  # 350 of 385 a group
    assert "slice F has 50 rows, and error needs 385" in states[0].reason
    assert states[7].state == "Drifting"
    assert [one.labels for one in states] == [True] * 16


def test_each_row_is_looked_at_once() -> None:
    reports = looked(0.0, 200, 40, 2)
    known = [at for at, one in enumerate(reports) if one.fairness["error by sex"].gap.__class__.__name__ == "Gap"]
    assert known == list(range(1, 40, 2))  # 400 a group each time, then from nothing


def test_a_group_that_hardly_gets_labels_is_not_waited_for() -> None:
    rng, state = random.Random(3), State()
    for at in range(4):
        given = few(rng, 400, 0.3)
        given = replace(given, slices={"sex": {**given.slices["sex"], "X": Confusion(tp=1)}})
        state, report = fold(PROFILE, DAILY, state, Tally(PROFILE.digest), given)
        assert report.fairness["error by sex"].state == ("Unknown" if at < 3 else "Drifting")


def test_what_is_just_tolerated_is_hardly_ever_an_alarm() -> None:
    """A gap of just what is tolerated: 15 years of labels, 25 a group a day, one false alarm a year declared for all
    monitors, a tenth of it for this one."""
    alarms = sum(len([one for one in report.alarms if one.monitor == "fairness"])
                 for seed in range(10) for report in looked(0.1, 25, 15 * 36, seed))  # fmt: skip
    assert alarms <= 2


def test_with_three_classes_only_errors_are_compared() -> None:
    classes = {"positive": "", "prediction": category("class", {"a": 9, "b": 9, "c": 9})}
    three = PROFILE.model_copy(update=classes)
    three.__dict__.pop("digest", None)
    rules = Settings(every=86400.0, fairness=(Rule("sex", "error", 0.1), Rule("sex", "tpr", 0.1)))
    _, report = fold(three, rules, State(), Tally(three.digest), few(random.Random(4), 900, 0.3))
    assert report.fairness["error by sex"].state == "Drifting"
    assert report.fairness["tpr by sex"].state == "Unknown"
    assert report.fairness["tpr by sex"].remedy == "choose error_gap"
    assert isinstance(report.realised, dict)
    assert report.realised["accuracy"]


def test_errors_are_told_though_the_profile_does_not_say_how_large_they_were() -> None:
    learnt = Profile(task="regression", rows=100, features=list(PROFILE.features))
    came = LabelledWindow(errors=Errors(100, 50.0, 40.0, 30.0, 100, 5.0, 1.0))
    _, report = fold(learnt, Settings(every=3600.0), State(), Tally(learnt.digest), came)
    assert isinstance(report.realised, dict)
    mae = report.realised["mae"]
    assert isinstance(mae, Value)
    assert mae.value == pytest.approx(0.5)
    assert report.losses["realised"].state == "Unknown"
    assert "no losses of held-out rows" in report.losses["realised"].reason
