"""How a model becomes a structural schema."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from hack.gen.structural import Unsupported, plain, schema_of
from pydantic import ConfigDict, Field

from fairlead.api.schema import Key, Model, cel


class Inner(Model):
    """The inner part,
    on two lines.

    And a paragraph."""

    size: Annotated[int, Field(ge=1)] = 3


class Bare(Model):
    """Without defaults below."""

    word: str | None = None


class Outer(Model):
    """The outer part."""

    inner: Inner = Inner()
    """What stands beside a reference wins."""
    maybe: Inner | None = None
    bare: Bare = Bare()
    kind: Literal["one"] = "one"
    share: Annotated[float, Field(gt=0, lt=1)]
    items: Annotated[list[Inner], Field(max_length=3)] = [Inner(size=7)]  # noqa: RUF012
    nothing: list[str] = []  # noqa: RUF012
    by_name: Annotated[dict[Key, Inner], Field(max_length=2)] = {}  # noqa: RUF012
    empty: str = ""
    off: bool = False
    model_config = ConfigDict(json_schema_extra=cel(("has(self.maybe)", "say maybe")))


@pytest.fixture
def fields() -> dict[str, dict[str, object]]:
    return dict(schema_of(Outer)["properties"])


def test_names_are_camel_case_and_required_ones_are_listed() -> None:
    schema = schema_of(Outer)
    assert "byName" in schema["properties"]
    assert schema["required"] == ["share"]


def test_references_are_dissolved(fields: dict[str, dict[str, object]]) -> None:
    assert fields["inner"]["properties"] == {"size": {"type": "integer", "minimum": 1, "default": 3}}
    assert fields["inner"]["description"] == "What stands beside a reference wins."
    assert fields["maybe"]["description"] == "The inner part, on two lines.\n\nAnd a paragraph."


def test_an_optional_member_has_neither_null_nor_default(fields: dict[str, dict[str, object]]) -> None:
    assert fields["maybe"]["type"] == "object"
    assert "default" not in fields["maybe"]


def test_an_objects_default_is_empty_where_defaults_lie_below(fields: dict[str, dict[str, object]]) -> None:
    assert fields["inner"]["default"] == {}
    assert "default" not in fields["bare"]


def test_defaults_that_say_nothing_are_left_out(fields: dict[str, dict[str, object]]) -> None:
    assert all("default" not in fields[name] for name in ("nothing", "byName", "empty"))
    assert fields["off"]["default"] is False
    assert fields["items"]["default"] == [{"size": 7}]


def test_constants_and_open_bounds(fields: dict[str, dict[str, object]]) -> None:
    assert fields["kind"]["enum"] == ["one"]
    assert fields["share"] == {
        "type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True,
    }  # fmt: skip


def test_the_form_of_keys_becomes_a_rule(fields: dict[str, dict[str, object]]) -> None:
    rules = fields["byName"]["x-kubernetes-validations"]
    assert isinstance(rules, list)
    assert rules[0]["rule"] == "self.all(key, key.size() <= 63 && key.matches('^[A-Za-z_][A-Za-z0-9_]*$'))"
    assert "additionalProperties" in fields["byName"]
    assert fields["byName"]["maxProperties"] == 2


def test_rules_stay_where_they_were_written() -> None:
    assert schema_of(Outer)["x-kubernetes-validations"] == [{"rule": "has(self.maybe)", "message": "say maybe"}]


def test_a_status_holds_nothing_back() -> None:
    bare = plain(schema_of(Outer), described=False)
    text = repr(bare)
    assert not any(word in text for word in ("'default'", "x-kubernetes-validations", "'pattern'", "'description'"))
    assert bare["properties"]["inner"]["properties"]["size"] == {"type": "integer", "minimum": 1}


def test_a_union_is_refused() -> None:
    class Union(Model):
        """Cannot be said."""

        value: int | str

    with pytest.raises(Unsupported, match=r"Union\.value: a union"):
        schema_of(Union)


def test_a_node_without_a_type_is_refused() -> None:
    class Anything(Model):
        """Cannot be said."""

        value: object

    with pytest.raises(Unsupported, match=r"Anything\.value: a node without a type"):
        schema_of(Anything)
