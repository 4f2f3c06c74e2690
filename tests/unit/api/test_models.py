"""The models read what people write, whatever the version of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api.config import OperatorConfig
from fairlead.api.kinds import KINDS
from fairlead.api.modelversion import ModelVersion

ROOT = Path(__file__).parents[3]
MODELS = {info.kind: info.model for info in KINDS}
GROUP = "fairlead.dev/v1alpha1"


def documents() -> list[Any]:
    """Manifests of Fairlead's kinds in the examples and among the good manifests."""
    files = [*(ROOT / "docs/examples").rglob("*.yaml"), *(ROOT / "tests/contract/manifests/good").glob("*.yaml")]
    found = [(path, document) for path in sorted(files) for document in yaml.safe_load_all(path.read_text())]
    return [
        pytest.param(document, id=f"{path.stem}-{document['kind']}")
        for path, document in found
        if document and document["apiVersion"] == GROUP
    ]


@pytest.mark.parametrize("document", documents())
def test_examples_are_read(document: dict[str, Any]) -> None:
    parsed = MODELS[document["kind"]].model_validate(document)
    written = parsed.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert MODELS[document["kind"]].model_validate(written) == parsed


def test_all_kinds_have_an_example() -> None:
    assert {param.values[0]["kind"] for param in documents()} == set(MODELS)


def test_fields_of_newer_versions_are_tolerated() -> None:
    artifact = {"uri": "s3://abc/x", "sha256": "0" * 64, "signature": {"key": "k"}}
    parsed = ModelVersion.model_validate({"spec": {"model": "m", "artifact": artifact, "flavour": "new"}, "status": {}})
    assert parsed.spec.artifact.uri == "s3://abc/x"


def test_the_least_configuration() -> None:
    config = OperatorConfig.model_validate({"images": {"worker": "w"}})
    assert config.store is None
    assert config.namespaces == []
    assert (config.tuning.window, config.workers) == (1.0, 8)
