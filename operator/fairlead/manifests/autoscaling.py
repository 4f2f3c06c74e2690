"""The HorizontalPodAutoscaler of a Deployment: one for all versions, by the Deployment's subresource `scale`."""

from __future__ import annotations

from fairlead.api.common import API_VERSION
from fairlead.api.replicas import Replicas
from fairlead.manifests.meta import Json
from fairlead.manifests.server import SERVER

REQUESTS = "requests_per_second"
"""Name of the pods' metric that an adapter must provide."""


def autoscaler(meta: Json, deployment: str, wanted: Replicas) -> Json:
    """It scales the Deployment's `spec.replicas.count` by its target, which `wanted` must have."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": {
            "scaleTargetRef": {"apiVersion": API_VERSION, "kind": "Deployment", "name": deployment},
            "minReplicas": wanted.min,
            "maxReplicas": wanted.max,
            "metrics": [_metric(wanted)],
        },
    }


def _metric(wanted: Replicas) -> Json:
    """The server's CPU alone: what stands beside it in the pod says nothing of the load."""
    target = wanted.target
    assert target
    if target.cpu:
        aim = {"type": "Utilization", "averageUtilization": int(target.cpu.rstrip("%"))}
        return {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": SERVER, "target": aim}}
    aim = {"type": "AverageValue", "averageValue": target.requests_per_second}
    return {"type": "Pods", "pods": {"metric": {"name": REQUESTS}, "target": aim}}
