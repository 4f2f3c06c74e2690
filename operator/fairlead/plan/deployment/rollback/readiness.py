"""Could the live version be rolled back now? Verified at each look, from what is known anyway."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.modelversion import ModelVersion
from fairlead.manifests import presets, server
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Json
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import pods, running, sizes, stored
from fairlead.plan.deployment.serving.pods import Problem

CONDITION = "RollbackReady"


def tell(look: Look, told: Conditions, status: DeploymentStatus, stuck: Problem | None) -> None:
    """The condition of a live version that has one before it. stuck: why a rollback does not go on."""
    wanted = status.way_back.version if status.way_back else status.previous
    if status.live is None or wanted is None:
        told.drop(CONDITION)
        return
    problem = stuck or unready(look, wanted, status.live.version) or _stored(look, status, wanted)
    problem = problem or _starting(look, status, wanted)
    if problem:
        told.set(CONDITION, False, problem.reason, problem.message)
    else:
        reason, message = _ready(look, wanted)
        told.set(CONDITION, True, reason, message + _unknown(look, wanted, status.live.version))


def unready(look: Look, version: str, live: str) -> Problem | None:
    """Why a version could not take over, and what to do about it; None if nothing is known against it. live: the
    version whose requests it would get; empty: don't ask whether it understands them."""
    raw, found, why = _there(look, version), versions.read(look, version), versions.revoked(look, version)
    if why:
        return Problem("VersionRevoked", f"{version}, the way back, was revoked: {why}. Name "
                       f"another version by kubectl fairlead rollback {look.name} --to VERSION")  # fmt: skip
    if raw is None and found is not None:  # all that its pods need was recorded when it was chosen
        return _image(look, found, version) or _schema(look, found, version, live)
    if raw is None:
        return Problem("VersionMissing", f"ModelVersion {version}, the way back, is gone: apply it again, or name "
                       f"another version by kubectl fairlead rollback {look.name} --to VERSION")  # fmt: skip
    if found is None:
        return Problem("VersionUnreadable", f"ModelVersion {version} has a form that this operator can't read; make "
                       "it again, or update Fairlead")  # fmt: skip
    return _standing(raw, version) or _image(look, found, version) or _schema(look, found, version, live)


def _there(look: Look, version: str) -> Json | None:
    """Its ModelVersion, if that is there, is the one that was chosen, and stays."""
    raw = versions.record(look, version)
    return None if raw is None or raw["metadata"].get("deletionTimestamp") else raw


def _standing(raw: Json, version: str) -> Problem | None:
    """Its bytes were verified when it was approved, and nobody has taken that back."""
    status = raw.get("status") or {}
    bad = next((c for c in status.get("conditions") or [] if c["type"] == "Verified" and c["status"] == "False"), None)
    if bad:
        return Problem(bad.get("reason", "NotVerified"), f"the model of {version}, the way back, is not what was "
                       f"approved: {str(bad.get('message', ''))[:500]}")  # fmt: skip
    if status.get("phase") != "Approved":
        said = str(status.get("message") or "").rstrip(".")[:300]
        return Problem("NotApproved", f"{version}, the way back, is {status.get('phase') or 'Pending'}"
                       f"{f' ({said})' if said else ''}; approve it, or name another version")  # fmt: skip
    return None


def _image(look: Look, found: ModelVersion, version: str) -> Problem | None:
    try:
        server.check(found.spec.server, look.spec.recorded is not None, look.world.config)
    except presets.Unservable as missing:
        return Problem(missing.reason, f"{version}, the way back, can't be served: {missing}")
    why = running.refused(look, version, found)
    return Problem(why[0], f"{version}, the way back, can't be served: {why[1]}") if why else None


def _schema(look: Look, found: ModelVersion, version: str, live: str) -> Problem | None:
    """As far as both have recorded it: what the old model needs, the live one's clients must send."""
    lacking = _beyond(found, versions.read(look, live))
    if not lacking:
        return None
    return Problem(
        "SchemaDiffers", f"{version}, the way back, needs inputs that {live} does not ask for ({lacking}), so clients "
        f"may not send them. If they do: kubectl fairlead rollback {look.name} --to {version}",
    )  # fmt: skip


def _unknown(look: Look, version: str, live: str) -> str:
    """What keeps nobody from going back, but may make it useless; nothing if nothing is known of the kind."""
    new = _beyond(versions.read(look, live), versions.read(look, version))
    return f". It does not know inputs that {live} asks for ({new}): its server must pass over them" if new else ""


def _beyond(one: ModelVersion | None, other: ModelVersion | None) -> str:
    """The first inputs that the one asks for and the other does not, as far as both have recorded it."""
    if one is None or other is None or one.spec.evaluation is None or other.spec.evaluation is None:
        return ""
    return ", ".join(sorted(set(one.spec.evaluation.features) - set(other.spec.evaluation.features))[:5])


def _stored(look: Look, status: DeploymentStatus, version: str) -> Problem | None:
    if not stored.missing(status, version) or any(pod.ready for pod in pods.of(look, version)):
        return None
    found = versions.read(look, version)
    where = found.spec.artifact.uri if found and found.spec.artifact else "the store"
    return Problem(
        "ObjectMissing",
        f"the model of {version}, the way back, is not at {where} any more: bring it back "
        f"(its digest is checked), or name another version by kubectl fairlead rollback {look.name} --to VERSION",
    )


def _starting(look: Look, status: DeploymentStatus, version: str) -> Problem | None:
    """While its pods are there: what keeps them from being ready."""
    if not pods.of(look, version) or any(one.version == version for one in status.retiring):
        return None
    problem = pods.problem(look, version)
    return Problem(problem.reason, f"{version}, the way back, can't start: {problem.message}") if problem else None


def _ready(look: Look, version: str) -> tuple[str, str]:
    wanted, ready = sizes.whole(look, look.subject.body.status), sum(pod.ready for pod in pods.of(look, version))
    if ready >= wanted:
        return "Running", f"{version} could answer at once: its pods run"
    found = versions.read(look, version)
    gpu = found.spec.server.resources.gpu if found else None
    needs = f"; they need {wanted * gpu.count} free {gpu.requested}" if gpu else ""
    known = "is approved and verified" if _there(look, version) else "is recorded, though its ModelVersion is gone,"
    return "Startable", f"{version} {known} and its image is known; its pods would be started{needs}"
