"""The rules that are common elsewhere, by which a window of rows is said to have drifted. Each looks at the rows
themselves, which only a benchmark has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from hack.bench.streams import Columns

Rule = Callable[[Columns, Columns, list[str]], bool]
"""(reference, window, features): whether it alarms."""
_FEW = 20
"""Different values up to which a feature is one of categories."""
LEVEL, PSI, DISTANCE, SHARE = 0.05, 0.1, 0.1, 0.5
_SMALL = 1000


def _categories(values: npt.NDArray[np.float64]) -> bool:
    return len(np.unique(values)) <= _FEW


def _counts(then: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    kinds = np.unique(np.concatenate([then, now]))
    return np.array([[(part == kind).sum() for kind in kinds] for part in (then, now)], dtype=np.float64)


def _p(then: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> float:
    """Of Kolmogorov and Smirnov's test; of categories chi²."""
    if _categories(then):
        counts = _counts(then, now)
        return 1.0 if counts.shape[1] < 2 else float(stats.chi2_contingency(counts, correction=False).pvalue)
    return float(stats.ks_2samp(then, now, method="asymp").pvalue)


def any_test(then: Columns, now: Columns, features: list[str]) -> bool:
    """Any feature with p < .05."""
    return any(_p(then[one], now[one]) < LEVEL for one in features)


def bonferroni(then: Columns, now: Columns, features: list[str]) -> bool:
    """Any feature with p < .05 over the number of features."""
    return any(_p(then[one], now[one]) < LEVEL / len(features) for one in features)


def any_psi(then: Columns, now: Columns, features: list[str]) -> bool:
    """Any feature whose population stability index, over the reference's deciles, is above .1."""
    return any(_psi(then[one], now[one]) > PSI for one in features)


def _psi(then: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> float:
    if _categories(then):
        counts = _counts(then, now)
    else:
        inner = np.unique(np.quantile(then, np.arange(1, 10) / 10))
        counts = np.array([np.bincount(np.searchsorted(inner, part, side="right"), minlength=len(inner) + 1)
                           for part in (then, now)], dtype=np.float64)  # fmt: skip
    p, q = (np.maximum(part / part.sum(), 1e-4) for part in counts)
    return float(((q - p) * np.log(q / p)).sum())


def dataset_drift(then: Columns, now: Columns, features: list[str]) -> bool:
    """Evidently's default: at least half of the features drift; of a large reference by distance, from .1 on
    (Wasserstein's over the reference's standard deviation, or Jensen and Shannon's), of one of at most 1,000 rows by
    p < .05."""
    return sum(_drifts(then[one], now[one]) for one in features) >= SHARE * len(features)


def _drifts(then: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> bool:
    if len(then) <= _SMALL:
        return _p(then, now) < LEVEL
    if _categories(then):
        counts = _counts(then, now)
        p, q = (part / part.sum() for part in counts)
        middle = (p + q) / 2
        distance = np.sqrt((stats.entropy(p, middle, base=2) + stats.entropy(q, middle, base=2)) / 2)
        return bool(distance >= DISTANCE)
    return bool(stats.wasserstein_distance(then, now) / max(float(then.std()), 1e-3) >= DISTANCE)


RULES: dict[str, Rule] = {
    "any feature p < .05": any_test, "Bonferroni": bonferroni, "any PSI > .1": any_psi,
    "Evidently's default": dataset_drift,
}  # fmt: skip
