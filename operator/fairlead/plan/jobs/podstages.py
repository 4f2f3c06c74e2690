"""What a pod waits for before its work begins, in a few words, said at once.

`failures.waiting` says what is wrong; this says what is usual, so that people see what it is if it takes long.
"""

from __future__ import annotations

from fairlead.plan.core import Json
from fairlead.plan.jobs import failures

_STARTS = ("ContainerCreating", "PodInitializing")


def told(pod: Json) -> str:
    """What a pod waits for: a node, its volumes (which Secrets and ConfigMaps), an image. Empty once its first
    container runs, or has run."""
    if failures.started(pod):
        return ""
    if not pod["spec"].get("nodeName"):
        return "its pod waits for a node"
    if not mounted(pod):
        return f"its pod waits for its volumes{_needs(pod)}"
    return coming(pod) or "its pod starts"


def coming(pod: Json) -> str:
    """The first container that is still to be made, and its image: that may have to be pulled. Empty if there is none,
    or one before it still works."""
    for name, status in failures.statuses(pod):
        state = status.get("state") or {}
        if (state.get("waiting") or {}).get("reason") in _STARTS:
            return f"container {name} is made; its image {status.get('image', '')} is pulled if the node lacks it"
        if "running" in state and not _sidecar(pod, name):
            return ""
    return ""


def mounted(pod: Json) -> bool:
    """Whether the node has said that the pod's volumes and network are there."""
    found = pod.get("status", {}).get("conditions") or []
    return all(c["status"] == "True" for c in found if c["type"] == "PodReadyToStartContainers")


def _needs(pod: Json) -> str:
    found = ", ".join(failures.needed(pod))
    return f" (needs {found})" if found else ""


def _sidecar(pod: Json, name: str) -> bool:
    every = pod["spec"].get("initContainers") or []
    return any(one["name"] == name and one.get("restartPolicy") == "Always" for one in every)
