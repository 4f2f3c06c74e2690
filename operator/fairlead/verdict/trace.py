"""A rollout's windows as lines of JSON: what the evidence ledger keeps, and what one can write by hand.

    {"t": 12.0, "weight": 10, "arms": {"stable": {"requests": 90, "failures": 1},
                                       "candidate": {"requests": 10, "failures": 2}}}

`t`: seconds, on a clock that does not go back. `weight`: percent that the candidate was to get; where it is left out,
that of the line before. An arm that is missing was not read: no evidence. Other metrics than failed requests stand
under `metrics` of an arm, by their name, with `requests` and `failures` of their own; what is no count (a gauge) under
`values` of an arm, by its name, as a number. A line `{"live": {"requests":
…, "failures": …}}` says what the live version had counted before, and a line `{"margins": {"errors": {"odds": 1.5,
"floor": 0.02, "rate": 0.01, "worseBy": 0.01}}}` what is tolerated.

An evidence ledger has besides, in lines of their own, the rules (`rollout`), the steps (`step`, `weight`), the verdict
where it changes (`now`), how it ended (`end`); its windows have the `logEvidence` by metric that was found at the time,
`"split": null` where the gateway was still taking up new weights, and `doubted`: metrics of which nothing follows,
though there is enough evidence, for their counters have fallen. Where a doubt is over, or another bound is asked for, a
metric's window may be empty: then it is harm by what was counted before. Requests that both versions answered, once it
is known which answers were right, stand in a line `{"t": 12.0, "pairs": {"labels": {"alike": 95, "candidateWrong": 4,
"stableWrong": 1}}}`. A line `{"dropped": 70}` stands for lines that nothing could keep: such a ledger can't be judged
once more. Lines of other forms are passed over. Where answers are kept, `answers` among the `metrics` says how many
there were, and how many were failures or refusals; by them the candidate may be shown to be ahead (`verdict.ahead`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

from fairlead.api import foreign
from fairlead.verdict.gauges import LARGEST as LARGEST_VALUE
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.margin import Margin
from fairlead.verdict.pairs import Pairs

ARMS = ("stable", "candidate")
ERRORS = "errors"
"""The metric that an arm's own `requests` and `failures` are."""
ANSWERS = "answers"
"""Besides the metrics: answers that were kept, and those among them that are failures or refusals."""
LARGEST = 2**53


class BadTrace(ValueError):  # noqa: N818 - the house's names of errors
    """A line that can't be read; the message names it."""


@dataclass(frozen=True)
class Line:
    """A window. `windows`: by metric, of those that both arms told of."""

    t: float
    weight: float | None = None
    windows: Mapping[str, Window] = field(default_factory=dict)
    traffic: tuple[int, int] | None = None
    """Requests of (live version, candidate)."""
    found: Mapping[str, str] = field(default_factory=dict)
    """The log evidence by metric, as it was found at the time."""
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By metric that is no count: that of (live version, candidate)."""
    doubted: tuple[str, ...] = ()
    """Metrics of which nothing follows from what was counted."""


@dataclass(frozen=True)
class Paired:
    """Pairs whose truth has become known, by metric."""

    t: float
    pairs: Mapping[str, Pairs]
    found: Mapping[str, str] = field(default_factory=dict)
    """The log evidence by metric, as it was found at the time."""


@dataclass(frozen=True)
class Tolerated:
    """What one metric tolerates, as it was fixed when the rollout began."""

    margin: Margin
    rate: float
    """The live version's, in (0, 1)."""
    worse_by: float
    """A difference of shares."""
    beyond: bool = False
    """Whether harm is judged by that difference (`verdict.difference`), not by the margin."""


@dataclass(frozen=True)
class Prior:
    """What was known before the first window."""

    live: Arm | None = None
    metrics: Mapping[str, Tolerated] = field(default_factory=dict)


@dataclass(frozen=True)
class Began:
    """The rules from here on. `rollout`: as in a Deployment's spec."""

    rollout: Mapping[str, Any]
    version: str = ""
    against: str = ""
    deployment: str = ""
    t: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Stepped:
    """The candidate gets another share; the split is tested anew."""

    t: float
    step: int
    weight: float
    shadow: str = ""


@dataclass(frozen=True)
class Told:
    """The verdict from this look on. It stands behind the look's window."""

    t: float
    verdict: str
    """As in a Deployment's status."""


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    t: float
    result: str
    reason: str
    message: str = ""


Item = Line | Paired | Prior | Began | Stepped | Told | Ended


def read(lines: Iterable[str]) -> Iterator[Item]:
    """What a trace says, in its order. Raises BadTrace."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            found = _line(foreign.parse(text))
        except (ValueError, OverflowError, TypeError, AttributeError, KeyError) as bad:
            raise BadTrace(f"line {number}: {bad}") from None
        if found is not None:
            yield found


def whole(body: Mapping[str, Any]) -> None:
    """Raises ValueError for a line that stands for others, which nothing could keep."""
    if "dropped" in body:
        raise ValueError(f"{body['dropped']} lines before it are missing: no store took them, and there was no room")


def write(line: Line, **more: Any) -> str:
    """A window as a line; `more` is added to it."""
    arms: dict[str, dict[str, Any]] = {arm: _written(line.windows, arm) for arm in ARMS} if line.windows else {}
    for metric, pair in line.values.items():
        for arm, value in zip(ARMS, pair, strict=True):
            arms.setdefault(arm, {}).setdefault("values", {})[metric] = value
    weight = {} if line.weight is None else {"weight": line.weight}
    return json.dumps({"t": line.t, **weight, "arms": arms, **more}, separators=(",", ":"))


def write_pairs(t: float, pairs: Mapping[str, Pairs], **more: Any) -> str:
    """Pairs as a line; `more` is added to it."""
    told = {
        name: {"alike": one.alike, "candidateWrong": one.candidate_wrong, "stableWrong": one.stable_wrong}
        for name, one in pairs.items()
    }
    return json.dumps({"t": t, "pairs": told, **more}, separators=(",", ":"))


def _written(windows: Mapping[str, Window], arm: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric, window in windows.items():
        counts: Arm = getattr(window, arm)
        numbers = {"requests": counts.requests, "failures": counts.failures}
        if metric == ERRORS:
            found |= numbers
        else:
            found.setdefault("metrics", {})[metric] = numbers
    return found


def _line(body: Any) -> Item | None:
    if not isinstance(body, dict):
        raise ValueError(f"not an object: {body!r}")
    whole(body)
    if "rollout" in body:
        version, against, deployment = (str(body.get(key, "")) for key in ("version", "against", "deployment"))
        return Began(dict(body["rollout"]), version, against, deployment, _time(body) if "t" in body else None)
    if "end" in body:
        return Ended(_time(body), *(str(body.get(key, "")) for key in ("end", "reason", "message")))
    if "now" in body:
        return Told(_time(body), str(body["now"]))
    if "step" in body:
        return Stepped(_time(body), int(body["step"]), _weight(body) or 0.0, str(body.get("shadow", "")))
    if "live" in body or "margins" in body:
        margins = {name: _tolerated(told) for name, told in body.get("margins", {}).items()}
        return Prior(_arm(body["live"]) if "live" in body else None, margins)
    if "pairs" in body:
        return Paired(_time(body), {str(name): _pairs(told) for name, told in body["pairs"].items()}, _found(body))
    if "arms" not in body:
        return None
    arms = body["arms"]
    unknown = set(arms) - set(ARMS)
    if unknown:
        raise ValueError(f"unknown arm {', '.join(sorted(unknown))}; there are stable and candidate")
    windows, traffic = _windows([arms.get(arm) for arm in ARMS])
    counted = "split" not in body or body["split"] is not None
    values = _values([arms.get(arm) for arm in ARMS])
    doubted = tuple(map(str, body.get("doubted", ())))
    return Line(_time(body), _weight(body), windows, traffic if counted else None, _found(body), values, doubted)


def _found(body: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in body.get("logEvidence", {}).items()}


def _pairs(told: Mapping[str, Any]) -> Pairs:
    return Pairs(*(_count(told, key) for key in ("alike", "candidateWrong", "stableWrong")))


def _weight(body: Mapping[str, Any]) -> float | None:
    weight = body.get("weight")
    if weight is None:
        return None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 100:
        raise ValueError(f"a weight lies between 0 and 100, not {weight}")
    return float(weight)


def _tolerated(told: Mapping[str, Any]) -> Tolerated:
    # JSON has no infinity: without odds, only the candidate's own rate is judged
    odds, floor = float(told.get("odds", inf)), float(told["floor"])
    rate, worse_by = float(told.get("rate", 0.01)), float(told.get("worseBy", 0.0))
    if not (odds >= 1 and 0 <= floor < 1 and (odds < inf or floor) and 0 < rate < 1 and 0 <= worse_by < 1):
        raise ValueError("a margin has odds of at least 1, and floor, rate and worseBy between 0 and 1")
    return Tolerated(Margin(odds, floor), rate, worse_by, told.get("by") == "difference")


def _time(body: Mapping[str, Any]) -> float:
    t = body.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float) or not isfinite(t):
        raise ValueError(f"t is a number of seconds, not {t!r}")
    return float(t)


def _windows(arms: list[Any]) -> tuple[dict[str, Window], tuple[int, int] | None]:
    if any(arm is None for arm in arms):
        return {}, None
    stable, candidate = (_metrics(arm) for arm in arms)
    windows = {name: Window(stable[name], candidate[name]) for name in stable if name in candidate}
    errors = windows.get(ERRORS)
    return windows, (errors.stable.requests, errors.candidate.requests) if errors else None


def _values(arms: list[Any]) -> dict[str, tuple[float, float]]:
    stable, candidate = (dict((arm or {}).get("values", {})) for arm in arms)
    return {name: (_value(name, stable[name]), _value(name, candidate[name])) for name in stable if name in candidate}


def _value(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_VALUE:
        raise ValueError(f"the value of {name} is a finite number, not {value!r}")
    return float(value)


def _metrics(arm: Any) -> dict[str, Arm]:
    own = {ERRORS: _arm(arm)} if "requests" in arm or "failures" in arm else {}
    return own | {name: _arm(counts) for name, counts in arm.get("metrics", {}).items()}


def _arm(counts: Mapping[str, Any]) -> Arm:
    requests, failures = (_count(counts, key) for key in ("requests", "failures"))
    if failures > requests:
        raise ValueError(f"{failures} failures of {requests} requests")
    return Arm(requests, failures)


def _count(counts: Mapping[str, Any], key: str) -> int:
    value = counts.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ValueError(f"{key} is a whole number that is not negative, not {value!r}")
    return value
