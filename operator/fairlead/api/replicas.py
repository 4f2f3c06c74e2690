"""How many pods the versions of a Deployment have, and who says so."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from fairlead.api.common import Timestamp
from fairlead.api.schema import Model, cel, exactly_one_of, strictly

MOST = 500
"""Pods that a version may have."""

_SCALED = "(has(self.external) && self.external) || has(self.target)"


class Target(Model):
    """What a HorizontalPodAutoscaler of Fairlead's keeps to."""

    cpu: Annotated[str, Field(max_length=4, pattern=r"^[1-9][0-9]{0,2}%$")] | None = None
    """CPU of the servers, as a percentage of what they request (`spec.server.resources.cpu` of the ModelVersion); needs
    metrics-server."""
    requests_per_second: (
        Annotated[
            str,
            Field(max_length=12, pattern=r"^[0-9]+(\.[0-9]+)?$",
                  json_schema_extra=strictly(r"^[1-9][0-9]{0,5}(\.[0-9]{1,3})?$")),
        ]
        | None
    ) = None  # fmt: skip
    """Requests per second of a pod: the mean over the pods of the metric `requests_per_second`, which an adapter must
    provide (`custom.metrics.k8s.io`)."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one_of("cpu", "requestsPerSecond")))


class Replicas(Model):
    """How many pods each version has while it gets traffic: `min`, unless somebody scales."""

    min: Annotated[int, Field(ge=1, le=MOST)] = 1
    """Pods of a version; where somebody scales, at least so many."""
    max: Annotated[int, Field(ge=1, le=MOST)] | None = None
    """With `target`, or `external`: at most so many."""
    target: Target | None = None
    """Fairlead makes a HorizontalPodAutoscaler that scales between `min` and `max`."""
    external: bool = False
    """Somebody else scales, by the subresource `scale` of this object: a HorizontalPodAutoscaler, a ScaledObject of KEDA,
    `kubectl scale mdeploy NAME --replicas=3`."""
    count: Annotated[int, Field(ge=0, le=MOST)] = 1
    """Written by whoever scales: the pods that all requests need. Not for git."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                *cel(
                    ("!has(self.max) || self.max >= self.min", "max must be at least min"),
                    ("!has(self.target) || has(self.max)", "target needs max: how many pods there may be at most"),
                    (f"!has(self.max) || {_SCALED}", "max goes with target, or with external: true"),
                    ("!has(self.target) || !has(self.external) || !self.external",
                     "either Fairlead's own autoscaler (target), or somebody else's (external)"),
                )["x-kubernetes-validations"],
                {
                    "rule": f"{_SCALED} || !has(self.count) || self.count == 1 || (oldSelf.hasValue() && "
                    "has(oldSelf.value().count) && self.count == oldSelf.value().count)",
                    "message": "the number of pods is spec.replicas.min: change it there. For kubectl scale, an HPA or "
                    "KEDA set spec.replicas.external to true",
                    "optionalOldSelf": True,
                },
            ]
        }
    )  # fmt: skip

    @property
    def is_scaled(self) -> bool:
        """Whether somebody scales, by `count`."""
        return self.external or self.target is not None

    @property
    def asked(self) -> int:
        """Pods that all requests need, as far as the spec says."""
        if not self.is_scaled:
            return self.min
        return min(max(self.min, self.count), self.max or MOST)


class Scaling(Model):
    """Where somebody scales: what is kept of the number of pods when the shares of the versions have changed."""

    whole: int
    """Pods that all requests have needed at most since then: a version that may have to take all of them has so many."""
    share: int = 100
    """Percent of the requests that the version gets which is measured."""
    until: Timestamp | None = None
    """So long this is kept, for what is measured may be from before; absent: what is measured counts."""
