"""Pods into which the cluster puts a container that never ends, as meshes did before there were native sidecars."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hack.testbed.cluster import Json, Team
from hack.testbed.loop import worker_image
from hack.testbed.serving import make_version

from tests.contract.apiserver import ApiServer
from tests.contract.webhook import mutating

DATASET = """
kind: Dataset
metadata: {{name: rides}}
spec:
  source:
    s3: {{bucket: {bucket}, prefix: rides/, endpoint: "http://s3.s3.svc:9000", credentials: {{name: s3}}}}
  format: parquet
  watch: {{every: 2s, settle: 1s}}
"""
FOREVER = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); time.sleep(3600)"


def test_b06_a_container_that_never_ends_holds_nothing_up(team: Team, tmp_path: Path) -> None:
    sidecar = {
        "name": "mesh-proxy", "image": worker_image(team), "command": ["python3", "-c", FOREVER],
        "resources": {"requests": {"cpu": "10m"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip

    def inject(spec: Json) -> None:
        spec["containers"].insert(0, sidecar)

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": team.namespace, "labels": {"webhook": team.namespace}}}  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2, 3]}), out)
    team.s3.put_object(Bucket=team.bucket, Key="rides/1.parquet", Body=out.getvalue())
    server = ApiServer(team.cluster.api)
    patched = server.call("PATCH", f"/api/v1/namespaces/{team.namespace}", namespace,
                          content="application/merge-patch+json")  # fmt: skip
    assert patched.ok, patched.message
    with mutating(server, team.namespace, tmp_path, inject):
        make_version(team, "m-1")
        team.apply(DATASET.format(bucket=team.bucket))
        ready = team.wait_condition("dataset", "rides", "Ready", "True")
        assert ready["status"]["current"]["rows"] == 3
        team.wait("modelversion", "m-1", lambda o: o.get("status", {}).get("phase") == "Approved", 90, "Approved")
        for owner in ("dataset=rides", "modelversion=m-1"):
            team.cluster.wait_none("pod", team.namespace, f"fairlead.dev/{owner}", 60)
