"""Public data with published answers, and the small models that the published figures are of.

The data lie beside the project (`../shared/data`); `DATA` is None where they don't. The models are streaming Gaussian
naive Bayes (the one that benchmarks of drift detectors use) and isotonic regression on raw scores (NannyML's
confidence-based performance estimation), each a few lines of numpy; nothing of this ships.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fairlead.monitor.confusion import Confusion
from hack.bench.process import ROOT

_PLACE = ROOT.parent / "shared" / "data"
DATA: Path | None = _PLACE if _PLACE.is_dir() else None

_FIRST = date(1996, 5, 7)
_HALF_HOURS = 48
_DATES = 22601
"""What the published `date` is divided by."""

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
    """Elec2: features and classes.

    The file lacks the published set's first two columns. Both follow from a row's place: it has all 48 half-hours of
    each day from 7 May 1996 on. `date` there is the number yymmdd, scaled to begin at 0.
    """
    x, labels = _labelled(np.loadtxt(place() / "elec.csv", delimiter=",", skiprows=1))
    days = [_FIRST + timedelta(days=n // _HALF_HOURS) for n in range(len(labels))]
    numbers = (np.array([int(day.strftime("%y%m%d")) for day in days]) - 960507) / _DATES
    return np.column_stack([numbers, [day.isoweekday() for day in days], x]), labels


def sea() -> tuple[Floats, Ints]:
    """A stream of SEA's kind. Its quarters have one concept: x1 + x2 <= 9 separates the classes best in each of them,
    up to the tenth of turned labels. So there is nothing to find in it; `sea_concepts` has the changes."""
    return _labelled(np.loadtxt(place() / "sea_stream.csv", delimiter=",", skiprows=1))


def sea_concepts(seed: int, rows: int = 12_500) -> tuple[Floats, Ints]:
    """SEA concepts by their definition (Street & Kim 2001): x uniform in [0, 10]^3, positive where x1 + x2 <= theta,
    a tenth of the labels turned round; theta is 8, 9, 7 and 9.5, for so many rows each."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, (4 * rows, 3))
    labels = x[:, 0] + x[:, 1] <= np.repeat([8.0, 9.0, 7.0, 9.5], rows)
    return x, (labels ^ (rng.random(4 * rows) < 0.1)).astype(np.int64)


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
        self.reference_months = np.array([time[:7] for time in then["timestamp"]])
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
        variance = self.squares[seen] / np.maximum(n - 1, 1)
        known = np.where(variance > 0, variance, 1.0)
        density = np.exp(-0.5 * (x - self.mean[seen]) ** 2 / known) / np.sqrt(2 * np.pi * known)
        fit = np.log(_SMALLEST + np.where(variance > 0, density, 0.0)).sum(axis=1)
        return int(seen[np.argmax(np.log(self.n[seen]) + fit)])

    def learn(self, x: Floats, label: int) -> None:
        """One more row."""
        self.n[label] += 1
        off = x - self.mean[label]
        self.mean[label] += off / self.n[label]
        self.squares[label] += off * (x - self.mean[label])


_SMALLEST = 1e-9
"""Added to each density, as the library `river` does, whose figures are the published ones."""


def tested(x: Floats, labels: Ints, model: Bayes) -> Iterator[tuple[int, int]]:
    """(prediction, label) row by row: a row is predicted first, and learnt from then."""
    for row, label in zip(x, labels, strict=True):
        yield model.predict(row), int(label)
        model.learn(row, int(label))
