"""Whatever the documentation shows, applied again, is unchanged: by kubectl and by the API server, so that a comparison
with git finds nothing. (The kinds have another group here: nobody works on what is applied.)"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.gen.crds import definition
from hack.install.chart import environment

from fairlead.api.common import API_VERSION, GROUP
from fairlead.api.kinds import KINDS
from tests.contract.test_bad_manifests import GOOD
from tests.contract.test_docs import ROOT, blocks

Json = dict[str, Any]
ELSEWHERE = "applied-twice.fairlead.dev"


def kubectl(*words: str, stdin: str | None = None, ends: int = 0) -> str:
    """What kubectl prints; it must end with the exit code."""
    done = subprocess.run(
        ["kubectl", *words], input=stdin, capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout


def elsewhere(manifest: Json) -> Json:
    """A definition or an object, in the group that nobody looks after."""
    return dict(json.loads(json.dumps(manifest, default=str).replace(GROUP, ELSEWHERE)))


def listed(objects: list[Json]) -> str:
    """For kubectl. As JSON: what is a string for one version of YAML is a number for another."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def documents() -> list[Json]:
    """All objects of Fairlead's kinds that the documentation, the examples and the tests show, each by another name."""
    texts = [text for _, text in blocks("yaml")] + [
        path.read_text() for path in [*GOOD, *sorted((ROOT / "docs/examples").rglob("*.yaml"))]
    ]
    found = [one for text in texts for one in yaml.safe_load_all(text) if one and one["apiVersion"] == API_VERSION]
    return [
        one | {"metadata": {"name": f"x{at}-{one['metadata'].get('name', 'run')}"[:50].rstrip("-")}}
        for at, one in enumerate(found)
    ]


@pytest.fixture(scope="module")
def definitions(kubeconfig: str) -> Iterator[None]:  # noqa: ARG001 - there must be a cluster
    """The kinds in the other group."""
    made = [elsewhere(definition(info)) for info in KINDS]
    for one in made:
        one["spec"]["names"].pop("categories")
        one["spec"]["names"].pop("shortNames")
    text = listed(made)
    kubectl("apply", "--server-side", "-f", "-", stdin=text)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{o['metadata']['name']}" for o in made))
    yield
    kubectl("delete", "--wait=false", "-f", "-", stdin=text)


@pytest.fixture
def space(definitions: None) -> Iterator[str]:  # noqa: ARG001 - they must be there first
    """A namespace."""
    name = f"fl-twice-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    """A file of all that is applied."""
    path = tmp_path / "all.json"
    path.write_text(listed([elsewhere(one) for one in documents()]))
    return str(path)


def test_b12_there_is_something_of_each_kind() -> None:
    assert {one["kind"] for one in documents()} == {info.kind for info in KINDS}


def test_b12_kubectl_finds_nothing_to_do(space: str, manifests: str) -> None:
    first = kubectl("apply", "-n", space, "-f", manifests).splitlines()
    again = kubectl("apply", "-n", space, "-f", manifests).splitlines()
    assert [line for line in again if not line.endswith(" unchanged")] == []
    assert len(again) == len(first) == len(documents())
    kubectl("diff", "-n", space, "-f", manifests)


def test_b12_the_api_server_finds_nothing_to_do(space: str, manifests: str) -> None:
    plurals = ",".join(f"{info.plural}.{ELSEWHERE}" for info in KINDS)
    versions = '-o=jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}'
    kubectl("apply", "-n", space, "--server-side", "-f", manifests)
    before = kubectl("get", "-n", space, plurals, versions)
    kubectl("apply", "-n", space, "--server-side", "-f", manifests)
    assert kubectl("get", "-n", space, plurals, versions) == before
    assert len(before.splitlines()) == len(documents())
    kubectl("diff", "-n", space, "--server-side", "-f", manifests)
