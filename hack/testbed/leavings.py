"""What a test that has failed leaves behind: its namespace's objects, events and logs, and the operator's log.

Each file is bounded, and Secrets are left out: the folder may be handed on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import yaml
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from hack.install.chart import NAMESPACE as OPERATOR_NAMESPACE
from hack.testbed.cluster import KINDS, Json

LEFT_OUT = {"secret", "namespace", "node", "gateway", "prometheus", "lease"}
"""Secrets for what they hold; the others are not a test's own."""
MOST = 1_000_000
"""Characters of a file."""
PODS = 40
"""Pods of a namespace whose logs are kept."""


class Readable(Protocol):
    """What is needed of `hack.testbed.cluster.Cluster`."""

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Objects of a kind."""

    def log(self, namespace: str, pod: str, container: str, previous: bool = False) -> str:
        """The end of a container's log."""


def leave(cluster: Readable, namespaces: list[str], folder: Path) -> None:
    """Write a folder for each namespace, and one with the operator's logs. What can't be read is said in its place."""
    for namespace in namespaces:
        for kind in sorted(KINDS.keys() - LEFT_OUT):
            found = _objects(cluster, kind, namespace)
            if found:
                _write(folder / namespace / f"{kind}.yaml", found)
        _logs(cluster, namespace, folder / namespace / "logs")
    _logs(cluster, OPERATOR_NAMESPACE, folder / OPERATOR_NAMESPACE)


def free(folder: Path) -> Path:
    """This folder, or, when another try has left something there, the next one that is free."""
    number, found = 1, folder
    while found.exists():
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


def _objects(cluster: Readable, kind: str, namespace: str) -> str:
    try:
        objects = cluster.list(kind, namespace)
    except (ApiException, HTTPError) as error:
        return _unread(error)
    for one in objects:
        one.get("metadata", {}).pop("managedFields", None)
    return yaml.safe_dump_all(objects, allow_unicode=True, sort_keys=False) if objects else ""


def _logs(cluster: Readable, namespace: str, folder: Path) -> None:
    try:
        pods = cluster.list("pod", namespace)[:PODS]
    except (ApiException, HTTPError) as error:
        _write(folder / "pods.log", _unread(error))
        return
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        for state in states:
            for previous in (False, True) if state.get("restartCount") else (False,):
                text = _log(cluster, namespace, name, state["name"], previous)
                _write(folder / f"{name}.{state['name']}{'.before' if previous else ''}.log", text)


def _log(cluster: Readable, namespace: str, pod: str, container: str, previous: bool) -> str:
    try:
        return cluster.log(namespace, pod, container, previous)
    except (ApiException, HTTPError) as error:
        return _unread(error)


def _unread(error: Exception) -> str:
    return f"# could not be read: {error}\n"


def _write(path: Path, text: str) -> None:
    """The end of a text that is too long: the newest is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if len(text) <= MOST else f"# … cut: the last {MOST} characters\n{text[-MOST:]}")
