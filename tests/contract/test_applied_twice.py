"""Whatever the documentation shows, applied again, is unchanged: by kubectl and by the API server, so that a comparison
with git finds nothing. (The kinds have another group here: nobody works on what is applied.)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fairlead.api.common import API_VERSION
from fairlead.api.kinds import KINDS
from tests.contract import elsewhere
from tests.contract.elsewhere import Json, kubectl
from tests.contract.test_bad_manifests import GOOD
from tests.contract.test_docs import ROOT, blocks


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
def group(kubeconfig: str) -> Iterator[str]:  # noqa: ARG001 - there must be a cluster
    """The kinds in another group."""
    with elsewhere.kinds() as found:
        yield found


@pytest.fixture
def space(group: str) -> Iterator[str]:  # noqa: ARG001 - they must be there first
    """A namespace."""
    with elsewhere.namespace("twice") as name:
        yield name


@pytest.fixture
def manifests(group: str, tmp_path: Path) -> str:
    """A file of all that is applied."""
    path = tmp_path / "all.json"
    path.write_text(elsewhere.listed([elsewhere.moved(one, group) for one in documents()]))
    return str(path)


def test_b12_there_is_something_of_each_kind() -> None:
    assert {one["kind"] for one in documents()} == {info.kind for info in KINDS}


def test_b12_kubectl_finds_nothing_to_do(space: str, manifests: str) -> None:
    first = kubectl("apply", "-n", space, "-f", manifests).splitlines()
    again = kubectl("apply", "-n", space, "-f", manifests).splitlines()
    assert [line for line in again if not line.endswith(" unchanged")] == []
    assert len(again) == len(first) == len(documents())
    kubectl("diff", "-n", space, "-f", manifests)


def test_b12_the_api_server_finds_nothing_to_do(space: str, group: str, manifests: str) -> None:
    plurals = ",".join(f"{info.plural}.{group}" for info in KINDS)
    versions = '-o=jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}'
    kubectl("apply", "-n", space, "--server-side", "-f", manifests)
    before = kubectl("get", "-n", space, plurals, versions)
    kubectl("apply", "-n", space, "--server-side", "-f", manifests)
    assert kubectl("get", "-n", space, plurals, versions) == before
    assert len(before.splitlines()) == len(documents())
    kubectl("diff", "-n", space, "--server-side", "-f", manifests)
