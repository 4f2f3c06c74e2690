"""The versions that were live here: the only ones that a person may go back to, with no regard to evidence."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pinned import Served
from fairlead.plan.core import MODEL_VERSION, Json
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


def stranger(status: DeploymentStatus, raw: Json, model: str | None) -> str:
    """Why a ModelVersion is none that was live here, and what to do instead; empty if it is one. model: the only one
    whose versions may be; None: any."""
    meta = raw["metadata"]
    mine = next((one for one in known(status) if one.version == meta["name"]), None)
    other = "to roll it out, name it in spec.model.version; kubectl fairlead promote --force then waits for no evidence"
    if mine is None:
        return f"{meta['name']} was never live here; {other}"
    if mine.uid and meta.get("uid") and mine.uid != meta["uid"]:
        return f"{meta['name']} was deleted and made again since it was live here; {other}"
    if model is not None and raw["spec"].get("model") != model:
        return f"{meta['name']} is a version of model {raw['spec'].get('model')}, not of {model}; {other}"
    return ""
