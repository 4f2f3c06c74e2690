"""What the driver sees: the newest state of each object, kept up to date by watch streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from hack.demo.kube import Json, Kube, Watch

GROUP = "/apis/fairlead.dev/v1alpha1"
PLURALS = {
    "Dataset": "datasets", "Pipeline": "pipelines", "PipelineRun": "pipelineruns", "ModelVersion": "modelversions",
    "Deployment": "deployments",
}  # fmt: skip
Told = Callable[[str, Json | None, Json | None], None]
"""(kind, the object before, the object now)"""


class World:
    """Objects by kind and name. Threads of watches write, the driver waits."""

    def __init__(self, told: Told | None = None) -> None:
        self._objects: dict[str, dict[str, Json]] = {kind: {} for kind in PLURALS}
        self._changed = threading.Condition()
        self._told = told
        self._watches: list[Watch] = []
        self._listed: set[str] = set()

    def follow(self, kube: Kube, namespace: str) -> None:
        """Watch all kinds of a namespace until `close`."""
        for kind, plural in PLURALS.items():
            self._watches.append(Watch(kube, f"{GROUP}/namespaces/{namespace}/{plural}", self._receiver(kind)))
        for watch in self._watches:
            watch.start()

    def close(self) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.close()

    def receive(self, kind: str, event: str, item: Json) -> None:
        """One event of a watch."""
        if event == "BOOKMARK":
            self._mark(kind)
        if event not in ("ADDED", "MODIFIED", "DELETED"):
            return
        name = item["metadata"]["name"]
        with self._changed:
            before = self._objects[kind].get(name)
            if event == "DELETED":
                self._objects[kind].pop(name, None)
            else:
                self._objects[kind][name] = item
            self._changed.notify_all()
        if (
            self._told
            and (before or {}).get("metadata", {}).get("resourceVersion") != item["metadata"]["resourceVersion"]
        ):
            self._told(kind, before, None if event == "DELETED" else item)

    def _mark(self, kind: str) -> None:
        with self._changed:
            self._listed.add(kind)
            self._changed.notify_all()

    def complete(self) -> bool:
        """Whether every watch has told all that existed when it began."""
        with self._changed:
            return len(self._listed) == len(PLURALS)

    def _receiver(self, kind: str) -> Callable[[str, Json], None]:
        def received(event: str, item: Json) -> None:
            self.receive(kind, event, item)

        return received

    def get(self, kind: str, name: str) -> Json:
        """An object, or an empty one."""
        with self._changed:
            return self._objects[kind].get(name, {})

    def all(self, kind: str) -> list[Json]:
        """All objects of a kind, oldest first."""
        with self._changed:
            return sorted(self._objects[kind].values(), key=lambda item: item["metadata"]["creationTimestamp"])

    def wait(self, fulfilled: Callable[[], bool], seconds: float) -> bool:
        """Wait for a change after which this holds; False when the time is over."""
        deadline = time.monotonic() + seconds
        while not fulfilled():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, 1.0))
        return True


def status(item: Json) -> dict[str, Any]:
    """An object's status, or an empty one."""
    return dict(item.get("status") or {})


def spec(item: Json) -> dict[str, Any]:
    """An object's spec, or an empty one."""
    return dict(item.get("spec") or {})


def condition(item: Json, type_: str) -> Json:
    """One condition, or an empty one."""
    return next((c for c in status(item).get("conditions", []) if c["type"] == type_), {})
