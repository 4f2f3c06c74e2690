"""Components in a pipeline in Python: what is given becomes inputs and parameters, and Fairlead's own understand it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest

import fairlead
from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.export import check
from fairlead.cli.main import main
from fairlead.local.world import Here
from fairlead.plan.pipeline.components.expand import expand
from fairlead.plan.pipeline.dag import validate
from fairlead.sdk.mistakes import Mistake

FLIGHTS = fairlead.Dataset("flights")
divide = fairlead.component(builtin="split", cpu=1)
learn = fairlead.component(builtin="train-sklearn", version="1", memory="2Gi")


@fairlead.step(image="x")
def pick() -> float:
    """Return a share."""
    return 0.2


@fairlead.step(image="x")
def fit(rows: fairlead.In[fairlead.Dataset], model: fairlead.Out[fairlead.Model], share: float = 0.1) -> None:
    """Fit."""


def described(function: Any) -> Any:
    return fairlead.pipeline(name="it")(function).manifest()


def refused(function: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        described(function)


def test_what_is_given_becomes_inputs_and_parameters() -> None:
    def it(rounds: int = 5) -> None:
        parts = divide(data=FLIGHTS, test="20%", key="id", seed=3, column=None)
        trained = learn(
            data=parts.train, validation=parts.test, target="y", task="regression", features=["x", "place"],
            options={"alpha": 0.5},
            rounds=rounds,
        ).after(parts)  # fmt: skip
        evaluation = {"features": ["x"], "target": "y", "metrics": ["mae"], "data": {"output": parts.test}}
        fairlead.produces("m", trained.model, version={"server": {"runtime": "sklearn"}, "evaluation": evaluation})

    made = described(it)
    assert made["spec"]["steps"] == [
        {"name": "split", "component": {"builtin": "split"}, "params": {"test": "20%", "key": "id", "seed": "3"},
         "inputs": {"data": {"dataset": "flights"}}, "resources": {"cpu": "1"}},
        {"name": "train-sklearn", "component": {"builtin": "train-sklearn", "version": "1"},
         "params": {"target": "y", "task": "regression", "features": "x,place", "options": '{"alpha": 0.5}',
                    "rounds": "{{params.rounds}}"},
         "inputs": {"data": {"output": "split.train"}, "validation": {"output": "split.test"}},
         "resources": {"memory": "2Gi"}},
    ]  # fmt: skip
    assert made["spec"]["produces"][0]["from"] == "train-sklearn.model"
    check(made)


def test_what_comes_with_fairlead_understands_it() -> None:
    def it() -> None:
        parts = divide(data=FLIGHTS, test="20%", validation="10%", by="time", column="day", key=["id", "day"])
        learn(data=parts.train, validation=parts.validation, target="y", task="regression", features=["x"])
        fit.options(name="again")(rows=parts.test)
        fairlead.component(builtin="sql")(rows=parts.test, query='select 1 as "$a" from rows where a % 2 = 0')

    made = described(it)
    spec = PipelineSpec.model_validate(made["spec"])
    found = expand(spec, Here(Path()), "ns").spec
    validate(found, "it")
    assert [step.name for step in found.steps] == ["split", "train-sklearn", "again", "sql"]


def test_a_component_of_the_namespace_or_of_another_one() -> None:
    def it() -> None:
        clean = fairlead.component("clean", namespace="shared", version="1.4", cache=True, timeout="1h")
        cleaned = clean.options(name="clean-flights", memory="1Gi")(raw=FLIGHTS)
        share = pick()
        fit(rows=cleaned.rows, share=cleaned.share)
        clean(raw=cleaned.rows, share=share, before=fairlead.After("other", "a.rows"))

    steps = {one["name"]: one for one in described(it)["spec"]["steps"]}
    ref = {"name": "clean", "namespace": "shared", "version": "1.4"}
    assert steps["clean-flights"] == {
        "name": "clean-flights", "component": ref, "inputs": {"raw": {"dataset": "flights"}}, "cache": True,
        "timeout": "1h", "resources": {"memory": "1Gi"},
    }  # fmt: skip
    assert steps["fit"]["args"] == ["--share={{steps.clean-flights.share}}"]
    assert steps["fit"]["inputs"] == {"rows": {"output": "clean-flights.rows"}}
    assert steps["clean"]["params"] == {"share": "{{steps.pick.value}}"}
    assert steps["clean"]["needs"] == ["pick"]
    assert steps["clean"]["inputs"]["before"] == {"after": {"pipeline": "other", "output": "a.rows"}}


NOT_NAMED: list[tuple[dict[str, Any], str]] = [
    ({}, "has a name or is builtin"), ({"name": "a", "builtin": "b"}, "has a name or is builtin"),
    ({"builtin": "a", "namespace": "b"}, "a namespace goes with the name"),
    ({"name": "A b"}, "can't be the name of a component"), ({"name": "a", "image": "x"}, "brings its image"),
    ({"name": "a", "command": ["x"]}, "follow from its function"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), NOT_NAMED)
def test_what_names_no_component(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Mistake, match=words):
        fairlead.component(**given)


def test_mistakes() -> None:
    with pytest.raises(Mistake, match="brings its image"):
        divide.options(image="x")
    with pytest.raises(Mistake, match="as a step of a pipeline only"):
        divide(data="rows")
    refused(lambda: (divide(data=FLIGHTS), divide(data=FLIGHTS)), "there is a step 'split' already")
    refused(lambda: divide(data=divide.options(name="a")(data=FLIGHTS)), "name the output that you mean, as in a.data")
    refused(lambda: divide(data=FLIGHTS, key=["a,b"]), "'a,b' has a comma")
    refused(lambda: divide(data=FLIGHTS, key=[pick().value]), "can't stand inside of a list")
    refused(lambda: divide(data=FLIGHTS, key="{{params.a}}"), "Fairlead's own")
    refused(lambda: divide(data=FLIGHTS, key="a" * 5000), "4096")
    refused(lambda: divide(data=FLIGHTS, key=object()), "can't be written as JSON")


def test_no_operation_of_python_is_taken_for_an_output() -> None:
    def it() -> None:
        parts = divide(data=FLIGHTS)
        assert not hasattr(parts, "__array__")
        assert not hasattr(parts, "_repr_html_")
        with pytest.raises(AttributeError, match="has no output"):
            _ = parts._hidden
        with pytest.raises(TypeError, match="has no value while"):
            bool(parts.train)

    described(it)


ROWS = "id,x,y\n" + "".join(f"{n},{n % 7},{n % 7 * 2}\n" for n in range(200))
OWN = """
import fairlead
from fairlead import Dataset, File, In, Out

split = fairlead.component(builtin="split")

@fairlead.step
def count(train: In[Dataset], test: In[Dataset], note: Out[File]) -> None:
    note.write_text(f"{len(list(train.iterdir()))} {len(list(test.iterdir()))}")

@fairlead.pipeline
def whole() -> None:
    prepared = fairlead.component(builtin="sql")(rows=Dataset("rows"), query="select id, x, y from rows where x > 0")
    parts = split(data=prepared.data, test="25%", key=["id"])
    count(parts.train, parts.test)
"""


def test_the_same_pipeline_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("data").mkdir()
    Path("data/rows.csv").write_text(ROWS)
    Path("whole_with_parts.py").write_text(OWN)
    assert main(["dev", "run", "whole_with_parts.py", "--data", "rows=data", "--out", "out"]) == 0
    assert len(list(csv.reader(ROWS.splitlines()))) == 201
    assert (tmp_path / "out" / "1" / "steps" / "count" / "out" / "note").read_text() == "1 1"
