"""Components on one's own machine: beside the Pipeline, in files of their own, and those that come with Fairlead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.cli.main import main
from fairlead.plan.core import Json
from fairlead.plan.pipeline.components import catalog
from fairlead.plan.pipeline.components.builtin.base import Builtin

VERSION = "fairlead.dev/v1alpha1"
TWICE: Json = {
    "version": "1.1", "image": "example.com/none:1",
    "command": ["sh", "-ec", 'cat "$FAIRLEAD_IN/text"/* "$FAIRLEAD_IN/text"/* > "$FAIRLEAD_OUT/text"; '
                             'echo "{{params.word}}" >> "$FAIRLEAD_OUT/text"'],
    "params": {"word": {"default": "end"}, "times": {"type": "integer", "default": "2"}},
    "env": [{"name": "TIMES", "value": "{{params.times}}"}],
    "inputs": {"text": {"type": "file"}}, "outputs": {"text": {}},
    "nodeSelector": {"disk": "ssd"}, "resources": {"memory": "1Gi"},
}  # fmt: skip
FIRST: Json = {"name": "first", "image": "i", "command": ["sh", "-ec", 'echo a > "$FAIRLEAD_OUT/text"'],
               "outputs": {"text": {}}}  # fmt: skip
STEP: Json = {"name": "again", "component": {"name": "twice"}, "inputs": {"text": {"output": "first.text"}}}


def document(kind: str, name: str, spec: Json, **meta: Any) -> Json:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*documents: Json, words: tuple[str, ...] = ()) -> int:
    Path("pipeline.yaml").write_text(yaml.safe_dump_all(documents))
    return main(["dev", "run", "pipeline.yaml", *words])


def pipeline(*steps: Json, **spec: Any) -> Json:
    return document("Pipeline", "words", {"steps": list(steps), **spec})


def record() -> Json:
    found: Json = json.loads(Path(".fairlead/runs/1/run.json").read_text())
    return found


def text(step: str = "again") -> str:
    (found,) = [o for s in record()["status"]["steps"] if s["name"] == step for o in s["outputs"]]
    return Path(found["uri"].removeprefix("file://")).read_text()


def test_a_component_beside_the_pipeline() -> None:
    step = STEP | {"params": {"word": "$HOME {{params.last}}"}}
    assert run(pipeline(FIRST, step, params={"last": "x"}), document("Component", "twice", TWICE)) == 0
    assert text() == f"a\na\n{Path.home()} x\n"
    (used,) = record()["status"]["components"]
    assert (used["step"], used["name"], used["version"]) == ("again", "twice", "1.1")


def test_components_in_files_of_their_own_and_of_another_namespace() -> None:
    Path("c.yaml").write_text(yaml.safe_dump(document("Component", "twice", TWICE, namespace="platform")))
    step = STEP | {"component": {"name": "twice", "namespace": "platform", "version": "1"}}
    assert run(pipeline(FIRST, step), words=("--components", "c.yaml")) == 0
    assert text() == "a\na\nend\n"
    assert record()["status"]["components"][0]["namespace"] == "platform"


def test_one_without_a_namespace_stands_for_each() -> None:
    step = STEP | {"component": {"name": "twice", "namespace": "platform"}}
    assert run(pipeline(FIRST, step), document("Component", "twice", TWICE)) == 0


def test_a_single_step() -> None:
    last = {"name": "last", "image": "i", "command": ["false"], "needs": ["again"]}
    component = document("Component", "twice", TWICE)
    assert run(pipeline(FIRST, STEP, last), component, words=("--step", "again")) == 0
    assert [one["name"] for one in record()["status"]["steps"]] == ["first", "again"]


def test_a_value_of_an_earlier_step_is_waited_for() -> None:
    shell = 'echo a > "$FAIRLEAD_OUT/text"; printf 7 > "$FAIRLEAD_OUT/n"'
    first = FIRST | {"outputs": {"text": {}, "n": {"type": "value"}}, "command": ["sh", "-ec", shell]}
    step = STEP | {"params": {"word": "n={{steps.first.n}}"}}
    assert run(pipeline(first, step), document("Component", "twice", TWICE), words=("--step", "again")) == 0
    (made,) = [one for one in record()["status"]["steps"] if one["name"] == "again"]
    assert "n=7" in Path(made["outputs"][0]["uri"].removeprefix("file://")).read_text()


WRONG: list[tuple[Json, Json, str]] = [
    (STEP | {"params": {"times": "x"}}, TWICE, "spec.steps[1].params.times: 'x' is not a whole number"),
    (STEP | {"component": {"name": "other"}}, TWICE, "there is no Component other"),
    (STEP | {"component": {"builtin": "other"}}, TWICE, "there is no builtin 'other'"),
    (STEP | {"component": {"name": "twice", "version": "2"}}, TWICE, "Component twice has version 1.1, not 2"),
    (STEP, TWICE | {"args": ["{{params.strange}}"]}, "Component twice: spec.args[0]: parameter 'strange' is not"),
    (STEP, TWICE | {"secrets": ["a"]}, "Component twice would be refused:\n  spec: a Component names no Secrets"),
    (STEP, TWICE | {"imgae": "x"}, "spec.imgae: there is no such field; did you mean image?"),
    (STEP | {"image": "x"}, TWICE, "exactly one of image, component, evaluate, report must be set"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "spec", "words"), WRONG)
def test_what_a_cluster_would_refuse(step: Json, spec: Json, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pipeline(FIRST, step), document("Component", "twice", spec)) == 2
    assert words in capsys.readouterr().err
    assert not list(Path(".fairlead/runs").glob("[0-9]*"))


def test_a_file_for_components_has_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(yaml.safe_dump(pipeline(FIRST)))
    assert run(pipeline(FIRST), words=("--components", "c.yaml")) == 2
    assert "--components c.yaml: Pipeline words is no Component" in capsys.readouterr().err
    assert run(pipeline(FIRST), words=("--components", "missing.yaml")) == 2
    assert "missing.yaml can't be read" in capsys.readouterr().err


def test_a_builtin_is_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"version": "1", "command": ["python", "-c", "import os, fairlead; "
            "open(os.environ['FAIRLEAD_OUT'] + '/where', 'w').write(fairlead.__file__)"],
            "outputs": {"where": {}}}  # fmt: skip
    monkeypatch.setattr(catalog, "BUILTINS", (Builtin("where", said, trains=True),))
    assert run(pipeline({"name": "again", "component": {"builtin": "where"}})) == 0
    assert text().endswith("fairlead/__init__.py")
    assert record()["status"]["components"][0] | {"digest": ""} == {
        "step": "again", "builtin": True, "name": "where", "version": "1", "digest": "",
    }  # fmt: skip
