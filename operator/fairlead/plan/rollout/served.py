"""The versions that were live here: the only ones that a person may go back to, with no regard to evidence."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pinned import Served
from fairlead.plan.core import MODEL_VERSION
from fairlead.plan.rollout.look import Look

LIMIT = 50


def known(status: DeploymentStatus) -> list[Served]:
    """All that are remembered, the last one first. What an older operator has not noted is read from the history: a
    version that another one was held against was live then."""
    names = [status.live.version] if status.live else []
    names += [status.previous] if status.previous else []
    for record in status.history:
        names += [record.version] if record.result == "Live" else []
        names += [record.against] if record.against else []
    noted = {one.version: one for one in status.served}
    return [*noted.values(), *(Served(version=name) for name in dict.fromkeys(names) if name not in noted)][:LIMIT]


def noted(look: Look, status: DeploymentStatus, version: str) -> list[Served]:
    """The memory with a version that goes live."""
    raw = look.world.get(MODEL_VERSION, version) or {}
    mine = Served(version=version, uid=raw.get("metadata", {}).get("uid", ""))
    return [mine, *(one for one in known(status) if one.version != version)][:LIMIT]


def stranger(status: DeploymentStatus, version: str, uid: str, other: str) -> str:
    """Why a version is none that was live here, and what to do instead; empty if it is one. uid: of the ModelVersion
    that would be served; other: whose version it is, if not one of this model."""
    mine = next((one for one in known(status) if one.version == version), None)
    instead = (
        "to roll it out, name it in spec.model.version; kubectl fairlead promote --force then waits for no evidence"
    )
    if mine is None:
        return f"{version} was never live here; {instead}"
    if mine.uid and uid and mine.uid != uid:
        return f"{version} was deleted and made again since it was live here; {instead}"
    return f"{version} is {other}; {instead}" if other else ""
