"""What is given to a step in Python arrives in its pod: through YAML, parameters, Kubernetes' own `$(…)`, and back."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api.pipeline import PipelineSpec
from fairlead.cli.yamltext import dumped
from fairlead.plan.pipeline import template
from fairlead.plan.pipeline.dag import validate
from fairlead.sdk import pipelines, run, steps, values

SPECIAL = ["$(X)", "$$(X)", "$", "{{params.given}}", "{{x}}", "{{", "}}", '"', "'", "\\", "\n", "\t", "é", "日本", "🦆",
           "null", "true", "1e3", "on", "", " ", "--given=1", "\\u0024", "\u202e", "\x07", "#", ": "]  # fmt: skip
WITHOUT_NUL = st.lists(
    st.sampled_from(SPECIAL) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    max_size=8,
).map("".join)
TEXTS = WITHOUT_NUL | st.text(max_size=20) | st.just("a\0b")
INTS = st.integers() | st.integers(-(10**300), 10**300)
FLOATS = st.floats(allow_nan=False)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INTS | FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def cases(texts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Pairs of a type and a value of it."""
    by_type = [
        (str, texts), (int, INTS), (float, FLOATS), (bool, st.booleans()),
        (list, st.lists(JSON, max_size=3)), (dict, st.dictionaries(TEXTS, JSON, max_size=3)),
        (list[str], st.lists(TEXTS, max_size=3)), (list[float], st.lists(FINITE, max_size=3)),
        (dict[str, list[int]], st.dictionaries(TEXTS, st.lists(INTS, max_size=2), max_size=2)),
        (Literal["a", "$(X)", "{{params.given}}"], st.sampled_from(["a", "$(X)", "{{params.given}}"])),
        (Literal[1, 2], st.sampled_from([1, 2])),
    ]  # fmt: skip
    return st.one_of([st.tuples(st.just(kind), one) for kind, one in by_type])


OPTIONAL = [
    (str | None, TEXTS | st.none()),
    (int | None, INTS | st.none()),
    (list[int] | None, st.lists(INTS) | st.none()),
]


def step_of(kind: Any) -> steps.Step:
    def keep(given):
        return [given]

    keep.__qualname__, keep.__annotations__ = "keep", {"given": kind}
    return steps.step(image="x")(keep)


def pipeline_of(step: steps.Step, kind: Any, value: Any) -> pipelines.Pipeline:
    def whole(given):
        step(given=given)

    whole.__annotations__, whole.__defaults__ = {"given": kind}, (value,)
    return pipelines.pipeline(name="whole")(whole)


def constant(step: steps.Step, value: Any) -> pipelines.Pipeline:
    def whole():
        step(given=value)

    return pipelines.pipeline(name="whole")(whole)


def expanded(text: str) -> str:
    """As Kubernetes does it with a container's arguments, where every variable there is exists."""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: "$" if found[0] == "$$" else "EXPANDED", text)


def arrives(step: steps.Step, made: dict[str, Any]) -> Any:
    """What the function is called with in its pod."""
    read = yaml.safe_load(dumped(made))
    assert read == made
    spec = PipelineSpec.model_validate(read["spec"])
    validate(spec)
    words = [expanded(template.render(one, spec.params, {})) for one in spec.steps[0].args]
    assert all("\0" not in one for one in words), "no program can be given that"
    (found,) = step.function(**run.arguments(step.signature, words))
    return found


def same(found: Any, value: Any) -> bool:
    return type(found) is type(value) and repr(found) == repr(value)


@settings(max_examples=60, deadline=None)
@given(st.one_of([cases(TEXTS), *(st.tuples(st.just(kind), one) for kind, one in OPTIONAL)]))
def test_a_value_that_stands_in_the_pipeline_arrives(case):
    kind, value = case
    step = step_of(kind)
    assert same(arrives(step, constant(step, value).manifest()), value)


@settings(max_examples=60, deadline=None)
@given(cases(WITHOUT_NUL))
def test_a_parameter_of_the_pipeline_arrives(case):
    kind, value = case
    step = step_of(kind)
    made = pipeline_of(step, kind, value).manifest()
    if len(made["spec"]["params"]["given"]) <= 1024:
        assert same(arrives(step, made), value)


@settings(max_examples=60, deadline=None)
@given(cases(WITHOUT_NUL))
def test_what_a_step_returns_arrives(case):
    kind, value = case
    step, said = step_of(kind), values.text(value)
    (word,) = described(kind)["spec"]["steps"][1]["args"]
    text = expanded(template.render(word, {}, {"gives.value": said}))
    assert same(run.arguments(step.signature, [text])["given"], value)


def described(kind: Any) -> dict[str, Any]:
    """A pipeline in which a step takes what another one returns."""

    def gives():
        """Nothing is called here."""

    gives.__qualname__, gives.__annotations__ = "gives", {"return": kind}
    first, second = steps.step(image="x")(gives), step_of(kind)
    found = pipelines.pipeline(name="whole")(lambda: second(given=first())).manifest()
    validate(PipelineSpec.model_validate(found["spec"]))
    return found


def test_not_a_number_arrives_as_one_of_its_kind():
    step = step_of(float)
    found = arrives(step, constant(step, float("nan")).manifest())
    assert found != found


def test_a_lone_surrogate_arrives():
    step = step_of(str)
    assert arrives(step, constant(step, "a\ud800").manifest()) == "a\ud800"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (int, "1.0"), (int, "1_000"), (int, "٣"), (int, ""), (int, "9" * 5000), (int, "true"),
        (float, "1_0"), (float, "x"), (float, "1e999"), (float, ""), (bool, "1"), (bool, "yes"), (bool, ""),
        (list, "{}"), (list, "["), (list[int], '["a"]'), (list[int], "[true]"), (dict, "[]"),
        (dict[str, int], '{"a": 1.5}'), (Literal["a"], "b"), (Literal[1], "true"), (int | None, "none"),
        (list, "[" * 100_000), (list[float], f"[1{'0' * 400}]"),
    ],
)  # fmt: skip
def test_a_text_of_another_type_is_refused_in_words(kind, said):
    with pytest.raises(values.Unfit) as refused:
        values.parse(said, kind)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, True), (int, 1.0), (float, "1"), (str, 1), (bool, 1), (list[int], [1, "a"]), (list, [{1, 2}]), (int, None),
     (dict[str, int], {1: 1}), (Literal[1], True), (list[float], [float("nan")]), (dict, {"a": object()})],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_where_the_pipeline_is_written(kind, value):
    with pytest.raises(steps.Mistake, match=r"keep\.given"):
        constant(step_of(kind), value).manifest()


def test_an_int_is_a_float_where_that_is_asked_for():
    step = step_of(float)
    assert same(arrives(step, constant(step, 3).manifest()), 3.0)
    assert same(arrives(step, pipeline_of(step, int, 3).manifest()), 3.0)
    assert same(run.arguments(step.signature, ["--given=3"])["given"], 3.0)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800"])
def test_a_default_that_no_program_can_be_given(text):
    with pytest.raises(steps.Mistake, match="the parameter 'given'"):
        pipeline_of(step_of(str), str, text).manifest()


def test_what_does_not_fit_into_an_argument_is_said_where_it_is_written():
    with pytest.raises(steps.Mistake, match="5008 characters, and 4096 fit"):
        constant(step_of(str), "x" * 5000).manifest()
