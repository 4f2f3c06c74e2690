"""The versions that were live here: the only ones that a person may go back to, with no regard to evidence."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.pinned import Pinned
from fairlead.plan.core import MODEL_VERSION, epoch
from fairlead.plan.deployment import pins, versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.model import identity

LIMIT = 50


def known(status: DeploymentStatus) -> list[Pinned]:
    """All that are remembered, the last one first. What an older operator has not noted is read from the history: a
    version that another one was held against was live then."""
    names = [status.live.version] if status.live else []
    names += [status.previous] if status.previous else []
    for record in status.history:
        names += [record.version] if record.result == "Live" else []
        names += [record.against] if record.against else []
    noted = {one.name: one for one in status.served}
    return [*noted.values(), *(Pinned(name=name) for name in dict.fromkeys(names) if name not in noted)][:LIMIT]


def noted(look: Look, status: DeploymentStatus, version: str) -> list[Pinned]:
    """The memory with a version that goes live."""
    raw = look.world.get(MODEL_VERSION, version)
    pin = pins.of(look).get(version) or (identity.pin(raw) if raw else None)
    mine = Pinned(name=version, uid=pin.uid, digest=pin.digest) if pin else Pinned(name=version)
    return [mine, *(one for one in known(status) if one.name != version)][:LIMIT]


def taken(look: Look, status: DeploymentStatus, version: str) -> bool:
    """Whether another object has the name of a version that was live here by now. Of one that was live before uids were
    noted it is known when that was: an object that was made later is another one."""
    raw, mine = look.world.get(MODEL_VERSION, version), identity.named(known(status), version)
    if raw is None or mine is None:
        return False
    if mine.uid:
        return identity.is_other(mine, raw)
    made, seen = raw["metadata"].get("creationTimestamp"), _last_seen(status, version)
    return bool(made and seen is not None and epoch(made) > seen + pins.SKEW)


def _last_seen(status: DeploymentStatus, version: str) -> float | None:
    """When it certainly was there; None if no record says so."""
    live = status.live
    times = [live.since] if live and version in (live.version, status.previous) else []
    times += [one.ended_at for one in status.history if one.version == version and one.result == "Live"]
    times += [one.started_at for one in status.history if one.against == version]
    return max((epoch(at) for at in times if at), default=None)


def stranger(look: Look, status: DeploymentStatus, version: str) -> str:
    """Why a version is none of this model that was live here, and what to do instead; empty if it is one. The way back
    may be of another model, which this Deployment served before."""
    mine, kept = identity.named(known(status), version), pins.of(look).get(version)
    other = "to roll it out, name it in spec.model.version; kubectl fairlead promote --force then waits for no evidence"
    if mine is None:
        return f"{version} was never live here; {other}"
    recorded = kept is not None and kept.record and mine.digest in ("", kept.digest)
    if not recorded and taken(look, status, version):
        return f"{version} was deleted and made again since it was live here; {other}"
    found, live = versions.read(look, version), versions.read(look, status.live.version if status.live else "")
    model = look.spec.model.name or (live.spec.model if live else "")
    if found and model and found.spec.model != model and version != status.previous:
        return f"{version} is a version of model {found.spec.model}, not of {model}; {other}"
    return ""
