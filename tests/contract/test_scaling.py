"""Who may scale a Deployment, and how, by the real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import config

from fairlead.api.replicas import Replicas, Target
from fairlead.manifests.autoscaling import autoscaler
from tests.contract.apiserver import GROUP, Answer, ApiServer

Json = dict[str, Any]
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    name = f"fl-scaling-{uuid.uuid4().hex[:8]}"
    made = server.call(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )  # fmt: skip
    assert made.ok, made.message
    yield name
    server.call("DELETE", f"/api/v1/namespaces/{name}")


class Scaled:
    """A Deployment as git has it, and its subresource."""

    def __init__(self, server: ApiServer, space: str) -> None:
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        self._server, self._path = server, f"{GROUP}/namespaces/{space}/deployments/{self.name}"

    def git(self, replicas: Json) -> Answer:
        """Server-side apply of a manifest with these replicas."""
        manifest = {
            "apiVersion": "fairlead.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": self.name},
            "spec": {"model": {"name": "m"}, "route": {"gateway": {"name": "public"}}, "replicas": replicas},
        }  # fmt: skip
        return self._server.call("PATCH", self._path, manifest, content=APPLY, manager="git")

    def scale(self, count: int) -> Answer:
        """`kubectl scale`."""
        return self._server.call("PATCH", f"{self._path}/scale", {"spec": {"replicas": count}}, content=MERGE)

    def replicas(self) -> Json:
        found: Json = self._server.call("GET", self._path).body["spec"]["replicas"]
        return found

    def as_scaled(self) -> Json:
        """What an autoscaler sees."""
        return self._server.call("GET", f"{self._path}/scale").body


@pytest.fixture
def web(server: ApiServer, space: str) -> Scaled:
    return Scaled(server, space)


def test_b20_kubectl_scale_is_refused_with_what_to_do_where_nobody_scales(web: Scaled) -> None:
    assert web.git({"min": 2}).ok
    answer = web.scale(3)
    assert answer.code == 422
    assert "spec.replicas.min: change it there" in answer.message
    assert "spec.replicas.external to true" in answer.message
    assert web.replicas()["count"] == 1


def test_b20_somebody_elses_number_survives_the_next_apply(web: Scaled) -> None:
    assert web.git({"min": 2, "external": True}).ok
    assert web.as_scaled()["spec"]["replicas"] == 1  # so that an autoscaler can begin
    assert web.scale(7).ok
    assert web.git({"min": 2, "external": True}).ok
    assert web.replicas()["count"] == 7


def test_b20_git_takes_the_number_back_whatever_was_written_last(web: Scaled) -> None:
    assert web.git({"min": 2, "external": True}).ok
    assert web.scale(7).ok
    answer = web.git({"min": 3})
    assert answer.ok, answer.message
    assert web.scale(8).code == 422


def test_b20_an_autoscaler_of_ours_is_accepted(server: ApiServer, space: str) -> None:
    for target in (Target(cpu="70%"), Target(requests_per_second="50")):
        name = f"ours-{uuid.uuid4().hex[:8]}"
        made = autoscaler({"name": name, "namespace": space}, name, Replicas(min=2, max=9, target=target))
        path = f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers/{name}"
        answer = server.call("PATCH", path, made, content=APPLY, manager="fairlead")
        assert answer.ok, answer.message
        assert answer.body["spec"]["metrics"] == made["spec"]["metrics"]
