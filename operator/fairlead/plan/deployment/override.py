"""A person's decisions: back to another version, or forward without waiting for evidence. Each is carried out once."""

from __future__ import annotations

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import Override
from fairlead.manifests.meta import short_hash
from fairlead.plan.core import Event, Json
from fairlead.plan.deployment import phase, requirements, served, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import signals
from fairlead.plan.deployment.experiment import conclude
from fairlead.plan.deployment.rollback import readiness, wayback, world
from fairlead.plan.deployment.rollout import ending
from fairlead.plan.deployment.serving import pods, sizes
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.watch import ledger as watchbook
from fairlead.plan.deployment.watch import period as watch
from fairlead.plan.model.waking import of_model

REASON = "Forced"


def heed(look: Look, state: State) -> State:
    """The state after what `spec.override` asks for, if that is new."""
    wanted = look.spec.override
    if wanted is None:
        return state
    key = short_hash(wanted.model_dump_json())
    if key == state.status.heeded:
        return state
    if wanted.action == "Promote":
        return _promote(look, state, wanted, key)
    if wanted.action == "Continue":
        return _continue(state, wanted, key)
    return _roll_back(look, state, wanted, key)


def _ignored(state: State, key: str, wanted: Override, why: str) -> State:
    words = f"{wanted.action} to {wanted.version}, decided at {wanted.at} ({wanted.reason}), is not carried out: {why}"
    return state.having(Event("OverrideIgnored", words, warning=True), heeded=key)


def _promote(look: Look, state: State, wanted: Override, key: str) -> State:
    candidate, live = state.candidate, state.status.live
    arm = phase.arm(state.status, wanted.version)
    lack = _lacking(look, wanted.version)
    if lack and (arm or (candidate and candidate.version == wanted.version)):
        return _ignored(state, key, wanted, lack.message) if lack.certain else state
    if arm and not _serves(look, arm):
        return state
    if arm:
        words = f"{arm.version} goes live before the experiment has ended: {wanted.reason}"
        return conclude.promote(look, state, arm, words, forced=wanted.reason).having(heeded=key)
    if candidate is None or candidate.version != wanted.version:
        return _ignored(state, key, wanted, f"{wanted.version} is not on its way")
    cold = sizes.in_the_way(look, candidate, len(look.spec.rollout.steps))
    if live and candidate.against == live.version and _serves(look, candidate) and not cold:
        return ending.promote(look, state, wanted.reason).having(heeded=key)
    return state  # its pods start and are warmed first


def _lacking(look: Look, version: str) -> requirements.Lacking | None:
    """What keeps a version from going live, whoever wants it to. Of one that is gone, nobody can tell what it has."""
    raw, why = versions.record(look, version), versions.revoked(look, version)
    if why:
        return requirements.Lacking(requirements.UNMET, f"{version} was revoked: {why}")
    if raw is None:
        return requirements.Lacking(requirements.UNMET, versions.gone(look, version)[1])
    return requirements.lacking(look, raw)


def _continue(state: State, wanted: Override, key: str) -> State:
    candidate = state.candidate
    if candidate is None or candidate.version != wanted.version or candidate.step < 0:
        return _ignored(state, key, wanted, f"{wanted.version} is in no step")
    told = Event("LetOn", f"{wanted.version} may leave step {candidate.step + 1}: {wanted.reason}")
    return state.having(told, candidate=candidate.model_copy(update={"let_on": candidate.step}), heeded=key)


def _serves(look: Look, candidate: Candidate) -> bool:
    under_way = candidate.step >= 0 and any(pod.ready for pod in pods.of(look, candidate.version))
    return under_way or signals.is_warm(look, candidate)


def _roll_back(look: Look, state: State, wanted: Override, key: str) -> State:
    live, why = state.status.live, Problem(REASON, f"rolled back by hand: {wanted.reason}")
    if live is None:
        return _ignored(state, key, wanted, "nothing is live")
    if live.version != wanted.version:
        unready = readiness.unready(look, wanted.version, "") or _stranger(look, state, wanted.version)
        if unready:
            return _ignored(state, key, wanted, unready.message)
    elif state.status.way_back:
        state = watchbook.left(look, state, "Ended", "RollbackCancelled", f"{live.version} stays: {wanted.reason}")
        seen = state.status.watch
        if seen and watch.keeps(seen):  # the pods of the version before may answer requests, which they finish
            state = state.having(retiring=ending.retire(look, state, seen.against))
        state = state.having(
            Event("RollbackCancelled", f"{live.version} stays: {wanted.reason}"), way_back=None, watch=None
        )
    elif world.is_open(state.status):
        state = world.kept_by_hand(look, state, wanted.reason)
    elif phase.running(state.status):
        return conclude.stopped(look, state, f"stopped by hand: {wanted.reason}").having(heeded=key)
    elif state.candidate is None:
        return _ignored(state, key, wanted, "it is live already")
    if state.candidate and state.candidate.version != wanted.version:
        state = ending.roll_back(look, state, why)
    elif state.candidate:
        state = ending.withdraw(look, state, REASON, f"{wanted.version} goes live at once: {wanted.reason}")
    if live.version != wanted.version:
        state = wayback.begin(look, state, wanted.version, why, forced=True)
    refused = [*state.status.refused, *_newer(look, state, wanted.version)]
    kept = [version for version in dict.fromkeys(refused) if version != wanted.version]
    return state.having(heeded=key, refused=kept[-ending.REFUSED :])


def _stranger(look: Look, state: State, version: str) -> Problem | None:
    """Only what was live here is gone back to: everything else has to be rolled out."""
    why = served.stranger(look, state.status, version)
    return Problem("NeverLive", why) if why else None


def _newer(look: Look, state: State, version: str) -> list[str]:
    """The approved versions of the same model that would be rolled out at once, since they are newer."""
    target, made = versions.read(look, version), versions.age(look, version)
    live = state.status.live.version if state.status.live else ""
    if target is None or made is None or version == live:
        return []

    def newer(raw: Json) -> bool:
        approved = (raw.get("status") or {}).get("phase") == "Approved"
        return approved and versions.age_key(raw) > made

    found = sorted(filter(newer, of_model(look.world, target.spec.model)), key=versions.age_key)
    return [raw["metadata"]["name"] for raw in found]
