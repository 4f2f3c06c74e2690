"""Model versions on the test server, and load on them through the gateway."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from hack.bench.load import Answer, Load
from hack.install.images import load as load_image
from hack.testbed.cluster import Cluster, Json, Team

METRICS = {
    "requests": "infer_requests_total",
    "failures": 'infer_requests_total{code=~"5.."}',
    "latency": "infer_seconds",
}


@cache
def server_image() -> str:
    """The test server's image."""
    return load_image("hack/bench/images/server", "fairlead.local/test-server")


def make_version(
    team: Team, name: str, model: str = "m", image: str = "", wrong_digest: bool = False, gpus: int = 0,
    metrics: Json | None = None, more: Json | None = None, **settings: Any,
) -> str:  # fmt: skip
    """A ModelVersion without evaluation whose model has these settings; the key of its artifact. metrics: other names
    of its counters than `METRICS`; more: other fields of the spec."""
    gpu = {"gpu": {"count": gpus}} if gpus else {}
    body = json.dumps(settings | {"name": name}).encode()
    key = f"models/{name}/model.json"
    team.s3.put_object(Bucket=team.bucket, Key=key, Body=b"other bytes" if wrong_digest else body)
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {
            "model": model,
            "artifact": {"uri": f"s3://{team.bucket}/{key}", "sha256": hashlib.sha256(body).hexdigest()},
            "server": {
                "runtime": "custom", "image": image or server_image(), "metrics": METRICS | (metrics or {}),
                "resources": {"cpu": "20m", "memory": "64Mi", **gpu},
            },
            **(more or {}),
        },
    })  # fmt: skip
    return key


def artifact_body(name: str, **settings: Any) -> bytes:
    """The bytes that `make_version` names."""
    return json.dumps(settings | {"name": name}).encode()


def deploy(
    team: Team, name: str = "web", model: str = "m", steps: list[Json] | None = None, gateway: str = "public",
    more: Json | None = None, **rollout: Any,
) -> Json:  # fmt: skip
    """A Deployment of the model behind a gateway of the namespace `infra`. more: other fields of the spec."""
    steps = steps or [{"weight": 10, "for": "3s", "requests": 10}, {"weight": 50, "for": "3s", "requests": 10}]
    return team.apply({
        "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "model": {"name": model},
            "route": {"gateway": {"name": gateway, "namespace": "infra"}},
            "rollout": {"steps": steps, **rollout}, **(more or {}),
        },
    })  # fmt: skip


def is_live(version: str) -> Any:
    """A predicate: this version is live and nothing is on its way."""
    return lambda o: o.get("status", {}).get("live", {}).get("version") == version and "candidate" not in o["status"]


def gateway_address(cluster: Cluster, name: str = "public") -> str:
    """The gateway's IP address."""
    return listener(cluster, name)[0]


def listener(cluster: Cluster, name: str, route: str = "HTTPRoute") -> tuple[str, int]:
    """Where a gateway of the namespace `infra` listens for a kind of route: IP address and port."""
    gateway = cluster.get("gateway", name, "infra")
    assert gateway, f"Gateway infra/{name} is missing: run `python3 hack/cluster up`"
    ports = [one["port"] for one in gateway["spec"]["listeners"] if _takes(one, route)]
    return str(gateway["status"]["addresses"][0]["value"]), int(ports[0])


def _takes(listener: Json, route: str) -> bool:
    kinds = listener.get("allowedRoutes", {}).get("kinds", [])
    return not kinds or any(kind["kind"] == route for kind in kinds)


def wait_for_answer(load: Load, timeout: float = 15) -> None:
    """Until the gateway knows the route and what is behind it: a first answer, of any version."""
    request = urllib.request.Request(f"http://{load.host}:{load.port}{load.path}", data=load.body, method="POST")
    deadline = time.monotonic() + timeout
    while (code := _answer(request)) not in (200, 500):  # 500: the test server may be told to fail
        if time.monotonic() > deadline:
            raise AssertionError(f"the gateway answers {code} on {load.path}")
        time.sleep(0.05)


def _answer(request: urllib.request.Request) -> int:
    """The status; 0 if it is the gateway's own. For one that knows a route and not yet what is behind it fails with a
    server's status, but without any content."""
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code if error.headers["content-type"] else 0


def turn_bad(team: Team, version: str, share: float, gateway: str = "public", name: str = "web") -> None:
    """From now on the version's pod, which must have requests, fails this share of them."""
    host, port = listener(team.cluster, gateway)
    address = f"http://{host}:{port}/{team.namespace}/{name}/error-rate/{share}"
    request = urllib.request.Request(address, data=b"", method="POST", headers={"x-fairlead-version": version})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["x-fairlead-model"] == version


LEARNT = 5.0
"""Seconds in which a gateway has learnt of a route, on a machine that has other work."""


def still_from(load: Load, version: str, since: float) -> list[Answer]:
    """Answers of a version that has no route since then (wall clock), when the gateway should know."""
    return [answer for answer in load.answers if answer.version == version and answer.sent > since + LEARNT]


@contextmanager
def traffic(
    team: Team, rate: float, name: str = "web", model: str = "m", wait: bool = True, gateway: str = "public",
    path: str = "",
) -> Iterator[Load]:  # fmt: skip
    """Load through a gateway while the block runs, from a thread of its own. wait: for a first answer before; path: of
    the server, if not that of the model's inference."""
    path = path or f"/v2/models/{model}/infer"
    load = Load(*listener(team.cluster, gateway), f"/{team.namespace}/{name}{path}", rate)
    if wait:
        wait_for_answer(load)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(load.run()), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        loop.call_soon_threadsafe(load.stop)
        thread.join(timeout=30)
        loop.close()
