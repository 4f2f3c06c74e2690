"""What the pages for Argo CD and Flux say of what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.unit.argocd import lua

from fairlead.api.deployment import DeploymentSpec
from fairlead.api.modelversion import ModelVersionSpec
from fairlead.api.pipelinerun import PipelineRunSpec

DOCS = Path(__file__).parents[3] / "docs"
OTHERS = ("argoproj.io/", "kustomize.toolkit.fluxcd.io/")
PAGE = (DOCS / "how-to/argo-cd.md").read_text(encoding="utf-8")
SPECS = {"Deployment": DeploymentSpec, "ModelVersion": ModelVersionSpec, "PipelineRun": PipelineRunSpec}


@pytest.mark.parametrize("name", ["argo-cd", "flux"])
def test_manifests_of_other_tools_are_whole(name: str) -> None:
    """Ours stand under `yaml`, and are checked by the API server."""
    found = re.findall(r"^```yml\n(.*?)^```", (DOCS / f"how-to/{name}.md").read_text(encoding="utf-8"), re.S | re.M)
    assert found
    for text in found:
        body = yaml.safe_load(text)
        assert body["apiVersion"].startswith(OTHERS)
        assert {"kind", "metadata", "spec"} <= body.keys()


def test_the_table_of_actions_is_complete() -> None:
    part = PAGE.split("## Actions")[1].split("##")[0]
    listed: dict[str, set[str]] = {}
    kind = ""
    for first, second in re.findall(r"^\| (\w*) ?\| (`[^|]*`) \|", part, re.M):
        kind = first or kind
        listed.setdefault(kind, set()).update(re.findall(r"`(\w+)`", second))
    folders = lua.SCRIPTS.glob("fairlead.dev/*/actions/*/action.lua")
    there: dict[str, set[str]] = {}
    for path in folders:
        there.setdefault(path.parts[-4], set()).add(path.parts[-2])
    assert listed == there


def test_fields_that_are_not_for_git_are_there() -> None:
    part = PAGE.split("## What is not for git")[1]
    named = re.findall(r"^\| `spec\.(\w+)` of a (\w+) \|", part, re.M)
    assert len(named) == 4
    for field, kind in named:
        assert field in SPECS[kind].model_fields
