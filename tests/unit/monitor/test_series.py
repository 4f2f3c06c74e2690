"""Windows one after the other: alarms when and only when something is beyond its tolerance, Unknown when nothing is
known, and the same bits from the same windows."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.unit.monitor.sample import Row, Source, category, gauss, number, profile, window

from fairlead.monitor.counts import Foreign, Tally, old_pair_key, pair_key
from fairlead.monitor.profile import Category, Number, Profile, Scores
from fairlead.monitor.report import Report
from fairlead.monitor.series import Settings, State, fold
from fairlead.monitor.state import BadState
from fairlead.monitor.watched import natural

HOURLY = Settings(every=3600.0, tolerance=0.05)
SOURCE = gauss("a", "b")
PROFILE = profile(SOURCE, rows=4_000, pairs=[("a", "b")])


def _rows(source: Source, n: int, rng: random.Random) -> list[Row]:
    return [source(rng) for _ in range(n)]


def _run(
    of: Profile, settings: Settings, windows: list[Tally], state: State | None = None
) -> tuple[State, list[Report]]:
    state, found = state or State(), []
    for one in windows:
        state, report = fold(of, settings, state, one)
        found.append(report)
    return state, found


def _windows(source: Source, count: int, n: int = 400, seed: int = 2, of: Profile = PROFILE) -> list[Tally]:
    rng = random.Random(seed)
    return [window(of, _rows(source, n, rng)) for _ in range(count)]


QUIET = _windows(SOURCE, 12)


def test_without_drift_all_is_ok() -> None:
    _, reports = _run(PROFILE, HOURLY, QUIET)
    assert not any(report.alarms for report in reports)
    last = reports[-1]
    assert {one.state for one in last.drift.values()} == {"Ok"} == {one.state for one in last.pairs.values()}
    assert {one.state for one in last.data.values()} == {"Ok"}
    assert last.outliers is not None
    assert last.outliers.state == "Ok"
    assert last.traffic is not None
    assert last.traffic.state == "Ok"
    assert last.drift["a"].rows == 400
    assert last.drift["a"].bound > 10


def test_a_shift_is_an_alarm_of_that_feature_once_and_ends_when_it_is_over() -> None:
    def moved(rng: random.Random) -> Row:
        return {"a": rng.gauss(0.7, 1), "b": rng.gauss(0, 1)}

    windows = QUIET + _windows(moved, 6) + _windows(SOURCE, 12, seed=5)
    _, reports = _run(PROFILE, HOURLY, windows)
    alarms = [(at, one.monitor, one.what) for at, report in enumerate(reports) for one in report.alarms]
    assert [(monitor, what) for _, monitor, what in alarms] == [("drift", "a")]
    assert 12 <= alarms[0][0] <= 15
    states = [report.drift["a"].state for report in reports]
    assert set(states[:12]) == {"Ok"}
    assert states[17] == "Drifting"
    assert states[-1] == "Ok"
    assert {report.drift["b"].state for report in reports} == {"Ok"}
    fired = reports[alarms[0][0]]
    assert fired.alarms[0].log_evidence >= fired.alarms[0].bound
    assert reports[17].drift["a"].tv == pytest.approx(0.27, abs=0.08)


def test_what_is_tolerated_is_no_alarm() -> None:
    """A total variation of 4 % of the 5 % that are tolerated: 60 windows of 2,000 rows, from the reference itself."""
    one = Number(kind="number", name="a", edges=[1.0], counts=[50_000, 50_000], low=0, high=2)
    of = Profile(task="regression", rows=100_000, features=[one])
    rng, windows = random.Random(8), []
    for _ in range(60):
        above = sum(rng.random() < 0.54 for _ in range(2_000))
        windows.append(
            Tally(of.digest, 2_000, 2_000, 2_000, vectors={"feature/a": (2_000 - above, above, 0, 0, 0, 0, 0)})
        )
    _, reports = _run(of, HOURLY, windows)
    assert not any(report.alarms for report in reports)
    _, strict = _run(of, replace(HOURLY, tolerance=0.01), windows)
    assert any(report.alarms for report in strict)


def test_false_alarms_are_within_the_budget_at_the_edge_of_the_tolerance() -> None:
    """Windows whose total variation *is* the tolerance, 12,000 of them, and a budget of 150 alarms of drift."""
    one = Number(kind="number", name="a", edges=[1.0, 2.0], counts=[20_000] * 3, low=0, high=3)
    of = Profile(task="regression", rows=60_000, features=[one])
    year = Settings(
        every=86400 * 365.25 / 20_000,
        tolerance=0.05,
        false_alarms_per_year=1_000.0,
        off=frozenset({"data", "outliers"}),
    )
    rng, alarms, state = random.Random(4), 0, State()
    for at in range(12_000):
        n, low, middle = 20, 1 / 3 + 0.05, 1 / 3 - 0.05
        draws = [rng.random() for _ in range(n)]
        a, b = sum(x < low for x in draws), sum(low <= x < low + middle for x in draws)
        tally = Tally(of.digest, n, n, n, vectors={"feature/a": (a, b, n - a - b, 0, 0, 0, 0, 0)})
        state, report = fold(of, year, state, tally, until=float(at))
        alarms += len(report.alarms)
    assert 0 < alarms <= 150


def test_a_correlation_that_comes_is_an_alarm_of_the_pair() -> None:
    def joined(rng: random.Random) -> Row:
        x = rng.gauss(0, 1)
        return {"a": x, "b": 0.9 * x + (1 - 0.81) ** 0.5 * rng.gauss(0, 1)}

    _, reports = _run(PROFILE, HOURLY, QUIET + _windows(joined, 8))
    assert [one.what for report in reports for one in report.alarms] == ["a*b"]
    assert reports[-1].pairs["a*b"].state == "Drifting"
    assert reports[-1].pairs["a*b"].r == pytest.approx(0.9, abs=0.03)
    assert {one.state for one in reports[-1].drift.values()} == {"Ok"}


def test_a_joint_shift_of_both_features_is_not_a_correlation_for_long() -> None:
    windows = QUIET + _windows(gauss("a", "b", mean=1.0), 30)
    _, reports = _run(PROFILE, HOURLY, windows)
    assert reports[-1].pairs["a*b"].state == "Ok"
    assert {one.state for one in reports[-1].drift.values()} == {"Drifting"}


@pytest.mark.parametrize(
    ("broken", "what"),
    [({"a": None}, "missing/a"), ({"a": nan}, "missing/a"), ({"a": "x"}, "wrong/a"), ({"a": 99.0}, "range/a")],
)
def test_broken_values_are_an_alarm_of_the_data(broken: Row, what: str) -> None:
    rng = random.Random(6)
    windows = list(QUIET)
    for _ in range(3):
        rows = [row | broken if at % 4 == 0 else row for at, row in enumerate(_rows(SOURCE, 400, rng))]
        windows.append(window(_UNPAIRED, rows))
    _, reports = _run(_UNPAIRED, HOURLY, [replace(one, profile=_UNPAIRED.digest, sums={}) for one in windows])
    found = {(one.monitor, one.what) for report in reports for one in report.alarms}
    assert ("data", what) in found
    assert reports[-1].data[what].state == "Drifting"
    assert reports[-1].data[what].share == 0.25
    outside = what.startswith(("wrong", "range"))
    assert (("outliers", "rows outside") in found) is outside
    assert (("drift", "a") in found) is (what == "range/a")  # what is no value is no drift of the others


_UNPAIRED = Profile(task="regression", rows=4_000, features=PROFILE.features)


def test_unseen_categories_are_of_the_data_and_of_drift() -> None:
    of = Profile(task="regression", rows=1_000, features=[category("town", {"x": 600, "y": 400})])
    rows: list[Row] = [{"town": "z" if at % 5 == 0 else "x" if at % 5 < 4 else "y"} for at in range(500)]
    _, reports = _run(of, HOURLY, [window(of, rows)] * 4)
    assert {("data", "unseen/town"), ("drift", "town")} <= {
        (one.monitor, one.what) for report in reports for one in report.alarms
    }


def test_scores_and_answers_are_watched_as_features_are() -> None:
    scores = Scores(edges=[0.25, 0.5, 0.75], counts=[1_000] * 4, right=[100, 300, 600, 900])
    of = Profile(
        task="classification", rows=4_000, held_out=4_000, features=[number("answers", range(4_000))],
        prediction=category("class", {"no": 2_000, "yes": 2_000}), positive="yes", scores=scores,
    )  # fmt: skip
    feature = tuple(of.features[0].reference)

    def at(low: int) -> Tally:
        rest = 1_000 - low
        vectors = {"feature/answers": tuple(count // 4 for count in feature), "answers": (low, rest, 0, 0, 0, 0),
                   "scores": (low // 2, 0, low - low // 2, 0, 0, rest // 2, 0, rest - rest // 2, 0)}  # fmt: skip
        return Tally(of.digest, 1_000, 1_000, 1_000, vectors=vectors)

    _, reports = _run(of, HOURLY, [at(500)] * 3 + [at(200)] * 4)
    assert set(reports[0].outputs) == {"answers", "scores"}
    assert set(reports[0].drift) == {"answers"}
    assert {one.state for one in reports[2].outputs.values()} == {"Ok"}
    assert {one.state for one in reports[-1].outputs.values()} == {"Drifting"}
    assert reports[-1].drift["answers"].state == "Ok"


# What is not known


def _all_unknown(report: Report) -> bool:
    parts = [*report.drift.values(), *report.pairs.values(), *report.outputs.values(), report.outliers]
    return all(one.what == "unread" for one in report.alarms) and all(
        one is not None and one.state == "Unknown" and one.reason for one in parts
    )


@pytest.mark.parametrize(
    "strange",
    [
        replace(QUIET[0], profile="f" * 64),
        Tally(PROFILE.digest),
        replace(QUIET[0], unread={"too large": 42}, sampled=400),
        replace(QUIET[0], rows=-1),
        replace(QUIET[0], rows=10**400),
        replace(QUIET[0], requests=-(10**400)),
        replace(QUIET[0], outliers=500),
    ],
)
def test_a_window_that_can_not_be_judged_is_unknown_and_changes_no_evidence(strange: Tally) -> None:
    before, _ = _run(PROFILE, HOURLY, QUIET)
    after, report = fold(PROFILE, HOURLY, before, strange)
    assert _all_unknown(report)
    assert report.unknown is not None
    assert report.unknown.remedy
    assert (after.streams, after.pairs, after.outliers) == (before.streams, before.pairs, before.outliers)
    assert after.until == before.until + 3600


@pytest.mark.parametrize("vector", [None, (1, 2), (-1,) * 37, (10**400,) * 37, (200,) * 37])
def test_a_vector_that_can_not_be_is_unknown_alone(vector: Any) -> None:
    vectors = dict(QUIET[0].vectors)
    del vectors["feature/a"]
    if vector is not None:
        vectors["feature/a"] = vector
    _, report = fold(PROFILE, HOURLY, State(), replace(QUIET[0], vectors=vectors))
    assert report.drift["a"].state == "Unknown"
    assert report.drift["a"].reason
    assert report.drift["a"].remedy
    assert report.data["missing/a"].state == "Unknown"
    assert report.drift["b"].state == "Ok"
    assert not report.alarms


@pytest.mark.parametrize(
    "sums", [(), (400.0, nan, 0, 1, 1, 0), (400.0, 0, 0, 1, 1, 900), (inf,) * 6, (1e300,) * 6, (9,)]
)
def test_sums_that_can_not_be_are_unknown(sums: tuple[float, ...]) -> None:
    given = {"pair/a*b": sums} if sums else {}
    _, report = fold(PROFILE, HOURLY, State(), replace(QUIET[0], sums=given))
    assert report.pairs["a*b"].state == "Unknown"
    assert report.pairs["a*b"].reason


def test_too_few_rows_are_unknown_until_enough_windows_are_together() -> None:
    _, reports = _run(PROFILE, HOURLY, _windows(SOURCE, 20, n=60))
    states = [report.drift["a"].state for report in reports]
    assert set(states[:5]) == {"Unknown"}
    assert states[-1] == "Ok"
    assert reports[0].drift["a"].psi is None
    assert "361 are needed" in reports[0].drift["a"].reason
    assert reports[-1].drift["a"].rows > 361


def test_a_small_reference_is_said_and_a_tiny_one_is_unknown() -> None:
    small, tiny = (profile(SOURCE, rows=rows) for rows in (300, 20))
    _, report = fold(small, HOURLY, State(), _windows(SOURCE, 1, of=small)[0])
    assert report.drift["a"].state == "Ok"
    assert "tolerated instead of 0.05" in report.drift["a"].reason
    _, report = fold(tiny, HOURLY, State(), _windows(SOURCE, 1, of=tiny)[0])
    assert report.drift["a"].state == "Unknown"
    assert "only 20 values" in report.drift["a"].reason


def test_what_the_reference_own_windows_show_is_tolerated() -> None:
    """A yearly cycle: each window is unlike the whole, and like one that the reference had."""

    def season(at: int) -> Source:
        return gauss("a", mean=1.5 if at % 2 else -1.5)

    rng = random.Random(3)
    halves = [_rows(season(at), 400, rng) for at in range(8)]
    of = Profile(task="regression", rows=3_200, features=[number("a", [float(str(r["a"])) for h in halves for r in h])])
    known = natural(of, [window(of, rows) for rows in halves])
    assert known.digest != of.digest
    assert 0.35 < known.natural["a"] < 0.5
    later = [_rows(season(at), 400, rng) for at in range(12)]
    for one, alarmed in ((of, True), (known, False)):
        _, reports = _run(one, HOURLY, [window(one, rows) for rows in later])
        assert bool([alarm for report in reports for alarm in report.alarms]) is alarmed
    assert "own windows lie from it" in reports[-1].drift["a"].reason
    assert reports[-1].drift["a"].state == "Ok"
    moved = [window(known, _rows(gauss("a", mean=5.0), 400, rng)) for _ in range(6)]
    _, reports = _run(known, HOURLY, moved)
    assert ("drift", "a") in {(alarm.monitor, alarm.what) for report in reports for alarm in report.alarms}
    with pytest.raises(Foreign):
        natural(known, [window(of, halves[0])])


def test_a_column_whose_windows_differ_as_much_as_can_be_says_nothing() -> None:
    wild = Profile(task="regression", rows=4_000, features=PROFILE.features, natural={"a": 0.99})
    _, report = fold(wild, HOURLY, State(), replace(QUIET[0], profile=wild.digest))
    assert report.drift["a"].state == "Unknown"
    assert "longer windows" in report.drift["a"].reason
    assert report.outliers is not None


def test_unread_requests_are_an_alarm_although_their_rows_say_nothing() -> None:
    lost = Tally(PROFILE.digest, 10, 500, 400, unread={"no JSON": 390})
    _, reports = _run(PROFILE, HOURLY, [lost] * 3)
    assert [one.what for report in reports for one in report.alarms] == ["unread"]
    assert "no JSON" in str(reports[0].unknown)


def test_a_silence_longer_than_twice_the_longest_is_worth_a_look() -> None:
    none = Tally(PROFILE.digest)
    windows = [*QUIET, none, none, *QUIET, *([none] * 5)]
    _, reports = _run(PROFILE, HOURLY, windows)
    states = [report.traffic.state for report in reports if report.traffic is not None]
    assert set(states[:12]) == {"Ok"}
    assert states[12:14] == ["Unknown"] * 2
    assert states[-5:] == ["Unknown"] * 4 + ["Watch"]


# What is kept


def test_a_window_is_never_counted_twice() -> None:
    state, _ = fold(PROFILE, HOURLY, State(), QUIET[0], until=7200.0)
    for until in (7200.0, 3600.0):
        again, report = fold(PROFILE, HOURLY, state, QUIET[1], until=until)
        assert again == state
        assert report.again
        assert not report.drift


def test_another_version_begins_anew() -> None:
    state, _ = _run(PROFILE, HOURLY, QUIET)
    other = profile(SOURCE, rows=500, seed=9)
    after, report = fold(other, HOURLY, state, _windows(SOURCE, 1, of=other)[0])
    assert after.profile == other.digest
    assert after.windows == 1
    assert report.rows == 400


def test_what_is_off_is_not_watched() -> None:
    off = replace(HOURLY, off=frozenset({"drift", "data", "outliers"}))
    state, report = fold(PROFILE, off, State(), QUIET[0])
    assert (report.drift, report.pairs, report.data, report.outliers) == ({}, {}, {}, None)
    assert state.streams == ()
    assert report.rows == 400


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=12))
def test_replaying_gives_the_same_bits_also_from_what_was_kept(order: list[int]) -> None:
    plain, kept = State(), State()
    for at in order:
        plain, a = fold(PROFILE, HOURLY, plain, QUIET[at])
        kept, b = fold(PROFILE, HOURLY, kept, QUIET[at])
        assert a == b
        kept = State.parsed(json.loads(json.dumps(kept.dumped(), allow_nan=False)), PROFILE)
        assert kept == plain


def test_the_state_is_small_however_long_and_whatever_comes() -> None:
    of = Profile(
        task="regression", rows=4_000,
        features=[number(f"f{at}", [x * 1.0 for x in range(4_000)]) for at in range(50)],
    )  # fmt: skip
    bad = {f"feature/f{at}": (0,) * 33 + (100_000, 100_000, 100_000, 100_000) for at in range(50)}
    good = {f"feature/f{at}": (100_000, *([0] * 30), 100_000, 100_000, 0, 0, 100_000, 0) for at in range(50)}
    windows = [Tally(of.digest, 400_000, 1, 1, 400_000, vectors=vectors) for vectors in (good, bad)] * 20
    state, reports = _run(of, HOURLY, windows)
    assert len(json.dumps(state.dumped(), separators=(",", ":"))) < 16 << 10
    assert reports[-1].drift["f0"].state == "Drifting"


@pytest.mark.parametrize(
    "given",
    [None, [], {}, {"profile": PROFILE.digest}, {"until": nan}, {"streams": [[1, 2]]}, {"windows": -1},
     {"checks": [[1, 0] + [0.5] * 99]}, {"streams": [[0, [1] * 99]]}, {"outliers": [0, 0, inf]}, {"quiet": "x"}],
)  # fmt: skip
def test_what_is_no_state_is_refused(given: Any) -> None:
    whole = State(PROFILE.digest).dumped()
    with pytest.raises(BadState):
        State.parsed(whole | given if given and "profile" not in given else given, PROFILE)


_LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [0, 1, -1, 0.5, 10**400, -(10**30), None, "x", True, [], {}, [0.0], [1, 2, 3], 1e308]
)


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_state_that_was_changed_is_refused_or_read_and_never_fails(data: st.DataObject) -> None:
    state, _ = _run(PROFILE, HOURLY, QUIET[:3])
    kept = json.loads(json.dumps(state.dumped()))
    at, key = kept, data.draw(st.sampled_from(sorted(kept)))
    while isinstance(at[key], list) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.integers(0, len(at) - 1))
    at[key] = data.draw(_LEAVES)
    try:
        found = State.parsed(kept, PROFILE)
    except BadState:
        return
    after, _ = fold(PROFILE, HOURLY, found, QUIET[4])
    json.dumps(after.dumped(), allow_nan=False)


def test_a_state_of_another_profile_is_a_new_one() -> None:
    state, _ = _run(PROFILE, HOURLY, QUIET[:2])
    assert State.parsed(state.dumped(), _UNPAIRED) == State(_UNPAIRED.digest)


@pytest.mark.parametrize(
    "bad",
    [{"every": 0}, {"every": nan}, {"tolerance": 1.0}, {"tolerance": -0.1}, {"design_effect": 0.5}, {"psi": 0},
     {"false_alarms_per_year": 0}, {"off": frozenset({"weather"})}, {"data": 0.0}],
)  # fmt: skip
def test_settings_that_can_not_be(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|above 0|one of"):
        replace(HOURLY, **bad)


def test_a_category_with_ever_new_names_stays_small() -> None:
    of = Profile(task="regression", rows=10, features=[Category(kind="category", name="id", values=[], counts=[])])
    rows: list[Row] = [{"id": f"row {at}"} for at in range(500)]
    _, report = fold(of, HOURLY, State(), window(of, rows))
    assert report.drift["id"].state == "Unknown"
    assert not report.alarms


def test_counts_of_recorders_of_releases_before_are_understood_as_far_as_they_say_one_thing() -> None:
    """There, of names with the marks in them, two things may have one key: of these nothing is known."""
    source = gauss("a*b", "c", "a", "b*c", "d")
    of = profile(source, pairs=[("a*b", "c"), ("a", "b*c"), ("a*b", "d")])
    rng = random.Random(5)
    new = window(of, [source(rng) for _ in range(2000)])
    one, two, three = (pair_key(*pair) for pair in (("a*b", "c"), ("a", "b*c"), ("a*b", "d")))
    assert len({one, two, three}) == 3
    _, told = fold(of, HOURLY, State(), new)
    assert {each.state for each in told.pairs.values()} == {"Ok"}
    assert len(told.pairs) == 3
    old = replace(new, sums={old_pair_key("a*b", "c"): new.sums[one], old_pair_key("a*b", "d"): new.sums[three]})
    _, again = fold(of, HOURLY, State(), old)
    states = {name: each.state for name, each in again.pairs.items()}
    assert states[three.removeprefix("pair/")] == "Ok"
    assert again.pairs[three.removeprefix("pair/")] == told.pairs[three.removeprefix("pair/")]
    assert states[one.removeprefix("pair/")] == "Unknown"
