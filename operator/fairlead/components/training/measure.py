"""How good the model is on the rows that it has learned from, and on those it has not."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

from fairlead.components.training.rows import Rows
from fairlead.components.words import say
from fairlead.sdk.log import log_metric


def measured(model: Any, rows: Rows, classes: bool) -> dict[str, float]:
    """Metrics by name, each row counting once whatever its weight. Of regression mae, rmse, r2; of classes log_loss,
    accuracy, of two classes roc_auc. Left out is what rows can't say: r2 where all targets are equal, roc_auc where all
    are of one class."""
    return _classes(model, rows) if classes else _numbers(model, rows)


def told(model: Any, train: Rows, validation: Rows | None, classes: bool) -> None:
    """Log the metrics of both, as `train_mae`, `validation_mae` …, and say them."""
    for part, rows in (("train", train), ("validation", validation)):
        if rows is None:
            continue
        found = measured(model, rows, classes)
        for name, value in found.items():
            log_metric(f"{part}_{name}", value)
        log_metric(f"{part}_rows", len(rows))
        say(f"{part}: {', '.join(f'{name} {value:.6g}' for name, value in found.items())} on {len(rows)} rows")


def _numbers(model: Any, rows: Rows) -> dict[str, float]:
    y, found = rows.target, np.asarray(model.predict(rows.features), dtype=np.float64)
    result = {
        "mae": float(metrics.mean_absolute_error(y, found)),
        "rmse": float(metrics.root_mean_squared_error(y, found)),
    }
    return result | ({"r2": float(metrics.r2_score(y, found))} if np.ptp(y) > 0 else {})


def _classes(model: Any, rows: Rows) -> dict[str, float]:
    y, names = rows.target, list(model.classes_)
    found = probabilities(model, rows.features)
    labels = np.asarray(names, dtype=y.dtype)[np.argmax(found, axis=1)]
    result = {
        "log_loss": float(metrics.log_loss(y, found, labels=names)),
        "accuracy": float(metrics.accuracy_score(y, labels)),
    }
    if len(names) == 2 and len(set(y.tolist())) == 2:
        result["roc_auc"] = float(metrics.roc_auc_score(y == names[1], found[:, 1]))
    return result


def probabilities(model: Any, features: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, classes). In float64 they sum to 1, as what measures them wants; some libraries answer float32."""
    found: np.ndarray[Any, np.dtype[np.float64]] = np.array(model.predict_proba(features), dtype=np.float64)
    found /= found.sum(axis=1, keepdims=True)
    return found
