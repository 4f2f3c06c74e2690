"""Whose work a version is: the author is who the API server says, for real users with real RBAC."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.apiserver import Answer, ApiServer
from tests.contract.users import server_with, space_with

Json = dict[str, Any]
GOOD = Path(__file__).parent / "manifests/good"
ALICE, BOB = "alice@example.com", "bob@example.com"
OPERATOR = "system:serviceaccount:fairlead-system:fairlead"
PIPELINE: Json = {
    "apiVersion": "fairlead.dev/v1alpha1", "kind": "Pipeline", "metadata": {},
    "spec": {"steps": [{"name": "train", "image": "i"}]},
}  # fmt: skip
RUN: Json = {
    "apiVersion": "fairlead.dev/v1alpha1", "kind": "PipelineRun", "metadata": {}, "spec": {"pipeline": "none"},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return server_with("fairlead-authors", kubeconfig)


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace in which two people may edit."""
    with space_with(server, "fl-authors", {"edit": [ALICE, BOB]}) as name:
        yield name


@pytest.fixture
def make(server: ApiServer, space: str) -> Any:
    """Make an object of an author as a user."""

    def send(manifest: Json, user: str, author: str | None) -> Answer:
        meta = {"name": f"mine-{uuid.uuid4().hex[:8]}"}
        spec = manifest["spec"] | ({"author": author} if author else {})
        return server.create(space, manifest | {"metadata": meta, "spec": spec}, user=user)

    return send


def version() -> Json:
    found: Json = yaml.safe_load((GOOD / "modelversion-custom.yaml").read_text())
    return found


@pytest.mark.parametrize("manifest", [version(), PIPELINE, RUN], ids=lambda one: str(one["kind"]))
def test_four_eyes_one_is_only_ones_own_author(make: Any, manifest: Json) -> None:
    answer = make(manifest, BOB, ALICE)
    assert answer.code == 403
    assert f"spec.author is {ALICE}, but the API server knows you as {BOB}" in answer.message
    assert make(manifest, BOB, BOB).ok
    assert make(manifest, BOB, None).ok


@pytest.mark.parametrize("manifest", [version(), RUN], ids=lambda one: str(one["kind"]))
def test_four_eyes_an_author_is_for_good(server: ApiServer, space: str, make: Any, manifest: Json) -> None:
    plural = {"ModelVersion": "modelversions", "PipelineRun": "pipelineruns"}[manifest["kind"]]
    for author in (ALICE, None):
        name = make(manifest, ALICE, author).body["metadata"]["name"]
        answer = server.patch(space, plural, name, {"spec": {"author": BOB}}, user=BOB)
        assert answer.code == 422
        assert "author is immutable" in answer.message


def test_four_eyes_who_changes_a_pipeline_is_its_author_or_nobody_is(
    server: ApiServer, space: str, make: Any
) -> None:  # fmt: skip
    name = make(PIPELINE, ALICE, ALICE).body["metadata"]["name"]

    def change(user: str, **spec: Any) -> Answer:
        return server.patch(space, "pipelines", name, {"spec": spec}, user=user)

    steps = [{"name": "train", "image": "another"}]
    assert change(BOB, steps=steps).code == 403
    assert change(BOB, params={"a": "b"}).code == 403
    assert change(BOB, suspend=True).ok, "whoever stops a pipeline in a hurry does not become its author"
    assert change(BOB, steps=steps, author=BOB).ok
    assert change(ALICE, author=ALICE).ok, "one may answer for what is there"
    assert change(ALICE, author=BOB).code == 403
    assert change(BOB, steps=[{"name": "train", "image": "example.com/third"}], author=None).ok


def test_four_eyes_the_operator_names_who_started_a_run(server: ApiServer, make: Any) -> None:
    if server.call("GET", "/api/v1/namespaces/fairlead-system/serviceaccounts/fairlead").ok:
        assert make(version(), OPERATOR, ALICE).ok
    answer = make(version(), BOB, OPERATOR)
    assert answer.code == 403
