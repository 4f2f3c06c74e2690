"""A step that uses a Component is an ordinary step in the end; what is wrong with it is told by its own fields."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.components.component_examples import CLEAN, STEP, component, world
from tests.unit.plan.littleworld import LittleWorld

from fairlead.api.config import Images
from fairlead.api.pipeline import PipelineSpec
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline import dag
from fairlead.plan.pipeline.components import catalog
from fairlead.plan.pipeline.components.builtin.base import Builtin
from fairlead.plan.pipeline.components.expand import Expanded, expand, explained
from fairlead.plan.pipeline.components.find import NotUsable
from fairlead.plan.pipeline.types import registry as types


def written(where: LittleWorld) -> Json:
    """The Pipeline's spec."""
    found: Json = where.objects["Pipeline", "delay"]["spec"]
    return found


def expanded(*steps: Json, params: Json | None = None, run: Json | None = None, **of_component: Any) -> Expanded:
    where = world(*steps, params=params)
    component(where, **of_component)
    spec = PipelineSpec.model_validate(written(where))
    return expand(spec, where, "team", run)


def test_it_is_an_ordinary_step() -> None:
    found = expanded(STEP | {"retry": {"limit": 2}, "secrets": ["tokens"], "cache": True})
    (step,) = found.spec.steps
    assert step.image == CLEAN["image"]
    assert step.command == ["python", "-m", "clean", "--longest=600", "--mode=drop"]
    assert {one.name: one.value for one in step.env} == {"RATE": "0.5", "HOME": "/tmp"}
    assert {name: one.type for name, one in step.outputs.items()} == {"flights": "dataset", "count": "value"}
    assert (step.retry.limit, step.secrets, step.cache, step.params) == (2, ["tokens"], True, {})
    assert step.component is not None
    assert (step.component.name, step.component.version) == ("clean", "1.2.0")
    assert step.node_selector == {"disk": "ssd"}
    (used,) = found.used
    assert (used.step, used.name, used.namespace, used.version, used.builtin) == ("clean", "clean", "", "1.2.0", False)
    dag.validate(found.spec)


def test_a_pipeline_without_components_stays_the_same_object() -> None:
    spec = PipelineSpec.model_validate({"steps": [{"name": "a", "image": "i"}]})
    assert expand(spec, world(), "team").spec is spec


def test_the_step_wins_over_its_component() -> None:
    taint = {"key": "spot", "operator": "Exists"}
    said = {"resources": {"memory": "4Gi"}, "env": [{"name": "RATE", "value": "9"}, {"name": "MORE", "value": "x"}],
            "nodeSelector": {"disk": "hdd", "zone": "a"}, "tolerations": [taint]}  # fmt: skip
    (step,) = expanded(STEP | said, tolerations=[taint, {"key": "gpu", "operator": "Exists"}]).spec.steps
    assert (step.resources.memory, step.resources.cpu) == ("4Gi", "1")
    assert {one.name: one.value for one in step.env} == {"RATE": "9", "HOME": "/tmp", "MORE": "x"}
    assert step.node_selector == {"disk": "hdd", "zone": "a"}
    assert [one.key for one in step.tolerations] == ["spot", "gpu"]


def test_what_values_use_is_the_pipelines() -> None:
    step = STEP | {"params": {"longest": "{{params.most}}"}}
    (made,) = expanded(step, params={"most": "5"}).spec.steps
    assert made.command[3] == "--longest={{params.most}}"


def test_a_value_with_dollars_and_braces_stays_what_it_is() -> None:
    loose = {"text": {"default": '{"a":{"b":"$(HOME) $$"}}'}}
    (made,) = expanded_with(loose)
    assert made.command == ["run", '{"a":{"b":"$$(HOME) $$$$"}}']


def expanded_with(params: Json, *command: str, given: Json | None = None) -> list[Any]:
    where = world({"name": "s", "component": {"name": "c"}, "params": given or {}}, params={"depth": "3"})
    where.put({"kind": "Component", "metadata": {"name": "c"}, "spec": {
        "version": "1", "image": "i", "command": list(command) or ["run", "{{ params.text }}"], "params": params,
    }})  # fmt: skip
    spec = PipelineSpec.model_validate(written(where))
    return expand(spec, where, "team").spec.steps


def test_json_with_the_pipelines_parameters_in_it() -> None:
    (made,) = expanded_with({"text": {}}, given={"text": '{"tree":{"depth":{{params.depth}}}}'})
    assert made.command[1] == '{"tree":{"depth":{{params.depth}}}}'


@pytest.mark.parametrize(
    ("text", "value"), [("{{params.text}}{params.depth}}", "{"), ("x{{params.text}} }}", "{{each.a")]
)
def test_braces_that_neither_text_nor_value_has_are_refused(text: str, value: str) -> None:
    with pytest.raises(Invalid, match=r"spec\.steps\[0\]\.params: command\[0\] of Component c: .*other double braces"):
        expanded_with({"text": {}}, text, given={"text": value})


def test_a_text_that_becomes_too_long() -> None:
    with pytest.raises(
        Invalid, match=r"spec\.steps\[0\]\.params: command\[0\].* has 8192 characters, and may have 4096"
    ):
        expanded_with({"text": {}}, "{{params.text}}{{params.text}}", given={"text": "x" * 4096})


WRONG: list[tuple[Json, str]] = [
    ({"params": {}}, r"steps\[0\]\.params: Component clean needs longest: Delays above"),
    ({"params": {"longest": "600", "x": "1"}}, r"params\.x: Component clean has no such parameter; it has longest"),
    ({"params": {"longest": "6e2"}}, r"params\.longest: '6e2' is not a whole number"),
    ({"params": {"longest": ""}}, r"params\.longest: '' is not a whole number"),
    ({"params": {"longest": "0"}}, r"params\.longest: '0' is less than 1"),
    ({"params": {"longest": "-5"}}, r"params\.longest: '-5' is less than 1"),
    ({"params": {"longest": "5\n"}}, r"params\.longest: '5\\n' is not a whole number"),
    ({"params": {"longest": "٥"}}, r"params\.longest: '٥' is not a whole number"),
    ({"params": {"longest": "5", "rate": "nan"}}, r"params\.rate: 'nan' is not a number"),
    ({"params": {"longest": "5", "rate": "inf"}}, r"params\.rate: 'inf' is not a number"),
    ({"params": {"longest": "5", "rate": "1.01"}}, r"params\.rate: '1.01' is more than 1"),
    ({"params": {"longest": "5", "mode": "Drop"}}, r"params\.mode: 'Drop' is none of drop, cap"),
    ({"params": {"longest": "{{params.no}}"}}, r"params\.longest: parameter 'no' is not declared; add it"),
    ({"params": {"longest": "{{nonsense}}"}}, r"params\.longest: \{\{nonsense\}\} is not known"),
    ({"inputs": {}}, r"steps\[0\]\.inputs: Component clean needs flights"),
    ({"inputs": {"flights": {"dataset": "flights"}, "more": {"dataset": "flights"}}},
     r"inputs\.more: Component clean has no such input; it has flights, weather"),
    ({"component": {"builtin": "nothing"}}, r"component\.builtin: there is no builtin 'nothing'"),
    ({"env": [{"name": f"V{n}", "value": ""} for n in range(63)]}, r"\.env: with those of Component clean there are"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_wrong_use_is_told_by_the_field_that_people_see(changes: Json, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        expanded(STEP | changes)


def test_a_bound_is_compared_as_it_is_written() -> None:
    longest = {"longest": {"type": "integer", "min": "9007199254740993"}}
    params = CLEAN["params"] | longest
    for value, right in (("9007199254740992", False), ("9007199254740993", True)):
        where = world(STEP | {"params": {"longest": value}})
        component(where, params=params)
        spec = PipelineSpec.model_validate(written(where))
        if right:
            expand(spec, where, "team")
        else:
            with pytest.raises(Invalid, match="is less than"):
                expand(spec, where, "team")


@pytest.mark.parametrize(("type_", "good", "bad"), [
    ("boolean", ["true", "false"], ["True", "yes", "1", ""]),
    ("duration", ["30s", "1h30m", "7d", "0s"], ["30", "s", "1w", "", "-1s", "1s" * 30]),
    ("integer", ["0", "-3", "007"], ["1.0", "1e3", "+1", " 1", "1_000", "9" * 33]),
    ("number", ["0", "-3.5", "1e-6", "2E+3"], [".5", "1.", "1e999", "0x1", "NaN"]),
    ("string", ["", "anything", "{}"], []),
])  # fmt: skip
def test_types(type_: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        expanded_with({"text": {"type": type_}}, given={"text": value})
    for value in bad:
        with pytest.raises(Invalid, match=r"params\.text: .* is not "):
            expanded_with({"text": {"type": type_}}, given={"text": value})


def test_a_value_that_uses_parameters_is_checked_with_the_runs() -> None:
    step = STEP | {"params": {"longest": "{{params.most}}"}}
    expanded(step, params={"most": "nonsense"})  # a run may say otherwise
    expanded(step, params={"most": "nonsense"}, run={"most": "5"})
    with pytest.raises(Invalid, match=r"params\.longest: '5x' is not a whole number"):
        expanded(step, params={"most": "5"}, run={"most": "5x"})


def test_what_is_wrong_with_an_output_of_an_earlier_step() -> None:
    first = {"name": "first", "image": "i", "outputs": {"model": {"type": "model"}, "rows": {"type": "dataset"}}}
    reads = {"inputs": {"flights": {"output": "first.rows"}}}
    expanded(first, STEP | reads)
    with pytest.raises(Invalid, match=r"steps\[1\]\.inputs\.flights: Component clean wants something of type dataset "
                                      r"here, not first\.model \(type model\)"):  # fmt: skip
        expanded(first, STEP | {"inputs": {"flights": {"output": "first.model"}}})


def test_an_output_of_another_component_has_a_type_too() -> None:
    second = {"name": "again", "component": {"name": "clean"}, "params": {"longest": "1"}}
    expanded(STEP, second | {"inputs": {"flights": {"output": "clean.flights"}}})
    with pytest.raises(Invalid, match=r"steps\[1\]\.inputs\.flights: .*clean\.count \(type value\)"):
        expanded(STEP, second | {"inputs": {"flights": {"output": "clean.count"}}})


def test_a_dataset_is_no_model() -> None:
    with pytest.raises(Invalid, match="wants something of type model here, not Dataset flights"):
        expanded(STEP, inputs={"flights": {"type": "model"}})


def test_more_inputs_where_the_component_takes_them() -> None:
    more = {"inputs": {"flights": {"dataset": "flights"}, "other": {"dataset": "flights"}}}
    (step,) = expanded(STEP | more, moreInputs=True).spec.steps
    assert sorted(step.inputs) == ["flights", "other"]


def test_what_the_graph_refuses_is_told_in_words_of_the_pipeline() -> None:
    step = STEP | {"params": {"longest": "{{each.size}}"}}
    found = expanded(step)
    written = PipelineSpec.model_validate({"steps": [step]})
    with pytest.raises(Invalid) as caught:
        dag.validate(found.spec)
    told = str(explained(caught.value, written))
    assert told.startswith("spec.steps[0].params: in command[3] of Component clean: there is no value 'size'"), told
    other = Invalid("spec.steps[0].needs[0]", "there is no step")
    assert explained(other, written) is other


# --- which one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "right"), [
    ("1", True), ("1.2", True), ("1.2.0", True), ("1.20", False), ("2", False), ("1.2.1", False), ("12", False),
])  # fmt: skip
def test_versions(wanted: str, right: bool) -> None:
    step = STEP | {"component": {"name": "clean", "version": wanted}}
    if right:
        assert expanded(step).used[0].version == "1.2.0"
        return
    with pytest.raises(NotUsable) as caught:
        expanded(step)
    assert (caught.value.reason, caught.value.stalled) == ("ComponentVersion", True)
    assert f"Component clean has version 1.2.0, not {wanted}" in caught.value.message


def elsewhere(allowed: list[str] | None, namespace: str = "platform") -> Expanded:
    step = STEP | {"component": {"name": "clean", "namespace": namespace}}
    where = world(step)
    if allowed is not None:
        component(where, namespace=namespace, allowedNamespaces=allowed)
    spec = PipelineSpec.model_validate(written(where))
    return expand(spec, where, "team")


@pytest.mark.parametrize("allowed", [["team"], ["*"], ["a", "team"]])
def test_a_granted_component_of_another_namespace(allowed: list[str]) -> None:
    assert elsewhere(allowed).used[0].namespace == "platform"


def test_one_that_is_not_granted_is_as_if_it_were_not_there() -> None:
    said = []
    for allowed in (None, [], ["tea", "teams"]):
        with pytest.raises(NotUsable) as caught:
            elsewhere(allowed)
        said.append((caught.value.reason, caught.value.message))
    assert len(set(said)) == 1
    assert said[0][0] == "ComponentMissing"
    assert "add team to its spec.allowedNamespaces" in said[0][1]


def test_one_that_is_not_granted_and_makes_no_sense_tells_nothing_of_that() -> None:
    step = STEP | {"component": {"name": "clean", "namespace": "platform", "version": "9"}}
    where = world(step)
    component(where, namespace="platform", image=7, version="1")
    spec = PipelineSpec.model_validate(written(where))
    with pytest.raises(NotUsable) as caught:
        expand(spec, where, "team")
    assert caught.value.reason == "ComponentMissing"


def test_the_own_namespace_may_be_written_down_and_needs_no_grant() -> None:
    found = expanded(STEP | {"component": {"name": "clean", "namespace": "team"}})
    assert found.used[0].namespace == ""


def test_a_component_that_makes_no_sense_is_not_used() -> None:
    with pytest.raises(NotUsable) as caught:
        expanded(STEP, command=["{{params.strange}}"])
    assert caught.value.reason == "ComponentInvalid"
    assert "Component clean can't be used: spec.command[0]: parameter 'strange' is not declared" in caught.value.message


def test_one_that_this_fairlead_cannot_read() -> None:
    with pytest.raises(NotUsable) as caught:
        expanded(STEP, image=7)
    assert caught.value.reason == "ComponentUnreadable"


def test_a_builtin(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Builtin(
        "fit", {"version": "1.1", "command": ["python"], "outputs": {"model": {"type": "model"}}}, trains=True
    )
    monkeypatch.setattr(catalog, "BUILTINS", (made,))
    where = world({"name": "train", "component": {"builtin": "fit", "version": "1"}})
    spec = PipelineSpec.model_validate(written(where))
    with pytest.raises(NotUsable) as caught:
        expand(spec, where, "team")
    assert (caught.value.reason, "images.trainer" in caught.value.message) == ("ComponentWithoutImage", True)
    images = Images(worker="worker:1", trainer="trainer:1")
    where.config = where.config.model_copy(update={"images": images})
    found = expand(spec, where, "team")
    assert (found.spec.steps[0].image, found.used[0].builtin, found.used[0].version) == ("trainer:1", True, "1.1")
    assert types.outputs(found.spec.steps[0])["model"].type == "model"
