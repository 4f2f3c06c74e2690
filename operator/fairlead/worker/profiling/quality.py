"""Sums over held-out rows: how right answers were, by how sure they were, and how far off."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairlead.monitor.profile import Losses, Scores
from fairlead.worker.places import Floats, Places, Truths
from fairlead.worker.profiling.columns import tidy

FINE = 1 << 18
"""Classes of scores of equal width, from which the area under the ROC curve is: two scores in one of them count as
equal."""
_CLIP = 1e-15


class Errors:
    """Of numbers, by bin of the answer."""

    def __init__(self, bins: int) -> None:
        self._bins = bins
        self.rows = 0
        self._counts, self._nonzero = np.zeros(bins, dtype=np.int64), np.zeros(bins, dtype=np.int64)
        self._sums = np.zeros((5, bins))
        self._zero, self._zero_rows = 0.0, 0

    def add(self, places: Places, answers: Floats, truth: Floats) -> None:
        """The next rows; one without a number on either side does not count."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            error = np.abs(answers - truth)
            some = truth != 0.0
            relative = np.where(some, error / np.abs(truth), 0.0)
            parts = np.array([error, error**2, error**4, relative, relative**2])
        good = np.isfinite(parts).all(axis=0) & (places < self._bins)
        where = places[good]
        self.rows += len(where)
        self._counts += np.bincount(where, minlength=self._bins)
        self._nonzero += np.bincount(where, weights=some[good], minlength=self._bins).astype(np.int64)
        for row, values in zip(self._sums, parts, strict=True):
            row += np.bincount(where, weights=values[good], minlength=self._bins)
        self._zero += float(parts[1][good & ~some].sum())
        self._zero_rows += int((good & ~some).sum())

    def losses(self) -> Losses:
        """By bin."""
        sums = [[_bounded(value) for value in row] for row in self._sums.tolist()]
        return Losses(counts=self._counts.tolist(), absolute=sums[0], squared=sums[1], fourth=sums[2],
                      nonzero=self._nonzero.tolist(), relative=sums[3], relative_squared=sums[4])  # fmt: skip

    def metrics(self) -> dict[str, float]:
        """`mae`, `mse`, `rmse`; `mape` of rows whose target is not 0, and `rmse_zero` of the others."""
        if not self.rows:
            return {}
        mse = float(self._sums[1].sum()) / self.rows
        found = {"mae": float(self._sums[0].sum()) / self.rows, "mse": mse, "rmse": sqrt(mse)}
        if some := int(self._nonzero.sum()):
            found["mape"] = float(self._sums[3].sum()) / some
        if self._zero_rows:
            found["rmse_zero"] = sqrt(self._zero / self._zero_rows)
        return {name: tidy(value) for name, value in found.items() if np.isfinite(value)}


def _bounded(value: float) -> float:
    return tidy(value) if np.isfinite(value) else float(np.finfo(np.float64).max)


class Hits:
    """Of classes."""

    def __init__(self, positive: str) -> None:
        self._positive = positive
        self._rows = self._right = self._both = self._said = self._are = 0

    def add(self, answers: NDArray[Any], truth: NDArray[Any]) -> None:
        """The next rows' names; one whose truth is None does not count."""
        there = np.array([one is not None for one in truth], dtype=np.bool_)
        self._rows += int(there.sum())
        self._right += int((there & (answers == truth)).sum())
        if self._positive:
            said, are = there & (answers == self._positive), truth == self._positive
            self._both += int((said & are).sum())
            self._said += int(said.sum())
            self._are += int(are.sum())

    def metrics(self) -> dict[str, float]:
        """`accuracy`, `error_rate`; of two classes `precision`, `recall` and `f1` where they are defined."""
        if not self._rows:
            return {}
        found = {"accuracy": self._right / self._rows, "error_rate": 1 - self._right / self._rows}
        if self._said:
            found["precision"] = self._both / self._said
        if self._are:
            found["recall"] = self._both / self._are
        if self._said + self._are:
            found["f1"] = 2 * self._both / (self._said + self._are)
        return {name: tidy(value) for name, value in found.items()}


class Calibration:
    """Of scores."""

    def __init__(self, edges: list[float], two: bool) -> None:
        self._edges, self._two = edges, two
        bins = len(edges) + 1
        self._counts, self._right, self._said = (np.zeros(bins, dtype=np.int64) for _ in range(3))
        self._fine = np.zeros((2, FINE if two else 0), dtype=np.int64)
        self._log = self._brier = 0.0
        self.strange = 0
        """Scores of rows with a truth that are no probabilities."""

    def add(self, scores: Floats, there: Truths, right: Truths, positive: Truths) -> None:
        """The next rows: which have a truth; of which the truth is positive (or as answered); which were answered
        positive."""
        good = there & ~np.isnan(scores)
        self.strange += int((there & np.isnan(scores)).sum())
        p, hit = scores[good], right[good].astype(np.bool_)
        places = np.searchsorted(self._edges, p, side="right")
        bins = len(self._counts)
        self._counts += np.bincount(places, minlength=bins)
        self._right += np.bincount(places[hit], minlength=bins)
        self._said += np.bincount(places[positive[good].astype(np.bool_)], minlength=bins)
        if self._two:
            fine = np.minimum(FINE - 1, (p * FINE).astype(np.intp))
            for row, chosen in zip(self._fine, (~hit, hit), strict=True):
                row += np.bincount(fine[chosen], minlength=FINE)
            self._log -= float(np.log(np.clip(np.where(hit, p, 1 - p), _CLIP, 1.0)).sum())
            self._brier += float(((p - hit) ** 2).sum())

    @property
    def rows(self) -> int:
        """Scores that were counted."""
        return int(self._counts.sum())

    def scores(self) -> Scores:
        """By bin."""
        said = self._said.tolist() if self._two else []
        return Scores(edges=self._edges, counts=self._counts.tolist(), right=self._right.tolist(), predicted=said)

    def metrics(self) -> dict[str, float]:
        """Of two classes `log_loss`, `brier`, and `auc` where both were seen."""
        if not self._two or not self.rows:
            return {}
        found = {"log_loss": tidy(self._log / self.rows), "brier": tidy(self._brier / self.rows)}
        negatives, positives = self._fine.astype(np.float64)
        if negatives.any() and positives.any():
            below = np.cumsum(negatives) - negatives / 2
            found["auc"] = tidy(float(positives @ below) / float(negatives.sum() * positives.sum()))
        return found
