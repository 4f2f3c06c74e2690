"""Whether the Deployment is what its spec says: the version that is asked for is live, answers, and nothing is under
way. In the conditions Ready, Reconciling and Stalled; that somebody answers at all is `Available`."""

from __future__ import annotations

from fairlead.api.candidate import RolloutRecord
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.conditions import AVAILABLE, Conditions
from fairlead.plan.core import WORKLOAD
from fairlead.plan.deployment import effect, phase, requirements, versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.monitors import hold
from fairlead.plan.deployment.rollback import asking
from fairlead.plan.deployment.rollout import analysis
from fairlead.plan.deployment.serving import replacing
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.deployment.versions import Choice
from fairlead.plan.standing import Standing, ready, reconciling, stalled

PERSON = "WaitingForPerson"
_PASSING = frozenset({"BackendNotFound", "Pending"})
"""Words of a Gateway's controller that has not seen everything yet."""
_MAY_COME = frozenset({
    "Waiting", "Paused", "VersionMissing", "NotApproved", requirements.UNMET, requirements.UNKNOWN,
})  # fmt: skip
"""Why an experiment does not begin, that may be over by itself or by a person's word."""


def standing(
    look: Look, status: DeploymentStatus, choice: Choice, told: Conditions, progress: effect.Standing,
    misplaced: Problem | None, trial: Problem | None,
) -> Standing:  # fmt: skip
    """Where it stands. progress: the condition Progressing; misplaced: why its route can't be where the spec says;
    trial: what stands in an experiment's way."""
    if misplaced:
        return stalled(misplaced.reason, misplaced.message)
    return (
        _not_routed(told)
        or _under_way(look, status, progress)
        or _not_chosen(look, status, choice)
        or _not_answering(told)
        or _not_live(look, status, choice, progress)
        or _not_wanted(look, status, choice, told)
        or _not_compared(look, status, trial)
        or _not_carried_out(look, status)
        or _there(told)
    )


def _there(told: Conditions) -> Standing:
    available = told.get(AVAILABLE)
    return ready("Live", available.message if available else "")


def _not_routed(told: Conditions) -> Standing | None:
    """The Gateway has said no."""
    route = told.get("RouteAccepted")
    refused = route is not None and route.status == "False" and route.reason not in _PASSING
    return stalled("RouteNotAccepted", route.message) if route and refused else None


def _under_way(look: Look, status: DeploymentStatus, progress: effect.Standing) -> Standing | None:
    """What is on its way, or waits on its way."""
    _, reason, message = progress
    candidate = status.candidate
    asks = status.way_back is not None or asking.holds(status) or asking.blocked(status)
    if not (asks or candidate or phase.running(status) or effect.late(look, status)):
        return None
    if candidate and not asks and reason == "Observing" and analysis.asks(look, candidate):
        return reconciling(PERSON, message)
    return reconciling(reason, message)


def _not_chosen(look: Look, status: DeploymentStatus, choice: Choice) -> Standing | None:
    """There is no version that could be live as the spec says."""
    if choice.version is not None:
        return None
    taken_back = _record(status, look.spec.model.version or "")
    if taken_back and choice.reason == versions.REFUSED:
        return _taken_back(taken_back)
    if choice.final:
        return stalled("VersionRejected" if choice.reason == "NotApproved" else choice.reason, choice.message)
    return reconciling("AwaitingApproval" if choice.person else choice.reason, choice.message)


def _record(status: DeploymentStatus, version: str) -> RolloutRecord | None:
    """How a version's last rollout ended, if it was taken back."""
    last = next((one for one in status.history if one.version == version and one.result != "Superseded"), None)
    return last if last and last.result in effect.TAKEN_BACK else None


def _taken_back(record: RolloutRecord) -> Standing:
    return stalled(record.reason, f"{record.version} was taken back: {record.message}")


def _not_answering(told: Conditions) -> Standing | None:
    available = told.get(AVAILABLE)
    if available is None or available.status == "True" or available.reason == "NothingLive":
        return None
    return reconciling(available.reason, available.message)


def _not_live(look: Look, status: DeploymentStatus, choice: Choice, progress: effect.Standing) -> Standing | None:
    """Another one is live than shall be, and it has not begun to come."""
    if status.live and status.live.version == choice.version:
        return None
    if look.spec.paused:
        return reconciling("Paused", f"{choice.version} waits: set spec.paused to false to roll it out")
    if progress[1] == hold.REASON:
        return reconciling(progress[1], progress[2])
    return reconciling("Waiting", f"{choice.version} begins when nothing else is on its way. {progress[2]}")


def _not_wanted(look: Look, status: DeploymentStatus, choice: Choice, told: Conditions) -> Standing | None:
    """The live version is the best there is, but not what is asked for."""
    refused = None if look.spec.model.version else versions.newest_refused(look, status)
    if refused:
        taken_back = _record(status, refused)
        if taken_back:
            return _taken_back(taken_back)
        return stalled(versions.REFUSED, versions.refusal(look, refused))  # the history has forgotten why
    if choice.reason:
        word = stalled if choice.final else reconciling
        return word(choice.reason, f"{choice.version} is live; {choice.message}")
    available = told.get(AVAILABLE)
    if available and available.reason == "LiveRevoked":
        return stalled(available.reason, available.message)
    return None


def _not_compared(look: Look, status: DeploymentStatus, trial: Problem | None) -> Standing | None:
    """The experiment that the spec asks for has not begun."""
    if look.spec.experiment is None or status.experiment is not None or trial is None:
        return None
    word = reconciling if trial.reason in _MAY_COME else stalled
    return word(trial.reason, f"the experiment has not begun: {trial.message}")


def _not_carried_out(look: Look, status: DeploymentStatus) -> Standing | None:
    """What the spec says besides is not what runs, or nobody knows yet: what follows from a spec that was just changed
    is written after this status."""
    if look.subject.body.status.observed_generation != look.subject.meta.generation:
        return reconciling("SpecChanged", "the spec has just changed; what follows from it is being written")
    live = status.live.version if status.live else ""
    anew = replacing.told(look, live)
    if anew:
        return reconciling(anew[1], anew[2])
    workload = look.world.get(WORKLOAD, look.child(live)) or {"metadata": {}, "spec": {}}
    seen, wanted = workload.get("status") or {}, int(workload["spec"].get("replicas", 0))
    if int(seen.get("observedGeneration", 0)) < int(workload["metadata"].get("generation", 0)):
        return reconciling("PodsStarting", f"what {live} shall run as has just changed, and is not carried out yet")
    there = min(int(seen.get("updatedReplicas", 0)), int(seen.get("readyReplicas", 0)))
    if there >= wanted:
        return None
    return reconciling("PodsStarting", f"{there} of {wanted} pods of {live} are ready and as the spec says")
