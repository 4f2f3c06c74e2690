"""Which object a version's name stands for: by uid and digest, as they were when it was chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from fairlead.api import foreign
from fairlead.api.modelversion import Evidence, ModelVersion, ModelVersionSpec, ModelVersionStatus
from fairlead.api.pinned import RECORD, Pinned
from fairlead.plan.core import MODEL_VERSION, Json, World
from fairlead.plan.read import NotReadable, read

_LEFT_OUT = ("lineage", "approvals", "revoked")
"""Of a ModelVersion's spec, what its pods don't need."""


def digest_of(spec: ModelVersionSpec) -> str:
    """SHA-256 over what pods are made of: the model's name, its bytes, and its server. Where the bytes lie does not
    count, nor do fields that are as by default: those that a newer Fairlead adds change nothing. An image that is the
    model is a part of the server, with its digest."""
    server = spec.server.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    whole = json.dumps(
        [spec.model, spec.artifact.sha256 if spec.artifact else "", server], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(whole.encode()).hexdigest()


def model_digest(spec: ModelVersionSpec) -> str:
    """SHA-256 of the model itself: of its artifact, or of the image that is the model."""
    return spec.artifact.sha256 if spec.artifact else (spec.server.image or "").rpartition("@sha256:")[2]


def parse(raw: Json) -> ModelVersion | None:
    """A ModelVersion; None if it has a form that this operator can't read."""
    try:
        return read(ModelVersion, MODEL_VERSION, raw)
    except NotReadable:
        return None


def unreadable(raw: Json) -> NotReadable | None:
    """Why a ModelVersion can't be read; None if it can."""
    try:
        read(ModelVersion, MODEL_VERSION, raw)
    except NotReadable as why:
        return why
    return None


def uid_of(raw: Json) -> str:
    """An object's uid."""
    return str(raw["metadata"].get("uid", ""))


def pin(raw: Json) -> Pinned | None:
    """A ModelVersion as it is now; None if it can't be read."""
    found = parse(raw)
    if found is None:
        return None
    evidence = found.status.evidence or Evidence(digest="")
    spec = {key: value for key, value in raw["spec"].items() if key not in _LEFT_OUT}
    body = {"spec": spec, "sample": evidence.sample}
    known = {"profile": evidence.profile, "golden": evidence.golden}
    learnt = {name: one.model_dump(mode="json", by_alias=True) for name, one in known.items() if one}
    return Pinned(
        name=raw["metadata"]["name"], uid=uid_of(raw), digest=digest_of(found.spec),
        created=raw["metadata"].get("creationTimestamp") or None, evidence=evidence.digest,
        record=_kept(body | learnt) or _kept(body),
    )  # fmt: skip


def _kept(body: Json) -> str:
    """As a record; empty if it would be too large. Rather than that, it has no profile and
    no golden rows: pods need none."""
    record = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return record if len(record.encode()) <= RECORD else ""


def unpin(kept: Pinned) -> ModelVersion | None:
    """The version as it was chosen; None where the pin keeps no record, or one that can't be read any more."""
    if not kept.record:
        return None
    try:
        body = foreign.parse(kept.record)
        spec = ModelVersionSpec.model_validate(body["spec"])
        proof = Evidence(
            digest=kept.evidence, sample=body.get("sample", ""), profile=body.get("profile"), golden=body.get("golden")
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None
    return ModelVersion(spec=spec, status=ModelVersionStatus(evidence=proof))


def completed(world: World, kept: Pinned, raw: Json) -> Pinned:
    """The pin of an object that has got its profile since it was chosen. Nothing else of it is taken."""
    evidence = (raw.get("status") or {}).get("evidence") or {}
    there = (evidence.get("profile") or {}).get("digest") and evidence.get("digest") == kept.evidence
    known = recorded(world, kept) if there else None
    if known is None or known.status.evidence is None or known.status.evidence.profile is not None:
        return kept
    found = parse(raw)
    if found is None or found.status.evidence is None:
        return kept
    learnt = found.status.evidence.profile
    assert learnt
    body = {**foreign.parse(kept.record), "profile": learnt.model_dump(mode="json", exclude_defaults=True)}
    record = _kept(body)
    return kept.model_copy(update={"record": record}) if record else kept


def recorded(world: World, kept: Pinned) -> ModelVersion | None:
    """`unpin`, once as long as the pin stays the same: each look of each rollout asks, and each proof asks of the live
    versions of all Deployments."""
    memo = world.memo
    if memo is None:
        return unpin(kept)
    found: ModelVersion | None = memo.find(
        ("recorded", kept.uid, kept.name), lambda known: bool(known == kept), lambda: (kept, unpin(kept))
    )
    return found


def is_it(kept: Pinned | None, raw: Json | None) -> bool:
    """Whether an object of the cluster is the one that was chosen. Without a pin it is taken at its name."""
    return raw is not None and (kept is None or kept.uid == uid_of(raw))


def is_other(kept: Pinned, raw: Json) -> bool:
    """Whether an object that has the pinned one's name has other bytes, or another server."""
    if kept.uid == uid_of(raw):
        return False
    found = parse(raw)
    return found is None or digest_of(found.spec) != kept.digest


def named(pins: Iterable[Pinned], name: str) -> Pinned | None:
    """The pin of a name."""
    return next((one for one in pins if one.name == name), None)
