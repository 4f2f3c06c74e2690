"""The evidence ledger of a watch: what it tolerates, each window, and how it ended, as lines of `verdict.watchtrace`.

A window and its line are one write. The lines go to the store as those of a rollout do (`evidence.ledger`); where
nothing takes them, the last ones are kept, for a watch must go on looking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fairlead.api.confirmation import Confirmation
from fairlead.api.evidence import ArmCounts
from fairlead.api.ledger import Ledger
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import backlog, ledger
from fairlead.plan.store import ledger_folder
from fairlead.verdict.guards import Arm
from fairlead.verdict.latetrace import Carried
from fairlead.verdict.watchtrace import (
    After,
    Answered,
    Asking,
    Heard,
    Rule,
    Ruled,
    Watched,
    after,
    answered_line,
    asking_line,
    heard_line,
    ruled,
    watched,
)

SUFFIX = "-watch"
FEW = 30
"""Lines that are kept where there is no store."""


def opened(look: Look, watch: Watch, late: Mapping[str, Carried]) -> Watch:
    """The watch with its first line; one without guards has nothing to tell. late: by guard on labels, the rollout's
    test."""
    if not watch.guards:
        return watch
    name = f"{watch.version}-{watch.since.replace(':', '').replace('-', '')}{SUFFIX}"
    folder = ledger_folder(look.world.config, look.namespace, look.name, name)
    rules = {one.guard: rule_of(one) for one in watch.guards}
    tests = {name: test for name, test in late.items() if name in rules}
    first = watched(Watched(look.now, rules, watch.version, watch.against, f"{look.namespace}/{look.name}", tests))
    return watch.model_copy(update={"ledger": Ledger(name=name, uri=folder.uri() if folder else "", lines=[first])})


def rule_of(one: WatchedGuard) -> Rule:
    """What a guard tolerates."""
    return Rule(one.bound, one.tolerated, one.odds, one.floor)


def having(watch: Watch, lines: Sequence[str]) -> Watch:
    """The watch with these lines in its ledger."""
    if not watch.ledger.name:
        return watch
    book = watch.ledger
    for line in lines:
        book = _appended(book, line)
    return watch if book is watch.ledger else watch.model_copy(update={"ledger": book})


def window(look: Look, old: Watch, new: Watch) -> Watch:
    """The watch with the line of its last window, if that has counted anything."""
    then = {one.guard: one for one in old.guards}
    pairs = [(then[one.guard], one) for one in new.guards if one.guard in then]
    counted = {
        one.guard: _since(before, one, old.holdback > 0) for before, one in pairs if _counts(before) != _counts(one)
    }
    if not counted:
        return new
    found = {one.guard: one.log_evidence for one in new.guards if one.guard in counted}
    line = After(look.now, counted, float(look.spec.rollout.design_effect), found)
    return having(new, [after(line)])


def asked(look: Look, watch: Watch) -> Watch:
    """The watch with the line of the question that begins."""
    wanted = watch.confirmation
    assert wanted
    rules = {
        one.guard: Rule(
            one.bound, "", one.odds, one.floor, one.beyond.worse_by if one.beyond else "",
            one.beyond.began if one.beyond else "",
        )
        for one in wanted.guards
    }  # fmt: skip
    effect = float(look.spec.rollout.design_effect)
    return having(watch, [asking_line(Asking(look.now, wanted.question, rules, wanted.message, effect))])


def heard(look: Look, watch: Watch, before: Confirmation) -> Watch:
    """The watch with the line of a window of the question, if that has counted anything that is evidence."""
    then = {one.guard: one for one in before.guards}
    now = watch.confirmation
    assert now
    counted = {
        one.guard: (
            _less(one.candidate, then[one.guard].candidate), _less(one.stable, then[one.guard].stable),
        )
        for one in now.guards if one.windows != then[one.guard].windows
    }  # fmt: skip
    if not counted:
        return watch
    found = {one.guard: one.log_evidence for one in now.guards if one.guard in counted}
    effect = float(look.spec.rollout.design_effect)
    return having(watch, [heard_line(Heard(look.now, counted, effect, found))])


def answered(look: Look, watch: Watch, result: str, message: str) -> Watch:
    """The watch with the line of how the question ended."""
    return having(watch, [answered_line(Answered(look.now, result, message[:1024]))])


def anew(look: Look, before: Watch, watch: Watch) -> Watch:
    """The watch with the line of the guards that have another reference, whose detectors begin anew with it."""
    then = {one.guard: (one.tolerated, one.log_r) for one in before.guards}
    rules = {
        one.guard: rule_of(one) for one in watch.guards if (one.tolerated, one.log_r) != then.get(one.guard)
    }  # fmt: skip
    return having(watch, [ruled(Ruled(look.now, rules, anew=True))]) if rules else watch


def left(look: Look, state: State, result: str, reason: str, message: str) -> State:
    """The watch is over, or about to be replaced: its ledger gets its last line, and waits for the store."""
    watch = state.status.watch
    if watch is None or not watch.ledger.name:
        return state
    told = {"t": look.now, "end": result, "reason": reason, "message": message[:1024]}
    book = _appended(watch.ledger, json.dumps(told, separators=(",", ":"), ensure_ascii=False))
    return backlog.waiting(state, book).having(watch=watch.model_copy(update={"ledger": Ledger()}))


def _counts(one: WatchedGuard) -> tuple[ArmCounts, ArmCounts]:
    return one.live, one.previous


def _since(before: WatchedGuard, now: WatchedGuard, holdback: bool) -> tuple[Arm, Arm | None]:
    return _less(now.live, before.live), _less(now.previous, before.previous) if holdback else None


def _less(now: ArmCounts, before: ArmCounts) -> Arm:
    return Arm(now.requests - before.requests, now.failures - before.failures)


def _appended(book: Ledger, line: str) -> Ledger:
    return ledger.appended(book, [line], FEW, ledger.KEPT)
