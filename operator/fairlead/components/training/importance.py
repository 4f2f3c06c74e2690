"""Which columns the model needs: how much larger its error gets when a column's values are dealt out anew among rows.

It is asked in the same way of all models, so those of different libraries can be compared.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.inspection import permutation_importance

from fairlead.components.training.measure import probabilities
from fairlead.components.training.rows import Rows

ROWS, REPEATS, BARS = 2000, 5, 40
"""Rows at most, how often each column is dealt out, columns that are drawn."""
_LABEL, _WIDE, _LINE, _NUMBER = 220, 480, 22, 110
"""Of the chart, in pixels: width of the labels, of the longest bar, height of a bar, width of the numbers."""


@dataclass(frozen=True)
class Importance:
    """Of one column."""

    feature: str
    mean: float
    """By so much the error grows, in the error's unit; about 0, also below, for a column that isn't needed."""
    deviation: float
    """Of the mean, over the repeats."""


def importance(model: Any, rows: Rows, classes: bool, seed: int) -> list[Importance]:
    """The most important first. The error is mae, of classes log_loss."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:ROWS])
    features, target = rows.features.iloc[chosen], rows.target[chosen]
    found = permutation_importance(
        model, features, target, scoring=_log_loss if classes else "neg_mean_absolute_error", n_repeats=REPEATS,
        random_state=seed, n_jobs=1,
    )  # fmt: skip
    listed = [
        Importance(str(name), float(mean), float(deviation))
        for name, mean, deviation in zip(
            features.columns, found["importances_mean"], found["importances_std"], strict=True
        )
    ]
    return sorted(listed, key=lambda one: (-one.mean, one.feature))


def _log_loss(model: Any, features: Any, target: Any) -> float:
    return -float(metrics.log_loss(target, probabilities(model, features), labels=list(model.classes_)))


def write(found: Sequence[Importance], error: str, folder: Path) -> None:
    """`importance.csv` with all, and `importance.svg` with the most important ones."""
    with (folder / "importance.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["feature", f"{error}_increase", "deviation"])
        table.writerows([one.feature, repr(one.mean), repr(one.deviation)] for one in found)
    (folder / "importance.svg").write_text(chart(found, error), encoding="utf-8")


def chart(found: Sequence[Importance], error: str) -> str:
    """A picture with a bar for each column, at most BARS; one below 0 has none."""
    shown = found[:BARS]
    longest = max((one.mean for one in shown), default=0.0)
    bars = [_bar(one, at, longest) for at, one in enumerate(shown)]
    more = f", the first {BARS} of {len(found)}" if len(found) > BARS else ""
    high = (len(shown) + 2) * _LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + _WIDE + _NUMBER}" height="{high}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n<text x="8" y="{_LINE - 6}" font-weight="bold">'
        f"Increase of {escape(error)} when a column is shuffled{more}</text>\n" + "\n".join(bars) + "\n</svg>\n"
    )


def _bar(one: Importance, at: int, longest: float) -> str:
    top = (at + 1) * _LINE + 4
    wide = round(_WIDE * max(one.mean, 0.0) / longest, 1) if longest > 0 else 0.0
    name = "".join(c if c.isprintable() else " " for c in one.feature)  # XML has no control characters
    label = name if len(name) <= 32 else f"{name[:31]}…"
    return (
        f'<text x="{_LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{_LABEL}" y="{top}" width="{wide}" height="{_LINE - 6}" fill="#4477aa"/>'
        f'<text x="{_LABEL + wide + 6}" y="{top + 12}">{one.mean:.4g}</text>'
    )
