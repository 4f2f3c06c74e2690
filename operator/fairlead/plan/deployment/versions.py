"""Which version should be live."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fairlead.api.deploymentstatus import DeploymentStatus, Finding
from fairlead.api.modelversion import ModelVersion
from fairlead.plan.core import MODEL_VERSION, Json, World, epoch
from fairlead.plan.deployment import phase, pins, requirements
from fairlead.plan.deployment.context import RETRY, Look
from fairlead.plan.model import findings, identity
from fairlead.plan.model.waking import of_model

_TRAILING_NUMBER = re.compile(r"([0-9]+)$")
_OVER = ("Rejected", "Revoked")
REFUSED = "VersionRefused"


@dataclass(frozen=True)
class Choice:
    """The version that should be live, or None and why. With the live version: why no newer one is."""

    version: str | None
    reason: str = ""
    message: str = ""
    final: bool = False
    """What keeps a version from going live stays, until somebody makes another one or names another one."""
    person: bool = False
    """Its approval is all that is waited for."""


def read(look: Look, name: str) -> ModelVersion | None:
    """A version as this Deployment has chosen it, whatever has its name now; the ModelVersion of one that it has not
    chosen. None if it is not there, or of a form that this operator can't read."""
    return look.once(("version", name), lambda: _read(look, name))


def _read(look: Look, name: str) -> ModelVersion | None:
    known = pins.of(look).get(name)
    found = identity.recorded(look.world, known) if known and known.record else None
    if found is not None or not name:
        return found
    raw = record(look, name)
    return _parse(look.world, raw) if raw is not None else None


def _parse(world: World, raw: Json) -> ModelVersion | None:
    memo = world.memo
    if memo is None:
        return identity.parse(raw)
    found: ModelVersion | None = memo.of(("version", raw["metadata"]["uid"]), raw, lambda: identity.parse(raw))
    return found


def record(look: Look, name: str) -> Json | None:
    """The ModelVersion that this Deployment means by a name; None if it is gone, also if another one has its name."""
    return look.once(("record", name), lambda: _record(look, name))


def _record(look: Look, name: str) -> Json | None:
    raw = look.world.get(MODEL_VERSION, name)
    return raw if raw is not None and pins.is_it(look, raw) else None


def gone(look: Look, name: str) -> tuple[str, str]:
    """Reason and words for a version that `record` does not find."""
    raw, known = look.world.get(MODEL_VERSION, name), pins.of(look).get(name)
    if raw is None or known is None:
        return "VersionMissing", f"ModelVersion {name} was deleted"
    again = f"ModelVersion {name} was deleted and made again"
    if identity.is_other(known, raw):
        return "VersionReplaced", f"{again} with other bytes or another server: make it under a new name"
    return "VersionReplaced", f"{again} from the same bytes: it counts when it is approved once more"


def revoked(look: Look, name: str) -> str:
    """Why a version must not be used any more; empty if nobody has said so. Who makes one again from the same bytes
    speaks of both."""
    raw, known = look.world.get(MODEL_VERSION, name), pins.of(look).get(name)
    if raw is None or (known and identity.is_other(known, raw)):
        return ""
    return str(raw["spec"].get("revoked") or "")


def age_key(raw: Json) -> tuple[str, int, str]:
    """Sorts versions from old to new: by creation, then by the number at the end of the name (`m-9` before `m-10`)."""
    return _age(raw["metadata"].get("creationTimestamp", ""), raw["metadata"]["name"])


def _age(created: str, name: str) -> tuple[str, int, str]:
    number = _TRAILING_NUMBER.search(name)
    return created, int(number[1]) if number else -1, name


def age(look: Look, name: str) -> tuple[str, int, str] | None:
    """The key of a version by its name; of one that was made again from the same bytes, as of the first one. None: it
    is not known when it was made."""
    return look.once(("age", name), lambda: _age_by_name(look, name))


def _age_by_name(look: Look, name: str) -> tuple[str, int, str] | None:
    known, raw = pins.of(look).get(name), record(look, name)
    if known and known.created:
        return _age(known.created, name)
    return age_key(raw) if raw else None


def choose(look: Look, status: DeploymentStatus) -> Choice:
    """The version that should be live, as the spec says."""
    wanted = look.spec.model.version
    return _pinned(look, status, wanted) if wanted else _newest(look, status, look.spec.model.name or "")


def _pinned(look: Look, status: DeploymentStatus, wanted: str) -> Choice:
    if status.live and status.live.version == wanted:
        return Choice(wanted)
    if status.live and phase.settles(status, wanted):
        return Choice(status.live.version)
    raw = look.world.get(MODEL_VERSION, wanted)
    if raw is None:
        return Choice(None, "VersionMissing", f"ModelVersion {wanted} does not exist; create it, or correct spec.model")
    if not pins.is_it(look, raw):
        known = pins.of(look).get(wanted)
        return Choice(None, *gone(look, wanted), final=bool(known and identity.is_other(known, raw)))
    if raw["spec"].get("revoked"):
        return Choice(None, "VersionRevoked", f"{wanted} was revoked: {raw['spec']['revoked']}; name another version",
                      final=True)  # fmt: skip
    if wanted in status.refused:
        return Choice(None, REFUSED, refusal(look, wanted), final=True)
    if (wrong := unfit(status, raw)) is not None:
        told = f"the bytes of {wanted} are not those that it names: {wrong.message}"
        return Choice(None, wrong.reason, told, final=True)
    if _phase(raw) in _OVER:
        return Choice(None, "NotApproved", f"{_standing(raw)}; make a new version, or name another one", final=True)
    if _phase(raw) != "Approved" and not _runs(status, wanted, raw):
        told = f"{_standing(raw)}; it is rolled out when it is approved"
        return Choice(None, "NotApproved", told, person=_phase(raw) == "AwaitingApproval")
    lack = _lacking(look, status, raw)
    return Choice(None, *lack.told, final=_stays(lack)) if lack else Choice(wanted)


def unfit(status: DeploymentStatus, raw: Json) -> Finding | None:
    """What this Deployment's pods have found of a version whose bytes are not those that its spec names."""
    uid = raw["metadata"].get("uid", "")
    return next((one for one in status.findings if one.uid == uid and one.reason == findings.MISMATCH), None)


def refusal(look: Look, version: str) -> str:
    """What to do about a version that was taken back."""
    again = f"kubectl annotate mdeploy -n {look.namespace} {look.name} {RETRY}={version}"
    return f"{version} was taken back here and is not tried again; make a new version, or: {again}"


def _newest(look: Look, status: DeploymentStatus, model: str) -> Choice:
    compared = look.spec.experiment.versions if look.spec.experiment else []
    mine = [raw for raw in of_model(look.world, model) if raw["metadata"]["name"] not in compared]
    usable = [raw for raw in mine if _usable(status, raw) and pins.is_it(look, raw)
              and raw["metadata"]["name"] not in status.older]  # fmt: skip
    held = {raw["metadata"]["name"]: lack for raw in usable if (lack := _lacking(look, status, raw))}
    free = [raw for raw in usable if raw["metadata"]["name"] not in held]
    newest = max(free, key=lambda raw: age_of(look, raw), default=None)
    live = status.live.version if status.live else None
    if live is not None:
        newer = newest is not None and _is_newer(look, status, newest)
        later = [raw for raw in usable if _is_newer(look, status, raw)]
        lack = _first_of(look, later, held) if not newer else None
        chosen = newest["metadata"]["name"] if newest and newer else live
        return Choice(chosen, *lack.told, final=_stays(lack)) if lack else Choice(chosen)
    if newest is not None:
        return Choice(newest["metadata"]["name"])
    if not mine:
        return Choice(None, "VersionMissing", f"there is no ModelVersion of model {model} yet; create one, or run the "
                      "Pipeline that produces it")  # fmt: skip
    lack = _first_of(look, usable, held)
    if lack:
        return Choice(None, *lack.told, final=_stays(lack))
    last, over = max(mine, key=age_key), all(_phase(raw) in _OVER for raw in mine)
    if (wrong := unfit(status, last)) is not None:
        return Choice(None, wrong.reason, f"no version of model {model} may go live: {wrong.message}", final=True)
    told, asked = f"no version of model {model} may go live: {_standing(last)}", _phase(last) == "AwaitingApproval"
    return Choice(None, "NotApproved", told, final=over, person=asked)


def newest_refused(look: Look, status: DeploymentStatus) -> str | None:
    """The newest version of the model that would be live, had it not been taken back here."""
    compared = look.spec.experiment.versions if look.spec.experiment else []
    found = [look.world.get(MODEL_VERSION, name) for name in status.refused if name not in (*compared, *status.older)]
    mine = [
        raw for raw in found if raw is not None and raw["spec"].get("model") == look.spec.model.name
        and _phase(raw) == "Approved" and not raw["spec"].get("revoked") and pins.is_it(look, raw)
        and (status.live is None or _is_newer(look, status, raw))
    ]  # fmt: skip
    newest = max(mine, key=lambda raw: age_of(look, raw), default=None)
    return newest["metadata"]["name"] if newest else None


def _stays(lack: requirements.Lacking) -> bool:
    """Whether it lacks what nobody can give it."""
    return lack.reason not in (requirements.UNMET, requirements.UNKNOWN)


def _usable(status: DeploymentStatus, raw: Json) -> bool:
    name = raw["metadata"]["name"]
    if raw["spec"].get("revoked") or name in status.refused or raw["metadata"].get("deletionTimestamp"):
        return False
    if unfit(status, raw) is not None:
        return False
    return _phase(raw) == "Approved" or _runs(status, name, raw)


def _lacking(look: Look, status: DeploymentStatus, raw: Json) -> requirements.Lacking | None:
    """What it lacks to be chosen. One that is on its way stays there while that is not known: it does not go live."""
    lack = _unreadable(look, raw) or requirements.lacking(look, raw)
    return None if lack and not lack.certain and _runs(status, raw["metadata"]["name"], raw) else lack


def _unreadable(look: Look, raw: Json) -> requirements.Lacking | None:
    """Why a version can't be rolled out that another Fairlead has written."""
    if _parse(look.world, raw) is not None:
        return None
    why = identity.unreadable(raw)
    return requirements.Lacking(why.reason.replace(MODEL_VERSION.kind, "Version"), why.message) if why else None


def _first_of(
    look: Look, found: list[Json], held: dict[str, requirements.Lacking]
) -> requirements.Lacking | None:  # fmt: skip
    """What the newest of some versions lacks."""
    newest = max(found, key=lambda raw: age_of(look, raw), default=None)
    return held.get(newest["metadata"]["name"]) if newest else None


def might_be_next(look: Look, status: DeploymentStatus, raw: Json) -> bool:
    """Whether it would be rolled out, if nothing more were asked of it."""
    mine = pins.is_it(look, raw) and raw["metadata"]["name"] not in status.older
    return mine and _usable(status, raw) and _is_newer(look, status, raw)


def _runs(status: DeploymentStatus, name: str, raw: Json) -> bool:
    """Whether it is on its way already, and nothing speaks against it."""
    return status.candidate is not None and status.candidate.version == name and _phase(raw) not in _OVER


def _is_newer(look: Look, status: DeploymentStatus, raw: Json) -> bool:
    """Whether a version is newer than the live one."""
    assert status.live
    live = age(look, status.live.version)
    if live is not None:
        return age_of(look, raw) > live
    # nobody knows when the live one was made: only what was made after it went live is newer for sure
    return epoch(raw["metadata"].get("creationTimestamp") or status.live.since) > epoch(status.live.since)


def age_of(look: Look, raw: Json) -> tuple[str, int, str]:
    """The key of an object, as of the one that was pinned if it is that."""
    return age(look, raw["metadata"]["name"]) or age_key(raw)


def _phase(raw: Json) -> str:
    return str((raw.get("status") or {}).get("phase") or "Pending")


def _standing(raw: Json) -> str:
    """Where a version stands, in words."""
    name, status = raw["metadata"]["name"], raw.get("status") or {}
    if raw["spec"].get("revoked"):
        return f"{name} was revoked: {raw['spec']['revoked']}"
    said = str(status.get("message") or "").rstrip(".")
    return f"{name} is {_phase(raw)}" + (f" ({said[:300]})" if said else "")
