"""What happens to a watch: it goes on, loses its holdback, ends, or ends in a rollback."""

from __future__ import annotations

from fairlead.api.units import human, seconds
from fairlead.api.watch import Watch
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Event, epoch
from fairlead.plan.deployment import phase, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import processes
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.rollback import asking, wayback, world
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import latelabels
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.deployment.watch import windows as watching
from fairlead.verdict.guards import decode

CONDITION = "Watched"
QUIET = 5
"""After so many windows without a request, somebody who looks is told."""


def go_on(look: Look, state: State) -> tuple[State, Problem | None, Problem | None]:
    """One look at a live version under watch; with what can't be seen of it, and with why it can't be found out
    whether it is the version or the world that has become worse."""
    state = world.go_on(look, state)
    kept, live = state.status.watch, state.status.live
    if kept is None:
        return state, None, None
    if live is None or live.version != kept.version:
        state = watchbook.left(look, state, "Superseded", "LiveChanged", "another version is live")
        return state.having(watch=None), None, None
    if state.status.way_back:
        return state, None, None  # it is decided: nothing more is to be learnt
    state = _holdback(look, state, watch.chosen(look, kept))
    state = _standby(look, state)
    before = _of(state)
    kept, problem = watching.window(look, before)
    kept = watchbook.window(look, before, kept)
    state, unlabelled, late = latelabels.window(look, state.having(watch=kept))
    kept, problem = _of(state), problem or unlabelled
    bad = late or watch.harm(look, kept)
    if bad:
        return wayback.begin(look, state, kept.against, bad), None, None
    state, unheard, doubt = asking.go_on(look, state)
    if state.status.way_back:
        return state, None, None
    state = _ended(look, state)
    kept_on = state.status.watch
    return state, problem or unheard, doubt if kept_on and kept_on.confirmation else None


def _of(state: State) -> Watch:
    assert state.status.watch
    return state.status.watch


def _holdback(look: Look, state: State, kept: Watch) -> State:
    """The holdback ends when it is not wanted any more, when its version is revoked or its pods are gone, and when a
    newer version comes, whose rollout compares with the live version alone. The watch goes on without it."""
    state = state.having(watch=kept)
    if not kept.holdback:
        return state
    wanted = int(look.spec.rollout.after_promotion.holdback.rstrip("%"))
    ready = any(pod.ready for pod in pods.of(look, kept.against))
    newer = state.candidate is not None or phase.running(state.status) is not None
    revoked = versions.revoked(look, kept.against)
    if wanted and ready and not newer and not revoked and seconds(look.spec.rollout.after_promotion.for_):
        return state.having(watch=kept.model_copy(update={"holdback": min(wanted, kept.holdback)}))
    why = (
        f"it was revoked: {revoked}" if revoked else "a newer version comes" if newer
        else "no pod of it is ready" if not ready else "it is not wanted"
    )  # fmt: skip
    alone = kept.model_copy(update={
        "holdback": 0, "cursors": [c for c in kept.cursors if "stable" not in c.source.split("/")[:2]],
    })  # fmt: skip
    return asking.let_go(look, state.having(
        Event("HoldbackEnded", f"{kept.against} gets no requests any more: {why}"), watch=alone
    ))  # fmt: skip


def _standby(look: Look, state: State) -> State:
    kept = _of(state)
    if kept.standby is None or look.now < epoch(kept.standby):
        return state
    return asking.let_go(look, state.having(watch=kept.model_copy(update={"standby": None})))


def _ended(look: Look, state: State) -> State:
    """The watch ends after its time; a standby may outlast it."""
    kept = _of(state)
    off = not seconds(look.spec.rollout.after_promotion.for_)
    asked = kept.confirmation
    if asked is not None and not off:
        return state  # it is found out first
    over = off or decode(kept.observed) >= seconds(kept.length) or look.now >= epoch(kept.until)
    if kept.guards and over:
        state = state.having(Event("WatchEnded", _summary(kept)))
    if over or not kept.guards:
        said = _summary(kept) if kept.guards else "none of its guards is as it was"
        state = watchbook.left(look, state, "Ended", "WatchEnded", said)
        kept = _of(state)
        nothing = {"guards": [], "cursors": [], "holdback": 0, "confirmation": None}
        state = state.having(watch=kept.model_copy(update=nothing))
        state = asking.let_go(look, state) if kept.holdback or asked else state
        if kept.standby is None:
            return state.having(watch=None)
    return state


def _summary(kept: Watch) -> str:
    asked = kept.confirmation
    if asked is not None:
        return f"{kept.version} is not watched any more, and nobody knows whether it has become worse: {asked.message}"
    counts = next((one.live for one in kept.guards if metric_of(one.guard).all_requests), None)
    failed = f"{counts.failures} of {counts.requests} requests failed, and " if counts else ""
    return (
        f"{kept.version} is not watched any more: in {human(decode(kept.observed))} of observation {failed}nothing "
        "speaks against it"
    )


def tell(look: Look, told: Conditions, kept: Watch | None, problem: Problem | None) -> None:
    """The condition of a version under watch."""
    if kept is None or not kept.guards:
        told.drop(CONDITION)
        return
    silent = _silent(kept)
    if silent:
        old = told.get(CONDITION)
        known = problem.message if problem else old.message if old and old.reason == silent else ""
        told.set(CONDITION, False, silent, known or _BLIND.get(silent, silent))
        return
    with_what = (
        f"{kept.against}, which answers {kept.holdback} % of the requests" if kept.holdback
        else f"what {kept.against} did during the rollout"
    )  # fmt: skip
    quiet = look.now - epoch(kept.last_window_at) > QUIET * watch.pace(look.now - epoch(kept.since))
    words = f"{kept.version} is compared with {with_what}, for {kept.length} of observation"
    if quiet:
        words = f"no request has come to {kept.version} since {kept.last_window_at[:19]}Z; {words}"
    told.set(CONDITION, True, "NoTraffic" if quiet else "Watching", words)


def _silent(kept: Watch) -> str:
    """Why a guard, or one that is asked, sees nothing; empty if all do."""
    blind = [one.reason for one in kept.guards if one.state == "NoEvidence"]
    if kept.confirmation:
        blind += [one.reason for one in kept.confirmation.guards if one.state == "NoEvidence"]
    return blind[0] if blind else ""


_BLIND = {
    "TooFewSamples": "during the rollout the previous version answered too few requests to be compared with (let the "
    "steps ask for more, or set a holdback), or failed nearly all of them (then nothing could be worse than it)",
    processes.FELL: processes.FELL_WORDS,
}
