"""Random Components and values: what comes out is what putting in by hand gives, and nothing raises but Invalid."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.littleworld import LittleWorld

from fairlead.api.pipeline import PipelineSpec
from fairlead.plan.component import texts
from fairlead.plan.core import Invalid, Json
from fairlead.plan.pipeline.components.expand import expand
from fairlead.plan.pipeline.components.find import NotUsable

NAMES = ["a", "b_2", "Long"]
PLAIN = st.text(alphabet=st.sampled_from("ab{} $()\n\"'é"), max_size=6)
VALUE = st.lists(
    st.one_of(PLAIN, st.sampled_from(["{{params.depth}}", "{{ steps.first.n }}", "{{each.size}}", "$(HOME)", "$$"])),
    max_size=4,
).map("".join)
PIECE = st.one_of(PLAIN.filter(lambda text: "{{" not in text and "}}" not in text), st.sampled_from(NAMES).map(
    lambda name: f"{{{{params.{name}}}}}"))  # fmt: skip


def by_hand(pieces: list[str], values: dict[str, str]) -> str:
    return "".join(values[p[9:-2]].replace("$", "$$") if p[:9] == "{{params." else p for p in pieces)


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECE, max_size=5), values=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUE)))
def test_texts_are_what_putting_in_by_hand_gives(pieces: list[str], values: dict[str, str]) -> None:
    text = "".join(pieces)
    try:
        asked = list(texts.used(text, "f"))
    except Invalid:
        assert re.search(r"\{\{.*?\}\}", text)
        return
    wanted = [p[9:-2] for p in pieces if p[:9] == "{{params."]
    if asked != wanted:  # pieces beside each other have made other braces: they are refused, or none of ours
        return
    expected = by_hand(pieces, values)
    inside = [one.replace("$", "$$") for name in wanted for one in re.findall(r"\{\{(.*?)\}\}", values[name])]
    try:
        made = texts.render(text, values)
    except ValueError:
        assert re.findall(r"\{\{(.*?)\}\}", expected) != inside
        return
    assert made == expected
    assert re.findall(r"\{\{(.*?)\}\}", made) == inside, "the Pipeline fills what the values say, and nothing else"


PARAM = st.fixed_dictionaries({}, optional={
    "type": st.sampled_from(["string", "integer", "number", "boolean", "duration"]),
    "default": st.one_of(PLAIN, st.sampled_from(["1", "true", "3h", "1e400", "-0"])),
    "min": st.sampled_from(["0", "-5", "1e-3"]), "max": st.sampled_from(["7", "1e9"]),
    "in": st.lists(st.sampled_from(["1", "x", "true"]), min_size=1, max_size=3, unique=True),
})  # fmt: skip
SOURCE = st.sampled_from([{"dataset": "flights"}, {"output": "first.rows"}, {"output": "gone.rows"},
                          {"after": {"pipeline": "p", "output": "s.rows"}}])  # fmt: skip
COMPONENT = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["1", "1.2", "1.2.3"]), "image": st.just("i"),
        "command": st.lists(st.one_of(PIECE, VALUE), max_size=3),
        "params": st.dictionaries(st.sampled_from(NAMES), PARAM, max_size=3),
        "inputs": st.dictionaries(st.sampled_from(["x", "y"]), st.fixed_dictionaries({}, optional={
            "type": st.sampled_from(["dataset", "model", "value"]), "optional": st.booleans()}), max_size=2),
        "outputs": st.just({"rows": {"type": "dataset"}}), "moreInputs": st.booleans(),
    }
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(component=COMPONENT, params=st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUE, max_size=4),
       inputs=st.dictionaries(st.sampled_from(["x", "y", "z"]), SOURCE, max_size=3),
       version=st.sampled_from([None, "1", "2"]))  # fmt: skip
def test_whatever_is_written_there_is_an_answer(component: Json, params: Json, inputs: Json, version: Any) -> None:
    where = LittleWorld()
    where.put({"kind": "Component", "metadata": {"name": "c"}, "spec": component})
    step = {"name": "s", "component": {"name": "c", "version": version}, "params": params, "inputs": inputs}
    first = {"name": "first", "image": "i", "outputs": {"rows": {"type": "dataset"}}}
    spec = PipelineSpec.model_validate({"steps": [first, step], "params": {"depth": "3"}})
    try:
        found = expand(spec, where, "team", {"depth": "3"})
    except NotUsable:
        return
    except Invalid as why:
        assert why.field_path.startswith("spec.steps[1]")  # noqa: PT017 - either is an answer
        return
    made = found.spec.steps[1]
    assert set(params) <= set(component["params"])
    assert len(made.command) == len(component["command"])
    known = {name: one.get("default") for name, one in component["params"].items()} | params
    assert None not in known.values()
    assert set(inputs) <= set(component["inputs"]) or component["moreInputs"]
    assert expand(spec, where, "team", {"depth": "3"}) == found
