"""A server of one's own as it is, on the real cluster: a port, /healthz and /predict, a Secret, a file, an account."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path

from hack.testbed.cluster import Team, condition
from hack.testbed.serving import deploy, is_live, listener, server_image, traffic

PROGRAM = Path(__file__).with_name("plain_server.py").read_text()


def make(team: Team, name: str, **settings: object) -> None:
    """A version of the plain server, which listens where it always does, and counts nothing."""
    body = json.dumps(settings | {"name": name}).encode()
    team.s3.put_object(Bucket=team.bucket, Key=f"{name}/model.json", Body=body)
    team.apply({
        "kind": "ModelVersion", "metadata": {"name": name},
        "spec": {
            "model": "m",
            "artifact": {"uri": f"s3://{team.bucket}/{name}/model.json", "sha256": hashlib.sha256(body).hexdigest()},
            "server": {
                "runtime": "custom", "image": server_image(), "protocol": "http", "port": 9000, "ready": "/healthz",
                "command": ["python3", "/opt/scorer/server.py"], "args": ["9000"],
                "warmUp": {"path": "/predict", "body": "{}"},
                "secrets": ["scorer-key"], "serviceAccount": "scorer", "labels": {"team": "risk"},
                "files": [
                    {"configMap": "program", "path": "/opt/scorer"}, {"configMap": "words", "path": "/etc/scorer"},
                ],
                "resources": {"cpu": "20m", "cpuLimit": "1", "memory": "64Mi"},
            },
        },
    })  # fmt: skip


def account(team: Team, **labels: str) -> None:
    """The ServiceAccount, as the namespace's owner has it."""
    team.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "scorer", "labels": labels}})


def test_b18_a_server_on_another_port_is_rolled_out_and_rolled_back(team: Team) -> None:
    for name, files in (("program", {"server.py": PROGRAM}), ("words", {"words.json": '{"greeting": "hello"}'})):
        team.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": files})
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "scorer-key"}, "stringData": {"token": "abc"}}
    team.apply(key)
    account(team)
    make(team, "m-1")
    deploy(team)
    seen = team.wait_condition("modelversion", "m-1", "Evaluated", "Unknown", "ServiceAccountNotGranted")
    assert "kubectl label serviceaccount scorer" in condition(seen, "Evaluated")["message"]
    account(team, **{"fairlead.dev/serve": "true"})
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")
    (pod,) = team.cluster.list("pod", team.namespace, "team=risk")
    assert pod["spec"]["serviceAccountName"] == "scorer"
    with traffic(team, 50, path="/predict"):
        host, port = listener(team.cluster, "public")
        address = f"http://{host}:{port}/{team.namespace}/web/predict"
        request = urllib.request.Request(address, data=b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.loads(answer.read()) == {"model": "m-1", "greeting": "hello", "key": 3}
        make(team, "m-2", errorRate=0.5)
        done = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "RolledBack", 120, "rolled back")
    assert done["status"]["live"]["version"] == "m-1"
    assert done["status"]["history"][0]["candidate"]["failures"] > 0
