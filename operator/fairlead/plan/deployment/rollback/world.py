"""The world has changed, or may have: what stays in the status, and what people are told."""

from __future__ import annotations

from fairlead.api.confirmation import Unasked, WorldChange
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.evidence import GuardEvidence
from fairlead.api.watch import Watch, WayBack
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Event, epoch, rfc3339
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.monitors import question, saying
from fairlead.plan.deployment.rollout import ending
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import detect
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch

CONDITION = "WorldChanged"
MONITOR = "monitor/quality"
"""In place of a guard, where labels of the monitors have shown it."""
AWAITED = "LabelsAwaited"
"""The reason while nobody knows whether another version does better."""
_BEFORE = " Before: "
NEARLY_ALL = 0.9
"""Share of bad answers of both versions above which it is said that both fail."""
BOTH = "BothFail"


def changed(look: Look, kept: Watch, seen: GuardEvidence, message: str) -> WorldChange:
    """Both versions are as bad at the same time."""
    rates = [one.failures / max(1, one.requests) for one in (seen.candidate, seen.stable)]
    metric = metric_of(seen.guard)
    both = metric.all_requests and min(rates) >= NEARLY_ALL
    return WorldChange(
        state="Changed", version=kept.version, against=kept.against, guard=seen.guard, since=look.stamp,
        reason=BOTH if both else metric.changed, message=message[:1024],
    )  # fmt: skip


def unknown(look: Look, kept: Watch, guard: str, reason: str, message: str) -> WorldChange:
    """Nobody could find out whether it is the version."""
    return WorldChange(
        state="Unknown", version=kept.version, against=kept.against, guard=guard, since=look.stamp, reason=reason,
        message=message[:1024],
    )  # fmt: skip


def by_hand(look: Look, live: str) -> str:
    """What a person can do."""
    command = f"kubectl fairlead rollback {look.name} -n {look.namespace}"
    return f"To go back all the same: {command} --reason WHY; to keep {live}: {command} --to {live} --reason WHY"


def go_on(look: Look, state: State) -> State:
    """Without a change that was of another live version, or that is over: a guard tolerates what it did at first as
    soon as the live version is shown to be back within that."""
    state = _both(look, state)
    known, live, kept = state.status.world, state.status.live, state.status.watch
    if known and (live is None or live.version != known.version):
        return state.having(world=_remedied(look, state, known))
    if known and known.reason == AWAITED and (not _listens(look) or _told_by_labels(state)):
        return state.having(world=None)
    if kept is None or kept.confirmation or not any(map(detect.is_back, kept.guards)):
        return state
    guards = [detect.as_at_first(one) if detect.is_back(one) else one for one in kept.guards]
    state = state.having(watch=watchbook.anew(look, kept, kept.model_copy(update={"guards": guards})))
    if known is None or known.state == "Unknown" or known.guard == MONITOR or any(one.first for one in guards):
        return state
    told = Event("WorldAsBefore", f"{kept.version} is back within what was tolerated at first")
    return state.having(told, world=None)


def _remedied(look: Look, state: State, known: WorldChange) -> WorldChange | None:
    """Another version is live. Where labels have said that the world has changed, labels say whether that helps: until
    then nobody knows, so who trains anew because of it does not take it for another change when it stays; nor when the
    next version comes before, or an older one again."""
    live, waits = state.status.live, known.reason == AWAITED
    if live is None or known.guard != MONITOR or not (known.state == "Changed" or waits) or not _listens(look):
        return None
    before = known.message.partition(_BEFORE)[2] if waits else known.message
    said = f"{live.version} is live since then; whether it does better, its labels will say.{_BEFORE}{before}"
    return WorldChange(
        state="Unknown", version=live.version, against=known.version, guard=MONITOR, since=look.stamp, reason=AWAITED,
        message=said[:1024],
    )  # fmt: skip


def _listens(look: Look) -> bool:
    """Whether labels would tell."""
    spec = look.spec.monitors
    return spec is not None and spec.labels is not None and question.MONITOR not in spec.without


def _told_by_labels(state: State) -> bool:
    """Whether the live version's own labels have shown that it is right as often as it should be."""
    kept, live = state.status.monitors, state.status.live
    if kept is None or live is None or kept.version != live.version:
        return False
    return kept.labels is not None and saying.is_well(kept.labels)


def unasked(look: Look, wanted: WayBack) -> Unasked | None:
    """After a rollback for which there was nothing to compare: whether the version that is live again does better."""
    if wanted.reason != watch.CRASHED:
        return None
    restarts = sum(pod.restarts for pod in pods.of(look, wanted.version))
    return Unasked(
        version=wanted.version, left=wanted.leaves, until=rfc3339(look.now + watch.RECENT), restarts=restarts
    )  # fmt: skip


def _both(look: Look, state: State) -> State:
    """The version before crashes as well: it is said, and nothing goes to and fro, since the other one is refused."""
    mine, live = state.status.unasked, state.status.live
    if mine is None:
        return state
    if live is None or live.version != mine.version or look.now >= epoch(mine.until):
        return state.having(unasked=None)
    said = watch.crashed(look, mine.version, mine.restarts, epoch(mine.until) - watch.RECENT)
    if not said:
        return state
    message = f"{said}. {mine.left} was taken back because it did the same, so it is not the version"
    found = WorldChange(
        state="Changed", version=mine.version, against=mine.left, since=look.stamp, reason=BOTH, message=message[:1024]
    )  # fmt: skip
    return state.having(Event(CONDITION, message, warning=True), unasked=None, world=found)


def is_told(look: Look, doubt: Problem) -> bool:
    """Whether the condition says so already."""
    old = next((one for one in look.subject.body.status.conditions if one.type == CONDITION), None)
    return old is not None and (old.status, old.reason) == ("Unknown", doubt.reason)


def is_open(status: DeploymentStatus) -> bool:
    """Whether it is asked, or has been in vain, if it is the version. Where a candidate or an experiment is waited for,
    a person's word is about these."""
    kept = status.watch.confirmation if status.watch else None
    asked = (kept is not None and kept.phase != "Waiting") or question.is_open(status)
    return asked or (status.world is not None and status.world.state == "Unknown")


def kept_by_hand(look: Look, state: State, why: str) -> State:
    """A person keeps the live version: question and watch are over."""
    kept = state.status.watch
    said = f"{state.status.live.version if state.status.live else ''} stays: {why}"
    if kept is not None:
        state = watchbook.left(look, state, "Ended", "KeptByHand", said)
        if watch.keeps(kept):  # the pods of the version before may answer requests, which they finish
            state = state.having(retiring=ending.retire(look, state, kept.against))
    if state.status.monitors and question.is_open(state.status):
        asked = question.closed(look, state.status.monitors, "Dropped", "KeptByHand", said)
        state = state.having(monitors=asked)
    unknown = state.status.world is not None and state.status.world.state == "Unknown"
    return state.having(Event("KeptByHand", said), watch=None, world=None if unknown else state.status.world)


def tell(told: Conditions, status: DeploymentStatus, doubt: Problem | None) -> None:
    """The condition. doubt: why a question can't be asked at the moment, or where it stands."""
    known = status.world
    if doubt:
        told.set(CONDITION, None, doubt.reason, doubt.message)
    elif known:
        told.set(CONDITION, True if known.state == "Changed" else None, known.reason, known.message)
    elif told.get(CONDITION):
        told.set(CONDITION, False, "AsBefore", "nothing has changed that is not a version's own")
