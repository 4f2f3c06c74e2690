"""What people are told of an experiment: its condition, and where a Deployment stands meanwhile."""

from __future__ import annotations

from fairlead.api.candidate import ExperimentStatus
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.conditions import Conditions
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import Problem

CONDITION = "Experiment"


def tell(look: Look, told: Conditions, status: DeploymentStatus, problem: Problem | None) -> None:
    """The condition: True while it runs and when it has ended with a winner. problem: what stands in its way."""
    kept = status.experiment
    if look.spec.experiment is None:
        told.drop(CONDITION)
    elif kept is None:
        found = problem or Problem("Waiting", "it begins at the next look")
        told.set(CONDITION, False, found.reason, f"the experiment waits: {found.message}")
    elif kept.phase == "Ended":
        told.set(CONDITION, kept.result == "Won", kept.result, kept.message + _next(look, kept))
    else:
        told.set(CONDITION, True, *_running(look, kept, problem))


def frozen(status: DeploymentStatus, problem: Problem | None) -> Problem | None:
    """Why nothing shows how the versions of a running experiment do. problem: what stands in its way, of any kind."""
    kept = status.experiment
    if kept is None or kept.phase != "Running" or problem is None:
        return None
    blind = kept.silent or kept.division.wrong or any(arm.verdict == "NoEvidence" for arm in kept.arms)
    return problem if blind or problem.arm else None


def _next(look: Look, kept: ExperimentStatus) -> str:
    """What a person does with the result."""
    pinned = look.spec.model.version
    if kept.result != "Won" or kept.winner == kept.against:
        return ". Remove spec.experiment when you have read this"
    if look.spec.experiment and look.spec.experiment.then == "Report":
        return f". To have it live: name {kept.winner} in spec.model.version, and remove spec.experiment"
    return f". Set spec.model.version to {kept.winner} when you remove spec.experiment" if pinned else ""


def _running(look: Look, kept: ExperimentStatus, problem: Problem | None) -> tuple[str, str]:
    if look.spec.paused:
        return "Paused", "its shares stay, and nobody wins, until spec.paused is false"
    if problem:
        return problem.reason, f"{standing(kept)}; {problem.message}"
    unknown = f". {kept.division.unknown}" if kept.division.unknown else ""
    return ("Starting" if kept.phase == "Starting" else "Running"), standing(kept) + unknown


def standing(kept: ExperimentStatus) -> str:
    """Who gets what, in a sentence."""
    if kept.phase == "Starting":
        names = ", ".join(arm.version for arm in kept.arms)
        return f"the pods of {names} start and are warmed up; then they are compared with {kept.against}"
    shares = ", ".join(f"{one.version} {one.share} %" for one in kept.contenders if one.share)
    return f"an experiment runs: {shares}"


def progress(status: DeploymentStatus, wanted: str | None) -> tuple[bool, str, str] | None:
    """The condition Progressing while an experiment runs: (value, reason, message); None while none does."""
    kept = phase.running(status)
    if kept is None:
        return None
    live = status.live.version if status.live else ""
    waits = f"; {wanted} waits until it has ended: remove spec.experiment to roll it out" if wanted != live else ""
    return True, "Experiment", standing(kept) + (waits if wanted else "")
