"""The health checks and actions, by the test files that Argo CD's own suite reads (health_test.yaml, action_test.yaml),
with the meaning that they have there."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.argocd import lua

from fairlead.api.common import Condition
from fairlead.api.component import ComponentSpec
from fairlead.api.dataset import DatasetSpec
from fairlead.api.deployment import DeploymentSpec
from fairlead.api.modelversion import ModelVersionSpec
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunSpec
from fairlead.api.schema import Model
from fairlead.cli.start import run_object

ROOT = lua.SCRIPTS / "fairlead.dev"
KINDS = ("Component", "Dataset", "Deployment", "ModelVersion", "Pipeline", "PipelineRun")
WITH_ACTIONS = ("Deployment", "ModelVersion", "Pipeline", "PipelineRun")
SPECS: dict[str, type[Model]] = {
    "Component": ComponentSpec, "Dataset": DatasetSpec, "Deployment": DeploymentSpec,
    "ModelVersion": ModelVersionSpec, "Pipeline": PipelineSpec,
    "PipelineRun": PipelineRunSpec,
}  # fmt: skip
NEVER = "0001-01-01T00:00:00Z"


class _Loader(yaml.SafeLoader):
    """As the Kubernetes world reads YAML: what looks like a time is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Any:
    """A YAML file; times stay text."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


def health_tests() -> Iterator[Any]:
    for kind in KINDS:
        for one in read(ROOT / kind / "health_test.yaml")["tests"]:
            yield pytest.param(kind, one, id=f"{kind}/{one['inputPath']}")


def action_tests(part: str) -> Iterator[Any]:
    for kind in WITH_ACTIONS:
        for one in read(ROOT / kind / "actions/action_test.yaml").get(part, []):
            yield pytest.param(kind, one, id=f"{kind}/{one.get('action', 'discovery')}/{one['inputPath']}")


@pytest.mark.parametrize(("kind", "test"), list(health_tests()))
def test_health(kind: str, test: Any) -> None:
    found = lua.health(kind, read(ROOT / kind / test["inputPath"]))
    assert found == {"message": "", **test["healthStatus"]}


@pytest.mark.parametrize(("kind", "test"), list(action_tests("discoveryTests")))
def test_which_actions_are_offered(kind: str, test: Any) -> None:
    found = lua.discovered(kind, read(ROOT / kind / "actions" / test["inputPath"]))
    wanted = {one["name"]: {"disabled": False, **one} for one in test["result"]}
    assert found == wanted


@pytest.mark.parametrize(("kind", "test"), list(action_tests("actionTests")))
def test_what_an_action_does(kind: str, test: Any) -> None:
    folder = ROOT / kind / "actions"
    expected = read(folder / test["expectedOutputPath"])
    wanted = (
        [(one["k8sOperation"], one["unstructuredObj"]) for one in expected]
        if isinstance(expected, list) else [("patch", expected)]
    )  # fmt: skip
    found = lua.act(kind, test["action"], read(folder / test["inputPath"]))
    assert [(what, timeless(one)) for what, one in found] == [(what, timeless(one)) for what, one in wanted]


def timeless(obj: Any) -> Any:
    """Without the moment in which it was done."""
    override = obj["spec"].get("override")
    spec = {**obj["spec"], "override": {**override, "at": NEVER}} if override else obj["spec"]
    metadata = obj["metadata"]
    if obj["kind"] == "PipelineRun" and "uid" not in metadata:
        metadata = {**metadata, "name": metadata["name"].rpartition("-")[0]}
    return {**obj, "spec": spec, "metadata": metadata}


def test_every_recorded_object_is_used() -> None:
    """A file that no test reads is no evidence."""
    for kind in KINDS:
        tests = read(ROOT / kind / "health_test.yaml")["tests"]
        assert {one["inputPath"] for one in tests} == {
            f"testdata/{path.name}" for path in (ROOT / kind / "testdata").glob("*.yaml")
        }


def test_every_action_has_a_test() -> None:
    for kind in WITH_ACTIONS:
        folder = ROOT / kind / "actions"
        tested = {one["action"] for one in read(folder / "action_test.yaml")["actionTests"]}
        assert tested == {path.parent.name for path in folder.glob("*/action.lua")}


def test_what_the_actions_write_is_understood() -> None:
    """By the definitions of the kinds, which refuse what they don't know."""
    for kind in WITH_ACTIONS:
        for test in read(ROOT / kind / "actions/action_test.yaml")["actionTests"]:
            for _, made in lua.act(kind, test["action"], read(ROOT / kind / "actions" / test["inputPath"])):
                SPECS[made["kind"]].model_validate(made["spec"])


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*/testdata/*.yaml")), ids=lambda path: f"{path.parts[-3]}/{path.name}"
)
def test_the_recorded_objects_are_ours(path: Path) -> None:
    """Their specs at least; of a status each part that a script reads."""
    found = read(path)
    SPECS[found["kind"]].model_validate(found["spec"])
    for condition in (found.get("status") or {}).get("conditions") or []:
        Condition.model_validate(condition)


def test_a_run_is_the_one_that_the_command_makes() -> None:
    pipeline = read(ROOT / "Pipeline/actions/testdata/pipeline.yaml")
    ((_, made),) = lua.act("Pipeline", "run", pipeline)
    now = calendar.timegm(time.strptime(made["metadata"]["name"].rpartition("-")[2], "%Y%m%d%H%M%S"))
    assert made == run_object("team-a", "taxi", {}, {}, "started in Argo CD", now)
