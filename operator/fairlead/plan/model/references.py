"""Which ModelVersions the Deployments of a namespace still speak of.

Whatever reads like a version's name counts, wherever it stands in a Deployment's spec, status or annotations: what is
live, on its way, the way back, in an experiment, in what was served or refused here, or in a field that only a newer
Fairlead knows. What can't be told keeps versions, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.api import halves
from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION, Json, World, epoch
from fairlead.plan.model import identity

_LONGEST = 63
_NO_NAMES = frozenset({"cursors", "answers", "warmed", "ledger", "unsaved", "conditions", "judgements", "older"})
"""Parts of a status that are long and name no version; and `older`, of those that need not be there."""

STRANGE = (AttributeError, KeyError, TypeError, ValueError)
"""What objects raise that have another form than their definition says."""


@dataclass(frozen=True)
class _Follower:
    """A Deployment that takes the newest approved version of a model."""

    deployment: str
    after: float | None
    """When its live version was made (epoch seconds): it may take what is newer. None: nobody knows; any may be
    next."""


@dataclass
class References:
    """What the Deployments speak of."""

    named: dict[str, str] = field(default_factory=dict)
    """Version → a Deployment that names it."""
    followers: dict[str, list[_Follower]] = field(default_factory=dict)
    """By model."""
    unknown: str = ""
    """A Deployment of which it can't be told what it speaks of."""

    def keeps(self, raw: Json) -> str:
        """Why a version has to stay; empty: no Deployment needs it."""
        name, model = raw["metadata"]["name"], raw["spec"]["model"]
        if name in self.named:
            return f"Deployment {self.named[name]} names it"
        if self.unknown:
            return f"it can't be told which versions Deployment {self.unknown} needs"
        for one in self.followers.get(model, ()):
            if one.after is None:
                return f"Deployment {one.deployment} has no live version yet"
            if raw["status"]["phase"] == "Approved" and _made(raw) >= one.after:
                return f"it is newer than what Deployment {one.deployment} serves"
        return ""


def of(world: World) -> References:
    """What all Deployments of the namespace speak of."""
    found = References()
    for raw in world.select(DEPLOYMENT):
        name = raw["metadata"]["name"]
        for version in _names(world, raw):
            found.named.setdefault(version, name)
        try:
            model, after = _model(world, raw), _after(world, raw)
        except STRANGE:
            model, after = None, None
        if model is None:
            found.unknown = name
        elif model:
            found.followers.setdefault(model, []).append(_Follower(name, after))
    return found


def _names(world: World, raw: Json) -> frozenset[str]:
    memo = world.memo
    if memo is None:
        return _found(raw)
    found: frozenset[str] = memo.of(("names", raw["metadata"]["uid"]), raw, lambda: _found(raw))
    return found


def _found(raw: Json) -> frozenset[str]:
    parts = [raw.get("spec"), raw.get("status"), raw["metadata"].get("annotations")]
    return frozenset(word for part in parts for word in _words(part))


def _words(value: Any) -> Iterator[str]:
    """All texts that may be names."""
    if isinstance(value, str):
        if len(value) <= _LONGEST:
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from _words(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in _NO_NAMES:
                yield key
                yield from _words(one)


def _model(world: World, raw: Json) -> str | None:
    """The model whose versions it may take; empty: of none besides those that it names. None: that can't be told."""
    wanted, live = raw["spec"].get("model"), (raw.get("status") or {}).get("live")
    if not isinstance(wanted, dict):
        return None
    if wanted.get("name"):
        return str(wanted["name"])
    if live:
        return ""
    # pinned to a version, and without a status: made a moment ago, or lost, and then the store knows what it served
    named = world.get(MODEL_VERSION, str(wanted.get("version") or ""))
    return str(named["spec"]["model"]) if named else None


def _after(world: World, raw: Json) -> float | None:
    """When the live version was made, as far as that is known."""
    status = raw.get("status") or {}
    live = str((status.get("live") or {}).get("version") or "")
    if not live:
        return None
    # nonsense is not passed over here: it is a Deployment of which nobody can tell what it needs
    known = next((one for one in halves.member(raw, "versions") or () if one.get("name") == live), None)
    if known and known.get("created"):
        return epoch(known["created"])
    there = world.get(MODEL_VERSION, live)
    same = there is not None and (not known or not known.get("uid") or known["uid"] == identity.uid_of(there))
    stamp = there["metadata"].get("creationTimestamp") if there is not None and same else None
    return epoch(stamp) if stamp else None


def _made(raw: Json) -> float:
    stamp = raw["metadata"].get("creationTimestamp")
    return epoch(stamp) if stamp else float("inf")
