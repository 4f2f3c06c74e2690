"""Metrics from losses row by row: so that models can be compared row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead.api.modelversion import Metric
from fairlead.worker import truth as said

Floats = NDArray[np.float64]
Labels = NDArray[Any]
"""Floats, or strings (as objects: one long one must not widen all): of one kind within an array."""
REGRESSION: frozenset[Metric] = frozenset(("mae", "mse", "rmse", "mape"))
HIGHER_IS_BETTER: frozenset[Metric] = frozenset(("accuracy",))
_CLIP = 1e-15


class Unusable(Exception):  # noqa: N818 - the house's names of errors
    """Predictions from which a metric can't be computed; the message says why."""


@dataclass(frozen=True)
class Predictions:
    """What a model said of n rows: numbers or labels, and for classification probabilities if it gave them."""

    labels: Labels
    """Shape (n,)."""
    probabilities: Floats | None = None
    """Shape (n, k), columns in the order of the classes."""


@dataclass(frozen=True)
class Loss:
    """A loss a row. Rows with weight 0 don't count (for example a percentage of nothing)."""

    values: Floats
    """Shape (n,)."""
    weights: Floats
    """Shape (n,), zeros and ones."""


def value(metric: Metric, mean_loss: Floats) -> Floats:
    """The metric from the mean of its loss; works element by element."""
    if metric == "rmse":
        return np.sqrt(mean_loss)
    return 1.0 - mean_loss if metric == "accuracy" else mean_loss


def loss(metric: Metric, truth: Labels, predicted: Predictions, classes: Labels) -> Loss:
    """The loss of each row.

    Args:
        metric: Which; `mae`, `mse`, `rmse`, `mape` need numbers, the others classes.
        truth: Shape (n,).
        predicted: Of the same n rows.
        classes: All classes, sorted; for classification.

    Raises:
        Unusable: The predictions are of the wrong kind, not finite, or not as many as the rows.
    """
    if len(predicted.labels) != len(truth):
        raise Unusable(f"there are {len(predicted.labels)} predictions for {len(truth)} rows")
    ones = np.ones(len(truth))
    if metric == "log_loss":
        return Loss(_log_loss(truth, predicted, classes), ones)
    if metric in REGRESSION:
        return _regression(metric, truth, predicted, ones)
    wanted, given = comparable(truth, predicted.labels)
    return Loss((wanted != given).astype(np.float64), ones)


def _regression(metric: Metric, truth: Labels, predicted: Predictions, ones: Floats) -> Loss:
    numbers = predicted.labels
    if numbers.dtype.kind != "f" or truth.dtype.kind != "f":
        raise Unusable(f"{metric} needs numbers")
    finite = np.isfinite(numbers)
    if not finite.all():
        raise Unusable(f"{int((~finite).sum())} of {len(finite)} predictions are NaN or infinite")
    errors: Floats = np.abs(numbers - truth)
    if metric == "mape":
        counted = truth != 0.0
        return Loss(np.divide(errors, np.abs(truth), out=np.zeros_like(errors), where=counted), counted.astype(float))
    with np.errstate(over="ignore"):
        return Loss(errors if metric == "mae" else errors**2, ones)


def comparable(truth: Labels, labels: Labels) -> tuple[Labels, Labels]:
    """Both as numbers, or both as text. Where only one is text and all of it says numbers, they are compared as
    numbers: the answer 1 is the class that is called `1`. Text and text is compared as text. Raises Unusable."""
    if _are_numbers(truth) and not _are_numbers(labels):
        labels = _numbers(labels, "the target has numbers, but the model answers")
    elif _are_numbers(labels) and not _are_numbers(truth):
        words = "the model answers numbers, but the target has"
        number_of = dict(zip(np.unique(truth).tolist(), _numbers(np.unique(truth), words).tolist(), strict=True))
        if len(set(number_of.values())) < len(number_of):
            raise Unusable(f"{words} strings of which several are one number; let the model answer strings")
        truth = np.asarray([number_of[name] for name in truth.tolist()], dtype=np.float64)
    if _are_numbers(labels) and not np.isfinite(labels).all():
        raise Unusable("some predictions are NaN or infinite")
    return truth, labels


def _are_numbers(labels: Labels) -> bool:
    return labels.dtype.kind == "f"


def _numbers(texts: Labels, words: str) -> Floats:
    """The numbers that texts say. Raises Unusable if one says none."""
    found = []
    for text in texts.tolist():
        number = said.number(text)
        if number is None:
            raise Unusable(f"{words} the string {text[:60]!r}; let it answer the classes by their names in the target")
        found.append(float(number))
    return np.asarray(found, dtype=np.float64)


def _log_loss(truth: Labels, predicted: Predictions, classes: Labels) -> Floats:
    given = predicted.probabilities
    if given is None:
        raise Unusable("log_loss needs probabilities, but the model answers labels")
    if given.shape != (len(truth), len(classes)):
        raise Unusable(f"there are {given.shape[1]} probabilities a row but {len(classes)} classes")
    if not np.isfinite(given).all():
        raise Unusable("some probabilities are NaN or infinite")
    row = given[np.arange(len(truth)), np.searchsorted(classes, truth)]
    found: Floats = -np.log(np.clip(row, _CLIP, 1.0))
    return found
