"""A watch after a promotion as lines of JSON: what its evidence ledger keeps, so that it can be judged once more.

    {"t": 0.0, "watch": {"0/errors": {"bound": "9.9", "tolerated": "0.034", "odds": "1.0", "floor": "0.0"}},
     "version": "m-2", "against": "m-1", "deployment": "team/web"}
    {"t": 10.2, "after": {"0/errors": {"live": {"requests": 812, "failures": 9}}}, "logEvidence": {"0/errors": "-0.4"}}
    {"t": 95.0, "end": "RolledBack", "reason": "ErrorsWorseAfterPromotion", "message": "…"}

The first line says what is tolerated, by guard: the log evidence at which it is an alarm, and what `verdict.detector`
holds the windows against, as strings that give the same bits back. A window has, by guard, what the live version has
counted, and with a holdback the previous one (`previous`); `designEffect` where it is not 1. A line `{"t": 60.0,
"rules": {"1/labels": {…}}}` says what a guard tolerates from here on, which with labels may be known only later; with
`"anew": true` its detector begins anew. Labels of the rollout's time have lines of their own (`verdict.latetrace`).

An alarm without a holdback asks whether it is the version or the world (`verdict.confirm`):

    {"t": 95.0, "asking": {"0/errors": {"bound": "5.3", "odds": "1.0", "floor": "0.0", "worseBy": "0.01",
     "rate": "0.02"}}, "question": 1, "message": "…"}
    {"t": 97.1, "heard": {"0/errors": {"live": {"requests": 40, "failures": 20}, "previous": {"requests": 10,
     "failures": 0}}}, "logEvidence": {"0/errors": "7.9"}}
    {"t": 97.1, "answered": "Worse", "message": "…"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite, isnan
from typing import Any

from fairlead.api import foreign
from fairlead.verdict import latetrace
from fairlead.verdict.guards import Arm
from fairlead.verdict.latetrace import Carried, Late
from fairlead.verdict.trace import BadTrace, Ended, whole


@dataclass(frozen=True)
class Rule:
    """What one guard tolerates. Numbers as strings, as the status has them."""

    bound: str
    tolerated: str = ""
    odds: str = "1"
    floor: str = "0"
    worse_by: str = ""
    """Of a question: the margin as a difference of rates, if it is one,"""
    rate: str = ""
    """and the previous version's rate as it was known before."""


@dataclass(frozen=True)
class Watched:
    """A watch begins. `rules`: by guard."""

    t: float
    rules: Mapping[str, Rule]
    version: str = ""
    against: str = ""
    deployment: str = ""
    late: Mapping[str, Carried] = field(default_factory=dict)
    """By guard on labels, the rollout's own test as it stood then."""


@dataclass(frozen=True)
class Ruled:
    """What guards tolerate from here on."""

    t: float
    rules: Mapping[str, Rule]
    anew: bool = False
    """Whether their detectors begin anew."""


@dataclass(frozen=True)
class Asking:
    """A question begins. `rules`: by guard that is asked."""

    t: float
    question: int
    rules: Mapping[str, Rule]
    message: str = ""
    design_effect: float = 1.0


@dataclass(frozen=True)
class Heard:
    """A window of a question, by guard: (live version, previous one)."""

    t: float
    windows: Mapping[str, tuple[Arm, Arm]]
    design_effect: float = 1.0
    found: Mapping[str, str] = field(default_factory=dict)
    """The log evidence by guard, as it was found at the time."""


@dataclass(frozen=True)
class Answered:
    """A question ends. `result`: `Worse`, `WorldChanged`, `AsBefore`, `Unknown` or `Dropped`."""

    t: float
    result: str
    message: str = ""


@dataclass(frozen=True)
class After:
    """A window. The previous version's arm is `stable`; None without a holdback."""

    t: float
    windows: Mapping[str, tuple[Arm, Arm | None]]
    """By guard: (live version, previous one)."""
    design_effect: float = 1.0
    found: Mapping[str, str] = field(default_factory=dict)
    """The log evidence by guard, as it was found at the time."""


_ARMS = ("live", "previous")
Item = Watched | Ruled | After | Late | Asking | Heard | Answered | Ended
_FIRST = ('"watch":', '"after":', '"late":', '"rules":', '"asking":', '"heard":', '"answered":')


def is_one(lines: Iterable[str]) -> bool:
    """Whether these are a watch's lines: the first of them tells of one, or of something in one."""
    first = next((line for line in lines if line.strip()), "")
    return any(word in first for word in _FIRST)


def read(lines: Iterable[str]) -> Iterator[Item]:
    """What the lines say, in their order; lines of other forms are passed over. Raises BadTrace."""
    for number, text in enumerate(lines, 1):
        try:
            found = _item(foreign.parse(text)) if text.strip() else None
        except (ValueError, OverflowError, TypeError, AttributeError, KeyError) as bad:
            raise BadTrace(f"line {number}: {bad}") from None
        if found is not None:
            yield found


def watched(item: Watched) -> str:
    """A watch's first line."""
    about = {"version": item.version, "against": item.against, "deployment": item.deployment}
    late = {"late": {name: latetrace.carried_line(one) for name, one in item.late.items()}} if item.late else {}
    return _json({"t": item.t, "watch": _rules(item.rules), **about, **late})


def ruled(item: Ruled) -> str:
    """Other rules as a line."""
    return _json({"t": item.t, "rules": _rules(item.rules)} | ({"anew": True} if item.anew else {}))


def asking_line(item: Asking) -> str:
    """The beginning of a question as a line."""
    rules = {
        name: _rules({name: rule})[name] | ({"worseBy": rule.worse_by, "rate": rule.rate} if rule.worse_by else {})
        for name, rule in item.rules.items()
    }
    told = {"question": item.question, "message": item.message[:1024]}
    return _json({"t": item.t, "asking": rules, **told, **_effect_line(item.design_effect)})


def heard_line(item: Heard) -> str:
    """A window of a question as a line."""
    windows = {
        name: {arm: latetrace.counts(told) for arm, told in zip(_ARMS, both, strict=True)}
        for name, both in item.windows.items()
    }
    effect = _effect_line(item.design_effect)
    return _json({"t": item.t, "heard": windows, **effect, "logEvidence": dict(item.found)})


def answered_line(item: Answered) -> str:
    """The end of a question as a line."""
    return _json({"t": item.t, "answered": item.result, "message": item.message})


def _effect_line(effect: float) -> dict[str, float]:
    return {} if effect == 1 else {"designEffect": effect}


def late(item: Late) -> str:
    """What late labels have shown, as a line."""
    return _json(latetrace.late_line(item))


def _rules(rules: Mapping[str, Rule]) -> dict[str, Any]:
    return {
        name: {"bound": rule.bound, "tolerated": rule.tolerated, "odds": rule.odds, "floor": rule.floor}
        for name, rule in rules.items()
    }


def after(item: After) -> str:
    """A window as a line."""
    windows = {
        name: {arm: latetrace.counts(told) for arm, told in zip(_ARMS, both, strict=True) if told is not None}
        for name, both in item.windows.items()
    }
    effect = {} if item.design_effect == 1 else {"designEffect": item.design_effect}
    return _json({"t": item.t, "after": windows, **effect, "logEvidence": dict(item.found)})


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _item(body: Any) -> Item | None:
    whole(body)
    if "watch" in body:
        version, against, deployment = (str(body.get(key, "")) for key in ("version", "against", "deployment"))
        known = {str(name): latetrace.carried_of(told) for name, told in body.get("late", {}).items()}
        return Watched(_time(body), _rules_of(body["watch"]), version, against, deployment, known)
    if "rules" in body:
        return Ruled(_time(body), _rules_of(body["rules"]), body.get("anew") is True)
    if "asking" in body:
        rules = _rules_of(body["asking"])
        return Asking(_time(body), int(body["question"]), rules, str(body.get("message", "")), _effect(body))
    if "heard" in body:
        both = {
            str(name): (latetrace.arm(told["live"]), latetrace.arm(told["previous"]))
            for name, told in body["heard"].items()
        }
        found = {str(name): str(value) for name, value in body.get("logEvidence", {}).items()}
        return Heard(_time(body), both, _effect(body), found)
    if "answered" in body:
        return Answered(_time(body), str(body["answered"]), str(body.get("message", "")))
    if "late" in body:
        return latetrace.late_of(_time(body), body, _effect(body))
    if "after" in body:
        windows = {str(name): _arms(told) for name, told in body["after"].items()}
        found = {str(name): str(value) for name, value in body.get("logEvidence", {}).items()}
        return After(_time(body), windows, _effect(body), found)
    if "end" in body:
        return Ended(_time(body), *(str(body.get(key, "")) for key in ("end", "reason", "message")))
    return None


def _effect(body: Mapping[str, Any]) -> float:
    effect = float(body.get("designEffect", 1))
    if not 1 <= effect < inf:
        raise ValueError(f"a design effect is at least 1, not {effect}")
    return effect


def _rules_of(told: Mapping[str, Any]) -> dict[str, Rule]:
    return {str(name): _rule(one) for name, one in told.items()}


def _rule(told: Mapping[str, Any]) -> Rule:
    found = Rule(str(told["bound"]), *(str(told.get(key, text)) for key, text in _DEFAULTS.items()))
    bound, odds, floor = float(found.bound), float(found.odds), float(found.floor)
    tolerated = float(found.tolerated or "0")
    asked = not found.worse_by or (0 < float(found.worse_by) < 1 and 0 < float(found.rate) < 1)
    if isnan(bound) or not odds >= 1 or not 0 <= floor < 1 or not 0 <= tolerated < 1 or not asked:
        raise ValueError(f"a rule has odds of at least 1, and floor and tolerated in [0, 1), not {dict(told)}")
    return found


_DEFAULTS = {"tolerated": "", "odds": "1", "floor": "0", "worseBy": "", "rate": ""}


def _arms(told: Mapping[str, Any]) -> tuple[Arm, Arm | None]:
    return latetrace.arm(told["live"]), latetrace.arm(told["previous"]) if "previous" in told else None


def _time(body: Mapping[str, Any]) -> float:
    t = body.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float) or not isfinite(t):
        raise ValueError(f"t is a number of seconds, not {t!r}")
    return float(t)
