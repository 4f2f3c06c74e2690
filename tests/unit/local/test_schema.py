"""What the API server would refuse is refused here, with the field named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.local import cel, schema

Json = dict[str, Any]
MANIFESTS = Path(__file__).parents[2] / "contract" / "manifests"
MARK = "# refused: "


def of(folder: str) -> list[Path]:
    """Manifests of the contract tests that are of a kind which runs here."""
    found = sorted((MANIFESTS / folder).glob("*.yaml"))
    return [path for path in found if yaml.safe_load(path.read_text())["kind"] in schema.definitions()]


def rules(node: Any) -> Iterator[str]:
    """All rules below a schema."""
    if isinstance(node, dict):
        yield from (one["rule"] for one in node.get(schema.RULES, ()) if isinstance(one, dict))
        for child in node.values():
            yield from rules(child)


def test_every_rule_of_the_definitions_can_be_read() -> None:
    found = set(rules(schema.definitions()))
    assert len(found) > 30
    for rule in found:
        cel.compiled(rule)


def words(node: Any) -> Iterator[str]:
    """Keywords of a schema."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            children = value.values() if key == "properties" else [value]
            for child in children:
                yield from words(child)


def test_every_keyword_of_the_definitions_is_looked_at() -> None:
    known = {
        "type", "properties", "additionalProperties", "items", "required", "enum", "pattern", "minLength", "maxLength",
        "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties", "default",
        "x-kubernetes-list-type", "x-kubernetes-list-map-keys", schema.RULES,
    }  # fmt: skip
    for one in schema.definitions().values():
        assert set(words(one["spec"])) - known == set()


@pytest.mark.parametrize("path", of("good"), ids=lambda p: p.stem)
def test_what_the_api_server_accepts_is_accepted(path: Path) -> None:
    assert schema.problems(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", of("bad"), ids=lambda p: p.stem)
def test_what_the_api_server_refuses_is_refused_with_the_same_field(path: Path) -> None:
    """Each of these says what the API server's answer must contain: here, too, the field or the rule's message."""
    text = path.read_text()
    told = " ".join(schema.problems(yaml.safe_load(text)))
    assert told
    fragments = [line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK)]
    fields = [one for one in fragments if one.startswith(("spec", "metadata"))]
    assert all(one.partition(":")[0] in told for one in fields), told


LEAST: Json = {
    "apiVersion": "fairlead.dev/v1alpha1", "kind": "Pipeline", "metadata": {"name": "delay"},
    "spec": {"steps": [{"name": "one", "image": "example.com/x:1", "outputs": {"m": {"type": "model"}}}]},
}  # fmt: skip


def changed(path: str, value: Any) -> Json:
    found = copy.deepcopy(LEAST)
    at: Any = found
    *above, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
    for part in above:
        at = at[part]
    at[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("spec/steps/0/imgae", "x", "spec.steps[0].imgae: there is no such field; did you mean image?"),
        ("spec/steps/0/name", "Train", 'spec.steps[0].name: "Train" must match'),
        ("spec/steps/0/name", 5, "spec.steps[0].name: must be a text, not 5; put it in quotes"),
        ("spec/steps/0/command", "python", "spec.steps[0].command: must be a list, not"),
        ("spec/steps/0/args", [24], "spec.steps[0].args[0]: must be a text, not 24; put it in quotes"),
        ("spec/params", {"alpha": 0.1}, "spec.params.alpha: must be a text, not 0.1"),
        ("spec/steps/0/timeout", "0s", "spec.steps[0].timeout"),
        ("spec/steps/0/timeout", "1h\n", "spec.steps[0].timeout"),
        ("spec/steps/0/retry", {"limit": 21}, "spec.steps[0].retry.limit: may be at most 20"),
        ("spec/steps/0/retry", {"limit": True}, "spec.steps[0].retry.limit: must be a whole number"),
        ("spec/steps/0/outputs", {"m": {"type": "modle"}}, "spec.steps[0].outputs.m.type"),
        ("spec/steps", [], "spec.steps: must have at least 1 items"),
        ("spec/steps/0/each", {"matrix": {}}, "spec.steps[0].each.matrix: must have at least 1 entries"),
        ("spec/steps/0", {"name": "one"}, "exactly one of image, component, evaluate, report must be set"),
        ("spec/steps/0/needs", ["a", "a"], 'spec.steps[0].needs[1]: "a" is there twice'),
        ("spec/steps/0/inputs", {"x": {}}, "spec.steps[0].inputs.x: exactly one of"),
        ("spec/steps/0/inputs", {"x": {"dataset": "a", "output": "one.m"}}, "spec.steps[0].inputs.x: exactly one of"),
        ("spec/steps/0/inputs", {"x-y": {"dataset": "a"}}, "spec.steps[0].inputs: keys must match"),
        ("spec/produces", [{"model": "d", "from": "one.x", "version": {"server": {"runtime": "sklearn"}}}],
         "spec: produces[].from must name an output of type model"),
        ("spec/triggers", [{}], "spec.triggers[0]: exactly one of"),
        ("metadata/name", "1delay", "metadata.name must begin with a lower-case letter"),
        ("metadata", {}, "metadata.name: is required"),
        ("steps", [], "steps: there is no such field"),
        ("spec", None, "spec: is required"),
        ("spec/steps/0/name", None, "spec.steps[0].name: is required"),
        ("spec/steps/0/needs", [None], "spec.steps[0].needs[0]: must be a text, not None"),
        ("spec/steps/0/resources", {"memory": "500m"}, "spec.steps[0].resources.memory"),
    ],
)  # fmt: skip
def test_each_is_refused_by_name(path: str, value: Any, expected: str) -> None:
    assert schema.problems(LEAST) == []
    assert expected in "\n".join(schema.problems(changed(path, value)))


def test_defaults_are_there_before_rules_are_asked() -> None:
    spec = schema.defaulted({"steps": [], "suspend": None}, schema.definitions()["Pipeline"]["spec"])
    assert spec["concurrency"] == "Forbid"
    assert spec["suspend"] is False


@pytest.mark.parametrize(
    ("rule", "self", "kept"),
    [
        ("has(self.a) && self.a == 1", {"a": 1}, True), ("has(self.a)", {}, False), ("self.a == 1", {}, None),
        ("!has(self.a) || self.a > 2", {}, True), ("self.a > 2 || true", {}, True), ("self.a > 2 && false", {}, False),
        ("(has(self.a) ? 1 : 0) + (has(self.b) ? 1 : 0) == 1", {"b": None}, True),
        ("self.all(k, k.size() <= 2 && k.matches('^[a-z]+$'))", {"ab": 1}, True),
        ("self.all(k, k.matches('^[a-z]+$'))", {"aB": 1}, False),
        ("self.exists(x, x.y in ['a', 'b'])", [{}, {"y": "b"}], True),
        ("self.exists(x, x.y == 'a')", [{}, {"y": "b"}], None), ("self.all(x, x.y == 'a')", [{}, {"y": "b"}], False),
        ("self.exists_one(x, x > 1)", [1, 2, 3], False), ("self.filter(x, x > 1).size() == 2", [1, 2, 3], True),
        ("self.map(x, x * 2) == [2, 4]", [1, 2], True), ("has(self.__in__)", {"in": []}, True),
        ("self.a__dash__b == 1", {"a-b": 1}, True), ("self['a-b'] == 1", {"a-b": 1}, True),
        ("!self.matches(r'^a[.]b$')", "a.b", False),
        ("self == 'it\\'s'", "it's", True), ("self == \"\\n\"", "\n", True),
        ("double(self.min) <= double(self.max)", {"min": "1e-3", "max": "2"}, True), ("double(self) < 1.0", "x", None),
        ("quantity(self.a).compareTo(quantity(self.b)) <= 0", {"a": "500m", "b": "1"}, True),
        ("quantity(self.a).compareTo(quantity(self.b)) <= 0", {"a": "1Gi", "b": "1G"}, False),
        ("self == true", 1, False), ("1 in [true]", {}, False), ("self < 'a'", 1, None), ("self in {}", 1, "unread"),
        ("-self + 7 / 2 - 5 % 3 == 0", 1, True), ("self.foo()", {}, "unread"), ("bar(self)", {}, "unread"),
        ("self.size() > 0 ? self[0] == 'a' : false", ["a"], True), ("has(self)", {}, "unread"),
        ("self ==", {}, "unread"),
        ("has(self.a.b) && has(self.a.b.c)", {"a": {"b": {"c": 0}}}, True), ("has(self.a.b)", {}, None),
        ("self.split(',').exists(x, x.endsWith('z'))", "a,bz", True), ("a.b", {}, None), ("1 2", {}, "unread"),
    ],
)  # fmt: skip
def test_cel(rule: str, self: Any, kept: bool | str | None) -> None:
    """None: an error of the evaluation; unread: a rule that can't be read."""
    if kept == "unread":
        with pytest.raises(cel.NotKnown):
            cel.compiled(rule)
        return
    code = cel.compiled(rule)
    if kept is None:
        with pytest.raises(cel.Wrong):
            code({"self": self})
        return
    assert code({"self": self}) is kept


def test_hostile_manifests_are_told_in_bounded_time() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": deep}
    many = changed("spec/steps", [{"name": f"s{n}", "image": "x"} for n in range(5000)])
    assert any("at most 64 items" in line for line in schema.problems(many))
    assert schema.problems(changed("spec/params", deep))
    assert len(json.dumps(schema.problems(changed("spec/params", {"k" * 10_000: 1})))) < 500
