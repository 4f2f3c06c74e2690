"""What is generated is up to date, and is what the API server and people need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from hack.gen import crds, rbac, reference
from hack.gen.__main__ import generated, main
from hack.gen.files import ROOT, stale

from fairlead.api.kinds import KINDS, KindInfo

Node = dict[str, Any]
LARGEST = 120_000
"""Bytes of a definition's file, and so of it as the compact JSON that `kubectl apply` keeps in an annotation:
well below its 256 KiB, and what a Helm release (1 MiB packed) can hold."""
EACH = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node of a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


@cache
def definition(info: KindInfo) -> Node:
    """The generated file."""
    return dict(yaml.load((ROOT / "crds" / f"{info.plural}.yaml").read_text(), yaml.CSafeLoader))


def schema(info: KindInfo) -> Node:
    """The schema in it."""
    return dict(definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def test_generated_files_are_up_to_date() -> None:
    assert stale(generated()) == [], "run `make generate` and commit the result"


def test_check_names_what_is_stale(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hack.gen.__main__.generated", lambda: {"crds/datasets.yaml": "old"})
    assert main(["--check"]) == 1
    assert "crds/datasets.yaml: stale; run `make generate`" in capsys.readouterr().out


@EACH
def test_small_enough(info: KindInfo) -> None:
    size = (ROOT / "crds" / f"{info.plural}.yaml").stat().st_size
    assert len(json.dumps(definition(info), separators=(",", ":"))) <= size <= LARGEST


@EACH
def test_what_people_write_is_bounded(info: KindInfo) -> None:
    for path, node in nodes(schema(info)["properties"]["spec"]):
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@EACH
def test_what_people_write_is_explained(info: KindInfo) -> None:
    spec = schema(info)["properties"]["spec"]
    undescribed = [path for path, node in nodes(spec) if "properties" in node and not node.get("description")]
    assert [path for path in undescribed if not path.endswith("[]")] == []


@EACH
def test_keys_of_lists_are_required(info: KindInfo) -> None:
    for path, node in nodes(schema(info)):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path


@EACH
def test_an_empty_status_is_valid(info: KindInfo) -> None:
    status = schema(info)["properties"]["status"]
    assert "required" not in status
    assert not any("default" in node or "x-kubernetes-validations" in node for _, node in nodes(status))


@EACH
def test_columns_lead_to_fields(info: KindInfo) -> None:
    paths = {path for path, _ in nodes(schema(info))}
    for column in info.columns:
        path = re.sub(r"\[\?\(.*?\)\]", "[]", column.path)
        assert path in paths or path.startswith(".metadata."), column


def test_every_kind_has_a_page_with_every_field() -> None:
    for info in KINDS:
        page = reference.page(info)
        for path, node in nodes(schema(info)["properties"]["spec"]):
            for name in node.get("properties", {}):
                assert f"| `{name}` |" in page, f"{info.kind}{path}.{name}"


def test_short_names_are_distinct() -> None:
    definitions = [crds.definition(info)["spec"]["names"] for info in KINDS]
    words = [word for names in definitions for word in (*names["shortNames"], names["plural"], names["singular"])]
    assert len(words) == len(set(words))


def test_rights_are_least() -> None:
    for table in rbac.TABLES:
        for right in table.rights:
            assert "*" not in (*right.resources, *right.verbs, right.group)
            assert not {"escalate", "bind", "impersonate"} & set(right.verbs)
            assert right.why.endswith(".")
    reach = [resource for right in rbac.OPERATOR.rights for resource in right.resources]
    assert "secrets" not in reach
    assert not any(resource.endswith(("/exec", "/portforward", "/proxy")) for resource in reach)


def test_only_approvers_approve() -> None:
    have = [table.name for table in rbac.TABLES for right in table.rights if "approve" in right.verbs]
    assert have == ["approver"]


def test_the_operator_may_make_all_that_it_looks_after() -> None:
    from fairlead.plan import core

    rights = {
        (r.group, name): set(r.verbs) for r in rbac.OPERATOR.rights for name in r.resources if r.verbs != rbac.READ
    }
    routes = (core.HTTP_ROUTE, core.GRPC_ROUTE)
    others = (core.PROMETHEUS_RULE, core.POD_MONITOR, core.AUTOSCALER)
    for kind in (core.JOB, core.SERVICE, core.WORKLOAD, *routes, *others):
        group = kind.api_version.rpartition("/")[0]
        assert rights[group, kind.plural] >= {"list", "watch", "create", "patch", "delete"}, kind
