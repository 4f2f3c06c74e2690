"""An alarm without a holdback compares with the past, so it takes nothing back: it asks.

Is it the version, or the world? The version before is started and warmed, gets a share of the requests, and both are
compared at the same time. Only if the live version is shown to be worse it goes back. `docs/explanation/verdicts.md`
has the states; all of them stand in `status.watch.confirmation`, so that whoever looks next goes on from there.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.confirmation import Confirmation
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.evidence import GuardEvidence
from fairlead.api.guard import Guard
from fairlead.api.units import chance, human, seconds, share
from fairlead.api.watch import Watch, WatchedGuard
from fairlead.manifests import route
from fairlead.plan.core import Event, epoch
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import ahead, signals
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.rollback import hearing, readiness, wayback, world
from fairlead.plan.deployment.rollout import ending, progress
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import detect, question
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.requests import Request
from fairlead.verdict.guards import decode, encode

SOON = 2.0
"""Seconds between looks while the pods start."""
EVEN = 50
"""Percent for a question about latency: it depends on load, so both get the same."""
ALMOST_ALL = 0.99
"""The largest share of bad answers that can be a reference."""
LIMIT = 2.0
"""A question ends after so many times `confirm.for`, if the watch would have ended by then."""
HELD = "Confirming"


def go_on(look: Look, state: State) -> tuple[State, Problem | None, Problem | None]:
    """One look at the question that an alarm asks, if there is one; with what can't be seen, and with why it can't be
    asked."""
    state = _heard(look, state)
    asked = _asked(state)
    if asked is None:
        return state, None, None
    if asked.phase == "Waiting":
        state, asked = _wait(look, state, asked)
    doubt, unseen = None, None
    if asked.phase == "Starting":
        state, doubt = _start(look, state, asked)
    elif asked.phase == "Asking":
        state, unseen = _ask(look, state, asked)
    asked = _asked(state)
    if asked is not None and not state.status.way_back and _late(look, state):
        return _unanswered(look, state, asked), unseen, None
    return state, unseen, doubt


def requests(look: Look, status: DeploymentStatus) -> list[Request]:
    """What the question needs to know."""
    kept = status.watch
    asked = kept.confirmation if kept else None
    if kept is None or asked is None:
        return []
    if asked.phase == "Starting":
        return [request for _, request in signals.warm_ups(look, _starting(kept, asked))]
    if asked.phase != "Asking":
        return []
    mine = _watched(watch.chosen(look, kept), asked)
    return hearing.requests(look, kept, asked.model_copy(update={"guards": mine}))


def holds(status: DeploymentStatus) -> bool:
    """Whether a candidate waits until it is found out."""
    asked = status.watch.confirmation if status.watch else None
    return asked is not None and asked.phase != "Waiting" and not asked.blocked and status.way_back is None


def blocked(status: DeploymentStatus) -> bool:
    """Whether an alarm wants to ask and can't."""
    asked = status.watch.confirmation if status.watch else None
    return asked is not None and asked.blocked


def next_look(look: Look, kept: Watch) -> float | None:
    """Seconds until something is due; None without a question, and while it waits for a candidate or an experiment,
    which are looked at anyway."""
    asked = kept.confirmation
    if asked is None or asked.phase == "Waiting":
        return None
    due = signals.next_window(look, asked.last_window_at) if asked.phase == "Asking" else SOON
    return max(0.0, min(due, _last(look, kept, asked) - look.now))


def standing(status: DeploymentStatus, doubt: Problem | None) -> tuple[bool, str, str]:
    """Where a question stands: whether it goes on, a word, a sentence."""
    kept = status.watch
    assert kept
    assert kept.confirmation
    asked = kept.confirmation
    if doubt:
        return False, doubt.reason, doubt.message
    if asked.phase == "Starting":
        what = f"the pods of {kept.against} start and are warmed, to answer at the same time"
    else:
        what = f"{kept.against} answers {asked.share} % of the requests at the same time"
    return True, HELD, f"{asked.message}. Is it the version, or the world? {what[0].upper()}{what[1:]}"


# --- it rings ------------------------------------------------------------------------------------------------------


def _heard(look: Look, state: State) -> State:
    """A question for guards that have rung; and none any more for guards that are not watched any more."""
    kept = _watch(state)
    asked = kept.confirmation
    if asked is not None:
        mine = _watched(kept, asked)
        if len(mine) == len(asked.guards):
            return state
        names = [name for name in asked.rung if name in {one.guard for one in mine}]
        if names:
            return _having(state, asked.model_copy(update={"guards": mine, "rung": names}))
        return _over(look, state, "Dropped", "the guard that asked is not watched any more")
    rung = [] if kept.holdback else [one for one in kept.guards if one.state == "Alarm"]
    mute = next((one for one in rung if not watch.can_ask(one)), None)
    state = _mute(look, state, kept, mute) if mute else state
    rung = [one for one in rung if watch.can_ask(one)]
    return _begin(look, state, kept, rung) if rung else state


def _watched(kept: Watch, asked: Confirmation) -> list[GuardEvidence]:
    """The guards of a question that are watched as they were when it began."""
    known = {one.guard: one.digest for one in kept.guards}
    return [one for one in asked.guards if known.get(one.guard) == one.digest]


def _mute(look: Look, state: State, kept: Watch, rung: WatchedGuard) -> State:
    """It can't be found out by asking: a person is asked at once. What was found since stays as it is."""
    before = look.subject.body.status.watch
    old = next((one.state for one in before.guards if one.guard == rung.guard), "") if before else ""
    if state.status.world and old == "Alarm":
        return state
    said = (
        f"{watch.found(look, kept, rung).message}. {metric_of(rung.guard).mute(kept.against)}, so nothing is rolled "
        f"back. {world.by_hand(look, kept.version)}; with a "
        "holdback both are compared at the same time"
    )
    return state.having(
        Event("CannotConfirm", said, warning=True), world=world.unknown(look, kept, rung.guard, "CannotConfirm", said)
    )  # fmt: skip


def _begin(look: Look, state: State, kept: Watch, rung: list[WatchedGuard]) -> State:
    number, of = kept.questions + 1, len(look.spec.rollout.guards)
    names = [one.guard for one in rung]
    mine = [one for one in kept.guards if one.guard in names or metric_of(one.guard).all_requests]
    why = watch.found(look, kept, rung[0])
    asked = Confirmation(
        question=number, phase="Waiting", rung=names, reason=why.reason, message=why.message[:1024], since=look.stamp,
        guards=[question.begun(look, _spec(look, one), one, number, of) for one in mine],
    )  # fmt: skip
    told = Event(HELD, f"{why.message}. Is it the version, or the world? {kept.against} shall answer at the same time",
                 warning=True)  # fmt: skip
    kept = watchbook.asked(look, kept.model_copy(update={"questions": number, "confirmation": asked}))
    return state.having(told, watch=kept)


def _spec(look: Look, one: WatchedGuard) -> Guard:
    return signals.guard_of(look, one.guard)


# --- the version before gets ready ---------------------------------------------------------------------------------


def _wait(look: Look, state: State, asked: Confirmation) -> tuple[State, Confirmation]:
    """While a candidate has traffic, it is being compared with the live version anyway: for a while that may go on."""
    if phase.running(state.status):
        return state, asked
    candidate = state.candidate
    if candidate and candidate.step >= 0:
        hopeless = any(detect.hopeless(one) for one in _watch(state).guards)
        since = max(epoch(asked.since), epoch(candidate.counting_since or asked.since))
        better = ahead.shown(look, candidate)  # then it may be the remedy, and goes on
        if better or (look.now < since + _longest(look) and not hopeless):
            return state, asked
        why = Problem(HELD, f"it is found out first whether {_watch(state).version} has become worse; then it goes on")
        state, _ = progress.retreat(look, state, candidate, why)
    asked = asked.model_copy(update={"phase": "Starting", "started_at": look.stamp})
    against = _watch(state).against
    kept = [one for one in state.status.retiring if one.version != against]
    return _having(state, asked).having(retiring=kept), asked


def _start(look: Look, state: State, asked: Confirmation) -> tuple[State, Problem | None]:
    kept = _watch(state)
    unready = readiness.unready(look, kept.against, kept.version)
    if unready:
        return _doubt(look, state, asked, unready)
    target, problem = progress.warm(look, _starting(kept, asked))
    asked = asked.model_copy(update={"warmed": target.warmed})
    if signals.is_warm(look, target) and wayback.made_anew(look, kept.against):
        came = state.candidate is not None and state.candidate.step >= 0
        if came or phase.running(state.status):  # while it could not be asked
            return _having(state, asked.model_copy(update={"phase": "Waiting", "blocked": False})), None
        part = _share(look, asked)
        asked = asked.model_copy(update={"phase": "Asking", "share": part, "blocked": False})
        told = Event(HELD, f"{kept.against} answers {part} % of the requests, to be compared with {kept.version}")
        return _having(state.having(told), asked), None
    if look.now < epoch(asked.started_at or look.stamp) + _longest(look):
        return _having(state, asked.model_copy(update={"blocked": False})), None
    slow = Problem("PodsNotReady", f"its pods have not become ready since {asked.since[:19]}Z")
    return _doubt(look, state, asked, problem or pods.problem(look, kept.against) or slow)


def _starting(kept: Watch, asked: Confirmation) -> Candidate:
    """What starting and warming a version needs to know."""
    since = asked.started_at or asked.since
    return Candidate(version=kept.against, since=since, against=kept.version, warmed=asked.warmed)


def _share(look: Look, asked: Confirmation) -> int:
    timed = any(metric_of(one.guard).timed for one in asked.guards)
    return EVEN if timed else int(look.spec.rollout.after_promotion.confirm.share.rstrip("%"))


def _doubt(look: Look, state: State, asked: Confirmation, why: Problem) -> tuple[State, Problem]:
    """Nothing is rolled back, and a person is asked; once for each reason."""
    kept = _watch(state)
    message = (
        f"{asked.message}. {kept.against} can't be asked whether it is the version, so nothing is rolled back: "
        f"{why.message}. {world.by_hand(look, kept.version)}"
    )
    doubt = Problem(why.reason, message)
    state = _having(state, asked.model_copy(update={"blocked": True}))
    return (state if world.is_told(look, doubt) else state.having(Event("CannotConfirm", message, warning=True))), doubt


# --- both answer ---------------------------------------------------------------------------------------------------


def _ask(look: Look, state: State, asked: Confirmation) -> tuple[State, Problem | None]:
    kept = _watch(state)
    unfit = _unfit(look, kept)
    if unfit:
        away = {"phase": "Starting", "share": 0, "started_at": look.stamp, "counting_since": None, "settled": False,
                "cursors": [], "last_window_at": None}  # fmt: skip
        told = Event("ConfirmingStopped", f"{kept.against} gets no requests for now: {unfit}", warning=True)
        return _having(state.having(told), asked.model_copy(update=away)), None
    if asked.counting_since is None:
        if not _routed(look, kept, asked):
            return state, None
        begun = hearing.begin(look, kept, asked)
        return (state, begun) if isinstance(begun, Problem) else (_having(state, begun), None)
    if not hearing.due(look, kept, asked):
        return state, None
    if not asked.settled:
        settled, unread = hearing.settle(look, kept, asked)
        return _having(state, settled), unread
    after, problem = hearing.window(look, kept, asked)
    state = state.having(watch=watchbook.heard(look, kept.model_copy(update={"confirmation": after}), asked))
    return _decided(look, state, after), problem


def _unfit(look: Look, kept: Watch) -> str:
    """Why the version before must not answer any more; empty if it may."""
    unready = readiness.unready(look, kept.against, kept.version)
    if unready:
        return unready.message
    return "" if any(pod.ready for pod in pods.of(look, kept.against)) else "none of its pods is ready"


def _routed(look: Look, kept: Watch, asked: Confirmation) -> bool:
    """Whether the route in the cluster has the share."""
    wanted = {look.child(kept.version): 100 - asked.share, look.child(kept.against): asked.share}
    return route.weights(look.route) == wanted


def _decided(look: Look, state: State, asked: Confirmation) -> State:
    kept = _watch(state)
    worse = next((one for one in asked.guards if one.state == "Harm"), None)
    if worse:
        return _worse(look, state, kept, worse)
    rung = [one for one in asked.guards if one.guard in asked.rung]
    if all(map(question.not_worse, rung)):
        return _changed(look, state, kept, asked, rung, shown=True)
    if decode(asked.observed) >= _longest(look) and all(_long(look, one) for one in rung):
        return _changed(look, state, kept, asked, rung, shown=False)
    return state


def _long(look: Look, one: GuardEvidence) -> bool:
    """Whether a guard has looked long enough to say that nothing is found."""
    since = epoch(one.began_at) if one.began_at else look.now
    return question.enough(one) and look.now - since >= _longest(look)


def _worse(look: Look, state: State, kept: Watch, worse: GuardEvidence) -> State:
    evidence = f"evidence {decode(worse.log_evidence):.1f} ≥ bound {decode(worse.bound):.1f}"
    why = Problem(watch.reason(worse.guard), f"{kept.version} is worse than {kept.against}: "
                  f"{question.compared(kept, worse)}; {evidence}")  # fmt: skip
    state = state.having(watch=watchbook.answered(look, kept, "Worse", why.message))
    return wayback.begin(look, state, kept.against, why)


def _changed(
    look: Look, state: State, kept: Watch, asked: Confirmation, rung: list[GuardEvidence], *, shown: bool
) -> State:  # fmt: skip
    """It is not the version: nothing is rolled back, people are told, and what is seen now is the reference."""
    first = max(rung, key=lambda one: one.candidate.failures)
    if _calm(kept, rung):
        message = f"{asked.message}. That is over: {question.compared(kept, first)}. Nothing was rolled back"
        return _over(look, state, "AsBefore", message)
    found = "so it is not the version" if shown else f"so nothing shows that it is the version (in {_time(asked)})"
    message = f"{question.compared(kept, first)}: {found}. Nothing was rolled back"
    state = state.having(world=world.changed(look, kept, first, message))
    return _over(look, state, "WorldChanged", message)


def _calm(kept: Watch, rung: list[GuardEvidence]) -> bool:
    """Whether the live version has done no worse in the question than is tolerated anyway: then nothing has changed."""
    known = {one.guard: decode(one.tolerated or "0") for one in kept.guards}
    return all(one.candidate.failures <= known[one.guard] * one.candidate.requests for one in rung)


def _time(asked: Confirmation) -> str:
    return human(decode(asked.observed))


def _unanswered(look: Look, state: State, asked: Confirmation) -> State:
    """It could not be found out: nothing is rolled back, and a person is asked."""
    kept = _watch(state)
    first = next(one for one in asked.guards if one.guard in asked.rung)
    said = f"{asked.message}. It could not be found out whether it is the version: " + (
        f"{question.compared(kept, first)}, which is too few" if asked.phase == "Asking"
        else f"{kept.against} could not be asked"
    ) + f". {world.by_hand(look, kept.version)}"  # fmt: skip
    reason = "TooFewRequests" if asked.phase == "Asking" else "CannotConfirm"
    state = state.having(world=world.unknown(look, kept, first.guard, reason, said))
    return _over(look, state, "Unknown", said)


# --- it is over ----------------------------------------------------------------------------------------------------


def _over(look: Look, state: State, result: str, message: str) -> State:
    """Without the question; what rang is held against what was seen from here on."""
    kept = _watch(state)
    asked = kept.confirmation
    assert asked
    heard = {one.guard: one for one in asked.guards}
    calm = result == "AsBefore"
    guards = [
        (detect.anew(one, one.tolerated) if calm else _rebased(look, one, heard[one.guard]))
        if one.guard in heard and _rang(one, asked) else one
        for one in kept.guards
    ]  # fmt: skip
    fresh = watchbook.answered(look, kept, result, message).model_copy(update={"guards": guards, "confirmation": None})
    state = state.having(
        Event("WorldChanged" if result == "WorldChanged" else "ConfirmingEnded", message, warning=result != "AsBefore"),
        watch=watchbook.anew(look, kept, fresh),
    )  # fmt: skip
    return let_go(look, state)


def _rang(one: WatchedGuard, asked: Confirmation) -> bool:
    return one.guard in asked.rung or one.state == "Alarm"


def _rebased(look: Look, one: WatchedGuard, heard: GuardEvidence) -> WatchedGuard:
    """The guard with what the live version did during the question as its reference; at least with the one it had."""
    after = look.spec.rollout.after_promotion
    part = chance(after.false_alarms) / 2 / len(look.spec.rollout.guards)
    seen = heard.model_copy(update={"stable": heard.candidate, "odds": one.odds})
    known = detect.tolerated(_spec(look, one), seen, share(after.tolerance), part) or encode(ALMOST_ALL)
    rate = max(decode(known), decode(one.tolerated or "0"))
    return detect.anew(one, encode(rate)).model_copy(update={"first": one.first or one.tolerated, "log_back": []})


def let_go(look: Look, state: State) -> State:
    """The pods of the version before finish what they have begun, if nothing else keeps them."""
    kept = _watch(state)
    mine = state.candidate is not None and state.candidate.version == kept.against
    mine = mine or phase.arm(state.status, kept.against) is not None
    if watch.keeps(kept) or mine:
        return state
    return state.having(retiring=ending.retire(look, state, kept.against))


def _late(look: Look, state: State) -> bool:
    """Whether the watch has to end."""
    kept, asked = _watch(state), _asked(state)
    assert asked
    return look.now >= _last(look, kept, asked)


def _last(look: Look, kept: Watch, asked: Confirmation) -> float:
    """When a question ends in any case."""
    return max(epoch(kept.until), epoch(asked.since) + LIMIT * _longest(look))


# --- small things --------------------------------------------------------------------------------------------------


def _longest(look: Look) -> float:
    return seconds(look.spec.rollout.after_promotion.confirm.for_)


def _watch(state: State) -> Watch:
    assert state.status.watch
    return state.status.watch


def _asked(state: State) -> Confirmation | None:
    return state.status.watch.confirmation if state.status.watch else None


def _having(state: State, asked: Confirmation) -> State:
    return state.having(watch=_watch(state).model_copy(update={"confirmation": asked}))
