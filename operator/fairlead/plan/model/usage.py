"""Where a ModelVersion is used: live, on its way, as the way back, or taken back. Read off the Deployments' statuses,
which are raw here: a Deployment may be of another Fairlead's form, and there are thousands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fairlead.api.modelversion import Use
from fairlead.plan.core import DEPLOYMENT, Json, Peers, World

MOST = 20
"""Deployments that a ModelVersion's status names."""
SUMMARY = 120
MANY = "in-many"
"""Key of the ModelVersions that more Deployments use than their status names."""
_WORDS = {
    "Live": "live in", "Candidate": "on its way in", "Arm": "compared in", "Standby": "stands by in",
    "WayBack": "way back of", "Refused": "refused by",
}  # fmt: skip
"""The roles in the order in which they are told."""
_OWN = frozenset({"deployments", "moreDeployments", "inUse", "conditions", "problem"})


class Part(NamedTuple):
    """A version's part in one Deployment."""

    role: str
    reason: str = ""
    since: str = ""


def parts(deployment: Json) -> dict[str, Part]:
    """The versions that a Deployment uses or has taken back. Empty for a status of another form."""
    try:
        return _parts(deployment.get("status") or {})
    except (AttributeError, KeyError, TypeError):
        return {}


def _parts(status: Json) -> dict[str, Part]:
    ends = [one for one in status.get("history") or [] if one["result"] in ("RolledBack", "Failed")]
    told = {one["version"]: one for one in reversed(ends)}
    found = {
        name: Part("Refused", told.get(name, {}).get("reason", ""), told.get(name, {}).get("endedAt", ""))
        for name in status.get("refused") or []
    }
    live, kept, back = status.get("live") or {}, status.get("watch") or {}, status.get("wayBack") or {}
    if status.get("previous"):
        found[status["previous"]] = Part("WayBack", since=live.get("since", ""))
    if kept.get("standby") or kept.get("holdback") or kept.get("confirmation"):
        found[kept["against"]] = Part("Standby", since=kept.get("since", ""))
    if back:
        found[back["version"]] = Part("WayBack", back.get("reason", ""), back.get("since", ""))
    trial = status.get("experiment") or {}
    for arm in trial.get("arms") or [] if trial.get("phase") != "Ended" else []:
        found[arm["version"]] = Part("Arm", since=arm.get("since", ""))
    candidate = status.get("candidate") or {}
    for role, one in (("Candidate", candidate), ("Live", live)):
        if one:
            found[one["version"]] = Part(role, since=one.get("since", ""))
    return found


def index(deployment: Json) -> Iterator[str]:
    """The keys by which a Deployment is found."""
    return (_key(name) for name in parts(deployment))


def _key(version: str) -> str:
    return f"uses/{version}"


def _listed_by(deployment: str) -> str:
    return f"in/{deployment}"


def keys(version: Json) -> Iterator[str]:
    """The keys by which a ModelVersion is found whose status names a Deployment, or counts more than it names."""
    status = version.get("status") or {}
    for one in status.get("deployments") or ():
        yield _listed_by(one["name"])
    if status.get("moreDeployments"):
        yield MANY


def by_deployment(deployment: Json, versions: Peers) -> Iterator[str]:
    """The ModelVersions that a Deployment uses, and those that still say so, or may count it."""
    yield from parts(deployment)
    for key in (_listed_by(deployment["metadata"]["name"]), MANY):
        for one in versions.indexed(key):
            yield one["metadata"]["name"]


def besides(version: Json) -> object:
    """What of a ModelVersion is not about where it is used: all that a Deployment goes by."""
    meta = {key: value for key, value in version["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    status = version.get("status") or {}
    told = [one for one in status.get("conditions") or [] if one.get("type") in ("Verified", "Evaluated", "Approved")]
    return meta, version.get("spec"), told, {key: value for key, value in status.items() if key not in _OWN}


# --- what a ModelVersion says of it ----------------------------------------------------------------------------------


def uses(world: World, version: str, known: Iterable[Use]) -> list[Use]:
    """All Deployments that use a version, newest first. known: what was said before: why it was taken back stays, also
    when the Deployment's history has forgotten it."""
    before = {one.name: one for one in known}
    found = []
    for raw in world.indexed(DEPLOYMENT, _key(version)):
        part, name = parts(raw).get(version), raw["metadata"]["name"]
        if part is None:
            continue
        old = before.get(name)
        if old and old.role == part.role and not part.since:
            found.append(old)
        else:
            found.append(Use(name=name, role=part.role, reason=part.reason[:64], since=part.since or None))
    return sorted(found, key=lambda one: (one.since or "", one.name), reverse=True)


def speaks(version: Json) -> bool:
    """Whether a ModelVersion says that any Deployment uses it."""
    return bool((version.get("status") or {}).get("deployments"))


def stale(version: Json, world: World) -> bool:
    """Whether a ModelVersion that is settled says something else of its use than is the case."""
    said = (version.get("status") or {}).get("deployments") or []
    try:
        known = [Use.model_validate(one) for one in said]
    except ValueError:
        return True  # of another Fairlead's form
    found = uses(world, version["metadata"]["name"], known)
    more = int((version.get("status") or {}).get("moreDeployments") or 0)
    return found[:MOST] != known or max(0, len(found) - MOST) != more


def summary(found: list[Use]) -> str:
    """In a few words, the most important first; empty where it is not used."""
    told = []
    for role, words in _WORDS.items():
        names = [f"{one.name}{f' ({one.reason})' if one.reason else ''}" for one in found if one.role == role]
        if names:
            told.append(f"{words} {', '.join(names)}")
    text = "; ".join(told)
    return text if len(text) <= SUMMARY else f"{text[: SUMMARY - 1]}…"
