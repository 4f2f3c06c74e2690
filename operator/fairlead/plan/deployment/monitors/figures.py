"""The quality of the live version as Prometheus is told of it: few figures, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from fairlead.api.monitors import Figure
from fairlead.monitor.estimate import Estimate
from fairlead.monitor.report import Report
from fairlead.monitor.unknown import Unknown

SHOWN = ("mape", "rmse", "rmse_zero", "accuracy", "auc", "f1")
"""No model has more than three of them: it answers with numbers or with classes."""
MOST = 3


def after(report: Report, before: Sequence[Figure]) -> list[Figure]:
    """What is known after a window. By labels, where this window has some; without new ones what they said last
    (`before`), as long as it holds; else as it is estimated. What is not known is not among them."""
    known = dict(_read(report.realised, "realised"))
    kept = {one.metric: one for one in before if one.source == "realised"}
    guessed = dict(_read(report.estimated.figures if isinstance(report.estimated, Estimate) else None, "estimated"))
    found = guessed | kept | known
    return [found[name] for name in SHOWN if name in found][:MOST]


def _read(values: Mapping[str, object] | Unknown | None, source: str) -> Iterator[tuple[str, Figure]]:
    if values is None or isinstance(values, Unknown):
        return
    for name in SHOWN:
        value = getattr(values.get(name), "value", None)
        if value is not None and isfinite(value):
            yield name, Figure.model_validate({"metric": name, "source": source, "value": f"{value:.6g}"})
