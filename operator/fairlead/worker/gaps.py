"""Gates on fairness: the gap of a share between the slices of a column, on the held-out rows.

The statistics are those of monitors (`monitor/fairness.py`), for one look. Only what is shown to be within the bound
passes: an interval that reaches beyond it, or a slice of too few rows, closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairlead.api.modelversion import Gate, GateResult
from fairlead.api.units import share
from fairlead.monitor import fairness
from fairlead.monitor.confusion import Confusion
from fairlead.monitor.fairness import Gap
from fairlead.monitor.profile import category_name
from fairlead.monitor.realised import Value
from fairlead.monitor.unknown import Unknown
from fairlead.worker import gates, metrics, truth
from fairlead.worker.formats.words import line
from fairlead.worker.metrics import Labels, Predictions
from fairlead.worker.slices import Slices

ALPHA = 0.05
"""The intervals of all pairs hold at once with 95 %, as those of other gates."""
_WORDS = 128
"""Characters of a gate in words."""
_NAME = 60
"""Of a class or slice, in a message."""
_CLASSES = 5
"""That a message names."""
_REMEDY = "Prove it on more rows, or join slices"


@dataclass(frozen=True)
class Answered:
    """What the challenger said of the held-out rows, and what was so."""

    truth: Labels
    """Shape (n,)."""
    predicted: Predictions | str
    """Or why there are no predictions."""
    classes: Labels
    """All, sorted."""
    slices: Mapping[str, Slices] = field(default_factory=dict)
    """By column; of the same n rows."""


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it stands on."""

    result: GateResult
    report: dict[str, Any]
    """Which class is positive; by slice its rows, and its share or why there is none."""


def words(gate: Gate) -> str:
    """The demand in words."""
    of = f", positive: {gate.positive}" if gate.positive is not None else ""
    return line(f"{gate.metric} by {gate.by} at most {gate.max}{of}", _WORDS)


def judge(gate: Gate, answered: Answered) -> Judged:
    """The verdict on a gate whose metric is a gap."""
    try:
        found = _counted(gate, answered)
    except metrics.Unusable as error:
        return _closed(gate, f"the challenger has no {gate.metric}: {error}")
    if isinstance(found, Unknown):
        return _closed(gate, f"{found.reason}: {found.remedy}")
    return _judged(gate, found, fairness.gap(found.slices, _metric(gate), ALPHA))


def _metric(gate: Gate) -> str:
    return gate.metric.removesuffix("_gap")


@dataclass(frozen=True)
class _Counted:
    slices: Mapping[str, Confusion]
    positive: str = ""
    """The class; empty for errors, which have none."""
    strange: int = 0
    """Answers that are no class of the rows; they count as not positive."""


def _counted(gate: Gate, answered: Answered) -> _Counted | Unknown:
    """Raises Unusable."""
    slices, predicted = answered.slices[str(gate.by)], answered.predicted
    if slices.too_many:
        return Unknown(
            f"{gate.by} has more than {fairness.MOST_SLICES} values, and no more slices are compared",
            "join them in a column of their own",
        )
    if isinstance(predicted, str):
        raise metrics.Unusable(predicted)
    if gate.metric == "error_gap":
        wanted, given = metrics.comparable(answered.truth, predicted.labels)
        return _Counted(slices.confusions(np.ones(len(wanted), dtype=bool), wanted == given))
    at = _positive(gate, answered.classes)
    return at if isinstance(at, Unknown) else _sides(at, answered, predicted.labels, slices)


def _positive(gate: Gate, classes: Labels) -> int | Unknown:
    """The place of the class that counts as positive."""
    names = [_name(one) for one in classes.tolist()]
    more = f" and {len(names) - _CLASSES} more" if len(names) > _CLASSES else ""
    told = ", ".join(one[:_NAME] for one in names[:_CLASSES]) + more
    if gate.positive is None:
        if len(names) == 2:
            return 1
        are = "is one class" if len(names) == 1 else f"are {len(names)} classes"
        return Unknown(f"there {are}, {told}", "say by positive which one counts")
    number = truth.number(gate.positive)
    for at, one in enumerate(classes.tolist()):
        if one == gate.positive or (isinstance(one, float) and number is not None and one == float(number)):
            return at
    return Unknown(f"no row is of class {gate.positive}; there are {told}", "name one of these by positive")


def _name(one: Any) -> str:
    return category_name(one) or str(one)


def _sides(at: int, answered: Answered, said: Labels, slices: Slices) -> _Counted:
    """By slice, which rows are predicted positive, and which are so. Raises Unusable."""
    rows = len(answered.truth)
    # what is text may be compared as numbers: so the classes go the same way
    wanted, given = metrics.comparable(np.concatenate([answered.truth, answered.classes]), said)
    positive, strange = wanted[rows + at], ~np.isin(given, wanted[rows:])
    chosen = np.asarray(given == positive, dtype=bool)
    if strange.any() and not chosen.any():
        raise metrics.Unusable(f"no answer is {positive}, and {int(strange.sum())} are no class of the rows, such as "
                               f"{str(given[strange][0])[:_NAME]!r}")  # fmt: skip
    so = np.asarray(wanted[:rows] == positive, dtype=bool)
    return _Counted(slices.confusions(chosen, so), _name(answered.classes.tolist()[at]), int(strange.sum()))


def _judged(gate: Gate, counted: _Counted, found: Gap | Unknown) -> Judged:
    most = min(1.0, share(str(gate.max)))
    said, why = fairness.verdict(found, most)
    report = _report(gate, _shares(gate, counted.slices), counted.positive)
    if isinstance(found, Unknown):
        return _closed(gate, f"not known: {found.reason}. {_REMEDY}", report)
    chosen = f" (positive is {counted.positive[:_NAME]})" if counted.positive and gate.positive is None else ""
    text = f"{_told(gate, found)}{chosen}, wanted at most {gate.max}"
    if counted.strange:
        text += f"; {counted.strange} answers are no class of the rows, and count as not positive"
    if said == "unknown":
        # where the interval is too wide, all is told already
        few = f": {why.reason}" if why is not None and found.interval.high <= most else ""
        text = f"not known well enough{few}: {text}. {_REMEDY}"
    result = GateResult(
        gate=words(gate), verdict="Passed" if said == "ok" else "Failed", message=line(text),
        value=gates.number(found.value), low=gates.number(found.interval.low), high=gates.number(found.interval.high),
    )  # fmt: skip
    return Judged(result, report)


def _told(gate: Gate, found: Gap) -> str:
    """The gap, and the slices that differ most."""
    high, low = found.widest.high, found.widest.low
    of = f"{_percent(found.slices[high].value)} of {high[:_NAME]}, {_percent(found.slices[low].value)} of {low[:_NAME]}"
    between = f"{_percent(found.interval.low)} to {_percent(found.interval.high)}"
    return f"{gate.metric} is {_percent(found.value)} ({between}), {of}"


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def _report(gate: Gate, slices: Mapping[str, Any], positive: str = "") -> dict[str, Any]:
    return {"gate": words(gate), **({"positive": positive} if positive else {}), "slices": slices}


def _shares(gate: Gate, slices: Mapping[str, Confusion]) -> dict[str, Any]:
    """By slice; of at most `fairness.MOST_SLICES`."""
    shares = fairness.shares(slices, _metric(gate), ALPHA)
    return {name: {"rows": slices[name].n, **_share(one)} for name, one in shares.items()}


def _share(one: Value | Unknown) -> dict[str, Any]:
    if isinstance(one, Unknown):
        return {"unknown": one.reason}
    told = [gates.number(number) for number in (one.value, one.interval.low, one.interval.high)]
    return {"share": told[0], "low": told[1], "high": told[2], "of": one.n}


def _closed(gate: Gate, text: str, report: dict[str, Any] | None = None) -> Judged:
    result = GateResult(gate=words(gate), verdict="Failed", message=line(text))
    return Judged(result, report or _report(gate, {}))
