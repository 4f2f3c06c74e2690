"""The first look at a version's bytes, where nothing but its own pods takes one.

What they find is recorded until the ModelVersion has taken it over. A version whose bytes are not those that its spec
names is never tried again, here or elsewhere: it got no request, for none of its pods has loaded anything.
"""

from __future__ import annotations

from fairlead.api.deploymentstatus import Finding
from fairlead.manifests.server import SERVER
from fairlead.plan.core import MODEL_VERSION, Json
from fairlead.plan.deployment import versions
from fairlead.plan.deployment.context import Look, State
from fairlead.plan.deployment.rollout import ending
from fairlead.plan.deployment.serving import pods
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import failures, likeness
from fairlead.plan.model import findings
from fairlead.plan.model.waking import unverified

MOST = 20
CHANGED = "ImageChanged"
"""Reason: what runs is not the image that is named."""
_LASTING = (findings.VERIFIED, findings.MISMATCH)
"""What stays found when the pods are gone."""


def heed(look: Look, state: State) -> State:
    """Record what pods have found, and take a candidate away whose bytes are others."""
    found = _found(look, state)
    if found != state.status.findings:
        state = state.having(findings=found)
    candidate = state.candidate
    raw = look.world.get(MODEL_VERSION, candidate.version) if candidate else None
    wrong = versions.unfit(state.status, raw) if raw else None
    return ending.refuse(look, state, Problem(wrong.reason, wrong.message)) if wrong else state


def _found(look: Look, state: State) -> list[Finding]:
    """One finding a version, sorted by name; of versions that still need it."""
    known = {one.version: one for one in state.status.findings if one.reason in _LASTING}
    for pinned in state.status.versions:
        raw = versions.record(look, pinned.name)
        seen = _of_pods(look, raw) if raw is not None and unverified(raw) else None
        if seen is not None and not _is_lasting(known.get(pinned.name), seen):
            known[pinned.name] = seen
    return [one for _, one in sorted(known.items()) if _is_needed(look, one)][:MOST]


def _is_lasting(known: Finding | None, seen: Finding) -> bool:
    return known is not None and known.uid == seen.uid


def _is_needed(look: Look, one: Finding) -> bool:
    """Whether the ModelVersion is there, and does not know it yet."""
    raw = look.world.get(MODEL_VERSION, one.version)
    return raw is not None and raw["metadata"].get("uid") == one.uid and unverified(raw)


def _of_pods(look: Look, raw: Json) -> Finding | None:
    """What the pods of a version have found: that the bytes are right, that they are others, or why neither."""
    name, uid = raw["metadata"]["name"], str(raw["metadata"].get("uid", ""))
    if not raw["spec"].get("artifact"):
        return _of_images(look, name, uid, str(raw["spec"]["server"]["image"]))
    ends = [end for pod in pods.of(look, name) if (end := pods.fetched(pod)) is not None]
    if any(end.error is None for end in ends):
        return Finding(version=name, uid=uid, reason=findings.VERIFIED)
    errors = sorted(
        (end.error for end in ends if end.error), key=lambda one: (one.reason != findings.MISMATCH, one.reason)
    )
    if not errors:
        return None
    return Finding(version=name, uid=uid, reason=errors[0].reason, message=errors[0].message[:1024])


def _of_images(look: Look, name: str, uid: str, image: str) -> Finding | None:
    """What nodes say of an image that is the model: that they run the digest by which it is named, or another one."""
    asked = [found for pod in pods.of(look, name) if (found := _image(pod.raw)) is not None]
    if not asked:
        return None
    others = sorted(ran for ran in asked if not likeness.same_image(ran, image))
    if len(others) < len(asked):
        return Finding(version=name, uid=uid, reason=findings.VERIFIED)
    told = f"the node runs {others[0]}, not {image}: is there a mirror or a policy that gives another one?"
    return Finding(version=name, uid=uid, reason=CHANGED, message=told[:1024])


def _image(pod: Json) -> str | None:
    """The image that a node runs as the server, by the digest that the pod asks for; without one, as the node names it.
    None until the node says that it has it. It runs no other than one asks for by digest, but may name it by another:
    that of its platform instead of the index's, or of an index with the same content that it had before."""
    has = next((str(one.get("imageID") or "") for key, one in failures.statuses(pod) if key == SERVER), "")
    asked = str(likeness.named(pod["spec"]).get(SERVER, {}).get("image", ""))
    if not has or "@" in asked:
        return asked if has else None
    return failures.image_ran(pod, SERVER)
