"""Gates: what is demanded of a metric, and whether the evidence meets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fairlead.api.modelversion import Gate, GateResult
from fairlead.api.units import share
from fairlead.worker.bootstrap import interval, relative_worsening
from fairlead.worker.metrics import HIGHER_IS_BETTER, Floats


@dataclass(frozen=True)
class Scored:
    """A subject's metrics on all rows and on each resample; or why there is none."""

    values: Mapping[str, float] = field(default_factory=dict)
    """By metric."""
    samples: Mapping[str, Floats] = field(default_factory=dict)
    """Shape (resamples,)."""
    problems: Mapping[str, str] = field(default_factory=dict)


def words(gate: Gate) -> str:
    """The demand in words."""
    if gate.max is not None:
        return f"{gate.metric} at most {gate.max}"
    if gate.min is not None:
        return f"{gate.metric} at least {gate.min}"
    if gate.better_by is not None:
        return f"{gate.metric} against {gate.against}, better by {gate.better_by}"
    return f"{gate.metric} against {gate.against}, margin {gate.margin or '0%'}"


def number(value: float) -> str:
    """A number as a short string."""
    return f"{value:.6g}"


def judge(gate: Gate, scored: Mapping[str, Scored]) -> GateResult:
    """The verdict on one gate. `scored`: by subject; without a champion, gates against it are skipped."""
    if gate.against is not None and gate.against not in scored:
        text = f"there is no {gate.against} yet" if gate.against == "champion" else "there is no baseline"
        skipped = gate.against == "champion"
        return GateResult(gate=words(gate), verdict="Skipped" if skipped else "Failed", message=text)
    for subject in ("challenger", gate.against):
        if subject and (problem := scored[subject].problems.get(gate.metric)):
            text = f"the {subject} has no {gate.metric}: {problem}"
            return GateResult(gate=words(gate), verdict="Failed", message=text[:1024])
    return _bound(gate, scored["challenger"]) if gate.against is None else _compare(gate, scored)


def _bound(gate: Gate, ours: Scored) -> GateResult:
    value, (low, high) = ours.values[gate.metric], interval(ours.samples[gate.metric])
    passed = value <= float(gate.max) if gate.max is not None else value >= float(gate.min or "nan")
    limit = f"at most {gate.max}" if gate.max is not None else f"at least {gate.min}"
    text = f"{gate.metric} is {number(value)} ({number(low)} to {number(high)}), wanted {limit}"
    return _result(gate, passed, value, low, high, text)


def _compare(gate: Gate, scored: Mapping[str, Scored]) -> GateResult:
    ours, theirs, metric = scored["challenger"], scored[str(gate.against)], gate.metric
    higher = metric in HIGHER_IS_BETTER
    worse = relative_worsening(ours.samples[metric], theirs.samples[metric], higher_is_better=higher)
    point = float(
        relative_worsening(
            np.asarray(ours.values[metric]), np.asarray(theirs.values[metric]), higher_is_better=higher
        )
    )  # fmt: skip
    low, high = interval(worse)
    both = f"{number(ours.values[metric])} against {number(theirs.values[metric])}"
    if gate.better_by is not None:
        text = f"{both}: {_change(-point, -high, -low, 'better', 'worse')}, wanted {gate.better_by} better"
        return _result(gate, -high >= share(gate.better_by), -point, -high, -low, text)
    margin = gate.margin or "0%"
    text = f"{both}: {_change(point, low, high, 'worse', 'better')}, allowed {margin} worse"
    return _result(gate, high <= share(margin), point, low, high, text)


def _change(value: float, low: float, high: float, up: str, down: str) -> str:
    """A relative change with its interval, so that the numbers are mostly positive."""
    if value < 0:
        value, low, high, up = -value, -high, -low, down
    return f"{_percent(value)} {up} ({_percent(low)} to {_percent(high)})"


def _percent(relative: float) -> str:
    return f"{100.0 * relative:.3g}%"


def _result(gate: Gate, passed: bool, value: float, low: float, high: float, text: str) -> GateResult:
    return GateResult(
        gate=words(gate), verdict="Passed" if passed else "Failed", message=text[:1024],
        value=number(value), low=number(low), high=number(high),
    )  # fmt: skip
