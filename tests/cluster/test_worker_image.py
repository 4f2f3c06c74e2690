"""The worker's image itself, in a pod as Jobs have it: every type of Parquet in an evaluation and in SQL checks."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hack.install.chart import NAMESPACE
from hack.testbed.cluster import Cluster, Json, Team
from hack.testbed.parquettypes import CARRIED, REFUSED
from kubernetes import client

SCRIPT = Path(__file__).parent.parent.parent / "hack/testbed/inside.py"


def worker_image(cluster: Cluster) -> str:
    """The image that the operator gives to Jobs."""
    settings = cluster.get("configmap", "fairlead", NAMESPACE)
    assert settings, "the operator is not installed: run `python -m hack.install` first"
    image: str = yaml.safe_load(settings["data"]["config.yaml"])["images"]["worker"]
    return image


def files() -> dict[str, str]:
    """A file for each type, in base64, by a name that a ConfigMap may have; numbers keep them apart."""
    made = {}
    for number, (column, _) in enumerate([*CARRIED.values(), *REFUSED.values()]):
        out = io.BytesIO()
        pq.write_table(pa.table({"f": column, "y": [1.0] * len(column)}), out)
        made[f"{number:03}.parquet"] = base64.b64encode(out.getvalue()).decode()
    return made


def pod(image: str) -> Json:
    """It runs the script with the image's own Python, as pods of Jobs run: unprivileged, on a read-only root."""
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "types"},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "types", "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "/script/inside.py", "/types"],
                "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                                    "readOnlyRootFilesystem": True},
                "volumeMounts": [{"name": "script", "mountPath": "/script"}, {"name": "tmp", "mountPath": "/tmp"},
                                 {"name": "types", "mountPath": "/types"}],
            }],
            "volumes": [{"name": "script", "configMap": {"name": "script"}}, {"name": "tmp", "emptyDir": {}},
                        {"name": "types", "configMap": {"name": "types"}}],
        },
    }  # fmt: skip


def ran(team: Team) -> list[dict[str, Any]]:
    """What the pod printed, by file."""
    team.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "types"}, "binaryData": files()})
    script = {"inside.py": SCRIPT.read_text()}
    team.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "script"}, "data": script})
    team.apply(pod(worker_image(team.cluster)))
    ended = team.wait("pod", "types", lambda o: o.get("status", {}).get("phase") in ("Succeeded", "Failed"), 90, "done")
    log = client.CoreV1Api(team.cluster.api).read_namespaced_pod_log("types", team.namespace)
    assert ended["status"]["phase"] == "Succeeded", log
    return [json.loads(line) for line in log.splitlines()]


def test_d10_d11_every_type_of_parquet_in_the_image(team: Team) -> None:
    found = ran(team)
    assert len(found) == len(CARRIED) + len(REFUSED)
    carried, refused = found[: len(CARRIED)], found[len(CARRIED) :]
    for (name, (_, wanted)), one in zip(CARRIED.items(), carried, strict=True):
        assert one["request"]["inputs"] == [{"name": "f", **wanted}], name
    for (name, (_, words)), one in zip(REFUSED.items(), refused, strict=True):
        assert re.search(words, one["refused"]), name
    for one in found:
        assert one["check"]["passed"], one
        assert one["odd"]["passed"] or one["odd"]["message"].startswith("the query answered"), one
