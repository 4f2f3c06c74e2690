"""What a person needs when the story stops: conditions, events, pods that don't run, logs."""

from __future__ import annotations

from collections.abc import Iterator

from hack.demo.kube import Json, Kube, KubeError
from hack.demo.world import PLURALS, World, status
from hack.install.chart import NAMESPACE as OPERATOR


def report(cluster: Kube, world: World, namespace: str) -> str:
    """All of it, as text."""
    parts = (conditions(world), pods(cluster, namespace), events(cluster, namespace), operator(cluster))
    return "\n".join(line for part in parts for line in part)


def conditions(world: World) -> Iterator[str]:
    """Each object's phase and the conditions that are not true."""
    yield "--- objects"
    for kind in PLURALS:
        for item in world.all(kind):
            now = status(item)
            phase = now.get("phase", "no status yet")
            yield f"{kind} {item['metadata']['name']}: {phase} {now.get('message', '')}".rstrip()
            for c in now.get("conditions", []):
                if c["status"] != "True":
                    yield f"    {c['type']}={c['status']} {c['reason']}: {c.get('message', '')}"


def pods(cluster: Kube, namespace: str) -> Iterator[str]:
    """Pods that neither run nor have completed, with the last lines of their containers."""
    yield "--- pods that are not well"
    try:
        for pod in cluster.list("pods", namespace):
            if not well(pod):
                yield from unwell(cluster, namespace, pod)
    except KubeError as error:
        yield str(error)


def well(pod: Json) -> bool:
    """Whether nobody needs to look at it."""
    phase = pod["status"].get("phase")
    ready = all(c.get("ready") for c in pod["status"].get("containerStatuses", []))
    return phase == "Succeeded" or (phase == "Running" and ready)


def unwell(cluster: Kube, namespace: str, pod: Json) -> Iterator[str]:
    """One pod: why, and what its containers said last."""
    name = pod["metadata"]["name"]
    yield f"{name}: {pod['status'].get('phase')} {pod['status'].get('reason', '')}".rstrip()
    for c in pod["status"].get("conditions", []):
        if c["status"] == "False" and c.get("message"):
            yield f"    {c['type']}: {c['message']}"
    for container in [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]:
        state = container.get("state", {})
        trouble = state.get("waiting") or state.get("terminated") or {}
        if trouble.get("reason") not in (None, "Completed", "PodInitializing"):
            yield f"    {container['name']}: {trouble.get('reason')} {trouble.get('message', '')}".rstrip()
            yield from (f"        {line}" for line in tail(cluster, namespace, name, container["name"]))


def tail(cluster: Kube, namespace: str, pod: str, container: str, lines: int = 15) -> list[str]:
    """The last lines of a container's log."""
    try:
        return cluster.call("-n", namespace, "logs", pod, "-c", container, f"--tail={lines}").splitlines()
    except KubeError as error:
        return [str(error)]


def events(cluster: Kube, namespace: str) -> Iterator[str]:
    """The last warnings."""
    yield "--- warnings"
    try:
        found = [e for e in cluster.list("events", namespace) if e.get("type") == "Warning"]
    except KubeError as error:
        yield str(error)
        return
    for event in found[-15:]:
        about = event.get("involvedObject", {})
        yield f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}"


def operator(cluster: Kube) -> Iterator[str]:
    """What the operator's pods do, and the last of their logs."""
    yield "--- the operator"
    try:
        for pod in cluster.list("pods", OPERATOR):
            yield f"{pod['metadata']['name']}: {pod['status'].get('phase')}"
            for container in pod["spec"]["containers"]:
                yield from (
                    f"    {line}" for line in tail(cluster, OPERATOR, pod["metadata"]["name"], container["name"], 20)
                )
    except KubeError as error:
        yield str(error)
