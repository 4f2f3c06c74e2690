"""Labels as counts: what is right, what is not understood, and what a real loss is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fairlead.monitor.confusion import Confusion
from fairlead.monitor.labelled import LabelledWindow
from fairlead.monitor.profile import Category, Losses, Number, Profile, Scores
from fairlead.monitor.quality import Calibrated
from fairlead.monitor.realised import Errors, errors
from fairlead.verdict.bounded import Sums
from fairlead.worker.past import harm, truth
from fairlead.worker.past.labels import Labelled
from fairlead.worker.past.truth import Counts

SCORES = Scores(edges=[0.5], counts=[50, 50], right=[10, 40], predicted=[0, 50])


def rows(answers: Any, truths: Any, scores: Sequence[float] | None = None, **slices: Any) -> Labelled:
    sure = None if scores is None else np.array(scores)
    return Labelled(np.arange(len(truths)), truths, answers, sure, slices)


def regression(**more: Any) -> Profile:
    losses = Losses(counts=[100], absolute=[100.0], squared=[200.0], fourth=[900.0], nonzero=[0], relative=[0.0],
                    relative_squared=[0.0])  # fmt: skip
    prediction = Number(kind="number", name="prediction", edges=[], counts=[100], low=0.0, high=10.0)
    given: dict[str, Any] = {"task": "regression", "rows": 100, "held_out": 100, "features": [], "losses": losses,
                             "prediction": prediction}  # fmt: skip
    return Profile(**given | more)


@pytest.mark.parametrize("arrow", [True, False])
@pytest.mark.parametrize(("answers", "truths"), [
    ([1, 0, 1, 0, None], [1, 1, 0, 0, 1]),
    ([1.0, 0.0, 1.0, 0.0, None], ["1", "1", "0", "0", "1"]),
    ([True, False, True, False, None], [1, 1, 0, 0, 1]),
    (["1", "0", "1", "0", "1"], [1.0, 1.0, 0.0, 0.0, float("nan")]),
])  # fmt: skip
def test_one_class_may_be_written_in_several_ways(
    profile: Profile, arrow: bool, answers: list[Any], truths: list[Any]
) -> None:
    given = rows(pa.array(answers), pa.array(truths)) if arrow else rows(answers, truths)
    found = truth.count(profile, given)
    assert found == Counts(4, 1, 2, Confusion(1, 1, 1, 1), losses=Sums(4, 2, 2))


def test_groups_and_scores_are_counted_apart_and_add_up(profile: Profile) -> None:
    profile = Profile(**{**dict(profile), "scores": SCORES})
    given = rows([1, 1, 0, 0], [1, 0, 1, 0], [0.9, 0.6, 0.4, float("nan")], sex=["f", "f", "m", "x"])
    found = truth.count(profile, given)
    assert found.slices == {("sex", "f"): Confusion(1, 1, 0, 0), ("sex", "m"): Confusion(0, 0, 1, 0)}
    assert (found.positives, found.negatives) == ((1, 1), (0, 1))
    both = truth.count(profile, given.part(0, 2)) + truth.count(profile, given.part(2, 4))
    assert both == found
    assert found.window() == LabelledWindow(
        Sums(4, 2, 2), Confusion(1, 1, 1, 1), (1, 1), (0, 1), None,
        {"sex": {"f": Confusion(1, 1, 0, 0), "m": Confusion(0, 0, 1, 0)}}, found.pairs,
    )  # fmt: skip
    assert (found.pairs.n, found.pairs.loss) == (3, 2)  # of NaN nothing is expected
    assert found.pairs.estimate == pytest.approx(sum(Calibrated(profile).expected_loss(*one) or 0 for one in (
        (1, True), (1, True), (0, False))))  # fmt: skip


def test_of_many_classes_only_right_and_wrong_are_known() -> None:
    prediction = Category(kind="category", name="prediction", values=["a", "b", "c"], counts=[1, 1, 1])
    profile = Profile(task="classification", rows=3, features=[], prediction=prediction)
    found = truth.count(profile, rows(["a", "b", "new"], ["a", "c", "new"]))
    assert found == Counts(3, 0, 1, losses=Sums(3, 1, 1))


def test_errors_are_those_of_the_rows_one_by_one() -> None:
    answers, truths = [1.0, 2.5, 0.0, 3.0, None, 1e300], [2.0, 2.0, 4.0, 0.0, 1.0, -1e300]
    found = truth.count(regression(), rows(answers, truths))
    one_by_one = sum((errors(t, a) for a, t in zip(answers[:4], truths[:4], strict=True) if a is not None), Errors())
    assert found.errors is not None
    assert (found.n, found.unread) == (4, 2)
    for name in ("n", "absolute", "squared", "fourth", "nonzero", "relative", "zero_squared", "zero_fourth"):
        assert getattr(found.errors, name) == pytest.approx(getattr(one_by_one, name))
    # the mean error of the held-out rows is 1, and 4 times that is a loss of 1
    losses = found.losses
    assert [losses.n, losses.total, losses.squares] == pytest.approx([4, 8.5 / 4, 26.25 / 16])


def test_a_loss_is_real_in_at_most_one_of_a_hundred_windows_that_are_as_the_reference() -> None:
    """10,000 windows of 500 rows with the reference's own 20 %."""
    rng = np.random.default_rng(7)
    before = harm._share(2000, 10_000)
    found = [harm.real(before, harm._share(int(k), 500)) for k in rng.binomial(500, 0.2, 10_000)]
    assert 0.002 < np.mean([bool(one) for one in found]) < 0.012


def test_a_loss_is_known_of_enough_labels_only(profile: Profile) -> None:
    known = Profile(**{**dict(profile), "held_out": 1000, "quality": {"accuracy": 0.9}})
    before = harm.reference(known)
    assert before is not None
    assert before.value == pytest.approx(0.1)
    assert harm.reference(profile) is None
    assert harm.found(known, Counts(harm.FEWEST - 1, wrong=20)) is None
    assert harm.real(before, None) is None
    assert harm.real(before, harm.found(known, Counts(200, wrong=60))) is True
    assert harm.real(before, harm.found(known, Counts(200, wrong=20))) is False


def test_of_a_regression_the_loss_is_the_mean_error() -> None:
    of = regression()
    before = harm.reference(of)
    assert before is not None
    assert before.value == 1.0
    good, bad = (harm.found(of, Counts(100, errors=Errors(100, 100.0 * size, 200.0 * size**2, 0.0))) for size in (1, 2))
    assert (harm.real(before, good), harm.real(before, bad)) == (False, True)
    assert harm.reference(regression(losses=None)) is None
