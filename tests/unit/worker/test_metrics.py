"""Metrics against their definitions, and what can't be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairlead.worker import metrics
from fairlead.worker.metrics import Predictions, Unusable

REAL = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-3)
PAIRS = st.integers(1, 20).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=REAL)] * 2))
NONE = np.empty(0)
Labels = metrics.Labels


def score(metric: metrics.Metric, truth: Labels, predicted: Predictions, classes: Labels = NONE) -> float:
    found = metrics.loss(metric, truth, predicted, classes)
    return float(metrics.value(metric, np.asarray((found.values * found.weights).sum() / found.weights.sum())))


@settings(max_examples=60)
@given(PAIRS)
def test_regression_metrics_are_what_their_names_say(pair: tuple[metrics.Floats, metrics.Floats]) -> None:
    truth, predicted = pair
    errors = [p - y for p, y in zip(predicted.tolist(), truth.tolist(), strict=True)]
    given = Predictions(predicted)
    assert score("mae", truth, given) == pytest.approx(sum(map(abs, errors)) / len(errors))
    assert score("mse", truth, given) == pytest.approx(sum(e * e for e in errors) / len(errors))
    assert score("rmse", truth, given) == pytest.approx((sum(e * e for e in errors) / len(errors)) ** 0.5)
    counted = [abs(e / y) for e, y in zip(errors, truth.tolist(), strict=True) if y != 0]
    if counted:
        assert score("mape", truth, given) == pytest.approx(sum(counted) / len(counted))


def test_classification_metrics_are_what_their_names_say() -> None:
    truth, classes = np.array(["a", "b", "b", "c"]), np.array(["a", "b", "c"])
    table = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.0, 0.0, 1.0]])
    predicted = Predictions(classes[np.argmax(table, axis=1)], table)
    assert score("error_rate", truth, predicted, classes) == 0.25
    assert score("accuracy", truth, predicted, classes) == 0.75
    assert score("log_loss", truth, predicted, classes) == pytest.approx(-np.log([0.7, 0.8, 0.4, 1.0]).mean())


@pytest.mark.parametrize(
    ("metric", "predicted", "words"),
    [
        ("mae", Predictions(np.array([1.0, np.nan])), "1 of 2 predictions are NaN or infinite"),
        ("rmse", Predictions(np.array([np.inf, -np.inf])), "2 of 2 predictions"),
        ("mae", Predictions(np.array([1.0])), "1 predictions for 2 rows"),
        ("mse", Predictions(np.array(["a", "b"])), "mse needs numbers"),
        (
            "error_rate",
            Predictions(np.array(["a", "b"])),
            "the target has numbers, but the model answers the string 'a'",
        ),
        (
            "error_rate",
            Predictions(np.array(["1", "b"])),
            "the target has numbers, but the model answers the string 'b'",
        ),
        ("accuracy", Predictions(np.array(["1", "1e999"])), "NaN or infinite"),
        ("accuracy", Predictions(np.array([1.0, np.nan])), "NaN or infinite"),
        ("log_loss", Predictions(np.array([1.0, 0.0])), "needs probabilities"),
        ("log_loss", Predictions(np.zeros(2), np.zeros((2, 3))), "3 probabilities a row but 2 classes"),
        ("log_loss", Predictions(np.zeros(2), np.full((2, 2), np.nan)), "probabilities are NaN"),
    ],
)
def test_what_cannot_be_scored_is_said(metric: metrics.Metric, predicted: Predictions, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        metrics.loss(metric, np.array([0.0, 1.0]), predicted, np.array([0.0, 1.0]))


def test_a_certain_and_wrong_probability_costs_much_but_not_everything() -> None:
    predicted = Predictions(np.array([1.0]), np.array([[0.0, 1.0]]))
    assert score("log_loss", np.array([0.0]), predicted, np.array([0.0, 1.0])) == pytest.approx(34.5, abs=0.1)


@pytest.mark.parametrize(
    ("truth", "answers"),
    [
        (["1", "0", "1"], [1.0, 0.0, 0.0]), (["01", "2", "01"], [1.0, 2.0, 2.0]), ([1.0, 0.0, 1.0], ["1", "0", "0"]),
        ([1.0, 0.0, 1.0], ["1.0", "0", "00"]), (["true", "False", "true"], [1.0, 0.0, 0.0]),
        (["yes", "no", "yes"], ["yes", "no", "no"]), (["007", "7", "007"], ["007", "7", "7"]),
        (["T", "F", "T"], ["T", "F", "F"]),
    ],
)  # fmt: skip
def test_d08_a_class_that_says_a_number_may_be_answered_as_one(truth: list[Any], answers: list[Any]) -> None:
    wanted, given = (np.array(v, dtype=object if isinstance(v[0], str) else np.float64) for v in (truth, answers))
    assert score("error_rate", wanted, Predictions(given), np.unique(wanted)) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("truth", "words"),
    [(["yes", "no"], "target has the string 'no'"), (["007", "7"], "strings of which several are one number")],
)
def test_d08_numbers_are_no_answer_where_classes_are_text(truth: list[str], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        score("accuracy", np.array(truth, dtype=object), Predictions(np.array([7.0, 7.0])), np.unique(truth))
