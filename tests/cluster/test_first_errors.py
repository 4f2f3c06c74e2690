"""What goes wrong in the first hour, all at once in one namespace: each status says what it is, and what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hack.testbed.cluster import Json, Team
from hack.testbed.serving import deploy, server_image

TIMEOUT = 180.0
ELSEWHERE = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("Listening on 0.0.0.0:9000", flush=True)
http.server.ThreadingHTTPServer(("", 9000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
"""A server that listens where nobody asks it."""


def serve(team: Team, name: str, credentials: str = "s3", **server: Any) -> None:
    """A version of a model of its own, not evaluated, and a Deployment of both's name."""
    team.s3.put_object(Bucket=team.bucket, Key="model.json", Body=b"{}")
    artifact = {"uri": f"s3://{team.bucket}/model.json", "sha256": EMPTY, "credentials": {"name": credentials}}
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {"model": name, "artifact": artifact, "server": {
            "runtime": "custom", "image": server_image(), "resources": {"cpu": "20m", "memory": "64Mi"}, **server,
        }},
    })  # fmt: skip
    deploy(team, name, name)


EMPTY = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""Digest of `{}`."""


def says(team: Team, name: str, *words: str) -> Json:
    """Wait until the status of a Deployment says all of this."""

    def holds(found: Json) -> bool:
        return all(word in found.get("status", {}).get("message", "") for word in words)

    return team.wait("deployment", name, holds, TIMEOUT, f"saying {words}")


def test_b18_b20_errors_of_the_first_hour_are_said(team: Team) -> None:
    cases: dict[str, tuple[Json, tuple[str, ...]]] = {
        "port": (
            {"command": ["python3", "-c", ELSEWHERE], "timeout": "8s", "stop": {"after": "1s"}},
            ("nothing answered GET :8080/v2/health/ready with 200 for 8 s", "Listening on 0.0.0.0:9000",
             "spec.server.port"),
        ),
        "path": (
            {"command": ["python3", "-u", "-m", "http.server", "8080"], "stop": {"after": "1s"}},
            ("GET :8080/v2/health/ready is answered 404",),
        ),
        "module": (
            {"command": ["python3", "-c", "import mylib"]},
            ("instead of serving: ModuleNotFoundError: No module named 'mylib'",),
        ),
        "secret": ({"secrets": ["nosuch"]}, ("Secret nosuch",)),
        "image": ({"image": "fairlead.local/nosuch:1"}, ("image fairlead.local/nosuch:1", "can't be pulled")),
        "command": ({"command": ["/nosuch"]}, ("could not be started", "/nosuch")),
    }  # fmt: skip
    for name, (server, _) in cases.items():
        serve(team, name, **server)
    with ThreadPoolExecutor(len(cases)) as pool:
        list(pool.map(lambda name: says(team, name, *cases[name][1]), cases))
