"""A candidate of an experiment, looked after as one of a rollout that stays in its only step.

So all guards, their tests, the ledger, crashes, pods that go away, and what a person decides work as in a rollout. The
chance of a false alarm is shared by the candidates. Whether the traffic is divided as asked is asked for all of them
together (`users`).
"""

from __future__ import annotations

from math import floor

from fairlead.api.candidate import Candidate, ExperimentStatus
from fairlead.api.deployment import CanaryStep
from fairlead.api.units import chance
from fairlead.plan.core import Subject
from fairlead.plan.deployment import phase, requirements, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import answers, ledger
from fairlead.plan.deployment.rollout import ending, gathering, lines, progress
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.requests import Request

FOREVER = "36500d"
"""An arm has no patience of its own: the experiment has."""


def look_at(look: Look, kept: ExperimentStatus, arm: Candidate) -> Look:
    """The look of a rollout that has this arm as its candidate."""
    rollout = look.spec.rollout
    weight = phase.contender(kept, arm.version).share or _first(look, kept)
    step = CanaryStep(weight=weight, manual=True, **{"for": "0s"})  # a person's word never comes: it is not left
    own = rollout.model_copy(update={
        "steps": [step], "patience": FOREVER, "false_alarms": part(rollout.false_alarms, len(kept.contenders) - 1),
    })  # fmt: skip
    body, subject = look.subject.body, look.subject
    before = phase.running(body.status)
    was = next((one for one in before.arms if one.version == arm.version), None) if before else None
    seen = body.model_copy(update={
        "spec": body.spec.model_copy(update={"rollout": own}),
        "status": body.status.model_copy(update={"candidate": was}),
    })  # fmt: skip
    return Look(Subject(subject.meta, seen, subject.raw), look.world, look.now, side_by_side=True, timed=look.timed)


def _first(look: Look, kept: ExperimentStatus) -> int:
    """The share that it begins with, in percent."""
    wanted = look.spec.experiment
    return max(1, int(wanted.share.rstrip("%")) // (len(kept.contenders) - 1)) if wanted else 1


def part(false_alarms: str, arms: int) -> str:
    """Each arm's part of the chance of a false alarm, rounded down."""
    return f"{max(1, floor(chance(false_alarms) / arms * 1e6)) / 1e4:.4f}%"


def requests(look: Look, kept: ExperimentStatus) -> list[Request]:
    """What the next decision on each arm needs."""
    found: list[Request] = []
    for arm in kept.arms:
        mine = look_at(look, kept, arm)
        found += [*gathering.requests(mine, arm), *answers.requests(mine, arm)]
    return found


def go_on(look: Look, state: State) -> tuple[State, dict[str, Problem]]:
    """One look at each arm; with what stands in their way, by version. One that does harm is taken out."""
    kept = state.status.experiment
    assert kept
    problems: dict[str, Problem] = {}
    for arm in kept.arms:
        gone = _gone(look, state, arm)
        if gone:
            state = leave(look, state, arm, "Out", gone)
            continue
        mine = look_at(look, kept, arm)
        book = ledger.moved_on(look, arm.ledger, whole=False)
        seen, problem = progress.go_on(mine, state.having(candidate=arm.model_copy(update={"ledger": book})))
        found = seen.candidate
        if found is None:
            state = _taken_out(seen, arm.version)
            continue
        state = _with(seen.having(candidate=None), found)
        if problem:
            problems[arm.version] = problem
    return state, problems


def recorded(look: Look, state: State) -> State:
    """The arms' ledgers with what this look has changed."""
    kept = state.status.experiment
    assert kept
    for arm in kept.arms:
        state = _with(state, lines.recorded(look_at(look, kept, arm), arm))
    return state


def leave(look: Look, state: State, arm: Candidate, how: str, why: Problem) -> State:
    """An arm ends, with nothing held against it: how is its contender's state from then on."""
    kept = state.status.experiment
    assert kept
    left = ending.withdraw(look_at(look, kept, arm), state.having(candidate=arm), why.reason, why.message)
    rest = kept.model_copy(update={"arms": [one for one in kept.arms if one.version != arm.version]})
    reason = why.reason if how == "Out" else phase.contender(kept, arm.version).reason
    return left.having(candidate=None, experiment=phase.changed(rest, arm.version, state=how, reason=reason, share=0))


def _with(state: State, arm: Candidate) -> State:
    kept = state.status.experiment
    assert kept
    arms = [arm if one.version == arm.version else one for one in kept.arms]
    return state.having(experiment=kept.model_copy(update={"arms": arms}))


def _taken_out(state: State, version: str) -> State:
    """The state after an arm was rolled back: its record is the newest one."""
    kept = state.status.experiment
    assert kept
    reason = state.status.history[0].reason
    rest = kept.model_copy(update={"arms": [one for one in kept.arms if one.version != version]})
    return state.having(experiment=phase.changed(rest, version, state="Out", reason=reason, share=0))


def _gone(look: Look, state: State, arm: Candidate) -> Problem | None:
    raw = versions.record(look, arm.version)
    if raw is None:
        return Problem(*versions.gone(look, arm.version))
    if raw["metadata"].get("deletionTimestamp"):
        return Problem("VersionMissing", f"ModelVersion {arm.version} was deleted")
    if raw["spec"].get("revoked"):
        return Problem("VersionRevoked", f"{arm.version} was revoked: {raw['spec']['revoked']}")
    if (wrong := versions.unfit(state.status, raw)) is not None:
        return Problem(wrong.reason, f"{arm.version} got no request: {wrong.message}")
    if (said := raw.get("status") or {}).get("phase") == "Rejected":  # its bytes are others, as other pods have found
        return Problem("NotApproved", f"{arm.version} was rejected: {str(said.get('message', ''))[:500]}")
    lack = requirements.lacking(look, raw)
    return Problem(*lack.told) if lack and lack.certain else None
