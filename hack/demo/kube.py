"""The cluster through kubectl: apply, get, raw paths, watch streams."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
INITIAL = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
"""First all that exists, then a bookmark, then the changes."""
WatchCallback = Callable[[str, Json], None]
"""(ADDED, MODIFIED, DELETED, BOOKMARK or ERROR; the object)"""


class KubeError(Exception):
    """kubectl refused; the text is its own."""


class Kube:
    """kubectl in an environment that names the cluster."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._env = environment

    def call(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl; its output. Raises KubeError with what it said."""
        command = ["kubectl", "--request-timeout=30s", *words]
        done = subprocess.run(command, env=self._env, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KubeError(f"kubectl {' '.join(words[:4])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply(self, *objects: Json) -> None:
        """Server-side apply."""
        for item in objects:
            self.call(
                "apply", "--server-side", "--force-conflicts", "--field-manager=demo", "-f", "-", stdin=json.dumps(item)
            )

    def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """An object, or None when it doesn't exist."""
        where = ["-n", namespace] if namespace else []
        text = self.call("get", kind, name, *where, "--ignore-not-found", "-o", "json")
        return dict(json.loads(text)) if text.strip() else None

    def list(self, kind: str, namespace: str, selector: str | None = None) -> list[Json]:
        """The objects of a kind in a namespace."""
        chosen = ["-l", selector] if selector else []
        return list(json.loads(self.call("get", kind, "-n", namespace, *chosen, "-o", "json"))["items"])

    def raw(self, path: str, **query: str) -> Any:
        """JSON from a path of the API server."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return json.loads(self.call("get", "--raw", path + suffix))

    def service(self, namespace: str, service: str, path: str, **query: str) -> Any:
        """JSON from a service inside the cluster, through the API server. `service` is `name:port`."""
        return self.raw(f"/api/v1/namespaces/{namespace}/services/{service}/proxy/{path.lstrip('/')}", **query)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a kubectl that goes on until it is stopped."""
        return subprocess.Popen(
            ["kubectl", *words], env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


class Watch(threading.Thread):
    """Streams the changes of one kind in a namespace to a callback, and starts anew when the stream ends."""

    def __init__(self, kube: Kube, path: str, changed: WatchCallback) -> None:
        super().__init__(daemon=True, name=f"watch {path}")
        self._kube, self._path, self._changed = kube, path, changed
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Until stopped."""
        while not self._stop.is_set():
            self._process = self._kube.start("get", "--raw", f"{self._path}?{INITIAL}")
            for event in lines(self._process):
                self._changed(event["type"], event["object"])
            self._process.wait()
            self._stop.wait(1.0)

    def close(self) -> None:
        """End the stream."""
        self._stop.set()
        if self._process:
            self._process.terminate()


def lines(process: subprocess.Popen[str]) -> Iterator[Json]:
    """The JSON documents that a process prints, one a line."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            yield json.loads(line)
