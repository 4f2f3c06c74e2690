"""The way of an experiment: begin, warm all candidates, let them answer side by side, and end with or without a winner.

No rollout begins meanwhile, and it begins only when the live version is what the spec wants and nothing is on its way.
When the live version changes it starts over against the new one; where the spec does not want it any more, it stops.
"""

from __future__ import annotations

from fairlead.api.candidate import Candidate, ExperimentStatus
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.experiment import Contender, Experiment
from fairlead.api.units import seconds
from fairlead.plan.core import MODEL_VERSION, Event, epoch
from fairlead.plan.deployment import phase, pins, requirements, versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.evidence import absent, signals
from fairlead.plan.deployment.experiment import arms, conclude, reward, shares, users
from fairlead.plan.deployment.serving import ability, pods
from fairlead.plan.deployment.serving.implementations import Ability
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.versions import Choice
from fairlead.plan.requests import Request


def requests(look: Look) -> list[Request]:
    """What the next decision needs."""
    wanted, kept = look.spec.experiment, phase.running(look.subject.body.status)
    if wanted is None or kept is None:
        return []
    return [*arms.requests(look, kept), *reward.requests(look, wanted, kept), *users.requests(look, wanted, kept)]


def go_on(look: Look, state: State, choice: Choice) -> tuple[State, Problem | None]:
    """One look at the experiment that the spec wants; with what stands in its way."""
    wanted = look.spec.experiment
    state = _outlived(look, state, wanted)
    if wanted is None:
        return state, None
    kept = state.status.experiment
    if kept is None:
        return _begin(look, state, wanted, choice)
    return (state, None) if kept.phase == "Ended" else _run(look, state, wanted)


def _outlived(look: Look, state: State, wanted: Experiment | None) -> State:
    """The state without an experiment that is not wanted any more, or whose live version is another one."""
    kept, live = state.status.experiment, state.status.live
    if kept is None:
        return state
    if wanted is None or phase.key_of(wanted) != kept.key:
        return stop(look, state, "Withdrawn", "the experiment is not wanted any more").having(experiment=None)
    if kept.phase == "Ended":
        return state
    if state.status.way_back or live is None or live.version != kept.against:
        why = f"{kept.against} is not the live version any more; the experiment starts over"
        return stop(look, state, "LiveChanged", why).having(experiment=None)
    return state


def stop(look: Look, state: State, reason: str, message: str) -> State:
    """All arms end, and the live version answers all requests. What is known stays in the status."""
    kept = state.status.experiment
    assert kept
    for arm in kept.arms:
        state = arms.leave(look, state, arm, "Out", Problem(reason, f"{message}; {arm.version} leaves"))
    return state


# --- its beginning -------------------------------------------------------------------------------------------------


def _begin(look: Look, state: State, wanted: Experiment, choice: Choice) -> tuple[State, Problem | None]:
    problem = _waits(look, state, choice) or _unfit(look, state, wanted) or _unable(look, wanted)
    if problem:
        return state, problem
    live = state.status.live
    assert live
    kept = ExperimentStatus(
        key=phase.key_of(wanted), since=look.stamp, against=live.version,
        contenders=[Contender(version=live.version, state="In", share=100)]
        + [Contender(version=version) for version in wanted.versions],
        arms=[Candidate(version=version, since=look.stamp, against=live.version) for version in wanted.versions],
    )  # fmt: skip
    words = f"{', '.join(wanted.versions)} start; they will be compared with {live.version} and with each other"
    retiring = [one for one in state.status.retiring if one.version not in wanted.versions]
    return state.having(Event("ExperimentStarted", words), experiment=kept, retiring=retiring), None


def _waits(look: Look, state: State, choice: Choice) -> Problem | None:
    """What must be over first."""
    status = state.status
    asked = status.watch.confirmation if status.watch else None
    if status.live is None or status.candidate or status.way_back or (asked and not asked.blocked):
        return Problem("Waiting", "it begins when nothing else is on its way")
    if look.spec.paused:
        return Problem("Paused", "set spec.paused to false to begin")
    if choice.version != status.live.version:
        why = choice.message or f"{choice.version} is not live yet"
        return Problem("Waiting", f"it begins when the version that spec.model wants is live: {why}")
    return None


def _unfit(look: Look, state: State, wanted: Experiment) -> Problem | None:
    """Why a version can't take part."""
    live = state.status.live
    assert live
    if live.version in wanted.versions:
        return Problem("VersionIsLive", f"{live.version} is live and takes part anyway; name only other versions in "
                       "spec.experiment.versions, or remove the experiment")  # fmt: skip
    for version in wanted.versions:
        if version in state.status.refused:
            return Problem("VersionRefused", versions.refusal(look, version))
        why = _unusable(look, version)
        if why:
            return Problem(why[0], f"{why[1]}, or take it out of spec.experiment.versions")
    return None


def _unable(look: Look, wanted: Experiment) -> Problem | None:
    """Users stay with their version by headers of answers and by patterns of a Cookie header."""
    lacking = ability.surely_lacks(look, Ability.ANSWER_HEADERS, Ability.HEADER_PATTERNS)
    if lacking is None or not users.sticky(wanted):
        return None
    return Problem("GatewayUnable", f"the Gateway can't {lacking}, so users can't stay with their version; set "
                   "spec.experiment.sticky.for to 0s to divide requests instead, or name another Gateway in "
                   "spec.route")  # fmt: skip


def _unusable(look: Look, version: str) -> tuple[str, str] | None:
    raw, found = look.world.get(MODEL_VERSION, version), versions.read(look, version)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return "VersionMissing", f"ModelVersion {version} does not exist: create it"
    if not pins.is_it(look, raw):
        return versions.gone(look, version)
    if raw["spec"].get("revoked"):
        return "VersionRevoked", f"{version} was revoked ({raw['spec']['revoked']}): make a new one"
    if found is None:
        return "VersionUnreadable", f"ModelVersion {version} has a form that this operator can't read: make it again"
    standing = (raw.get("status") or {}).get("phase")
    if standing != "Approved":
        return "NotApproved", f"{version} is {standing or 'Pending'}: approve it"
    lack = requirements.lacking(look, raw)
    return lack.told if lack else None


# --- while it runs -------------------------------------------------------------------------------------------------


def _run(look: Look, state: State, wanted: Experiment) -> tuple[State, Problem | None]:
    before = state.status.experiment
    assert before
    state, problems = arms.go_on(look, state)
    state = _opened(_named(state, before))
    kept = state.status.experiment
    assert kept
    problem = pods.foreign(look, kept.against, *(arm.version for arm in kept.arms))
    if problem is None:  # else what users saw may have been somebody else's answers
        kept, problem = reward.window(look, wanted, kept)
        kept = users.counted(look, wanted, kept, before)
    problem = next(iter(problems.values()), None) or problem or _divided_wrongly(kept)
    state = state.having(experiment=kept)
    state = _shared_out(look, state, wanted, problem)
    state, waits = conclude.go_on(look, state, wanted, problem)
    kept = state.status.experiment
    told = problem or _quiet(look, state) or waits
    return (arms.recorded(look, state) if kept and kept.phase != "Ended" else state), told


def _quiet(look: Look, state: State) -> Problem | None:
    """No candidate gets any requests: people are told, and nothing else follows from it."""
    kept = phase.running(state.status)
    if kept is None or look.spec.paused:
        return None
    found = [absent.quiet(arms.look_at(look, kept, arm), arm) for arm in kept.arms]
    return found[0] if all(found) and found else None


def _named(state: State, before: ExperimentStatus) -> State:
    """The contenders' states as their arms are; with an event for each that was taken out."""
    kept = state.status.experiment
    assert kept
    there = {arm.version: arm for arm in kept.arms}
    for one in kept.contenders[1:]:
        arm = there.get(one.version)
        if arm is None:
            if any(old.version == one.version for old in before.arms) and one.state == "Out":
                words = f"{one.version} leaves the experiment: {one.reason}; its users are given to the others"
                state = state.having(Event("ArmTakenOut", words, warning=True))
            continue
        if one.state in phase.OVER:
            continue
        now = "In" if arm.step >= 0 else "Starting" if kept.phase == "Starting" else "Away"
        kept = phase.changed(kept, one.version, state=now)
    return state.having(experiment=kept)


def _opened(state: State) -> State:
    """Users are divided as soon as all candidates are warm and their counters have been read."""
    kept = state.status.experiment
    assert kept
    if kept.phase == "Starting" and kept.arms and all(arm.step >= 0 for arm in kept.arms):
        words = f"{', '.join(arm.version for arm in kept.arms)} get their shares"
        return state.having(Event("ExperimentOpened", words), experiment=kept.model_copy(update={"phase": "Running"}))
    return state


def _shared_out(look: Look, state: State, wanted: Experiment, problem: Problem | None) -> State:
    """The shares of the next window. A bandit lets go of who is shown to be worse, and moves only on evidence."""
    kept = state.status.experiment
    assert kept
    still = problem is not None or look.spec.paused
    if wanted.allocation == "Bandit" and not still:
        for arm in kept.arms:
            one = phase.contender(kept, arm.version)
            if one.state == "Worse":
                why = Problem(one.reason, f"{arm.version} is shown to be worse than another version")
                state = arms.leave(look, state, arm, "Worse", why)
    kept = state.status.experiment
    assert kept
    kept = shares.settled(look, wanted, kept)
    return state.having(experiment=kept if still else shares.moved(look, wanted, kept))


def _divided_wrongly(kept: ExperimentStatus) -> Problem | None:
    if not kept.division.wrong:
        return None
    return Problem("SplitWrong", "the users are not divided as asked: is there another route, do clients drop cookies "
                   "of some answers, or do many ask for a version by header? They are counted anew; nobody wins until "
                   "they are divided as asked")  # fmt: skip


STARTING = 2.0
"""Seconds between looks while pods start or are warmed."""


def next_look(look: Look, status: DeploymentStatus) -> float:
    """Seconds until something of a running experiment is due."""
    kept, wanted = phase.running(status), look.spec.experiment
    if kept is None or wanted is None:
        return 0.0
    left = epoch(kept.since) + seconds(wanted.patience) - look.now
    times = [left] if left > 0 else []  # over, but paused: nothing is due because of it
    if kept.phase == "Running":  # also without arms: a bandit lets go of them before the live version has won
        times.append(signals.next_window(look, kept.counted_at, reward.length(look)))
    for arm in kept.arms:
        ready = arm.step >= 0 or signals.is_warm(look, arm)
        times.append(signals.next_window(look, arm.last_window_at) if ready else STARTING)
    return min(times, default=STARTING)
