"""Quality and fairness in the fold: harm is an alarm, its absence is none, and what isn't known is Unknown."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from tests.unit.monitor.sample import category

from fairlead.monitor import labelled
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.counts import Tally
from fairlead.monitor.estimate import Estimate
from fairlead.monitor.profile import Losses, Number, Profile, Scores, Slice
from fairlead.monitor.realised import Value, errors
from fairlead.monitor.report import Report
from fairlead.monitor.risk import Cell, Pairs, Powered, pairs
from fairlead.monitor.series import LabelledWindow, Rule, Settings, State, fold
from fairlead.monitor.unknown import Unknown
from fairlead.verdict.bounded import Sums, sums

HOURLY = Settings(every=3600.0, fairness=(Rule("sex"), Rule("sex", "tpr", 0.15)))
PROFILE = Profile(
    task="classification", rows=4_000, held_out=4_000, features=[category("town", {"x": 2_000, "y": 2_000})],
    prediction=category("class", {"no": 2_000, "yes": 2_000}), positive="yes",
    scores=Scores(
        edges=[0.25, 0.5, 0.75], counts=[1_000] * 4, right=[50, 200, 800, 950], predicted=[0, 0, 1_000, 1_000]
    ),
    slices=[Slice(by="sex", values=["F", "M"], counts=[2_000, 2_000])], quality={"accuracy": 0.875},
)  # fmt: skip


def _window(middle: int = 500, chosen: tuple[int, int] = (250, 250)) -> Tally:
    """1,000 rows, `middle` of them with scores around 1/2; of 500 women and 500 men so many are chosen."""
    low, rest = middle // 2, (1_000 - middle) // 2
    vectors = {
        "feature/town": (500, 500, 0, 0, 0, 0),
        "answers": (500, 500, 0, 0, 0, 0),
        "scores": (rest, 0, low, 0, 0, low, 0, rest, 0),
        "slice/sex=F/answers": (500 - chosen[0], chosen[0], 0, 0, 0, 0),
        "slice/sex=M/answers": (500 - chosen[1], chosen[1], 0, 0, 0, 0),
    }
    return Tally(PROFILE.digest, 1_000, 1_000, 1_000, vectors=vectors)


def _labels(wrong: int, n: int = 300) -> LabelledWindow:
    half, miss = (n - wrong) // 2, wrong // 2
    whole = Confusion(half, miss, wrong - miss, n - wrong - half)
    return LabelledWindow(Sums(n, wrong, wrong), whole, (0, 0, 50, 100), (100, 50, 0, 0), slices={"sex": {}})


def _run(windows: list[tuple[Tally, LabelledWindow | None]], settings: Settings = HOURLY) -> tuple[State, list[Report]]:
    state, found = State(), []
    for window, labels in windows:
        state, report = fold(PROFILE, settings, state, window, labels)
        state = State.parsed(json.loads(json.dumps(state.dumped(), allow_nan=False)), PROFILE)
        found.append(report)
    return state, found


def test_a_good_model_is_ok_with_its_figures() -> None:
    _, reports = _run([(_window(), _labels(37))] * 30)
    assert not any(report.alarms for report in reports)
    last = reports[-1]
    assert isinstance(last.estimated, Estimate)
    accuracy = last.estimated.figures["accuracy"]
    assert not isinstance(accuracy, Unknown)
    assert accuracy.value == pytest.approx(0.875, abs=1e-9)
    assert isinstance(last.realised, dict)
    real = last.realised["accuracy"]
    assert isinstance(real, Value)
    assert real.value == pytest.approx(1 - 37 / 300)
    assert {name: one.state for name, one in last.losses.items()} == {"estimated": "Ok", "realised": "Ok"}
    assert last.losses["realised"].tolerated == pytest.approx(0.125 + 0.02, abs=0.03)


def test_real_harm_is_an_alarm_once() -> None:
    _, reports = _run([(_window(), _labels(37))] * 10 + [(_window(), _labels(90))] * 10)
    found = [(at, one.monitor, one.what) for at, report in enumerate(reports) for one in report.alarms]
    assert [(monitor, what) for _, monitor, what in found] == [("quality", "real loss")]
    assert 10 <= found[0][0] <= 13
    assert reports[-1].losses["realised"].state == "Drifting"
    assert reports[-1].losses["estimated"].state == "Ok"


def test_estimated_harm_is_an_alarm_without_labels() -> None:
    _, reports = _run([(_window(), None)] * 5 + [(_window(middle=960), None)] * 8)
    found = {(one.monitor, one.what) for report in reports for one in report.alarms}
    assert ("quality", "estimated loss") in found
    assert reports[-1].losses["realised"].state == "Unknown"
    assert isinstance(reports[-1].realised, Unknown)


def test_a_gap_without_labels_is_an_alarm_and_one_within_is_ok() -> None:
    _, reports = _run([(_window(), None), (_window(chosen=(350, 150)), None), (_window(chosen=(260, 240)), None)])
    states = [report.fairness["selection_rate by sex"].state for report in reports]
    assert states == ["Unknown", "Drifting", "Drifting"]  # 500 rows don't show that a gap is small enough
    assert [one.what for report in reports for one in report.alarms if one.monitor == "fairness"] == [
        "selection_rate by sex"
    ]
    assert reports[0].fairness["tpr by sex"].state == "Unknown"


def test_slices_of_labels_are_compared_and_small_ones_are_unknown() -> None:
    large = {"F": Confusion(900, 100, 100, 900), "M": Confusion(500, 100, 500, 900)}
    few = {"F": Confusion(3, 0, 0, 0), "M": Confusion(500, 100, 500, 900)}
    for slices, state in ((large, "Drifting"), (few, "Unknown")):
        _, reports = _run([(_window(), replace(_labels(37), slices={"sex": slices}))])
        assert reports[0].fairness["tpr by sex"].state == state
    assert reports[0].fairness["tpr by sex"].reason


def test_few_labels_and_all_estimates_together() -> None:
    """60 labels whose estimates are worth something: the interval is narrower than that of the labels alone."""
    cells = [Cell(27, 0.05, 0.0), Cell(3, 0.05, 1.0), Cell(24, 0.2, 0.0), Cell(6, 0.2, 1.0)]
    given = LabelledWindow(sums([0.0] * 51 + [1.0] * 9), pairs=pairs(cells))
    _, reports = _run([(_window(), given), (_window(), _labels(37))])
    found = reports[0].powered
    assert isinstance(found, Powered)
    assert (found.labelled, found.rows) == (60, 1_000)
    assert found.interval.low < 0.125 < found.interval.high
    assert reports[1].powered is None
    _, reports = _run([(_window(), LabelledWindow(Sums(5, 1, 1), pairs=Pairs(40, 90.0, 1.0)))])
    assert isinstance(reports[0].powered, Unknown)


def test_late_labels_count_where_the_window_says_nothing() -> None:
    foreign, silent = replace(_window(), profile="f" * 64), Tally(PROFILE.digest)
    _, reports = _run([(foreign, _labels(150)), (silent, _labels(150)), (silent, _labels(150))])
    assert [one.what for report in reports for one in report.alarms] == ["real loss"]
    assert all(report.losses["estimated"].state == "Unknown" for report in reports)
    assert isinstance(reports[0].realised, dict)


@pytest.mark.parametrize("bad", [Sums(10, 20, 20), Sums(10, float("nan"), 1), Sums(10, 1, 9), Sums(10, 1e300, 1e300)])
def test_sums_of_labels_that_can_not_be_are_unknown(bad: Sums) -> None:
    _, reports = _run([(_window(), LabelledWindow(bad))])
    assert reports[0].losses["realised"].state == "Unknown"
    assert not reports[0].alarms


def test_the_evidence_keeps_its_promise_at_the_edge_of_what_is_tolerated() -> None:
    """4,000 windows whose real loss is what is tolerated: at most as many false alarms as the budget says."""
    most = labelled.tolerated(PROFILE, 0.02, 0.01 / 5)
    assert isinstance(most, float)
    year = Settings(every=365.25 * 86400 / 4_000, false_alarms_per_year=200.0, off=frozenset({"drift", "data"}))
    rng, state, alarms = random.Random(2), State(), 0
    for _ in range(4_000):
        losses = sums([float(rng.random() < most) for _ in range(20)])
        state, report = fold(PROFILE, year, state, Tally(PROFILE.digest), LabelledWindow(losses))
        alarms += len(report.alarms)
    assert 0 < alarms <= 200 * 0.45


def test_a_regression_is_held_against_its_own_errors() -> None:
    answer = Number(kind="number", name="y", edges=[1.0], counts=[500, 500], low=0, high=2)
    losses = Losses(counts=[500, 500], absolute=[50.0, 150.0], squared=[10.0, 90.0], fourth=[1.0, 50.0],
                    nonzero=[500, 500], relative=[50.0, 100.0], relative_squared=[10.0, 40.0])  # fmt: skip
    of = Profile(
        task="regression", rows=1_000, held_out=1_000, features=[category("town", {"x": 1_000})], prediction=answer,
        losses=losses,
    )  # fmt: skip
    most = labelled.cap(of)
    assert most is not None
    assert most == pytest.approx(4 * 0.2)
    state, wrong = State(), [2.0] * 200
    for error in (0.2, 2.0, 2.0):
        vectors = {"feature/town": (400, 0, 0, 0, 0), "answers": (200, 200, 0, 0, 0, 0, 0)}
        each = sums([min(1.0, error / most) for _ in wrong])
        given = LabelledWindow(each, errors=sum((errors(1.0, 1.0 + error) for _ in wrong), start=errors(1.0, 1.0)))
        state, report = fold(of, HOURLY, state, Tally(of.digest, 400, 400, 400, vectors=vectors), given)
    assert isinstance(report.estimated, Estimate)
    mae = report.estimated.figures["mae"]
    assert not isinstance(mae, Unknown)
    assert mae.value == pytest.approx(0.2)
    assert report.losses["estimated"].state == "Ok"
    assert report.losses["realised"].state == "Drifting"


@pytest.mark.parametrize(
    "odd",
    [{"counts": [500]}, {"counts": [1] * 9}, {"absolute": [1e308, 1e308]}, {"squared": [0.0, -5.0]},
     {"counts": [0, 0]}, {"absolute": [-5.0, 1.0]}, {"relative": []}],
)  # fmt: skip
def test_a_profile_whose_losses_do_not_fit_is_unknown(odd: dict[str, list[float]]) -> None:
    whole = {"counts": [500, 0], "absolute": [50.0, 0.0], "squared": [10.0, 0.0], "fourth": [1.0, 0.0],
             "nonzero": [500, 0], "relative": [50.0, 0.0], "relative_squared": [10.0, 0.0]}  # fmt: skip
    answer = Number(kind="number", name="y", edges=[1.0], counts=[500, 0], low=0, high=2)
    vectors = {"feature/town": (400, 0, 0, 0, 0), "answers": (400, 0, 0, 0, 0, 0, 0)}
    for given in (whole, whole | odd):
        of = Profile(
            task="regression", rows=1_000, held_out=500, features=[category("town", {"x": 1_000})], prediction=answer,
            losses=Losses.model_validate(given),
        )  # fmt: skip
        _, report = fold(of, HOURLY, State(), Tally(of.digest, 400, 400, 400, vectors=vectors), LabelledWindow())
        assert report.losses["estimated"].state in ("Ok", "Unknown")
        assert not report.alarms
        if given is whole:
            assert isinstance(report.estimated, Estimate)
            assert report.losses["estimated"].state == "Ok"


def test_a_profile_without_held_out_rows_is_unknown() -> None:
    of = Profile(task="classification", rows=100, features=[category("town", {"x": 1_000})])
    window = Tally(of.digest, 400, 400, 400, vectors={"feature/town": (400, 0, 0, 0, 0)})
    _, report = fold(of, HOURLY, State(), window, _labels(290))
    assert {one.state for one in report.losses.values()} == {"Unknown"}
    assert all(one.remedy for one in report.losses.values())
    assert isinstance(report.estimated, Unknown)
    assert not [one for one in report.alarms if one.monitor == "quality"]


def test_rules_that_can_not_be() -> None:
    for metric, most in (("beauty", 0.1), ("tpr", 2.0)):
        with pytest.raises(ValueError, match="a gap of at most 1"):
            Rule("sex", metric, most)
