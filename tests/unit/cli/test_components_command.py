"""`fairlead components`, as people type it, and how views name what a step uses."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest
import yaml
from tests.unit.cli.test_commands import Memory
from tests.unit.components.component_examples import STEP, component, world
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.test_run_plan import look, succeed

from fairlead.api.component import ComponentSpec
from fairlead.api.modelversion import ModelVersion
from fairlead.api.pipeline import Pipeline
from fairlead.api.pipelinerun import PipelineRun
from fairlead.cli import session, show_pipeline, show_run, start
from fairlead.cli.blocks import plain
from fairlead.cli.lineage import tree
from fairlead.cli.main import main
from fairlead.local import schema
from fairlead.plan.component import plan as component_plan
from fairlead.plan.component.check import check
from fairlead.plan.core import Json
from fairlead.plan.pipeline.components import catalog
from fairlead.plan.pipeline.components.builtin.base import Builtin

Said = Callable[[str], tuple[int, str, str]]
FIT = Builtin("fit", {
    "version": "1.1", "description": "Fits.\nAnd more.", "command": ["python", "--n={{params.n}}"],
    "params": {"n": {"type": "integer", "min": "1", "max": "9", "description": "How often."}},
    "inputs": {"rows": {"type": "dataset"}}, "moreInputs": True, "outputs": {"model": {"type": "model"}},
}, trains=True)  # fmt: skip


@pytest.fixture
def where() -> LittleWorld:
    found = world()
    component(found)
    component(found, "broken", command=["{{params.none}}"])
    found.objects["Component", "broken"]["status"] = {"conditions": [
        {"type": "Ready", "status": "False", "reason": "Invalid", "message": "spec.command[0]"}]}  # fmt: skip
    found.settle(component_plan.SPEC, "clean")
    return found


@pytest.fixture
def said(where: LittleWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    memory = Memory()
    memory.objects = where.objects

    async def kube(_config: str | None) -> Memory:
        return memory

    monkeypatch.setattr(session, "_kube", kube)
    monkeypatch.setattr(session, "current_namespace", lambda _config: "team")
    monkeypatch.setattr(catalog, "BUILTINS", (FIT,))

    def run(words: str) -> tuple[int, str, str]:
        code = main(shlex.split(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_all_of_them(said: Said) -> None:
    code, text, _ = said("components")
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert code == 0
    assert rows >= {"name: clean 1.2.0 Ready Drops flights without a delay.", "builtin: fit 1.1 - Fits. And more."}
    assert "name: broken 1.2.0 Invalid Drops flights without a delay." in rows
    assert {one["metadata"]["name"] for one in json.loads(said("components -o json")[1])} == {"fit", "clean", "broken"}


def test_one_of_them(said: Said) -> None:
    _, text, _ = said("components clean")
    assert text == said("get component/clean")[1]
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "longest integer must be given at least 1 Delays above are mistakes of the clock." in rows
    assert "mode string 'drop' drop, cap" in rows
    assert "weather dataset no" in rows
    assert "flights dataset One Parquet file." in rows
    _, text, _ = said("components fit")
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "n integer must be given at least 1, at most 9 How often." in rows
    assert "… any no more, under names of your own" in rows


def test_the_namespaces_own_comes_first(where: LittleWorld, said: Said) -> None:
    component(where, "fit", version="7")
    assert "component fit" in said("components fit")[1]
    assert "builtin fit" in said("components fit --builtin")[1]


@pytest.mark.parametrize("words", ["components clean -o yaml", "components fit --builtin -o yaml"])
def test_a_manifest_to_copy(said: Said, words: str) -> None:
    made: Json = yaml.safe_load(said(words)[1])
    assert schema.problems(made) == []
    check(ComponentSpec.model_validate(made["spec"]))
    assert set(made["metadata"]) == {"name"}


def test_what_is_not_there(said: Said) -> None:
    assert said("components none") == (3, "", "error: there is no Component 'none'; there are broken, clean, fit\n")
    assert said("components -o yaml")[0] == 2


def test_builtins_need_no_cluster(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setattr(catalog, "BUILTINS", (FIT,))
    assert main(["components", "--builtin"]) == 0
    assert "builtin: fit" in capsys.readouterr().out


def test_views_say_what_a_step_uses() -> None:
    own = {"name": "own", "image": "i"}
    fit = {"name": "fit", "component": {"builtin": "fit", "version": "1"}}
    spec = {"steps": [STEP | {"component": {"name": "clean", "namespace": "platform"}}, own, fit]}
    rows = plain(show_pipeline.blocks("p", Pipeline.model_validate({"spec": spec}), 0.0))
    assert [" ".join(line.split()[1:3]) for line in rows.splitlines() if "component" in line] == [
        "component platform/clean"
    ]
    assert "builtin fit 1" in rows


def test_a_run_and_a_version_say_which_components_they_are_of(where: LittleWorld) -> None:
    component(where, outputs={"model": {"type": "model"}})
    where.objects["Pipeline", "delay"]["spec"]["produces"] = [{"model": "m", "from": "clean.model", "version": {}}]
    look(where)
    succeed(where, "clean")
    run = PipelineRun.model_validate(where.objects["PipelineRun", "delay-7"])
    assert "uses     clean 1.2.0 for step clean" in plain(show_run.blocks("delay-7", run, where.now))
    made = ModelVersion.model_validate(where.objects["ModelVersion", "m-7"])
    assert made.spec.lineage.components == {"clean": "clean 1.2.0"}
    assert "step clean is clean 1.2.0" in plain([tree("m-7", made, {}, [], where.now)])


def test_an_edit_of_a_value() -> None:
    pipeline = {"spec": {"steps": [STEP]}}
    assert start.edited({"clean.params.longest": "3"}, pipeline) == {"step": "clean", "params": {"longest": "3"}}
