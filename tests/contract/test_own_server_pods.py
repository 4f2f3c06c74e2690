"""Pods of a server of one's own, with all that it can ask for, as a real API server takes restricted ones."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes import config

from fairlead.api.server import Server
from fairlead.manifests import server as servers
from fairlead.manifests.server import Serving
from fairlead.plan.jobs import likeness
from tests.contract.apiserver import ApiServer
from tests.unit.manifests.test_golden_serving import CONFIG, recorded

Json = dict[str, Any]
NAME = f"fl-own-{uuid.uuid4().hex[:8]}"
ALL: Json = {
    "runtime": "custom", "image": "registry.example/scorer@sha256:" + "a" * 64, "protocol": "http", "port": 80,
    "command": ["/bin/serve"], "args": ["--port=$(PORT)"], "env": [{"name": "BIND", "value": ":$(PORT)"}],
    "ready": "/healthz", "warmUp": {"path": "/predict", "body": "{}"}, "stop": {"after": "2m"},
    "secrets": ["key"], "files": [{"configMap": "words", "path": "/etc/scorer"}],
    "resources": {"cpu": "500m", "cpuLimit": "2", "memory": "1Gi"},
    "labels": {"team": "risk", "app.kubernetes.io/part-of": "scoring"}, "annotations": {"prometheus.io/scrape": "no"},
    "imagePullSecrets": ["registry"], "serviceAccount": "scorer", "priorityClass": NAME, "runtimeClass": NAME,
    "spread": [{"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 2}],
    "metrics": {"requests": "all_total", "failures": "bad_total"},
}  # fmt: skip
GROUPS = {
    "priorityclasses": ("scheduling.k8s.io/v1", {"kind": "PriorityClass", "value": 10}),
    "runtimeclasses": ("node.k8s.io/v1", {"kind": "RuntimeClass", "handler": "kata"}),
}


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace of restricted pods with a ServiceAccount, and the classes that pods are of."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}
    assert server.call("POST", "/api/v1/namespaces", namespace).ok
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "scorer"}}
    assert server.call("POST", f"/api/v1/namespaces/{NAME}/serviceaccounts", account).ok
    for plural, (version, body) in GROUPS.items():
        made = server.call(
            "POST", f"/apis/{version}/{plural}", body | {"apiVersion": version, "metadata": {"name": NAME}}
        )
        assert made.ok, made.message
    wait_for_the_class(server)
    yield NAME
    server.call("DELETE", f"/api/v1/namespaces/{NAME}")
    for plural, (version, _) in GROUPS.items():
        server.call("DELETE", f"/apis/{version}/{plural}/{NAME}")


def wait_for_the_class(server: ApiServer) -> None:
    """Until pods may be of it: what admits them watches classes, and is told of a new one a little later."""
    meta, container = {"name": "p"}, {"name": "c", "image": "i"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta,
           "spec": {"priorityClassName": NAME, "serviceAccountName": "scorer", "containers": [container]}}  # fmt: skip
    deadline = time.monotonic() + 60
    while "PriorityClass" in (said := server.call("POST", f"/api/v1/namespaces/{NAME}/pods", pod, dry=True)).message:
        assert time.monotonic() < deadline, said.message
        time.sleep(0.2)


def workload(space: str, version: Serving) -> Json:
    made = servers.workload(replace(version, namespace=space), CONFIG)
    made["metadata"].pop("ownerReferences")
    return made


@pytest.mark.parametrize("grpc", [False, True])
def test_a_server_with_all_that_it_can_ask_for_runs_where_pods_are_restricted(
    server: ApiServer, space: str, grpc: bool
) -> None:
    version = replace(recorded(), server=Server.model_validate(ALL), grpc=grpc)
    made = workload(space, version)
    answer = server.call("POST", f"/apis/apps/v1/namespaces/{space}/deployments", made, dry=True)
    assert answer.ok, answer.message
    template = made["spec"]["template"]
    # only a controller may make pods with Fairlead's labels
    meta = {"name": "p", "labels": {"team": "risk"}, "annotations": template["metadata"]["annotations"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    answer = server.call("POST", f"/api/v1/namespaces/{space}/pods", pod, dry=True)
    assert answer.ok, answer.message
    assert likeness.difference(answer.body["spec"], template["spec"]) == "", "the token that comes with it is welcome"
    tokens = [one for one in answer.body["spec"]["volumes"] if one["name"].startswith("kube-api-access")]
    assert len(tokens) == 1
