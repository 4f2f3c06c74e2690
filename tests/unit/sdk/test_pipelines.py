"""Functions become a Pipeline, and what can't be one is said in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fairlead
from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.export import check
from fairlead.plan.pipeline.dag import validate
from fairlead.sdk.handles import Unknown
from fairlead.sdk.mistakes import Mistake
from fairlead.sdk.pipelines import Pipeline

HERE = Path(__file__).parent


@fairlead.step(image="x")
def first(raw: fairlead.In[fairlead.Dataset], rows: fairlead.Out[fairlead.Dataset], size: int = 1) -> None:
    """Read."""


@fairlead.step(image="x")
def second(rows: fairlead.In[fairlead.Dataset], model: fairlead.Out[fairlead.Model], name: str = "a") -> None:
    """Fit."""


@fairlead.step(image="x")
def anything(bytes_: fairlead.In) -> None:
    """Take whatever there is."""


FLIGHTS = fairlead.Dataset("flights")


def described(function) -> dict:
    return fairlead.pipeline(name="it")(function).manifest()


def refused(function, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        described(function)


def test_calls_become_steps(flow):
    made = flow.whole_flow.manifest()
    check(made)
    spec = made["spec"]
    assert made["metadata"] == {"name": "whole-flow"}
    assert spec["params"] == {"rows": "3", "alpha": "0.001"}
    assert spec["triggers"] == [{"dataset": {"name": "flights"}}, {"schedule": {"cron": "0 3 * * 1"}}]
    assert spec["cooldown"] == "1h"
    prepare, train, large, report = spec["steps"]
    assert prepare == {
        "name": "prepare",
        "image": "registry.example/flow:1",
        "command": ["python3", "-m", "fairlead.sdk.run", "flow:prepare"],
        "args": ["--rows={{params.rows}}"],
        "env": [{"name": "MODE", "value": "a$$(HOME)"}],
        "inputs": {"raw": {"dataset": "flights"}},
        "outputs": {"train": {"type": "dataset"}, "test": {"type": "dataset"}, "stats": {"type": "file"}},
        "resources": {"cpu": "0.5", "memory": "1Gi"},
        "retry": {"limit": 2},
    }
    assert train["inputs"] == {"rows": {"output": "prepare.train"}}
    assert train["args"] == ["--kind=boosted", "--alpha={{params.alpha}}"]
    assert (train["timeout"], train["nodeSelector"], train["resources"]) == (
        "4h",
        {"disk": "ssd"},
        {"gpu": {"count": 1}},
    )
    assert large["name"] == "train-large"
    assert large["resources"] == {"gpu": {"count": 2}, "memory": "16Gi"}
    assert large["args"] == ["--kind=boosted", "--alpha=0.5"]
    assert (report["image"], report["needs"]) == ("registry.example/report:1", ["train-large"])
    assert report["inputs"] == {"model": {"output": "train.model"}, "stats": {"output": "prepare.stats"}}
    assert spec["produces"][0]["from"] == "train.model"
    assert spec["produces"][0]["version"]["evaluation"]["data"] == {"output": "prepare.test"}
    validate(PipelineSpec.model_validate(spec))


def test_the_image_of_steps_that_name_none_can_be_given(flow):
    images = [one["image"] for one in flow.whole_flow.manifest("here:2")["spec"]["steps"]]
    assert images == ["here:2", "here:2", "here:2", "registry.example/report:1"]


def test_it_is_described_anew_each_time(flow):
    assert flow.whole_flow.manifest() == flow.whole_flow.manifest()


@pytest.mark.parametrize(
    "use",
    [
        bool, str, int, float, len, iter, list, lambda it: it == 1, lambda it: it != 1, lambda it: it < 1,
        lambda it: it + 1, lambda it: 1 + it, lambda it: it * 2, lambda it: f"{it}", lambda it: f"{it:>5}",
        lambda it: it[0], lambda it: 1 in it, lambda it: -it, lambda it: it and 1, lambda it: "a" if it else "b", open,
        lambda it: it(), range, lambda it: [*it], Path, lambda it: it in (1, 2), next, bytes, round,
    ],
)  # fmt: skip
@pytest.mark.parametrize("which", ["parameter", "output", "step"])
def test_what_has_no_value_yet_is_taken_for_none(use, which):
    def it(size: int = 1):
        step = first(FLIGHTS, size=size)
        use({"parameter": size, "output": step.rows, "step": step}[which])

    with pytest.raises(TypeError) as error:
        described(it)
    assert "has no value while the pipeline is described" in str(error.value)
    assert which in str(error.value)


def test_no_operation_of_a_value_is_forgotten():
    """All that an int, a text or a list can do, less what every object does."""
    of_values = {name for kind in (int, float, str, list) for name in vars(kind) if name.startswith("__")}
    harmless = {
        "__doc__", "__new__", "__init__", "__repr__", "__hash__", "__getattribute__", "__getnewargs__", "__getformat__",
        "__setformat__", "__class_getitem__", "__sizeof__", "__imul__", "__iadd__",
    }  # fmt: skip
    assert of_values - harmless - set(vars(Unknown)) == set()


def test_mistakes_in_calls():
    refused(lambda: first(), "first: missing a required argument: 'raw'")
    refused(lambda: first(FLIGHTS, sice=1), "first: got an unexpected keyword argument 'sice'")
    refused(lambda: first(FLIGHTS, rows="/tmp"), "rows is what the step leaves")
    refused(lambda: first("flights"), r"first.raw is In\[Dataset\]: give it fairlead.Dataset")
    refused(lambda: first(FLIGHTS, size=FLIGHTS), r"first.size is int, a plain value: .* annotate size as fairlead.In")
    refused(lambda: first(FLIGHTS, size="3"), "first.size: '3' is not int")
    refused(
        lambda: [first(FLIGHTS), first(FLIGHTS)], r"there is a step .first. already; name this one: first.options\(name"
    )
    refused(lambda: None, "calls no step")
    with pytest.raises(AttributeError, match="the step 'first' has no output 'rose'; it has rows"):
        described(lambda: first(FLIGHTS).rose)


def test_kinds_are_checked():
    def wrong():
        model = second(first(FLIGHTS))
        second.options(name="again")(model)

    refused(wrong, r"again.rows is In\[Dataset\], and second.model is a Model")
    made = described(lambda: anything(second(first(FLIGHTS)).model))
    assert made["spec"]["steps"][-1]["inputs"] == {"bytes_": {"output": "second.model"}}


def test_what_another_pipeline_has_left_is_read():
    made = described(lambda: second(fairlead.After("prepare", "cut.rows")))
    assert made["spec"]["steps"][0]["inputs"] == {"rows": {"after": {"pipeline": "prepare", "output": "cut.rows"}}}
    check(made)
    for pipeline, output in (("Prepare", "a.b"), ("a", "b"), ("a", "b.c.d"), ("a", "B.c"), (5, "a.b")):
        with pytest.raises(ValueError, match=r"can't be the name|is no output of a step"):
            fairlead.After(pipeline, output)


def test_types_of_parameters_are_checked():
    def wrong(size: str = "1"):
        first(FLIGHTS, size=size)

    refused(wrong, "first.size is int, and the parameter 'size' is str: give both the same type")


@fairlead.step(image="x")
def finds(rows: fairlead.In[fairlead.Dataset]) -> float:
    """Look for the best."""


@fairlead.step(image="x")
def uses(alpha: float, tags: str = "") -> None:
    """Take it."""


def test_what_a_step_returns_is_a_parameter_of_the_next():
    def it():
        found = finds(FLIGHTS)
        uses.options(env={"ALPHA": found.value}, if_=[{"value": found.value, "in": ["0.1"]}])(found)
        uses.options(name="again", when="always", if_=[{"metric": "finds.rmse", "below": 23.5}])(alpha=found.value)

    made = described(it)
    check(made)
    first, second, again = made["spec"]["steps"]
    assert first["outputs"] == {"value": {"type": "value"}}
    assert second["args"] == ["--alpha={{steps.finds.value}}"]
    assert (second["needs"], again["needs"]) == (["finds"], ["finds"])
    assert second["env"] == [{"name": "ALPHA", "value": "{{steps.finds.value}}"}]
    assert second["if"] == [{"value": "finds.value", "in": ["0.1"]}]
    assert (again["when"], again["if"]) == ("always", [{"metric": "finds.rmse", "below": "23.5"}])
    refused(lambda: uses(0.1, tags=finds(FLIGHTS)), "uses.tags is str, and the output finds.value is float")
    refused(lambda: second_of(finds(FLIGHTS)), r"second.rows is In\[Dataset\], and finds.value is a Value")
    refused(lambda: uses(first_of()), "uses.alpha is float, a plain value")


def second_of(given):
    return second(given)


def first_of():
    return first(FLIGHTS)


def test_a_parameter_inside_of_something():
    @fairlead.pipeline(name="it", image="x")
    def it(size: int = 1):
        tags(tags=[size])

    with pytest.raises(Mistake, match="can't stand inside of a list or a dict"):
        it.manifest()


@fairlead.step
def tags(tags: list) -> None:
    """Take a list."""


def test_steps_of_another_pipeline_are_no_inputs():
    kept = []
    described(lambda: kept.append(first(FLIGHTS)))
    refused(lambda: second(kept[0]), "first.rows is of another pipeline")
    refused(lambda: second(kept[0].rows), "first.rows is of another pipeline")
    with pytest.raises(TypeError, match="after\\(\\) takes steps of the same pipeline"):
        described(lambda: first(FLIGHTS).after(kept[0]))


def test_parameters_of_pipelines():
    def untyped(a=1):
        first(FLIGHTS, size=a)

    def without(a: int):
        first(FLIGHTS, size=a)

    def optional(a: int | None = None):
        first(FLIGHTS, size=a)

    def several(*a: int):
        first(FLIGHTS, size=a)

    def wrong(a: int = "x"):
        first(FLIGHTS, size=a)

    def strange(a: object = None):
        first(FLIGHTS, size=a)

    refused(untyped, "a has no type; write a: int")
    refused(without, "a has no default")
    refused(optional, "a may be None")
    refused(several, "can't be a parameter")
    refused(wrong, "a: its default 'x' is not int")
    refused(strange, "has the type object")


def test_what_produces_takes():
    version = {"server": {"runtime": "sklearn"}}
    refused(
        lambda: fairlead.produces("m", first(FLIGHTS).rows, version),
        r"takes what a step leaves as Out\[Model\], not first.rows",
    )
    made = described(lambda: fairlead.produces("m", second(first(FLIGHTS)), version))
    assert made["spec"]["produces"] == [{"model": "m", "from": "second.model", "version": version}]
    with pytest.raises(Mistake, match=r"belongs into a function with @fairlead\.pipeline"):
        fairlead.produces("m", None, version)


def test_env_of_a_step():
    @fairlead.pipeline(name="it")
    def it(mode: str = "x"):
        first.options(env={"A": mode, "B": 1, "C": "$(HOME)", "D": True})(FLIGHTS)

    (step,) = it.manifest()["spec"]["steps"]
    assert {one["name"]: one["value"] for one in step["env"]} == {
        "A": "{{params.mode}}", "B": "1", "C": "$$(HOME)", "D": "true",
    }  # fmt: skip
    refused(lambda: first.options(env={"A": "{{x}}"})(FLIGHTS), "pass it as a parameter of the pipeline")
    refused(lambda: first.options(env={"A": [1]})(FLIGHTS), "a variable is str")


def test_settings_that_follow_from_the_function():
    for wrong in ({"inputs": {}}, {"command": []}):
        with pytest.raises(Mistake, match="follow from its function"):
            fairlead.step(**wrong)
    with pytest.raises(Mistake, match="follow from its function"):
        fairlead.pipeline(steps=[])(lambda: None)


def test_parameters_belong_into_steps():
    @fairlead.pipeline(name="it")
    def it(memory: str = "1Gi"):
        first.options(memory=memory)(FLIGHTS)

    with pytest.raises(Mistake, match="parameters go into steps and their env"):
        it.manifest()


def test_no_image(flow):
    @fairlead.pipeline
    def it():
        flow.forgets()

    with pytest.raises(Mistake, match="the step 'forgets' has no image"):
        it.manifest()


def test_a_pipeline_is_not_called(flow):
    with pytest.raises(TypeError, match="a pipeline is not called: `fairlead export`"):
        flow.whole_flow()

    @fairlead.pipeline
    def outer():
        flow.whole_flow.manifest()

    with pytest.raises(Mistake, match="inside of another one"):
        outer.manifest()
    assert isinstance(outer, Pipeline)


def test_a_program_that_is_run_as_a_file_names_its_module(tmp_path):
    script = tmp_path / "my_flow.py"
    tell = "print(whole_flow.manifest()['spec']['steps'][0]['command'][-1])"
    script.write_text(f"{(HERE / 'flow.py').read_text()}\n\n{tell}\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "my_flow:prepare\n", done.stderr
