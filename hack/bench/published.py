"""Public data with published answers, and the small models that the published figures are of.

The data lie beside the project (`../shared/data`); `DATA` is None where they don't. The models are streaming Gaussian
naive Bayes (the one that benchmarks of drift detectors use) and isotonic regression on raw scores (NannyML's
confidence-based performance estimation), each a few lines of numpy; nothing of this ships.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fairlead.monitor.confusion import Confusion
from hack.bench.process import ROOT

_PLACE = ROOT.parent / "shared" / "data"
DATA: Path | None = _PLACE if _PLACE.is_dir() else None

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def place() -> Path:
    """Where the data lie. Raises FileNotFoundError where they don't."""
    if DATA is None:
        raise FileNotFoundError(f"there are no public data at {_PLACE}")
    return DATA


def compas() -> dict[str, Confusion]:
    """ProPublica's counts by race: a decile score of 5 or more against recidivism within two years."""
    found: dict[str, Confusion] = {}
    with (place() / "compas.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            said, was = int(row["decile_score"]) >= 5, row["two_year_recid"] == "1"
            one = Confusion(said and was, said and not was, was and not said, not said and not was)
            found[row["race"]] = found.get(row["race"], Confusion()) + one
    return found


def elec() -> tuple[Floats, Ints]:
    """Elec2: features and classes."""
    return _labelled(np.loadtxt(place() / "elec.csv", delimiter=",", skiprows=1))


def sea() -> tuple[Floats, Ints]:
    """SEA concepts; the concept changes at each quarter."""
    return _labelled(np.loadtxt(place() / "sea_stream.csv", delimiter=",", skiprows=1))


def interchanging() -> tuple[Floats, Ints]:
    """Interchanging RBF; the concept changes every 3,000 rows."""
    return np.loadtxt(place() / "irbf.data"), np.loadtxt(place() / "irbf.labels", dtype=np.int64)


def _labelled(table: Floats) -> tuple[Floats, Ints]:
    return table[:, :-1], table[:, -1].astype(np.int64)


class Housing:
    """California housing as NannyML has it: a classifier's scores by month, with labels."""

    def __init__(self) -> None:
        columns = ("timestamp", "y_pred_proba", "y_pred")
        then, now = (_columns(place() / f"california_housing_{part}.csv") for part in ("reference", "analysis"))
        truth = _columns(place() / "california_housing_analysis_gt.csv")
        self.reference_scores, self.reference_predicted = (np.array(then[name], float) for name in columns[1:])
        self.reference_labels = np.array(then["clf_target"], float)
        self.scores, self.predicted = (np.array(now[name], float) for name in columns[1:])
        self.months = np.array([time[:7] for time in now["timestamp"]])
        by_id = dict(zip(truth["id"], truth["clf_target"], strict=True))
        self.labels = np.array([float(by_id[one]) for one in now["id"]])


def _columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as rows:
        reader = csv.DictReader(rows)
        found: dict[str, list[str]] = {name: [] for name in reader.fieldnames or ()}
        for row in reader:
            for name, value in row.items():
                found[name].append(value)
    return found


def edges(scores: Floats, bins: int = 64) -> Floats:
    """Inner edges of so many bins at the quantiles of a reference's scores; fewer where scores are tied."""
    return np.unique(np.quantile(scores, np.arange(1, bins) / bins))


def counted(scores: Floats, inner: Floats, chosen: npt.NDArray[np.bool_] | None = None) -> list[int]:
    """Rows by bin; of `chosen` ones only, if given."""
    places = np.searchsorted(inner, scores, side="right")
    return [int(n) for n in np.bincount(places if chosen is None else places[chosen], minlength=len(inner) + 1)]


def isotonic(scores: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Isotonic regression on raw rows: knots (scores, rates), for np.interp. Ties are one point."""
    points, inverse, weights = np.unique(scores, return_inverse=True, return_counts=True)
    blocks: list[list[float]] = []  # sum, weight, points
    for total, weight in zip(np.bincount(inverse, labels), weights, strict=True):
        blocks.append([float(total), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            total_last, weight_last, points_last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total_last, blocks[-1][1] + weight_last, blocks[-1][2] + points_last]
    return points, np.repeat([total / weight for total, weight, _ in blocks], [int(one) for *_, one in blocks])


def raw_estimate(scores: Floats, predicted: Floats, chances: Floats) -> tuple[float, float]:
    """Accuracy and AUC estimated from single rows: their scores, predictions, and calibrated chances of a positive."""
    accuracy = float(np.mean(np.where(predicted == 1, chances, 1 - chances)))
    order = np.argsort(scores, kind="stable")
    _, inverse = np.unique(scores[order], return_inverse=True)
    p, n = np.bincount(inverse, chances[order]), np.bincount(inverse, 1 - chances[order])
    below = np.concatenate([[0.0], np.cumsum(n)[:-1]]) + n / 2
    return accuracy, float((p * below).sum() / (p.sum() * n.sum()))


class Bayes:
    """Gaussian naive Bayes that learns row by row, by Welford's sums."""

    def __init__(self, classes: int, features: int) -> None:
        self.n = np.zeros(classes)
        self.mean = np.zeros((classes, features))
        self.squares = np.zeros((classes, features))

    def predict(self, x: Floats) -> int:
        """The likeliest class that was seen; 0 before any."""
        seen = np.flatnonzero(self.n)
        if not len(seen):
            return 0
        n = self.n[seen][:, None]
        variance = self.squares[seen] / np.maximum(n - 1, 1) + _SMALLEST
        density = np.exp(-0.5 * (x - self.mean[seen]) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return int(seen[np.argmax(np.log(self.n[seen]) + np.log(_SMALLEST + density).sum(axis=1))])

    def learn(self, x: Floats, label: int) -> None:
        """One more row."""
        self.n[label] += 1
        off = x - self.mean[label]
        self.mean[label] += off / self.n[label]
        self.squares[label] += off * (x - self.mean[label])


_SMALLEST = 1e-9


def tested(x: Floats, labels: Ints, model: Bayes) -> Iterator[tuple[int, int]]:
    """(prediction, label) row by row: a row is predicted first, and learnt from then."""
    for row, label in zip(x, labels, strict=True):
        yield model.predict(row), int(label)
        model.learn(row, int(label))
