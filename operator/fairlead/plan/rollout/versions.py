"""Which version should be live."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.modelversion import ModelVersion
from fairlead.plan.core import MODEL_VERSION, Json, World, epoch
from fairlead.plan.experiment import phase
from fairlead.plan.memo import memo_of
from fairlead.plan.rollout import requirements
from fairlead.plan.rollout.look import RETRY, Look

_TRAILING_NUMBER = re.compile(r"([0-9]+)$")
_OVER = ("Rejected", "Revoked")


@dataclass(frozen=True)
class Choice:
    """The version that should be live, or None and why. With the live version: why no newer one is."""

    version: str | None
    reason: str = ""
    message: str = ""


def read(look: Look, name: str) -> ModelVersion | None:
    """A ModelVersion; None if it is not there, or of a form that this operator can't read."""
    return look.once(("version", name), lambda: _read(look.world, name))


def _read(world: World, name: str) -> ModelVersion | None:
    raw = world.get(MODEL_VERSION, name) if name else None
    if raw is None:
        return None
    memo = memo_of(world)
    if memo is None:
        return _parse(raw)
    found: ModelVersion | None = memo.of(("version", raw["metadata"]["uid"]), raw, lambda: _parse(raw))
    return found


def _parse(raw: Json) -> ModelVersion | None:
    try:
        return ModelVersion.model_validate({key: raw[key] for key in ("spec", "status") if raw.get(key)})
    except ValidationError:
        return None


def age_key(raw: Json) -> tuple[str, int, str]:
    """Sorts versions from old to new: by creation, then by the number at the end of the name (`m-9` before `m-10`)."""
    meta = raw["metadata"]
    number = _TRAILING_NUMBER.search(meta["name"])
    return meta.get("creationTimestamp", ""), int(number[1]) if number else -1, meta["name"]


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
    if raw["spec"].get("revoked"):
        return Choice(None, "VersionRevoked", f"{wanted} was revoked: {raw['spec']['revoked']}; name another version")
    if wanted in status.refused:
        return Choice(None, "VersionRefused", refusal(look, wanted))
    if _phase(raw) != "Approved" and not _runs(status, wanted, raw):
        return Choice(None, "NotApproved", f"{_standing(raw)}; it is rolled out when it is approved")
    lack = _lacking(look, status, raw)
    return Choice(None, *lack.told) if lack else Choice(wanted)


def refusal(look: Look, version: str) -> str:
    """What to do about a version that was taken back."""
    again = f"kubectl annotate mdeploy -n {look.namespace} {look.name} {RETRY}={version}"
    return f"{version} was taken back here and is not tried again; make a new version, or: {again}"


def _newest(look: Look, status: DeploymentStatus, model: str) -> Choice:
    compared = look.spec.experiment.versions if look.spec.experiment else []
    mine = [raw for raw in look.world.select(MODEL_VERSION)
            if raw["spec"].get("model") == model and raw["metadata"]["name"] not in compared]  # fmt: skip
    usable = [raw for raw in mine if _usable(status, raw)]
    held = {raw["metadata"]["name"]: lack for raw in usable if (lack := _lacking(look, status, raw))}
    newest = max((raw for raw in usable if raw["metadata"]["name"] not in held), key=age_key, default=None)
    live = status.live.version if status.live else None
    if live is not None:
        newer = newest is not None and _is_newer(look, status, newest)
        waiting = max((raw for raw in usable if _is_newer(look, status, raw)), key=age_key, default=None)
        lack = held.get(waiting["metadata"]["name"]) if waiting and not newer else None
        return Choice(newest["metadata"]["name"] if newest and newer else live, *(lack.told if lack else ()))
    if newest is not None:
        return Choice(newest["metadata"]["name"])
    if not mine:
        return Choice(None, "VersionMissing", f"there is no ModelVersion of model {model} yet; create one, or run the "
                      "Pipeline that produces it")  # fmt: skip
    if held:
        return Choice(None, *held[max(usable, key=age_key)["metadata"]["name"]].told)
    last = max(mine, key=age_key)
    return Choice(None, "NotApproved", f"no version of model {model} may go live: {_standing(last)}")


def _usable(status: DeploymentStatus, raw: Json) -> bool:
    name = raw["metadata"]["name"]
    if raw["spec"].get("revoked") or name in status.refused or raw["metadata"].get("deletionTimestamp"):
        return False
    return _phase(raw) == "Approved" or _runs(status, name, raw)


def _lacking(look: Look, status: DeploymentStatus, raw: Json) -> requirements.Lacking | None:
    """What it lacks to be chosen. One that is on its way stays there while that is not known: it does not go live."""
    lack = requirements.lacking(look, raw)
    return None if lack and not lack.certain and _runs(status, raw["metadata"]["name"], raw) else lack


def might_be_next(look: Look, status: DeploymentStatus, raw: Json) -> bool:
    """Whether it would be rolled out, if nothing more were asked of it."""
    return _usable(status, raw) and _is_newer(look, status, raw)


def _runs(status: DeploymentStatus, name: str, raw: Json) -> bool:
    """Whether it is on its way already, and nothing speaks against it."""
    return status.candidate is not None and status.candidate.version == name and _phase(raw) not in _OVER


def _is_newer(look: Look, status: DeploymentStatus, raw: Json) -> bool:
    """Whether a version is newer than the live one."""
    assert status.live
    live = look.world.get(MODEL_VERSION, status.live.version)
    if live is not None:
        return age_key(raw) > age_key(live)
    # the live one's record is gone: only what was made after it went live is newer for sure
    return epoch(raw["metadata"].get("creationTimestamp") or status.live.since) > epoch(status.live.since)


def _phase(raw: Json) -> str:
    return str((raw.get("status") or {}).get("phase") or "Pending")


def _standing(raw: Json) -> str:
    """Where a version stands, in words."""
    name, status = raw["metadata"]["name"], raw.get("status") or {}
    if raw["spec"].get("revoked"):
        return f"{name} was revoked: {raw['spec']['revoked']}"
    said = str(status.get("message") or "").rstrip(".")
    return f"{name} is {_phase(raw)}" + (f" ({said[:300]})" if said else "")
