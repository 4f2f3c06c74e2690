"""Where an experiment is: asked by rollouts, which wait for it."""

from __future__ import annotations

from fairlead.api.candidate import Candidate, ExperimentStatus
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.experiment import Contender, Experiment
from fairlead.manifests.meta import short_hash

OVER = ("Out", "Worse")
"""States of contenders that can't win any more."""


def running(status: DeploymentStatus) -> ExperimentStatus | None:
    """The experiment that is on its way; None if there is none (any more)."""
    kept = status.experiment
    return kept if kept is not None and kept.phase != "Ended" else None


def opened(status: DeploymentStatus) -> bool:
    """Whether the users are divided."""
    return status.experiment is not None and status.experiment.phase == "Running"


def key_of(wanted: Experiment) -> str:
    """What makes it another experiment: its versions and what they are compared by."""
    return short_hash(*sorted(wanted.versions), wanted.reward.model_dump_json())


def arms(status: DeploymentStatus) -> list[Candidate]:
    """The candidates that take part."""
    kept = running(status)
    return list(kept.arms) if kept else []


def arm(status: DeploymentStatus, version: str) -> Candidate | None:
    """A candidate that takes part; None if it does not."""
    return next((one for one in arms(status) if one.version == version), None)


def settles(status: DeploymentStatus, wanted: str) -> bool:
    """Whether the live version has won an experiment against the one that the spec names: git follows later."""
    kept, live = status.experiment, status.live
    return (
        kept is not None and live is not None and kept.against == wanted
        and kept.winner == live.version
    )  # fmt: skip


def contender(kept: ExperimentStatus, version: str) -> Contender:
    """A version's part. Raises KeyError for one that has none."""
    for one in kept.contenders:
        if one.version == version:
            return one
    raise KeyError(version)


def changed(kept: ExperimentStatus, version: str, **fields: object) -> ExperimentStatus:
    """The experiment with some fields of a contender changed."""
    found = [one.model_copy(update=fields) if one.version == version else one for one in kept.contenders]
    return kept.model_copy(update={"contenders": found})


def taking_part(kept: ExperimentStatus) -> list[str]:
    """The versions that get users now, the live one first."""
    if kept.phase != "Running":
        return [kept.against]
    return [kept.against, *(arm.version for arm in kept.arms if arm.step >= 0)]
