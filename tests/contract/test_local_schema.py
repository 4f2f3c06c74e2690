"""What is refused without a cluster is what the API server refuses, and no more: manifests with random mistakes."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.gen.local import RULES, wordless
from kubernetes import config

from fairlead.local import schema
from tests.contract.apiserver import ApiServer

Json = dict[str, Any]
Path_ = tuple[str | int, ...]
GOOD = sorted((Path(__file__).parent / "manifests" / "good").glob("*.yaml"))
MISTAKES = 1500
ODD: tuple[Any, ...] = (
    None, "", "x", "X y", "-1", "0s", "5%", "1e400", "a" * 70, "a" * 5000, 0, 1, -1, 10**6, 1.5, True, [], {}, ["a"],
    ["a", "a"], {"a": "b"}, {"x-y": 1}, [{}], [None], "loopback.localhost", "http://127.0.0.1/x", "s3://b/k", "1Gi",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(kubeconfig: str) -> ApiServer:
    return ApiServer(config.new_client_from_config(config_file=kubeconfig))


@pytest.fixture(scope="module")
def served(server: ApiServer) -> Json:
    """The definitions that this API server has, which may be those of another release."""
    found = {}
    for kind in schema.definitions():
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.lower()}s.fairlead.dev"
        root = server.call("GET", path).body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        found[kind] = {RULES: root[RULES], "spec": wordless(root["properties"]["spec"])}
    return found


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """All places in a manifest."""
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def mistaken(found: Json, chance: random.Random) -> Json:
    """A manifest with one thing changed, added, doubled, or taken out."""
    made = copy.deepcopy(found)
    path = chance.choice(list(places(made["spec"])))
    at: Any = made["spec"]
    for part in path[:-1]:
        at = at[part]
    match chance.randrange(4):
        case 0:
            at[path[-1]] = chance.choice(ODD)
        case 1 if isinstance(at, dict):
            at[chance.choice(("unknown", "name", "in", "max", "type"))] = chance.choice(ODD)
        case 2 if isinstance(at, list):
            at.append(copy.deepcopy(at[path[-1]]))  # type: ignore[call-overload]
        case _:
            del at[path[-1]]
    return made


def test_the_verdict_is_the_api_servers(server: ApiServer, served: Json) -> None:
    manifests = [one for path in GOOD if (one := yaml.safe_load(path.read_text()))["kind"] in served]
    chance, differ, refused = random.Random(20261), [], 0
    for _ in range(MISTAKES):
        made = mistaken(chance.choice(manifests), chance)
        answer = server.create("default", made, dry=True)
        here = schema.problems(made, served)
        refused += not answer.ok
        if answer.ok is bool(here):
            differ.append((made["spec"], answer.message, here))
    assert differ == []
    assert MISTAKES / 4 < refused < MISTAKES
