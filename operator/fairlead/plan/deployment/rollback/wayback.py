"""The way back from a live version: the pods of the version before it are started if they are gone, and warmed; only
then the route is turned. The version that failed is remembered as refused, so that nothing goes to and fro."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, RolloutRecord
from fairlead.api.deploymentstatus import DeploymentStatus, Live
from fairlead.api.evidence import ArmCounts, GuardEvidence
from fairlead.api.watch import WatchedGuard, WayBack
from fairlead.plan.core import WORKLOAD, Event
from fairlead.plan.deployment import served
from fairlead.plan.deployment.context import RETRY, Look, State
from fairlead.plan.deployment.evidence import signals
from fairlead.plan.deployment.metrics.registry import metric_of
from fairlead.plan.deployment.rollback import readiness, world
from fairlead.plan.deployment.rollout import ending, progress
from fairlead.plan.deployment.serving import endpoints, pods, sizes
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import latelabels
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.requests import Request

SOON = 2.0
"""Seconds between looks while the pods start."""


def begin(look: Look, state: State, to: str, why: Problem, *, forced: bool = False) -> State:
    """The live version shall go, and `to` take its place. forced: a person decided it."""
    live, kept = state.status.live, state.status.watch
    assert live
    asked = kept.confirmation.share if kept and kept.confirmation else 0
    serves = kept is not None and (kept.holdback > 0 or asked > 0) and kept.against == to
    warmed = sorted(pod.source for pod in pods.of(look, to) if pod.ready)[: signals.WARMED] if serves else []
    wanted = WayBack(
        version=to, leaves=live.version, since=look.stamp, reason=why.reason, message=why.message[:1024],
        forced=forced, warmed=warmed,
    )  # fmt: skip
    return state.having(
        Event("RollingBack", f"{why.message}. Back to {to}, as soon as its pods are warm", warning=True),
        way_back=wanted, retiring=[one for one in state.status.retiring if one.version != to],
    )  # fmt: skip


def requests(look: Look, status: DeploymentStatus) -> list[Request]:
    """Warm-ups of the pods that shall answer."""
    wanted = status.way_back
    return [request for _, request in signals.warm_ups(look, _as_candidate(wanted))] if wanted else []


def _as_candidate(wanted: WayBack) -> Candidate:
    """What starting and warming a version needs to know."""
    return Candidate(version=wanted.version, since=wanted.since, against=wanted.leaves, warmed=wanted.warmed)


def go_on(look: Look, state: State) -> tuple[State, Problem | None]:
    """One look at a rollback that is under way; with what stands in its way."""
    wanted, live = state.status.way_back, state.status.live
    if wanted is None:
        return state, None
    if live is None or live.version != wanted.leaves:
        return state.having(way_back=None), None  # something else has taken its place meanwhile
    unready = readiness.unready(look, wanted.version, "" if wanted.forced else live.version)
    if unready:
        return state, unready
    target, problem = progress.warm(look, _as_candidate(wanted))
    wanted = wanted.model_copy(update={"warmed": target.warmed})
    state = state.having(way_back=wanted)
    if not signals.is_warm(look, target) or not made_anew(look, wanted.version):
        unknown = endpoints.problem(look, wanted.version, wanted.since, signals.answered(look, target))
        return state, problem or pods.problem(look, wanted.version) or unknown
    return _turn(look, state, wanted), None


def made_anew(look: Look, version: str) -> bool:
    """Whether the ready pods are those of the workload as it is now: where it has just been deleted and is made again,
    the old pods seem to be ready until they are told to stop."""
    workload = look.world.get(WORKLOAD, look.child(version)) or {}
    return int((workload.get("status") or {}).get("readyReplicas", 0)) >= sizes.needed(look, version)


def _turn(look: Look, state: State, wanted: WayBack) -> State:
    """The route goes to the version before, and the one that was live leaves."""
    again_by = f"To try it once more: kubectl annotate mdeploy -n {look.namespace} {look.name} {RETRY}={wanted.leaves}"
    message = f"{wanted.message}. All requests go back to {wanted.version}. {again_by}"
    state = ending.filed(state, _record(look, state, wanted, message))
    state = watchbook.left(look, state, "RolledBack", wanted.reason, message)
    kept = state.status.watch
    if kept and watch.keeps(kept) and kept.against != wanted.version:
        state = state.having(retiring=ending.retire(look, state, kept.against))
    status = state.status
    refused = [v for v in status.refused if v not in (wanted.leaves, wanted.version)]
    return state.having(
        Event("RolledBack", message, warning=True),
        live=Live(version=wanted.version, since=look.stamp), previous=_before(look, status, wanted), way_back=None,
        watch=None, unasked=world.unasked(look, wanted), refused=[*refused, wanted.leaves][-ending.REFUSED:],
        retiring=ending.retire(look, state, wanted.leaves),
    )  # fmt: skip


def _record(look: Look, state: State, wanted: WayBack, message: str) -> RolloutRecord:
    """What the version did since its promotion, and why it left."""
    live, kept = state.status.live, state.status.watch
    assert live
    asked = kept.confirmation if kept else None
    worse = {one.guard: one for one in asked.guards if one.state == "Harm"} if asked else {}
    guards = [worse.get(one.guard) or _guard(one) for one in kept.guards] if kept else []
    errors = next((one for one in guards if metric_of(one.guard).all_requests), None)
    return RolloutRecord(
        version=wanted.leaves, against=wanted.version, result="RolledBack", reason=wanted.reason,
        message=message[:1024], started_at=live.since, ended_at=look.stamp,
        weight=100 - kept.holdback - (asked.share if asked else 0) if kept else 100,
        guards=latelabels.filed(state, guards),
        stable=errors.stable if errors else ArmCounts(), candidate=errors.candidate if errors else ArmCounts(),
        ledger=kept.ledger.uri if kept else "",
    )  # fmt: skip


def _guard(one: WatchedGuard) -> GuardEvidence:
    return GuardEvidence(
        guard=one.guard, stable=one.previous, candidate=one.live, windows=one.windows, log_lr=one.log_r,
        log_evidence=one.log_evidence, bound=one.bound, odds=one.odds, floor=one.floor, threshold=one.threshold,
        state="Harm" if one.state == "Alarm" else one.state, reason=one.reason, digest=one.digest,
    )  # fmt: skip


def _before(look: Look, status: DeploymentStatus, wanted: WayBack) -> str | None:
    """The last good version before the one that is gone back to, as far as the history knows. Not who has only its name
    by now."""
    for record in status.history:
        if record.version == wanted.version and record.result == "Live":
            bad = {*status.refused, wanted.leaves, wanted.version}
            good = record.against and record.against not in bad and not served.taken(look, status, record.against)
            return record.against if good else None
    return None
