"""A watch judged once more from its ledger, by the operator's own functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from fairlead.api.evidence import ArmCounts
from fairlead.api.watch import WatchedGuard
from fairlead.plan.deployment.watch import detect
from fairlead.verdict import confirm, latetrace
from fairlead.verdict.confirm import Asked
from fairlead.verdict.counted import Window
from fairlead.verdict.guards import Arm, encode
from fairlead.verdict.latetrace import Carried, Late
from fairlead.verdict.trace import BadTrace, Ended
from fairlead.verdict.watchtrace import After, Answered, Asking, Heard, Item, Rule, Ruled, Watched

T = TypeVar("T")
QUESTION = "/question"


@dataclass(frozen=True)
class Rewatched:
    """What was known after a window."""

    t: float
    guards: Mapping[str, WatchedGuard]
    """By guard; the rollout's own test on labels, which goes on, is `1/labels/rollout`: `live` has the answers that the
    version gave as a candidate, `previous` those of the version before at that time. What was found out when an alarm
    asked is `0/errors/question`."""
    told: Mapping[str, str]
    """By guard, the log evidence that the ledger says was found at the time."""

    @property
    def alarm(self) -> str:
        """The guard that says that it has become worse; empty if none does. The answer to a question goes before the
        alarm that asked it."""
        rung = [name for name, one in self.guards.items() if one.state == "Alarm"]
        return next((name for name in rung if name.endswith(QUESTION)), rung[0] if rung else "")


def judge(items: Iterable[Item]) -> Iterator[Rewatched | Ended]:
    """Each window as it would be judged now, and how it ended. Raises BadTrace."""
    guards: dict[str, WatchedGuard] = {}
    tests: dict[str, Carried] = {}
    asked: dict[str, Asked] = {}
    for item in items:
        match item:
            case Watched():
                guards = {name: _ruled(WatchedGuard(guard=name), rule) for name, rule in item.rules.items()}
                tests = dict(item.late)
                guards |= {_late(name): _shown(name, test) for name, test in tests.items()}
            case Ruled():
                known = {name: _known(guards, name) for name in item.rules}
                known = {name: detect.anew(one, "") if item.anew else one for name, one in known.items()}
                guards = guards | {name: _ruled(known[name], rule) for name, rule in item.rules.items()}
            case Asking():
                asked = {name: _begun(rule, item.design_effect) for name, rule in item.rules.items()}
                guards = guards | {_question(name): _told(name, one, item.rules[name]) for name, one in asked.items()}
            case Heard():
                for name, (live, previous) in item.windows.items():
                    one = _effect(_known(asked, name), item.design_effect)
                    asked = asked | {name: confirm.step(one, Window(previous, live))}
                    rule = Rule(guards[_question(name)].bound)
                    guards = guards | {_question(name): _told(name, asked[name], rule)}
                yield Rewatched(item.t, guards, {_question(name): value for name, value in item.found.items()})
            case Late():
                told = {name: latetrace.after(_known(tests, name), shown, item.design_effect)
                        for name, shown in item.guards.items()}  # fmt: skip
                tests = tests | told
                guards = guards | {_late(name): _shown(name, test) for name, test in told.items()}
                yield Rewatched(item.t, guards, {_late(name): value for name, value in item.found.items()})
            case After():
                guards = guards | _window(guards, item)
                yield Rewatched(item.t, guards, item.found)
            case Answered():
                pass  # what follows from it has lines of its own
            case Ended():
                yield item


def _known(found: Mapping[str, T], name: str) -> T:
    if name not in found:
        raise BadTrace(f"a window of {name}, of which no line says what is tolerated: earlier lines are missing")
    return found[name]


def _ruled(state: WatchedGuard, rule: Rule) -> WatchedGuard:
    told = {"bound": rule.bound, "tolerated": rule.tolerated, "odds": rule.odds, "floor": rule.floor}
    return state.model_copy(update=told)


def _question(name: str) -> str:
    return f"{name}{QUESTION}"


def _begun(rule: Rule, design_effect: float) -> Asked:
    if rule.worse_by:
        return confirm.begin(float(rule.worse_by), float(rule.rate), design_effect=design_effect)
    return confirm.begin(odds=float(rule.odds), floor=float(rule.floor), design_effect=design_effect)


def _effect(asked: Asked, design_effect: float) -> Asked:
    return replace(asked, worse=replace(asked.worse, design_effect=design_effect))


def _told(name: str, asked: Asked, rule: Rule) -> WatchedGuard:
    """A question's test, in the form of the guards beside it."""
    return WatchedGuard(
        guard=_question(name), bound=rule.bound, odds=encode(asked.worse.odds), floor=encode(asked.worse.floor),
        windows=asked.worse.windows, live=_counts(asked.live), previous=_counts(asked.previous),
        log_evidence=encode(asked.log_worse), state="Alarm" if asked.log_worse >= float(rule.bound) else "Watching",
    )  # fmt: skip


def _late(name: str) -> str:
    return f"{name}/rollout"


def _shown(name: str, test: Carried) -> WatchedGuard:
    """The rollout's test, in the form of the guards beside it."""
    state = test.state
    return WatchedGuard(
        guard=_late(name), bound=test.bound, odds=encode(state.odds), floor=encode(state.floor), windows=state.windows,
        live=_counts(state.candidate), previous=_counts(state.stable), log_evidence=encode(state.log_evidence),
        state="Alarm" if test.harm else "Watching",
    )  # fmt: skip


def _counts(arm: Arm) -> ArmCounts:
    return ArmCounts(requests=arm.requests, failures=arm.failures)


def _window(guards: Mapping[str, WatchedGuard], item: After) -> dict[str, WatchedGuard]:
    found = {}
    for name, (live, previous) in item.windows.items():
        old = (previous.requests, previous.failures) if previous is not None else None
        found[name] = detect.seen(_known(guards, name), (live.requests, live.failures), old, item.design_effect)
    return found
