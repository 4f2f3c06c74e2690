"""Whatever the operator may write into a status, the API server keeps."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.gen.samples import filled
from hack.gen.structural import schema_of
from kubernetes import config

from fairlead.api import halves
from fairlead.api.kinds import KINDS, KindInfo
from tests.contract.apiserver import GROUP, ApiServer

GOOD = Path(__file__).parent / "manifests" / "good"
EXAMPLES = {
    "Dataset": "dataset-most", "Pipeline": "pipeline-most", "PipelineRun": "pipelinerun",
    "ModelVersion": "modelversion-custom", "Deployment": "deployment-most", "Component": "component",
}  # fmt: skip
EACH = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    name = f"fl-status-{uuid.uuid4().hex[:8]}"
    server.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    server.call("DELETE", f"/api/v1/namespaces/{name}")


def made(server: ApiServer, space: str, info: KindInfo) -> dict[str, Any]:
    """A fresh object of the kind, suspended where that is possible: a running operator has little to do with it."""
    manifest = yaml.safe_load((GOOD / f"{EXAMPLES[info.kind]}.yaml").read_text())
    manifest["metadata"]["name"] = f"a{uuid.uuid4().hex[:8]}"
    answer = server.create(space, manifest)
    assert answer.ok, answer.message
    return answer.body


def put(server: ApiServer, space: str, info: KindInfo, obj: dict[str, Any], status: Any) -> dict[str, Any]:
    """Write a status in a dry run: an operator that is at work on the object isn't disturbed, and disturbs only until
    it has nothing more to write."""
    path = f"{GROUP}/namespaces/{space}/{info.plural}/{obj['metadata']['name']}"
    for _ in range(20):
        seen = server.call("GET", path).body
        answer = server.call("PUT", f"{path}/status", seen | {"status": status}, dry=True)
        if answer.code != 409:
            break
    assert answer.ok, answer.message
    return answer.body


@EACH
def test_a_full_status_is_kept(server: ApiServer, space: str, info: KindInfo) -> None:
    sample = filled(schema_of(info.model)["properties"]["status"])
    model = info.model.model_fields["status"].annotation
    assert model is not None
    status = model.model_validate(sample).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert status == sample, "the sample says all that the model knows"
    assert put(server, space, info, made(server, space, info), status)["status"] == status


@EACH
def test_the_first_status_is_kept(server: ApiServer, space: str, info: KindInfo) -> None:
    first = info.model.model_fields["status"].get_default().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert put(server, space, info, made(server, space, info), first)["status"] == first
    assert put(server, space, info, made(server, space, info), {})["status"] == {}


@EACH
def test_the_status_cannot_be_set_with_the_spec(server: ApiServer, space: str, info: KindInfo) -> None:
    obj = made(server, space, info)
    answer = server.patch(space, info.plural, obj["metadata"]["name"], {"status": {"message": "all is well"}})
    assert (answer.body.get("status") or {}).get("message") != "all is well"


@EACH
def test_both_halves_of_a_full_status_are_kept(server: ApiServer, space: str, info: KindInfo) -> None:
    model = info.model.model_fields["status"].annotation
    assert model is not None
    status = halves.written(model.model_validate(filled(schema_of(info.model)["properties"]["status"])))
    assert put(server, space, info, made(server, space, info), status)["status"] == status
