"""What Deployments' pods have found of a ModelVersion's bytes: each compares digests before it loads anything.

A version that nothing is measured of needs no Job before it starts. A Deployment records what its pods find until the
ModelVersion has taken it over, so that it outlives both the pods and the operator.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from fairlead.api import halves
from fairlead.api.deploymentstatus import Finding
from fairlead.plan.core import DEPLOYMENT, Json, World

VERIFIED, MISMATCH = "Verified", "DigestMismatch"
BY_EVERY_POD = "ByEveryPod"
"""Reason of a version's condition Verified while nobody has looked at its bytes."""
_WEIGHT = {VERIFIED: 0, MISMATCH: 1}
"""Bytes that were found to be right once were right: who finds others later finds that they were changed."""


def of(world: World, uid: str) -> Finding | None:
    """What counts of all that Deployments have found of a version; None if nothing has been found yet."""
    found = [one for deployment in world.select(DEPLOYMENT) for one in recorded(deployment) if one.uid == uid]
    return min(found, key=lambda one: (_WEIGHT.get(one.reason, 2), one.reason), default=None)


def recorded(deployment: Json) -> Iterator[Finding]:
    """What a Deployment has recorded; nothing of what has another Fairlead's form."""
    for one in halves.own(deployment, "findings") or []:
        try:
            yield Finding.model_validate(one)
        except ValidationError:
            continue


def is_taken(world: World, uid: str) -> bool:
    """Whether a Deployment has pods of a version, or is about to make some."""
    return any(
        one.get("uid") == uid
        for deployment in world.select(DEPLOYMENT)
        for one in halves.own(deployment, "versions") or []
    )
