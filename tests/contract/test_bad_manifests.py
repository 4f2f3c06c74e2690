"""What people get wrong is refused at once, with the field named; what is right is accepted.

Each file in manifests/bad says in its first lines what the API server's answer must contain.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config

from tests.contract.apiserver import ApiServer

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "manifests"
BAD, GOOD = sorted((FOLDER / "bad").glob("*.yaml")), sorted((FOLDER / "good").glob("*.yaml"))
MARK = "# refused: "


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def space(server: ApiServer) -> Iterator[str]:
    """A namespace for objects that are really made."""
    name = f"fl-manifests-{uuid.uuid4().hex[:8]}"
    made = server.call(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )  # fmt: skip
    assert made.ok, made.message
    yield name
    server.call("DELETE", f"/api/v1/namespaces/{name}")


def test_there_are_enough_ways_to_be_wrong() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_refused(server: ApiServer, path: Path) -> None:
    text = path.read_text()
    fragments = [line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK)]
    assert fragments, f"{path.name} does not say what is expected"
    answer = server.create("default", yaml.safe_load(text), dry=True)
    assert not answer.ok, f"{path.name} was accepted"
    for fragment in fragments:
        assert fragment in answer.message


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_accepted(server: ApiServer, path: Path) -> None:
    answer = server.create("default", yaml.safe_load(path.read_text()), dry=True)
    assert answer.ok, answer.message


def test_defaults_are_filled_in(server: ApiServer) -> None:
    answer = server.create("default", yaml.safe_load((FOLDER / "good/dataset-least.yaml").read_text()), dry=True)
    spec = answer.body["spec"]
    assert spec["watch"] == {"every": "5m", "settle": "10s"}
    assert (spec["pin"], spec["suspend"]) == ("copy", False)
    answer = server.create("default", yaml.safe_load((FOLDER / "good/deployment-least.yaml").read_text()), dry=True)
    rollout = answer.body["spec"]["rollout"]
    assert [step["weight"] for step in rollout["steps"]] == [10, 50]
    assert rollout["guard"] == [{"metric": "errors", "role": "alarm", "worseBy": "0%", "minEvents": 0}]
    assert (rollout["falseAlarms"], rollout["missedHarm"], rollout["designEffect"]) == ("1%", "5%", "1")
    assert rollout["afterPromotion"]["for"] == "1h"


IMMUTABLE = [
    ("modelversion-custom", {"model": "other"}, "model is immutable; make a new version"),
    ("modelversion-custom", {"artifact": {"sha256": "0" * 64}}, "artifact is immutable; make a new version"),
    ("modelversion-custom", {"server": {"image": "example.com/other"}}, "server is immutable; make a new version"),
    ("modelversion-custom", {"server": None}, "server is immutable; make a new version"),
    ("modelversion-custom", {"lineage": {"run": "fares-8"}}, "lineage is immutable; make a new version"),
    ("modelversion-custom", {"evaluation": None}, "evaluation is immutable; make a new version"),
    ("modelversion-custom", {"evaluation": {"gates": []}}, "evaluation is immutable; make a new version"),
    ("modelversion-custom", {"approval": None}, "approval is immutable; make a new version"),
    (
        "modelversion-custom",
        {"profile": {"uri": "s3://models/p.json", "digest": "0" * 64}},
        "profile is immutable; make a new version",
    ),
    ("modelversion-custom", {"golden": {"file": "golden.jsonl"}}, "golden is immutable; make a new version"),
    ("modelversion-custom", {"approval": {"required": 2}}, "approval is immutable; make a new version"),
    ("pipelinerun", {"pipeline": "other"}, "pipeline is immutable; make a new run"),
    ("pipelinerun", {"params": {"rows": "20"}}, "params are immutable; make a new run"),
    ("pipelinerun", {"params": None}, "params are immutable; make a new run"),
    ("pipelinerun", {"after": {"prepare": "prepare-9"}}, "after is immutable; make a new run"),
    ("pipelinerun", {"datasets": {"rides": "0000000000000000"}}, "datasets are immutable; make a new run"),
]


@pytest.mark.parametrize(("file", "change", "expected"), IMMUTABLE, ids=lambda v: None if isinstance(v, dict) else v)
def test_what_may_not_change(server: ApiServer, space: str, file: str, change: Json, expected: str) -> None:
    manifest = yaml.safe_load((FOLDER / f"good/{file}.yaml").read_text())
    made = server.create(space, manifest)
    assert made.ok or made.code == 409, made.message
    plural, name = f"{manifest['kind'].lower()}s", manifest["metadata"]["name"]
    answer = server.patch(space, plural, name, {"spec": change})
    assert not answer.ok
    assert expected in answer.message


def test_what_may_change(server: ApiServer, space: str) -> None:
    server.create(space, yaml.safe_load((FOLDER / "good/modelversion-custom.yaml").read_text()))
    assert server.patch(space, "modelversions", "fares-2", {"spec": {"revoked": "trained on the wrong data"}}).ok
    server.create(space, yaml.safe_load((FOLDER / "good/pipelinerun.yaml").read_text()))
    for stronger, weaker in (("drain", None), ("finally", "drain"), ("now", "finally")):
        assert server.patch(space, "pipelineruns", "fares-again", {"spec": {"cancel": stronger, "suspend": True}}).ok
        refused = server.patch(space, "pipelineruns", "fares-again", {"spec": {"cancel": weaker}})
        assert ("a cancel can only be made stronger" if weaker else "a cancel can't be taken back") in refused.message
    assert server.patch(space, "pipelineruns", "fares-again", {"spec": {"suspend": False}}).ok
    taken_back = server.patch(space, "pipelineruns", "fares-again", {"spec": {"cancel": None}})
    assert "a cancel can't be taken back" in taken_back.message
