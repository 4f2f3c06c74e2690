"""Pretend GPUs on the node: the extended resource and the labels that GPU feature discovery would set."""

import json
from datetime import UTC, datetime
from typing import Any

from hack.cluster import waiting
from hack.cluster.kube import Kube
from hack.cluster.settings import GPU_COUNT, GPU_MEMORY_MIB, GPU_PRODUCT, NODE

RESOURCE = "nvidia.com/gpu"
LABELS = {
    "nvidia.com/gpu.present": "true",
    "nvidia.com/gpu.product": GPU_PRODUCT,
    "nvidia.com/gpu.memory": str(GPU_MEMORY_MIB),
    "nvidia.com/gpu.count": str(GPU_COUNT),
}


def reported_since(node: dict[str, Any], since: datetime | None) -> bool:
    """Whether the node is Ready by a report of the kubelet that is not older than `since`."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            beat = datetime.fromisoformat(condition["lastHeartbeatTime"].replace("Z", "+00:00"))
            return since is None or beat >= since.replace(microsecond=0)
    return False


def await_node(kube: Kube, since: datetime | None) -> None:
    """Wait for the node: first it must exist, then report Ready, after `since` when the kubelet was just started."""

    def ready() -> bool:
        node = kube.get("node", NODE)
        return bool(node) and reported_since(node, since)

    waiting.until(ready, f"node {NODE} ready", timeout=90)


def ensure(kube: Kube, name: str = NODE) -> bool:
    """Label the node and give it its GPUs. A restarted kubelet sets them to zero: every `up` looks. True if changed."""
    node = kube.get("node", name) or {}
    labels = node.get("metadata", {}).get("labels", {})
    status = node.get("status", {})
    amounts = [status.get(part, {}).get(RESOURCE) for part in ("capacity", "allocatable")]
    stale = any(labels.get(label) != value for label, value in LABELS.items())
    if stale:
        kube.call("label", "node", name, "--overwrite", *(f"{label}={value}" for label, value in LABELS.items()))
    short = amounts != [str(GPU_COUNT)] * 2
    if short:
        patch = {"status": {part: {RESOURCE: str(GPU_COUNT)} for part in ("capacity", "allocatable")}}
        kube.call("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    return stale or short


def now() -> datetime:
    """The time, to compare a kubelet's report with."""
    return datetime.now(UTC)
