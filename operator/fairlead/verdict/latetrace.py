"""Late labels in a watch's ledger: the rollout's own test on labels, which goes on after the promotion.

The first line of the watch has, by guard, all that the test knew at the promotion:

    {"t": 0.0, "watch": {…}, "late": {"1/labels": {"odds": "1.3", "floor": "0.02", "logLr": ["0.1", …], "windows": 12,
     "stable": {"requests": 900, "failures": 90}, "candidate": {"requests": 100, "failures": 10},
     "pairs": {"alike": 95, "candidateWrong": 4, "stableWrong": 1}, "worseBy": 0.02, "bound": "5.3"}}}

and a line for each join that had labels of the rollout's time: the pairs whose truth has become known, and the cohorts
in the order in which they were judged (labelled and wrong answers of the version before, the same of the one under
watch); `odds` and `floor` where the margin was fixed only now. Numbers of the test are strings that give the same bits
back.

    {"t": 86400.0, "late": {"1/labels": {"cohorts": [[90, 9, 10, 4]], "pairs": {…}, "bound": "5.3"}},
     "designEffect": 1.5, "logEvidence": {"1/labels": "7.1"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite, isnan
from typing import Any

from fairlead.verdict.failures import GRID
from fairlead.verdict.guards import Arm, GuardState, Window, decode, encode, encode_all, step
from fairlead.verdict.pairs import Pairs


@dataclass(frozen=True)
class Carried:
    """A test and the log evidence at which it is harm, as a string."""

    state: GuardState
    bound: str

    @property
    def harm(self) -> bool:
        """Whether the labels show that the version was worse in its rollout."""
        return self.state.log_evidence >= decode(self.bound)


@dataclass(frozen=True)
class Shown:
    """What one join has shown of the rollout's time."""

    bound: str
    cohorts: tuple[Window, ...] = ()
    pairs: Pairs = field(default_factory=Pairs)
    margin: tuple[str, str] | None = None
    """Odds and floor, if they were fixed now."""


@dataclass(frozen=True)
class Late:
    """A join, by guard."""

    t: float
    guards: Mapping[str, Shown]
    design_effect: float = 1.0
    found: Mapping[str, str] = field(default_factory=dict)
    """The log evidence by guard, as it was found at the time."""


def after(test: Carried, shown: Shown, design_effect: float) -> Carried:
    """The test after a join."""
    state = replace(test.state, design_effect=design_effect, pairs=test.state.pairs + shown.pairs)
    if shown.margin:
        state = replace(state, odds=decode(shown.margin[0]), floor=decode(shown.margin[1]))
    for cohort in shown.cohorts:
        state = step(state, cohort)
    return Carried(state, shown.bound)


# --- written -------------------------------------------------------------------------------------------------------


def carried_line(test: Carried) -> dict[str, Any]:
    """A test as JSON."""
    state = test.state
    return {
        "odds": encode(state.odds), "floor": encode(state.floor), "logLr": encode_all(state.log_lr),
        "windows": state.windows, "stable": counts(state.stable), "candidate": counts(state.candidate),
        "pairs": _pairs_line(state.pairs), "worseBy": state.worse_by, "bound": test.bound,
    }  # fmt: skip


def late_line(item: Late) -> dict[str, Any]:
    """A join as JSON."""
    effect = {} if item.design_effect == 1 else {"designEffect": item.design_effect}
    guards = {name: _shown_line(one) for name, one in item.guards.items()}
    return {"t": item.t, "late": guards, **effect, "logEvidence": dict(item.found)}


def _shown_line(one: Shown) -> dict[str, Any]:
    margin = dict(zip(("odds", "floor"), one.margin, strict=True)) if one.margin else {}
    pairs = {"pairs": _pairs_line(one.pairs)} if one.pairs != Pairs() else {}
    cohorts = [
        [w.stable.requests, w.stable.failures, w.candidate.requests, w.candidate.failures] for w in one.cohorts
    ]  # fmt: skip
    return {**margin, **pairs, "cohorts": cohorts, "bound": one.bound}


def _pairs_line(pairs: Pairs) -> dict[str, int]:
    return {"alike": pairs.alike, "candidateWrong": pairs.candidate_wrong, "stableWrong": pairs.stable_wrong}


def counts(arm: Arm) -> dict[str, int]:
    """Counts as JSON."""
    return {"requests": arm.requests, "failures": arm.failures}


# --- read: ValueError, TypeError, KeyError or AttributeError for what makes no sense -------------------------------


def carried_of(told: Mapping[str, Any]) -> Carried:
    """A test from JSON."""
    log_lr = tuple(float(text) for text in told["logLr"])
    odds, floor, worse_by = float(told["odds"]), float(told["floor"]), float(told["worseBy"])
    if len(log_lr) != len(GRID) or not all(map(isfinite, log_lr)) or not 0 <= worse_by < 1:
        raise ValueError(f"not the state of a test: {dict(told)}")
    state = GuardState(
        odds=odds, floor=floor, log_lr=log_lr, stable=arm(told["stable"]), candidate=arm(told["candidate"]),
        windows=_count(told["windows"]), pairs=_pairs(told["pairs"]), worse_by=worse_by,
    )  # fmt: skip
    _margin(odds, floor)
    return Carried(state, _bound(told))


def late_of(t: float, body: Mapping[str, Any], effect: float) -> Late:
    """A join from JSON."""
    found = {str(name): str(value) for name, value in body.get("logEvidence", {}).items()}
    return Late(t, {str(name): _shown(told) for name, told in body["late"].items()}, effect, found)


def _shown(told: Mapping[str, Any]) -> Shown:
    margin = (str(told["odds"]), str(told["floor"])) if "odds" in told else None
    if margin:
        _margin(*map(float, margin))
    cohorts = tuple(_cohort(*one) for one in told["cohorts"])
    return Shown(_bound(told), cohorts, _pairs(told["pairs"]) if "pairs" in told else Pairs(), margin)


def _cohort(labelled: Any, wrong: Any, own_labelled: Any, own_wrong: Any) -> Window:
    stable, candidate = ({"requests": n, "failures": k} for n, k in ((labelled, wrong), (own_labelled, own_wrong)))
    return Window(arm(stable), arm(candidate))


def _margin(odds: float, floor: float) -> None:
    if not odds >= 1 or not 0 <= floor < 1 or (odds == inf and not floor):
        raise ValueError(f"a margin has odds of at least 1, and a floor in [0, 1), not {odds} and {floor}")


def _bound(told: Mapping[str, Any]) -> str:
    if isnan(float(told["bound"])):
        raise ValueError("a bound is a number")
    return str(told["bound"])


def _pairs(told: Mapping[str, Any]) -> Pairs:
    return Pairs(*(_count(told[key]) for key in ("alike", "candidateWrong", "stableWrong")))


def arm(told: Mapping[str, Any]) -> Arm:
    """Counts from JSON."""
    requests, failures = told["requests"], told["failures"]
    if type(requests) is not int or type(failures) is not int or not 0 <= failures <= requests:
        raise ValueError(f"counts are whole numbers, and no more fail than come: {dict(told)}")
    return Arm(requests, failures)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"a count is a whole number that is not negative, not {value!r}")
    return value
