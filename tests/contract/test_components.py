"""A Component's version stands for its content: the API server refuses another content under the same version."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import config

from fairlead.api.component import ComponentSpec
from tests.contract.apiserver import Answer, ApiServer

Json = dict[str, Any]
SPEC: Json = {
    "version": "1.2", "image": "example.com/clean:1", "command": ["clean", "--most={{params.most}}"], "args": ["-f"],
    "env": [{"name": "A", "value": "1"}], "resources": {"memory": "1Gi"}, "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "spot", "operator": "Exists"}], "params": {"most": {"type": "integer", "default": "5"}},
    "inputs": {"rows": {"type": "dataset"}}, "moreInputs": True, "outputs": {"rows": {"type": "dataset"}},
    "description": "Cleans.", "allowedNamespaces": ["team-b"],
}  # fmt: skip
OTHER: Json = {
    "image": "example.com/clean:2", "command": ["other"], "args": ["--slow"], "env": [{"name": "A", "value": "2"}],
    "resources": {"memory": "2Gi"}, "nodeSelector": {"disk": "hdd"}, "tolerations": [{"operator": "Exists"}],
    "params": {"most": {"type": "integer", "default": "6"}}, "inputs": {"rows": {"type": "file"}}, "moreInputs": False,
    "outputs": {"rows": {"type": "file"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    name = f"fl-components-{uuid.uuid4().hex[:8]}"
    made = server.call(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )  # fmt: skip
    assert made.ok, made.message
    yield name
    server.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def change(server: ApiServer, space: str) -> Any:
    """Change a Component that was just made."""
    name = f"c{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Component", "metadata": {"name": name}, "spec": SPEC}
    made = server.create(space, copy.deepcopy(manifest))
    assert made.ok, made.message

    def send(**spec: Any) -> Answer:
        return server.patch(space, "components", name, {"spec": spec})

    return send


@pytest.mark.parametrize("field", OTHER)
def test_the_same_version_has_the_same_content(change: Any, field: str) -> None:
    answer = change(**{field: OTHER[field]})
    assert not answer.ok
    assert f"{field} has changed: give the Component another version" in answer.message


@pytest.mark.parametrize("field", [one for one in OTHER if one != "image"])
def test_nor_can_a_part_be_taken_away(change: Any, field: str) -> None:
    answer = change(**{field: None})
    assert not answer.ok
    assert f"{field} has changed" in answer.message


@pytest.mark.parametrize("field", OTHER)
def test_another_version_may_have_another_content(change: Any, field: str) -> None:
    answer = change(version="1.3", **{field: OTHER[field]})
    assert answer.ok, answer.message


def test_words_and_grants_may_change(change: Any) -> None:
    for spec in ({"description": "Other words."}, {"allowedNamespaces": ["*"]}, {"allowedNamespaces": None}):
        answer = change(**spec)
        assert answer.ok, answer.message


def test_all_fields_that_say_what_it_does_are_asked_about() -> None:
    names = {one.alias or name for name, one in ComponentSpec.model_fields.items()}
    assert names - {"version", "description", "allowedNamespaces", "secrets"} == set(OTHER)
